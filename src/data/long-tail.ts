import { any, atLeast, between, checkOptions, integer, oneOf, required } from '../check/check.ts';
import { indicesByClass, subset, type Dataset } from './dataset.ts';
import { random32, shuffleInPlace } from './shuffle.ts';

/** Profile of a long-tailed set: exponential decay over the classes, or a step in the middle. */
export type ImbalanceType = 'exp' | 'step';

/** Options of {@link longTailCounts}. */
export interface LongTailCountsOptions {
  numClasses: number;
  /** Examples of class 0. */
  nMax: number;
  /** Default 'exp'. */
  imbType?: ImbalanceType;
  /** Ratio of the smallest class to the largest. Default 0.01. */
  imbFactor?: number;
}

const IMBALANCE = { imbType: oneOf('exp', 'step'), imbFactor: between(0, 1, '(]') } as const;

/**
 * Examples per class of a long-tailed set, class 0 the largest (Cui et al., CVPR 2019; Cao et al., LDAM, NeurIPS 2019,
 * released code). 'exp': trunc(nMax * f^(c / (C - 1))). 'step': the first floor(C / 2) classes have nMax, the others
 * trunc(nMax * f); the released code drops the last class when C is odd, this one does not.
 * Throws RangeError unless numClasses is an integer >= 1, nMax is finite and >= 0, and 0 < imbFactor <= 1.
 */
export function longTailCounts(options: LongTailCountsOptions): number[] {
  checkOptions('longTailCounts', options, {
    numClasses: required(integer(1)),
    nMax: required(atLeast(0)),
    ...IMBALANCE,
  });
  const { numClasses, nMax, imbType = 'exp', imbFactor = 0.01 } = options;
  return Array.from({ length: numClasses }, (_, c) => {
    if (imbType === 'step') return Math.trunc(c < Math.floor(numClasses / 2) ? nMax : nMax * imbFactor);
    return Math.trunc(nMax * Math.pow(imbFactor, c / Math.max(1, numClasses - 1)));
  });
}

/** Options of {@link longTail}. */
export interface LongTailOptions {
  /** Default 'exp'. */
  imbType?: ImbalanceType;
  /** Ratio of the smallest class to the largest. Default 0.01. */
  imbFactor?: number;
  /** Default 0. */
  seed?: number;
}

/**
 * A long-tailed subset of a training set: {@link longTailCounts} with nMax = floor(n / C), each capped at what the
 * class holds (MNIST is not balanced). Every class is shuffled by its own stream of `seed` and its first examples are
 * taken; the result is sorted by class, so shuffle batches when training. Leave test sets as they are.
 * Throws RangeError on options that {@link longTailCounts} or `random32` refuse.
 */
export function longTail(data: Dataset, options: LongTailOptions = {}): Dataset {
  checkOptions('longTail', options, { ...IMBALANCE, seed: any });
  const { imbType = 'exp', imbFactor = 0.01, seed = 0 } = options;
  const nMax = Math.floor(data.y.length / data.numClasses);
  const counts = longTailCounts({ numClasses: data.numClasses, nMax, imbType, imbFactor });
  return subset(
    data,
    indicesByClass(data).flatMap((indices, c) => shuffleInPlace(indices, random32(seed, c)).slice(0, counts[c]!)),
  );
}
