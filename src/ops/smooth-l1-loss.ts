import { any, atLeast, checkOptions } from '../check/check.ts';
import { expectShape, type Tensor } from '../tensor/tensor.ts';
import { mul, sub } from './binary.ts';
import { expectReduction, reduced, type ElementReduction } from './reduction.ts';
import { less } from './compare.ts';
import { abs } from './unary.ts';
import { where } from './where.ts';

/** Options of {@link smoothL1Loss}. */
export interface SmoothL1LossOptions {
  /** Where the parabola ends; 0 gives |x - target|. Default: 1. */
  beta?: number;
  /** Default: 'mean', over all elements. */
  reduction?: ElementReduction;
}

const SMOOTH_L1 = { beta: atLeast(0), reduction: any } as const;

/**
 * d^2 / (2 beta) where d = |x - target| < beta, else d - beta / 2, as PyTorch's smooth_l1_loss; Girshick, ICCV 2015.
 */
export function smoothL1Loss(x: Tensor, target: Tensor, options: SmoothL1LossOptions = {}): Tensor {
  checkOptions('smoothL1Loss', options, SMOOTH_L1);
  const { beta = 1, reduction = 'mean' } = options;
  expectReduction('smoothL1Loss', reduction);
  expectShape(target, x.shape, 'smoothL1Loss: target');
  const d = abs(sub(x, target));
  if (beta === 0) return reduced(d, reduction);
  // With c = min(d, beta) both branches are c (d - c / 2) / beta. A selection, so that an infinite d has the slope of
  // the line.
  const c = where(less(d, beta), d, beta);
  return reduced(mul(c, mul(sub(d, mul(c, 0.5)), 1 / beta)), reduction);
}
