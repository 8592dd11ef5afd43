import { any, between, check, checkOptions, oneOf, positive, required } from '../../check/check.ts';
import { add, mul, sub } from '../../ops/binary.ts';
import { indexSelect } from '../../ops/gather.ts';
import { mean } from '../../ops/reduce.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { logSoftmax } from '../../ops/softmax.ts';
import { neg } from '../../ops/unary.ts';
import { COUNTS } from '../../stats/class-weights.ts';
import { defineLoss } from '../define.ts';
import { ofLabel } from '../label-margin.ts';
import type { Loss } from '../loss.ts';

/** How the smoothing falls from the largest class to the smallest; see {@link labelSmoothings}. */
export interface LabelSmoothingsOptions {
  /** Of the largest class, in [0, 1]. Default: 0.4. */
  smoothHead?: number;
  /** Of the smallest class, in [0, 1]. Default: 0.1. */
  smoothTail?: number;
  /** Default: 'concave'. */
  shape?: 'concave' | 'linear' | 'convex' | 'power';
  /** Exponent of the shape 'power', above 0. Default: 2. */
  power?: number;
}

/** Options of {@link labelAwareSmoothing}. */
export interface LabelAwareSmoothingOptions extends LabelSmoothingsOptions {
  /** Training samples of each class. */
  classCounts: ArrayLike<number>;
  /** Class weights. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'mean', as the official code. */
  reduction?: Reduction;
}

const SMOOTHING = {
  smoothHead: between(0, 1),
  smoothTail: between(0, 1),
  shape: oneOf('concave', 'linear', 'convex', 'power'),
  power: positive,
} as const;

/**
 * Smoothing of each class: tail + (head - tail) g(t), t = (n_c - n_min) / (n_max - n_min); g is sin(pi t / 2)
 * (concave), t (linear), 1 - cos(pi t / 2) (convex) or t^power. Counts that are all equal have t = 0. Throws RangeError
 * on bad counts, a smoothing outside [0, 1], an unknown shape, and a power that is not positive and finite.
 */
export function labelSmoothings(counts: ArrayLike<number>, options: LabelSmoothingsOptions = {}): Float64Array {
  checkOptions('labelSmoothings', options, SMOOTHING);
  check('labelSmoothings', { counts }, COUNTS);
  return smoothings(counts, options);
}

function smoothings(
  counts: ArrayLike<number>,
  { smoothHead = 0.4, smoothTail = 0.1, shape = 'concave', power = 2 }: LabelSmoothingsOptions,
): Float64Array {
  const n = Float64Array.from(counts);
  const least = n.reduce((a, b) => Math.min(a, b));
  const spread = n.reduce((a, b) => Math.max(a, b)) - least;
  const rise = {
    concave: (t: number) => Math.sin((Math.PI / 2) * t),
    linear: (t: number) => t,
    convex: (t: number) => 1 - Math.cos((Math.PI / 2) * t),
    power: (t: number) => Math.pow(t, power),
  }[shape];
  return n.map((v) => smoothTail + (smoothHead - smoothTail) * (spread > 0 ? rise((v - least) / spread) : 0));
}

/**
 * Label-aware smoothing: (1 - e_y) (-log p_y) + e_y mean_c(-log p_c), e from {@link labelSmoothings}: frequent classes,
 * of which a network is too sure, are smoothed more. Zhong, Cui, Liu, Jia, "Improving calibration for long-tailed
 * recognition" (MiSLAS), CVPR 2021, for its second stage: (0.3, 0) for CIFAR-10, (0.4, 0.1) for CIFAR-100. Errors as
 * for {@link labelSmoothings}.
 */
export function labelAwareSmoothing(given: LabelAwareSmoothingOptions): Loss {
  checkOptions('labelAwareSmoothing', given, {
    classCounts: required(COUNTS),
    weight: any,
    reduction: any,
    ...SMOOTHING,
  });
  const { classCounts, weight, reduction = 'mean', ...smoothing } = given;
  return defineLoss({
    name: 'labelAwareSmoothing',
    tables: { smoothing: smoothings(classCounts, smoothing) },
    values(z, labels, { tables }) {
      const logs = logSoftmax(z);
      const e = indexSelect(tables.smoothing, labels);
      return neg(add(mul(sub(1, e), ofLabel(logs, labels)), mul(e, mean(logs, { axes: 1 }))));
    },
    weight,
    reduction,
    numClasses: classCounts.length,
  });
}
