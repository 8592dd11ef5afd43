import kernel from '../../shaders/gather.wgsl';
import { expectOptions } from '../check/options.ts';
import type { Gpu } from '../gpu/device.ts';
import { DTypeError, ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { sameShape, sizeOf, stridesOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { clear, empty, expectDType, tensor, Tensor, viewOf } from '../tensor/tensor.ts';
import { axisOf, expectWords } from './arguments.ts';
import { add } from './binary.ts';
import { sorted } from './launch/sort.ts';
import { slice } from './slice.ts';
import { copyIn, placeView } from './strided.ts';

/** Positions along an axis: a tensor, or a list of integers on the host. */
export type Index = Tensor<'i32'> | Tensor<'u32'> | ArrayLike<number>;

/** An index as a tensor; a list is checked to lie in 0..length-1. */
export function toIndex(
  what: string,
  index: Index,
  length: number,
  gpu: Gpu,
  shape?: readonly number[],
): Tensor<'i32' | 'u32'> {
  if (index instanceof Tensor) {
    if (index.dtype !== 'i32' && index.dtype !== 'u32')
      throw new DTypeError(`${what} is ${(index as Tensor).dtype}, expected i32 or u32`);
    return index as Tensor<'i32' | 'u32'>;
  }
  for (let i = 0; i < index.length; i++) {
    if (!(Number.isInteger(index[i]) && index[i]! >= 0 && index[i]! < length))
      throw new RangeError(`${what}[${i}] is ${index[i]}, expected an integer in 0..${length - 1}`);
  }
  return tensor(index, { dtype: 'i32', gpu, shape: shape ?? [index.length] });
}

/**
 * Sizes before, along and after the axis and entries along it in the result; `each`: 1 for one index per element, 0
 * for one per slice.
 */
type Geometry = { outer: number; length: number; inner: number; count: number; each: 0 | 1 };

function pick<D extends DType>(
  op: string,
  x: Tensor<D>,
  index: Tensor<'i32' | 'u32'>,
  shape: readonly number[],
  g: Geometry,
): Tensor<D> {
  const y = empty(shape, { dtype: x.dtype, gpu: x.gpu });
  kernel.pick(g, { x, index, y }, [y.size]);
  return record(op, y, [x], {
    gradient: (dy) => [scatter(op, null, index, dy, x.shape, g)],
  });
}

/** `base`, or zeros of `shape`, with `from` added where the index says. */
function scatter(
  op: string,
  base: Tensor | null,
  index: Tensor<'i32' | 'u32'>,
  from: Tensor,
  shape: readonly number[],
  g: Geometry,
): Tensor {
  const sums = empty(shape, { gpu: from.gpu });
  if (sums.size * g.count <= SMALL)
    kernel.scatter(g, { base: base ?? from, index, from_: from, sums }, [sums.size], { BASE: Number(base !== null) });
  else {
    if (base) copyIn(op, sums, { shape, strides: stridesOf(shape), offset: 0 }, base);
    else clear(sums);
    addTo(sums, index, from, g);
  }
  return record(op, sums, base ? [from, base] : [from], {
    gradient: (dy) => [() => pick(op, dy, index, from.shape, g), ...(base ? [dy] : [])],
  });
}

/** Comparisons of elements with indices up to which a scatter takes one dispatch for all of them. */
const SMALL = 2 ** 14;
/** Most terms of a column that one invocation adds alone. */
const FEW = 16;

/** Adds the terms where the index says, in index order; costs as many additions as there are terms. */
function addTo(sums: Tensor, index: Tensor<'i32' | 'u32'>, from: Tensor, g: Geometry): void {
  const { outer, count, inner } = g;
  if (count <= FEW || outer * inner >= sums.gpu.tuning.sharesUnder) {
    kernel.columns(g, { index, from_: from, sums }, [outer * inner]);
    return;
  }
  // The axis of an index for each element is looked at as the middle one of three.
  const dims = g.each ? { outer, length: count, inner } : { outer: 1, length: count, inner: 1 };
  const list = viewOf(index, [dims.outer, count, dims.inner]);
  const { values, indices } = sorted(list, 1, dims, count, false);
  kernel.runs(g, { index: values, order: indices, from_: from, sums }, [from.size]);
  for (const t of [list, values, indices]) t.dispose();
}

/**
 * Entries of x along `axis` (default 0) in the order of `index`, a list of integers or a tensor (count) i32 or u32;
 * repeats are allowed. Any dtype of four bytes. On the device an index outside the axis gives zeros. The gradient sums
 * over repeats.
 */
export function indexSelect<D extends DType>(x: Tensor<D>, index: Index, options: { axis?: number } = {}): Tensor<D> {
  expectOptions('indexSelect', options, ['axis']);
  const { axis = 0 } = options;
  expectWords(x, 'indexSelect: x');
  const { axis: a, ...dims } = axisOf('indexSelect', x, axis);
  const list = toIndex('indexSelect: index', index, dims.length, x.gpu);
  if (list.rank !== 1) throw new ShapeError(`indexSelect: index has shape [${list.shape}], expected one axis`);
  const count = list.size;
  return pick(
    'indexSelect',
    x,
    list,
    x.shape.map((d, i) => (i === a ? count : d)),
    { ...dims, count, each: 0 },
  );
}

/** An index with an entry for each element, as a tensor, and its axis. */
function along(op: string, x: Tensor<DType>, index: Index, axis: number): { index: Tensor<'i32' | 'u32'>; a: number } {
  const { axis: a, length, outer, inner } = axisOf(op, x, axis);
  const count = index instanceof Tensor ? 0 : index.length / Math.max(1, outer * inner);
  if (!Number.isInteger(count)) {
    throw new ShapeError(
      `${op}: index has ${(index as ArrayLike<number>).length} entries, expected a multiple of ` +
        `${outer * inner}, one for each element of x [${x.shape}] off axis ${axis}`,
    );
  }
  const list = toIndex(
    `${op}: index`,
    index,
    length,
    x.gpu,
    x.shape.map((d, i) => (i === a ? count : d)),
  );
  if (list.rank !== x.rank || list.shape.some((d, i) => i !== a && d > x.shape[i]!)) {
    throw new ShapeError(
      `${op}: index has shape [${list.shape}], expected at most that of x [${x.shape}] off axis ${axis}`,
    );
  }
  return { index: list, a };
}

/** x cut to `shape`, but for one axis. */
function cut<D extends DType>(x: Tensor<D>, shape: readonly number[], except = -1): Tensor<D> {
  if (x.shape.every((d, i) => i === except || d === shape[i])) return x;
  return slice(x, { end: x.shape.map((d, i) => (i === except ? d : shape[i]!)) });
}

/**
 * y[.., j, ..] = x[.., index[.., j, ..], ..] along `axis` (default: the last), as PyTorch's gather and NumPy's
 * take_along_axis. `index`: i32 or u32 of x's rank, off the axis no longer than x; y has its shape. A list holds the
 * entries of an index with x's sizes off the axis, row by row. On the device an index outside the axis gives zeros. The
 * gradient is {@link scatterAdd}.
 */
export function gather<D extends DType>(x: Tensor<D>, index: Index, options: { axis?: number } = {}): Tensor<D> {
  expectOptions('gather', options, ['axis']);
  const { axis = -1 } = options;
  expectWords(x, 'gather: x');
  const { index: list, a } = along('gather', x, index, axis);
  const from = cut(x, list.shape, a);
  const { axis: _, ...dims } = axisOf('gather', from, a);
  return pick('gather', from, list, list.shape, {
    ...dims,
    count: list.shape[a]!,
    each: 1,
  });
}

/**
 * x with src added at positions along `axis` (default: the last), as PyTorch's scatter_add:
 * y[.., index[.., j, ..], ..] += src[.., j, ..]. `index`: i32 or u32 of x's rank, off the axis no longer than x,
 * nowhere longer than src; a list holds the entries of an index with x's sizes off the axis. f32. Equal indices add up
 * in their order; one outside the axis adds nothing. Gradients: dy for
 * x, `gather(dy, index)` for src.
 */
export function scatterAdd(x: Tensor, index: Index, src: Tensor, options: { axis?: number } = {}): Tensor {
  expectOptions('scatterAdd', options, ['axis']);
  const { axis = -1 } = options;
  expectDType(x, 'f32', 'scatterAdd: x');
  expectDType(src, 'f32', 'scatterAdd: src');
  const { index: list, a } = along('scatterAdd', x, index, axis);
  if (src.rank !== list.rank || list.shape.some((d, i) => d > src.shape[i]!)) {
    throw new ShapeError(`scatterAdd: src has shape [${src.shape}], expected at least that of index [${list.shape}]`);
  }
  const from = cut(src, list.shape);
  const shape = x.shape.map((d, i) => (i === a ? d : list.shape[i]!));
  const outer = sizeOf(shape.slice(0, a));
  const inner = sizeOf(shape.slice(a + 1));
  const geometry: Geometry = { outer, length: shape[a]!, inner, count: list.shape[a]!, each: 1 };
  if (sameShape(shape, x.shape)) return scatter('scatterAdd', x, list, from, shape, geometry);
  const sums = scatter('scatterAdd', null, list, from, shape, geometry);
  return add(x, placeView('scatterAdd', sums, x.shape, { shape, strides: stridesOf(x.shape), offset: 0 }));
}
