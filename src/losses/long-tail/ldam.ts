import { any, atLeast, checkOptions, oneOf, positive, required } from '../../check/check.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { adjustedCrossEntropy } from '../adjusted-cross-entropy.ts';
import { COUNTS, ldamMargins } from '../../stats/class-weights.ts';
import { defineKernelLoss } from '../kernel-loss.ts';
import type { Loss } from '../loss.ts';

/** Options of {@link ldam}. */
export interface LdamOptions {
  /** Training samples of each class. */
  classCounts: ArrayLike<number>;
  /** Margin of the rarest class. Default: 0.5; the authors use 0.3 for iNaturalist. */
  maxM?: number;
  /** Factor of the logits, which are cosines. Default: 30. */
  scale?: number;
  /**
   * 'loss': the logits are cosines and the loss multiplies them by `scale`, as the official code. 'head': the model has
   * multiplied them already, as `CosineLinear(..., { scale })`; the same mathematics. Default: 'loss'.
   */
  scaleIn?: 'loss' | 'head';
  /** Class weights; `drw` sets them by epoch. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean', as the official code. */
  reduction?: Reduction;
}

/**
 * Label-distribution-aware margin loss: cross-entropy of scale (z_c - m_y [c = y]), m_c = maxM (n_min / n_c)^(1/4).
 * Meant for the cosines of `CosineLinear`; margin and factor act in training only, prediction is argmax z. A class
 * without samples gets the largest margin.
 * Cao, Wei, Gaidon, Arechiga, Ma, NeurIPS 2019, equations 10 and 13; defaults of the official code. Throws RangeError
 * on bad counts, and on maxM, scale or scaleIn out of range.
 */
export function ldam(given: LdamOptions): Loss {
  checkOptions('ldam', given, {
    classCounts: required(COUNTS),
    maxM: atLeast(0),
    scale: positive,
    scaleIn: oneOf('loss', 'head'),
    weight: any,
    reduction: any,
  });
  const { classCounts, maxM = 0.5, scale = 30, scaleIn = 'loss', weight, reduction } = given;
  const inHead = scaleIn === 'head';
  return defineKernelLoss({
    name: 'ldam',
    kernel: adjustedCrossEntropy({
      margin: ldamMargins(classCounts, inHead ? scale * maxM : maxM),
      scale: inHead ? 1 : scale,
    }),
    weight,
    reduction,
    numClasses: classCounts.length,
  });
}
