import kernel from '../../shaders/accumulate.wgsl';
import { empty, type Tensor } from './tensor.ts';

/** a + b of two gradients of one shape, not on the tape. */
export function sumOf(a: Tensor, b: Tensor): Tensor {
  const y = empty(a.shape, { gpu: a.gpu });
  kernel.sum({ size: a.size }, { a, b, y }, [a.size]);
  return y;
}

/** target += x, in place. */
export function accumulateInto(target: Tensor, x: Tensor): void {
  kernel.into({ size: target.size }, { a: x, y: target }, [target.size]);
}
