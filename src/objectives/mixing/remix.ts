import { atLeast, between, boolean, checkOptions, positive, required } from '../../check/check.ts';
import { mul, sub } from '../../ops/binary.ts';
import { greaterEqual, less, logicalAnd } from '../../ops/compare.ts';
import { indexSelect } from '../../ops/gather.ts';
import { where } from '../../ops/where.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { COUNTS } from '../../stats/class-weights.ts';
import { deviceTable } from '../../losses/device-table.ts';
import { blend, type Mixing, type MixingInputs } from './mixing.ts';
import { drawPairs, type MixupOptions } from './mixup.ts';

/** Options of {@link remixWeight}. */
export interface RemixWeightOptions {
  /** Ratio of two classes' sizes from which the rarer one takes the label, at least 1. Default: 3. */
  kappa?: number;
  /** The rarer one takes it while the share of the other is below this, in 0..1. Default: 0.5. */
  tau?: number;
}

/** Options of {@link remix}. */
export interface RemixOptions extends MixupOptions, RemixWeightOptions {
  /** Training samples of each class; a class without any counts as one with a single sample. */
  classCounts: ArrayLike<number>;
}

const WEIGHT = { kappa: atLeast(1), tau: between(0, 1) } as const;

/**
 * Share of the own label for the share w of the own input, n_i samples in the own class and n_j in the partner's: 0
 * where n_i >= kappa n_j and w < tau, 1 where kappa n_i <= n_j and 1 - w < tau, else w. All of one shape.
 */
export function remixWeight(own: Tensor, partner: Tensor, weight: Tensor, given: RemixWeightOptions = {}): Tensor {
  checkOptions('remixWeight', given, WEIGHT);
  const { kappa = 3, tau = 0.5 } = given;
  const toPartner = logicalAnd(greaterEqual(own, mul(partner, kappa)), less(weight, tau));
  const toOwn = logicalAnd(greaterEqual(partner, mul(own, kappa)), less(sub(1, weight), tau));
  return where(toPartner, 0, where(toOwn, 1, weight));
}

/**
 * Remix: mixup of the inputs, while the label is the rarer class's alone where the classes differ enough in size
 * ({@link remixWeight}). Chou, Chang, Pan, Wei, Juan, "Remix: rebalanced mixup", ECCV workshops 2020.
 * Throws RangeError on bad counts and options outside their ranges.
 */
export function remix(given: RemixOptions): Mixing {
  checkOptions('remix', given, { classCounts: required(COUNTS), alpha: positive, perSample: boolean, ...WEIGHT });
  const { classCounts, alpha = 1, perSample = false, kappa = 3, tau = 0.5 } = given;
  const counts = deviceTable(Float64Array.from(classCounts, (n) => Math.max(n, 1)));
  const mix = (inputs: MixingInputs) => {
    const { x, y } = inputs;
    const { order, weight } = drawPairs(inputs, alpha, perSample);
    const n = indexSelect(counts.on(y.gpu), y);
    return {
      x: blend(x, indexSelect(x, order), weight),
      partner: indexSelect(y, order),
      weight: remixWeight(n, indexSelect(n, order), weight, { kappa, tau }),
    };
  };
  return Object.assign(mix, { classes: classCounts.length, dispose: () => counts.dispose() });
}
