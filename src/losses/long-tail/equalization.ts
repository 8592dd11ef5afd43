import { any, between, checkOptions, required } from '../../check/check.ts';
import { sub } from '../../ops/binary.ts';
import { greater, logicalAnd } from '../../ops/compare.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { nextItems } from '../../ops/dropout.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { where } from '../../ops/where.ts';
import { key } from '../../random/key.ts';
import { bernoulli } from '../../random/random.ts';
import { COUNTS } from '../../stats/class-weights.ts';
import { defineLoss } from '../define.ts';
import { deviceTable } from '../device-table.ts';
import type { Loss, LossOptions } from '../loss.ts';

/** Options of {@link equalization}. */
export interface EqualizationOptions extends Omit<LossOptions, 'numClasses'> {
  /** Training samples of each class; an empty class is rare. */
  classCounts: ArrayLike<number>;
  /** Classes whose part of the training set is below this are rare, in 0..1. Default: 0.005. */
  lambda?: number;
  /** Probability that a rare class is left out of the denominator of a sample of another class. Default: 0.9. */
  gamma?: number;
  /** Default: 0. */
  seed?: number;
}

/**
 * Softmax equalisation loss -log(e^z_y / sum_k w_k e^z_k), w_k = 1 - b [pi_k < lambda] [k != y], b ~ Bernoulli(gamma)
 * for each sample and class: samples of other classes rarely push a rare class down. Each call draws anew, on the
 * device. gamma = 0, or no rare class: cross-entropy. Tan, Wang, Li, Li, Ouyang, Yin, Yan, "Equalization loss for
 * long-tailed object recognition", CVPR 2020; defaults of common re-implementations. Throws RangeError on bad counts,
 * and lambda or gamma outside 0..1.
 */
export function equalization(given: EqualizationOptions): Loss {
  checkOptions('equalization', given, {
    classCounts: required(COUNTS),
    lambda: between(0, 1),
    gamma: between(0, 1),
    seed: any,
    weight: any,
    reduction: any,
  });
  const { classCounts, lambda = 0.005, gamma = 0.9, seed = 0, ...rest } = given;
  const counts = Float64Array.from(classCounts);
  const total = counts.reduce((a, b) => a + b);
  const stream = key(seed);
  return defineLoss({
    name: 'equalization',
    tables: { rare: counts.map((n) => Number(n < lambda * total)), drawn: deviceTable([0, 0], { dtype: 'u32' }) },
    values(logits, labels, { tables: { rare, drawn } }) {
      const { gpu, shape } = logits;
      const left = bernoulli(shape, stream, { p: gamma, dtype: 'bool', first: nextItems(drawn, shape[0]!), gpu });
      const others = greater(sub(rare, oneHot(labels, counts.length)), 0);
      // The sum of a row must not overflow.
      return crossEntropy(where(logicalAnd(left, others), -1e30, logits), labels, { reduction: 'none' });
    },
    ...rest,
    numClasses: counts.length,
  });
}
