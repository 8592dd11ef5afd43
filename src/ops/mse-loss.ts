import { expectOptions } from '../check/options.ts';
import { expectShape, type Tensor } from '../tensor/tensor.ts';
import { sub } from './binary.ts';
import { expectReduction, reduced, type ElementReduction } from './reduction.ts';
import { square } from './unary.ts';

/**
 * (x - target)^2, reduced; two tensors of one shape, both with gradients. Default reduction: 'mean', over all elements.
 */
export function mseLoss(x: Tensor, target: Tensor, options: { reduction?: ElementReduction } = {}): Tensor {
  expectOptions('mseLoss', options, ['reduction']);
  const { reduction = 'mean' } = options;
  expectReduction('mseLoss', reduction);
  expectShape(target, x.shape, 'mseLoss: target');
  return reduced(square(sub(x, target)), reduction);
}
