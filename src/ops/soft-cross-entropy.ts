import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { noGrad } from '../tensor/tape.ts';
import { expectShape, type Tensor } from '../tensor/tensor.ts';
import { mul } from './binary.ts';
import { expectOneOf } from './element.ts';
import { holdLogits } from './held-logits.ts';
import { reduced, expectReduction, type ElementReduction } from './reduction.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { logSoftmax } from './softmax.ts';
import { times } from './times.ts';

/**
 * -sum_c target_c log softmax(logits)_c for target distributions of the logits' shape (..., classes): PyTorch's
 * cross_entropy with class probabilities, and timm's SoftTargetCrossEntropy. Both have gradients. A target of 0 counts
 * for nothing, against a masked class of logit -Infinity too, and neither does a row of them, whatever its logits.
 * Default reduction: 'mean' over rows.
 */
export function softCrossEntropy(
  logits: Tensor,
  target: Tensor,
  options: { reduction?: ElementReduction } = {},
): Tensor {
  expectOptions('softCrossEntropy', options, ['reduction']);
  const { reduction = 'mean' } = options;
  expectReduction('softCrossEntropy', reduction);
  expectOneOf(logits, ['f32'], 'softCrossEntropy: logits');
  expectOneOf(target, ['f32'], 'softCrossEntropy: target');
  if (logits.rank < 1)
    throw new ShapeError(`softCrossEntropy: logits have shape [${logits.shape}], expected (..., classes)`);
  expectShape(target, logits.shape, 'softCrossEntropy: target');
  const mass = noGrad(() => sum(target, { axes: -1 }));
  const { held } = holdLogits(reshape(logits, [mass.size, logits.shape.at(-1)!]), reshape(mass, [mass.size]), {
    keepsMasked: true,
  });
  const values = times(target, logSoftmax(reshape(held, logits.shape)));
  if (reduction === 'none') return mul(sum(values, { axes: -1 }), -1);
  const rows = sizeOf(logits.shape.slice(0, -1));
  return mul(reduced(values, 'sum'), reduction === 'mean' ? -1 / rows : -1);
}
