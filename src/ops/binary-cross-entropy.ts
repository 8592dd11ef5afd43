import { expectOptions } from '../check/options.ts';
import { expectShape, type Tensor } from '../tensor/tensor.ts';
import { add, mul, sub } from './binary.ts';
import type { Operand } from './element.ts';
import { expectReduction, reduced, type ElementReduction } from './reduction.ts';
import { softplus } from './activations.ts';
import { neg } from './unary.ts';

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
 * -(posWeight t log s(x) + (1 - t) log(1 - s(x))), s the sigmoid, in the form (1 - t) x + (1 + (posWeight - 1) t) softplus(-x)
 * that never overflows. logits and target have one shape; 0 <= target <= 1.
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, target: Tensor, options: BinaryCrossEntropyOptions = {}): Tensor {
  expectOptions('binaryCrossEntropyWithLogits', options, ['weight', 'posWeight', 'reduction']);
  const { weight, posWeight, reduction = 'mean' } = options;
  expectReduction('binaryCrossEntropyWithLogits', reduction);
  expectShape(target, logits.shape, 'binaryCrossEntropyWithLogits: target');
  const negative = softplus(neg(logits));
  const weighted = posWeight === undefined ? negative : mul(negative, add(mul(target, sub(posWeight, 1)), 1));
  const values = add(mul(sub(1, target), logits), weighted);
  return reduced(weight === undefined ? values : mul(values, weight), reduction);
}
