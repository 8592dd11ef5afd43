import { expectOptions } from '../check/options.ts';
import { noGrad } from '../tensor/tape.ts';
import { expectShape, Tensor } from '../tensor/tensor.ts';
import { add, mul, sub } from './binary.ts';
import type { Operand } from './element.ts';
import { expectReduction, reduced, type ElementReduction } from './reduction.ts';
import { softplus } from './activations.ts';
import { isFinite, logicalOr, notEqual } from './compare.ts';
import { times } from './times.ts';
import { neg } from './unary.ts';
import { where } from './where.ts';

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BinaryCrossEntropyOptions {
  /** Factor of each element's value, broadcast. Default: 1. */
  weight?: Operand;
  /** Factor of the positive term, broadcast: above 1 it raises recall. Default: 1. */
  posWeight?: Operand;
  /** Default: 'mean', over all elements. */
  reduction?: ElementReduction;
}

/**
 * -(posWeight t log s(x) + (1 - t) log(1 - s(x))), s the sigmoid, in the form (1 - t) softplus(x) + posWeight t
 * softplus(-x), which neither overflows nor cancels. logits and target have one shape; 0 <= target <= 1. A term whose
 * factor is 0 counts for nothing, at infinite logits too, and neither does an element of weight 0, whatever its logit.
 */
export function binaryCrossEntropyWithLogits(
  logits: Tensor,
  target: Tensor,
  options: BinaryCrossEntropyOptions = {},
): Tensor {
  expectOptions('binaryCrossEntropyWithLogits', options, ['weight', 'posWeight', 'reduction']);
  const { weight, posWeight, reduction = 'mean' } = options;
  expectReduction('binaryCrossEntropyWithLogits', reduction);
  expectShape(target, logits.shape, 'binaryCrossEntropyWithLogits: target');
  const x = weight instanceof Tensor ? counted(logits, weight) : logits;
  const positive = posWeight === undefined ? target : mul(target, posWeight);
  const values = add(times(sub(1, target), softplus(x)), times(positive, softplus(neg(x))));
  return reduced(weight === undefined ? values : times(weight, values), reduction);
}

/** The logits, with 0 for those that are not finite and have weight 0. */
function counted(logits: Tensor, weight: Tensor): Tensor {
  return where(
    noGrad(() => logicalOr(notEqual(weight, 0), isFinite(logits))),
    logits,
    0,
  );
}
