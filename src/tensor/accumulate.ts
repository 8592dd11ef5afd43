import { elementwise } from './elementwise.ts';
import { empty, type Tensor } from './tensor.ts';

/** a + b of two gradients of one shape, not on the tape. */
export function sumOf(a: Tensor, b: Tensor): Tensor {
  const y = empty(a.shape, { gpu: a.gpu });
  addInto(y, a, b);
  return y;
}

/** target += x, in place. */
export function accumulateInto(target: Tensor, x: Tensor): void {
  addInto(target, target, x);
}

function addInto(y: Tensor, a: Tensor, b: Tensor): void {
  elementwise(
    'add',
    'a + b',
    { a: { type: 'f32', from: a }, b: { type: 'f32', from: b } },
    { type: 'f32', to: y },
    y.size,
  );
}
