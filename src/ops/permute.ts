import { ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { normalizeAxes, stridesOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { axisOf } from './arguments.ts';
import { takeView } from './strided.ts';

/**
 * x with axis i of the result taken from axis `order[i]`, negative from the end; any rank, any dtype of four bytes.
 * Where only axes of size 1 change their place the result shares memory with x, as that of `reshape` does.
 */
export function permute<D extends DType>(x: Tensor<D>, order: readonly number[]): Tensor<D> {
  const axes = order.map((a) => (a < 0 ? a + x.rank : a));
  if (axes.length !== x.rank || !normalizeAxes(axes, x.rank))
    throw new ShapeError(`permute: order is [${order}], expected each axis of shape [${x.shape}] once`);
  const strides = stridesOf(x.shape);
  return takeView('permute', x, {
    shape: axes.map((a) => x.shape[a]!),
    strides: axes.map((a) => strides[a]!),
    offset: 0,
  });
}

/** x with two axes exchanged. */
export function swapaxes<D extends DType>(x: Tensor<D>, first: number, second: number): Tensor<D> {
  const axes = x.shape.map((_, i) => i);
  const [a, b] = [first, second].map((v) => axisOf('swapaxes', x, v).axis) as [number, number];
  [axes[a], axes[b]] = [b, a];
  return permute(x, axes);
}

/** x with its last two axes exchanged. */
export function transpose<D extends DType>(x: Tensor<D>): Tensor<D> {
  if (x.rank < 2) throw new ShapeError(`transpose: x has shape [${x.shape}], expected at least two axes`);
  return swapaxes(x, -2, -1);
}
