import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { expectShape, type Tensor } from '../tensor/tensor.ts';
import { mul } from './binary.ts';
import { reduced, expectReduction, type ElementReduction } from './reduction.ts';
import { sum } from './reduce.ts';
import { logSoftmax } from './softmax.ts';

/**
 * -sum_c target_c log softmax(logits)_c for target distributions of the logits' shape (..., classes): PyTorch's cross_entropy
 * with class probabilities, and timm's SoftTargetCrossEntropy. Both have gradients. Default reduction: 'mean' over rows.
 */
export function softCrossEntropy(logits: Tensor, target: Tensor, options: { reduction?: ElementReduction } = {}): Tensor {
  expectOptions('softCrossEntropy', options, ['reduction']);
  const { reduction = 'mean' } = options;
  expectReduction('softCrossEntropy', reduction);
  if (logits.rank < 1) throw new ShapeError(`softCrossEntropy: logits have shape [${logits.shape}], expected (..., classes)`);
  expectShape(target, logits.shape, 'softCrossEntropy: target');
  const values = mul(target, logSoftmax(logits));
  if (reduction === 'none') return mul(sum(values, { axes: -1 }), -1);
  const rows = sizeOf(logits.shape.slice(0, -1));
  return mul(reduced(values, 'sum'), reduction === 'mean' ? -1 / rows : -1);
}
