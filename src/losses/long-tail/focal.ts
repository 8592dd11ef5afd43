import { any, atLeast, checkOptions, oneOf } from '../../check/check.ts';
import { softplus } from '../../ops/activations.ts';
import { mul } from '../../ops/binary.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { clamp, expm1, neg, powScalar } from '../../ops/unary.ts';
import { byProbability } from '../by-probability.ts';
import { defineLoss } from '../define.ts';
import { labelMargin } from '../label-margin.ts';
import type { Loss } from '../loss.ts';

/** Options of {@link focal}. */
export interface FocalOptions {
  /** Exponent of 1 - p, at least 0. Default: 2. */
  gamma?: number;
  /** Class weights, at least 0; `drw` sets them by epoch. Default: 1. */
  weight?: ArrayLike<number>;
  /**
   * 'loss': the weight multiplies the value. 'probability': it multiplies the cross-entropy v = -w log p before
   * (1 - e^-v)^gamma v, as the code of LDAM-DRW. Default: 'loss'.
   */
  weightIn?: 'loss' | 'probability';
  /**
   * The factor (1 - p)^gamma is a constant for the gradient, as in code for noisy labels (APL, gamma 0.5). Default:
   * false.
   */
  detach?: boolean;
  /** Default: 'mean', over the samples. */
  reduction?: Reduction;
}

/**
 * Focal loss -w_y (1 - p_y)^gamma log p_y of the softmax; values and gradients stay finite for every gamma and logit,
 * since 1 - p comes from the other classes. gamma = 0 is cross-entropy.
 * Lin, Goyal, Girshick, He, Dollar, "Focal loss for dense object detection", ICCV 2017. Throws RangeError when gamma is
 * negative or not finite, or a weight is.
 */
export function focal(given: FocalOptions = {}): Loss {
  checkOptions('focal', given, {
    gamma: atLeast(0),
    weight: any,
    weightIn: oneOf('loss', 'probability'),
    detach: any,
    reduction: any,
  });
  const { gamma = 2, weight, weightIn = 'loss', detach = false, reduction = 'mean' } = given;
  const shared = { weight, reduction, numClasses: weight?.length };
  if (weightIn === 'loss') return defineLoss({ ...byProbability('focal', 'focal', [gamma], { detach }), ...shared });
  return defineLoss({
    name: 'focal',
    weightInside: true,
    values(z, labels, { weight: w }) {
      const v = mul(softplus(neg(labelMargin(z, labels))), w);
      // Below 1e-37 the power is a constant: its slope would overflow, and v is 0 there.
      const factor = powScalar(clamp(neg(expm1(neg(v))), 1e-37, 1), gamma);
      return mul(detach ? factor.detach() : factor, v);
    },
    ...shared,
  });
}
