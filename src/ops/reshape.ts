import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { type Tensor, viewOf } from '../tensor/tensor.ts';
import type { DType } from '../tensor/dtype.ts';
import { axesOf } from './arguments.ts';

/** The same elements in another shape, without a copy. One entry may be -1: it is inferred. */
export function reshape<D extends DType>(x: Tensor<D>, shape: readonly number[]): Tensor<D> {
  const holes = shape.filter((d) => d === -1).length;
  const known = sizeOf(shape.filter((d) => d !== -1));
  const to = shape.map((d) => (d === -1 ? x.size / known : d));
  if (holes > 1 || sizeOf(to) !== x.size || to.some((d) => !Number.isInteger(d) || d < 0)) {
    throw new ShapeError(`reshape: x has shape [${x.shape}] (${x.size} elements), it does not fit [${shape}]`);
  }
  const y = viewOf(x, to);
  return record('reshape', y, [x], { gradient: (dy) => [reshape(dy, x.shape)], isView: true });
}

/** All axes from `startAxis` on joined into one. Default: keep the first axis, as the layer of that name. */
export function flatten<D extends DType>(x: Tensor<D>, options: { startAxis?: number } = {}): Tensor<D> {
  expectOptions('flatten', options, ['startAxis']);
  const { startAxis = 1 } = options;
  if (startAxis < 0 || startAxis > x.rank)
    throw new ShapeError(`flatten: startAxis is ${startAxis}, expected 0..${x.rank} for shape [${x.shape}]`);
  return reshape(x, [...x.shape.slice(0, startAxis), sizeOf(x.shape.slice(startAxis))]);
}

/** x without its axes of size 1, or without those of `axes` that have size 1, as in PyTorch. Shares memory with x. */
export function squeeze<D extends DType>(x: Tensor<D>, options: { axes?: readonly number[] | number } = {}): Tensor<D> {
  expectOptions('squeeze', options, ['axes']);
  const { axes } = options;
  const from = axesOf('squeeze', x, axes);
  return reshape(
    x,
    x.shape.filter((d, i) => d !== 1 || !from.includes(i)),
  );
}

/** x with an axis of size 1 put in before axis `axis`; -1 puts it last. Shares memory with x. */
export function unsqueeze<D extends DType>(x: Tensor<D>, axis: number): Tensor<D> {
  const at = axis < 0 ? axis + x.rank + 1 : axis;
  if (!(Number.isInteger(at) && at >= 0 && at <= x.rank))
    throw new ShapeError(`unsqueeze: axis is ${axis}, expected ${-x.rank - 1}..${x.rank} for shape [${x.shape}]`);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}
