import { softplus } from '../ops/activations.ts';
import { mul } from '../ops/binary.ts';
import type { Reduction } from '../ops/cross-entropy.ts';
import { indexSelect } from '../ops/gather.ts';
import { oneHot } from '../ops/one-hot.ts';
import { sum } from '../ops/reduce.ts';
import { clamp, expm1, neg, powScalar } from '../ops/unary.ts';
import { where } from '../ops/where.ts';
import { effectiveNumberWeights } from './class-weights.ts';
import { classVector } from './class-vector.ts';
import { fusedLoss, type Loss } from './loss.ts';
import { focalOf, labelMargin } from './label-margin.ts';
import { perSampleLoss } from './per-sample-loss.ts';
import { probabilityFamily } from './probability-family.ts';

/** Options of {@link focal}. */
export interface FocalOptions {
  /** Exponent of 1 - p, at least 0. Default: 2. */
  gamma?: number;
  /** Class weights; `drw` sets them by epoch. Default: 1. */
  weight?: ArrayLike<number>;
  /**
   * 'loss': the weight multiplies the value. 'probability': it multiplies the cross-entropy v = -w log p before
   * (1 - e^-v)^gamma v, as the code of LDAM-DRW. Default: 'loss'.
   */
  weightIn?: 'loss' | 'probability';
  /** The factor (1 - p)^gamma is a constant for the gradient, as in code for noisy labels (APL, gamma 0.5). Default: false. */
  detach?: boolean;
  /** Default: 'mean', over the samples. */
  reduction?: Reduction;
}

/**
 * Focal loss -w_y (1 - p_y)^gamma log p_y of the softmax; values and gradients stay finite for every gamma and logit, since
 * 1 - p comes from the other classes. gamma = 0 is cross-entropy.
 * Lin, Goyal, Girshick, He, Dollar, "Focal loss for dense object detection", ICCV 2017. Throws RangeError when gamma is
 * negative or not finite; with weightIn 'probability' also when a weight is negative, and on `detach`.
 */
export function focal({ gamma = 2, weight, weightIn = 'loss', detach = false, reduction = 'mean' }: FocalOptions = {}): Loss {
  expectGamma('focal', gamma);
  if (weightIn === 'loss') return probabilityFamily('focal', 'focal', [gamma], { weight, reduction, classes: weight?.length, detach }).loss;
  if (detach) throw new RangeError("focal: detach is true with weightIn 'probability', expected one of them");
  return weightedInside(gamma, weight, reduction);
}

function weightedInside(gamma: number, weight: ArrayLike<number> | undefined, reduction: Reduction): Loss {
  let current = weight && checkedWeight(weight);
  let vector = current && classVector(current);
  const values: Parameters<typeof perSampleLoss>[1] = (z, labels) => {
    vector ??= classVector((current = new Float32Array(z.shape[1]!).fill(1)));
    const v = mul(softplus(neg(labelMargin(z, labels))), indexSelect(vector.on(z.gpu), labels));
    // Below 1e-37 the power is a constant: its slope would overflow, and v is 0 there.
    return mul(powScalar(clamp(neg(expm1(neg(v))), 1e-37, 1), gamma), v);
  };
  const loss = perSampleLoss('focal', values, { reduction, classes: weight?.length });
  const dispose = loss.dispose;
  return Object.assign(loss, {
    setClassWeight(next: ArrayLike<number> | null) {
      const value = next ?? weight ?? current?.map(() => 1);
      if (!value) return;
      current = checkedWeight(value);
      if (vector) vector.write(current);
      else vector = classVector(current);
    },
    dispose() {
      dispose();
      vector?.dispose();
    },
  });
}

function checkedWeight(weight: ArrayLike<number>): Float32Array {
  return Float32Array.from(weight, (w, c) => {
    if (!(w >= 0 && w < Infinity)) throw new RangeError(`focal: weight[${c}] is ${w}, expected a finite number >= 0`);
    return w;
  });
}

/** Options of {@link classBalancedCrossEntropy}. */
export interface ClassBalancedOptions {
  /** Training samples of each class. */
  clsNumList: ArrayLike<number>;
  /** Of the effective number of samples, 0 <= beta < 1. Default: 0.9999. */
  beta?: number;
  /** Default: 'mean', over the samples, which keeps the scale of the weights. */
  reduction?: Reduction;
}

/** Options of {@link classBalancedFocal}. */
export interface ClassBalancedFocalOptions extends ClassBalancedOptions {
  /** Exponent of 1 - p. Default: 2. */
  gamma?: number;
  /** 'sigmoid': each class against the rest, summed, as the official code; 'softmax': as {@link focal}. Default: 'sigmoid'. */
  activation?: 'sigmoid' | 'softmax';
}

/**
 * Cross-entropy weighted by the effective number of samples, see {@link effectiveNumberWeights}.
 * Cui, Jia, Lin, Song, Belongie, "Class-balanced loss based on effective number of samples", CVPR 2019.
 */
export function classBalancedCrossEntropy({ clsNumList, beta = 0.9999, reduction = 'mean' }: ClassBalancedOptions): Loss {
  return fusedLoss('classBalancedCrossEntropy', { weight: effectiveNumberWeights(clsNumList, beta), reduction, classes: clsNumList.length });
}

/**
 * Focal loss weighted by the effective number of samples, as Cui et al., CVPR 2019. The sigmoid form is
 * w_y sum_c (1 - q_c)^gamma (-log q_c), q_c = sigmoid(z_c) for the label and sigmoid(-z_c) for other classes; its mean over
 * samples is the official normalisation by the number of positives.
 */
export function classBalancedFocal({ clsNumList, beta = 0.9999, gamma = 2, activation = 'sigmoid', reduction = 'mean' }: ClassBalancedFocalOptions): Loss {
  expectGamma('classBalancedFocal', gamma);
  const weight = effectiveNumberWeights(clsNumList, beta);
  const values: Parameters<typeof perSampleLoss>[1] =
    activation === 'softmax'
      ? (z, labels) => focalOf(labelMargin(z, labels), gamma)
      : (z, labels) => sum(focalOf(where(oneHot(labels, z.shape[1]!, { dtype: 'bool' }), z, neg(z)), gamma), { axes: 1 });
  return perSampleLoss('classBalancedFocal', values, { weight, reduction, classes: clsNumList.length });
}

function expectGamma(where: string, gamma: number): void {
  if (!(gamma >= 0 && gamma < Infinity)) throw new RangeError(`${where}: gamma is ${gamma}, expected a finite number >= 0`);
}
