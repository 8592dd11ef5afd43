import { any, atLeast, checkOptions, oneOf, required } from '../../check/check.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { sum } from '../../ops/reduce.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { neg } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { adjustedCrossEntropy } from '../adjusted-cross-entropy.ts';
import { byProbability } from '../by-probability.ts';
import { BETA, COUNTS, effectiveNumberWeights } from '../../stats/class-weights.ts';
import { defineLoss } from '../define.ts';
import { defineKernelLoss } from '../kernel-loss.ts';
import { focalOf } from '../label-margin.ts';
import type { Loss } from '../loss.ts';

/** Options of {@link classBalancedCrossEntropy}. */
export interface ClassBalancedOptions {
  /** Training samples of each class; a class without any has weight 0. */
  classCounts: ArrayLike<number>;
  /** Of the effective number of samples, 0 <= beta < 1. Default: 0.9999. */
  beta?: number;
  /** Default: 'mean', over the samples, which keeps the scale of the weights. */
  reduction?: Reduction;
}

/** Options of {@link classBalancedFocal}. */
export interface ClassBalancedFocalOptions extends ClassBalancedOptions {
  /** Exponent of 1 - p. Default: 2. */
  gamma?: number;
  /**
   * 'sigmoid': each class against the rest, summed, as the official code; 'softmax': as {@link focal}. Default:
   * 'sigmoid'.
   */
  activation?: 'sigmoid' | 'softmax';
}

const BALANCED = { classCounts: required(COUNTS), beta: BETA, reduction: any } as const;

/**
 * Cross-entropy weighted by the effective number of samples, see {@link effectiveNumberWeights}.
 * Cui, Jia, Lin, Song, Belongie, "Class-balanced loss based on effective number of samples", CVPR 2019.
 */
export function classBalancedCrossEntropy(given: ClassBalancedOptions): Loss {
  checkOptions('classBalancedCrossEntropy', given, BALANCED);
  const { classCounts, beta = 0.9999, reduction = 'mean' } = given;
  return defineKernelLoss({
    name: 'classBalancedCrossEntropy',
    kernel: adjustedCrossEntropy(),
    weight: effectiveNumberWeights(classCounts, beta),
    reduction,
    numClasses: classCounts.length,
  });
}

/**
 * Focal loss weighted by the effective number of samples, as Cui et al., CVPR 2019. The sigmoid form is
 * w_y sum_c (1 - q_c)^gamma (-log q_c), q_c = sigmoid(z_c) for the label and sigmoid(-z_c) for other classes; its mean
 * over samples is the official normalisation by the number of positives. Throws RangeError on bad counts, beta or
 * gamma.
 */
export function classBalancedFocal(given: ClassBalancedFocalOptions): Loss {
  checkOptions('classBalancedFocal', given, {
    gamma: atLeast(0),
    activation: oneOf('sigmoid', 'softmax'),
    ...BALANCED,
  });
  const { classCounts, beta = 0.9999, gamma = 2, activation = 'sigmoid', reduction = 'mean' } = given;
  const options = {
    weight: effectiveNumberWeights(classCounts, beta),
    reduction,
    numClasses: classCounts.length,
  };
  if (activation === 'softmax')
    return defineLoss({ ...byProbability('classBalancedFocal', 'focal', [gamma]), ...options });
  return defineLoss({
    name: 'classBalancedFocal',
    values: (z, labels) =>
      sum(focalOf(where(oneHot(labels, z.shape[1]!, { dtype: 'bool' }), z, neg(z)), gamma), { axes: 1 }),
    ...options,
  });
}
