import kernel from '../../shaders/permute.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { normalizeAxes, stridesOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, type Tensor } from '../tensor/tensor.ts';

/** x with axis i of the result taken from axis `order[i]`; at most six axes. */
export function permute<D extends DType>(x: Tensor<D>, order: readonly number[]): Tensor<D> {
  const axes = order.map((a) => (a < 0 ? a + x.rank : a));
  if (axes.length !== x.rank || !normalizeAxes(axes, x.rank)) throw new ShapeError(`permute: order is [${order}], expected each axis of shape [${x.shape}] once`);
  if (x.rank > 6) throw new ShapeError(`permute: x has rank ${x.rank}, at most 6 axes are supported`);
  const y = empty(axes.map((a) => x.shape[a]!), { dtype: x.dtype, gpu: x.gpu });
  const strides = stridesOf(x.shape);
  const shape = [...new Array(8 - x.rank).fill(1), ...y.shape];
  const step = [...new Array(8 - x.rank).fill(0), ...axes.map((a) => strides[a]!)];
  kernel.forward({ size: y.size, shapeA: shape.slice(4), strideA: step.slice(4), shapeB: shape.slice(0, 4), strideB: step.slice(0, 4) }, { x, y }, [y.size]);
  const inverse = axes.map((_, i) => axes.indexOf(i));
  return record('permute', y as unknown as Tensor, [x], (dy) => [permute(dy, inverse)], { composed: true }) as unknown as Tensor<D>;
}

/** x with its last two axes exchanged. */
export function transpose<D extends DType>(x: Tensor<D>): Tensor<D> {
  if (x.rank < 2) throw new ShapeError(`transpose: x has shape [${x.shape}], expected at least two axes`);
  const axes = x.shape.map((_, i) => i);
  [axes[x.rank - 2], axes[x.rank - 1]] = [x.rank - 1, x.rank - 2];
  return permute(x, axes);
}
