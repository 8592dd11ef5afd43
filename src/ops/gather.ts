import kernel from '../../shaders/gather.wgsl';
import { DTypeError, ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { normalizeAxes, sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, tensor, Tensor } from '../tensor/tensor.ts';

type Index = Tensor<'i32'> | ArrayLike<number>;

function toIndex(op: string, index: Index, length: number, like: Tensor<DType>): Tensor<'i32'> {
  if (index instanceof Tensor) {
    if (index.dtype !== 'i32') throw new DTypeError(`${op}: index is ${index.dtype as string}, expected i32`);
    return index;
  }
  for (let i = 0; i < index.length; i++) {
    if (!(Number.isInteger(index[i]) && index[i]! >= 0 && index[i]! < length)) throw new RangeError(`${op}: index[${i}] is ${index[i]}, expected an integer in 0..${length - 1}`);
  }
  return tensor(index, { dtype: 'i32', gpu: like.gpu });
}

function axisOf(op: string, x: Tensor<DType>, axis: number): { axis: number; outer: number; length: number; inner: number } {
  const [a] = normalizeAxes([axis], x.rank) ?? [];
  if (a === undefined) throw new ShapeError(`${op}: axis is ${axis}, x has shape [${x.shape}]`);
  return { axis: a, outer: sizeOf(x.shape.slice(0, a)), length: x.shape[a]!, inner: sizeOf(x.shape.slice(a + 1)) };
}

/**
 * Entries of x along `axis` (default 0) in the order of `index`, a list of integers or an i32 tensor (count); repeats are
 * allowed. On the device an index outside the axis gives zeros.
 */
export function indexSelect<D extends DType>(x: Tensor<D>, index: Index, { axis = 0 }: { axis?: number } = {}): Tensor<D> {
  const { axis: a, ...dims } = axisOf('indexSelect', x, axis);
  const list = toIndex('indexSelect', index, dims.length, x);
  if (list.rank !== 1) throw new ShapeError(`indexSelect: index has shape [${list.shape}], expected one axis`);
  const count = list.shape[0]!;
  const y = empty(x.shape.map((d, i) => (i === a ? count : d)), { dtype: x.dtype, gpu: x.gpu });
  kernel.select_({ ...dims, count }, { x, index: list, y }, [y.size]);
  return record('indexSelect', y as unknown as Tensor, [x], (dy) => {
    const dx = empty(x.shape, { gpu: x.gpu });
    kernel.selectBackward({ ...dims, count }, { index: list, dy, dx }, [dx.size]);
    return [dx];
  }) as unknown as Tensor<D>;
}

/** y[.., j, ..] = x[.., index[.., j, ..], ..] along `axis`, as PyTorch's gather; `index` i32 has x's sizes off the axis. */
export function gather<D extends DType>(x: Tensor<D>, index: Tensor<'i32'>, { axis = -1 }: { axis?: number } = {}): Tensor<D> {
  const { axis: a, ...dims } = axisOf('gather', x, axis);
  toIndex('gather', index, dims.length, x);
  if (index.rank !== x.rank || index.shape.some((d, i) => i !== a && d !== x.shape[i])) {
    throw new ShapeError(`gather: index has shape [${index.shape}], expected that of x [${x.shape}] off axis ${a}`);
  }
  const count = index.shape[a]!;
  const y = empty(index.shape, { dtype: x.dtype, gpu: x.gpu });
  kernel.along({ ...dims, count }, { x, index, y }, [y.size]);
  return record('gather', y as unknown as Tensor, [x], (dy) => {
    const dx = empty(x.shape, { gpu: x.gpu });
    kernel.alongBackward({ ...dims, count }, { index, dy, dx }, [dx.size]);
    return [dx];
  }) as unknown as Tensor<D>;
}
