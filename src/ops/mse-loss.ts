import { expectShape, type Tensor } from '../tensor/tensor.ts';
import { sub } from './binary.ts';
import { expectReduction, reduced, type ElementReduction } from './reduction.ts';
import { square } from './unary.ts';

/** (x - target)^2, reduced; two tensors of one shape, both with gradients. Default reduction: 'mean', over all elements. */
export function mseLoss(x: Tensor, target: Tensor, { reduction = 'mean' }: { reduction?: ElementReduction } = {}): Tensor {
  expectReduction('mseLoss', reduction);
  expectShape(target, x.shape, 'mseLoss: target');
  return reduced(square(sub(x, target)), reduction);
}
