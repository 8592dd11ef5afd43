import { checkOptions, finite, positive, required } from '../../check/check.ts';
import { expectOptions } from '../../check/options.ts';
import { add, div, maximum, mul, sub } from '../../ops/binary.ts';
import { greater } from '../../ops/compare.ts';
import { indexSelect } from '../../ops/gather.ts';
import { softmax } from '../../ops/softmax.ts';
import { log } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { categorical } from '../../random/categorical.ts';
import { beta } from '../../random/gamma.ts';
import { splitKey } from '../../random/key.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { COUNTS } from '../../stats/class-weights.ts';
import { deviceTable } from '../../losses/device-table.ts';
import { blend, type Mixing, type MixingInputs } from './mixing.ts';

/** Options of {@link unimix}. */
export interface UnimixOptions {
  /** Training samples of each class; a class without any counts as one with a single sample. */
  classCounts: ArrayLike<number>;
  /** Of the factor's distribution, above 0. Default: 0.8. */
  alpha?: number;
  /**
   * Exponent of a sample's chance to be a partner, n_y^tau. Over classes that is an exponent of 1 + tau, which is the
   * paper's tau: 0 is random, -1 class-balanced, below -1 reversed. Default: -0.5, the code's for CIFAR-10 (-0.1 for
   * CIFAR-100).
   */
  tau?: number;
}

/**
 * Factor xi = m + b, less 1 where that is above 1, with m = n_j / (n_i + n_j) and b ~ Beta(alpha, alpha) in `draws`.
 * For alpha < 1 its density peaks at m, so that of a pair the rarer class dominates. `own` and `partner` hold n_i and
 * n_j of each sample.
 */
export function unimixFactor(own: Tensor, partner: Tensor, draws: Tensor): Tensor {
  const turned = add(div(partner, add(own, partner)), draws);
  return where(greater(turned, 1), sub(turned, 1), turned);
}

/**
 * Probability of each sample of a batch to be drawn as a partner, proportional to n^tau; `counts` holds n of each
 * sample, (batch).
 */
export function unimixPartnerProbabilities(counts: Tensor, given: { tau?: number } = {}): Tensor {
  expectOptions('unimixPartnerProbabilities', given, ['tau']);
  const { tau = -0.5 } = given;
  return softmax(mul(log(counts), tau));
}

/**
 * UniMix: each sample i is blended with a partner j of the same batch, drawn with replacement by
 * {@link unimixPartnerProbabilities}: xi x_i + (1 - xi) x_j with {@link unimixFactor}, and the labels alike. Made for
 * {@link bayias}: `fit({ objective: mixed(unimix({ classCounts }), bayias({ classCounts })) })`.
 * Xu, Chai, Yuan, NeurIPS 2021. Throws RangeError on bad counts and options outside their ranges.
 */
export function unimix(given: UnimixOptions): Mixing {
  checkOptions('unimix', given, { classCounts: required(COUNTS), alpha: positive, tau: finite });
  const { classCounts, alpha = 0.8, tau = -0.5 } = given;
  const table = deviceTable(Float64Array.from(classCounts, (n) => Math.max(n, 1)));
  const mix = ({ x, y, random: { key, first } }: MixingInputs) => {
    // A label outside the classes finds no count; the loss reports it.
    const counts = maximum(indexSelect(table.on(x.gpu), y), 1);
    const order = categorical({ probs: unimixPartnerProbabilities(counts, { tau }) }, splitKey(key, 0), {
      count: y.size,
      first,
    });
    const draws = beta([y.size], splitKey(key, 1), { a: alpha, b: alpha, first, gpu: x.gpu });
    const weight = unimixFactor(counts, indexSelect(counts, order), draws);
    return { x: blend(x, indexSelect(x, order), weight), partner: indexSelect(y, order), weight };
  };
  return Object.assign(mix, { classes: classCounts.length, dispose: () => table.dispose() });
}
