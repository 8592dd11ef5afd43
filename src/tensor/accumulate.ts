import kernel from '../../shaders/accumulate.wgsl';
import { empty, type Tensor } from './tensor.ts';

/** a + b of two gradients of one shape; differentiable, so that gradients of gradients add up too. */
export function addGradients(a: Tensor, b: Tensor): Tensor {
  const y = empty(a.shape, { gpu: a.gpu });
  kernel.sum({ size: a.size }, { a, b, y }, [a.size]);
  y.isMasked = a.isMasked && b.isMasked;
  if (a.tracksGrad || b.tracksGrad)
    y.node = {
      op: 'add',
      inputs: [a, b],
      backward: (dy) => [dy, dy],
      composed: true,
      versions: [a.version, b.version, y.version],
    };
  return y;
}

/** target += x, in place. */
export function accumulateInto(target: Tensor, x: Tensor): void {
  kernel.into({ size: target.size }, { a: x, y: target }, [target.size]);
}
