import kernel from '../../shaders/sort.wgsl';
import { expectOptions } from '../check/options.ts';
import type { DType } from '../tensor/dtype.ts';
import { noGrad, record } from '../tensor/tape.ts';
import { empty, zeros, type Tensor } from '../tensor/tensor.ts';
import { axisOf, expectWords } from './arguments.ts';

/** Direction of a sort. */
export interface SortOptions {
  /** Default: the last. */
  axis?: number;
  /** Largest first. Default: false. */
  descending?: boolean;
}

/** Which elements to take. */
export interface TopkOptions {
  /** How many: 0 to the length of the axis. */
  k: number;
  /** Default: the last. */
  axis?: number;
  /** The largest ones; else the smallest. Default: true. */
  largest?: boolean;
  /** PyTorch's option: false allows any order. The order is the sorted one either way. */
  sorted?: boolean;
}

/** Elements in their new order, and the place along the axis where each was. */
export interface Sorted<D extends DType> {
  values: Tensor<D>;
  indices: Tensor<'u32'>;
}

/** Elements of a run that is sorted by counting; a whole row where all rows together take at most WORK comparisons. */
const [RUN, ROW, WORK] = [64, 1024, 2 ** 24];

const ORDERED: Partial<Record<DType, string>> = {
  f32: 'return orderedFloat(bits);',
  i32: 'return bits ^ 0x80000000u;',
};

type Dims = { outer: number; length: number; inner: number };

/** The best `k` of each row in order. Sorted runs, cut to k elements, are merged until a row is one run. */
function best<D extends DType>(
  op: string,
  x: Tensor<D>,
  axis: number,
  { outer, length, inner }: Dims,
  k: number,
  descending: boolean,
): Sorted<D> {
  const variant = { ordered: ORDERED[x.dtype] ?? 'return bits;', DESCENDING: Number(descending) };
  let now = { values: x, indices: x as unknown as Tensor<'u32'>, length };
  const step = (entry: 'rank' | 'merge', width: number, run: number, keep: number): void => {
    const { values, indices } = now;
    const next = Math.floor(now.length / run) * keep + Math.min(keep, now.length % run);
    const shape = x.shape.map((d, i) => (i === axis ? next : d));
    const made = {
      values: empty(shape, { dtype: x.dtype, gpu: x.gpu }),
      indices: empty(shape, { dtype: 'u32', gpu: x.gpu }),
      length: next,
    };
    const params = { outer, length: now.length, inner, width, keep, next };
    kernel[entry](params, { x: values, indexOf: indices, y: made.values, index: made.indices }, [values.size], {
      ...variant,
      FIRST: Number(values === x),
    });
    if (values !== x) {
      values.dispose();
      indices.dispose();
    }
    now = made;
  };
  const all = length <= ROW && x.size * length <= WORK;
  const block = all ? Math.max(1, length) : RUN;
  let width = Math.min(block, k);
  step('rank', block, block, width);
  while (now.length > width) {
    // Few of a run stay: counting in blocks of what stayed drops most of them at once.
    const few = 4 * width <= block;
    const keep = Math.min(k, few ? block : 2 * width);
    if (few) step('rank', block, block, keep);
    else step('merge', width, 2 * width, keep);
    width = keep;
  }
  const { values, indices } = now;
  record(op, values, [x], {
    gradient: (dy) => [put(op, dy, indices, x.shape, { outer, length, inner }, k)],
  });
  return { values, indices };
}

/** The transpose of {@link take}: zeros with the elements of dy where they came from. */
function put(op: string, dy: Tensor, indices: Tensor<'u32'>, shape: readonly number[], dims: Dims, k: number): Tensor {
  const dx = zeros(shape, { gpu: dy.gpu });
  kernel.put({ ...dims, width: 0, keep: 0, next: k }, { x: dy, indexOf: indices, y: dx }, [dy.size]);
  return record(op, dx, [dy], { gradient: (g) => [take(op, g, indices, shape, dims, k)] });
}

function take(op: string, x: Tensor, indices: Tensor<'u32'>, shape: readonly number[], dims: Dims, k: number): Tensor {
  const y = empty(indices.shape, { gpu: x.gpu });
  kernel.take({ ...dims, width: 0, keep: 0, next: k }, { x, indexOf: indices, y }, [y.size]);
  return record(op, y, [x], { gradient: (g) => [put(op, g, indices, shape, dims, k)] });
}

/**
 * x in order along an axis, with the places its elements came from; any dtype of four bytes. Stable: equal elements
 * keep their order, -0 equals 0. NaN counts as the largest, as in PyTorch. The gradient goes back to where each element
 * was.
 */
export function sort<D extends DType>(x: Tensor<D>, options: SortOptions = {}): Sorted<D> {
  expectOptions('sort', options, ['axis', 'descending']);
  const { axis = -1, descending = false } = options;
  expectWords(x, 'sort: x');
  const { axis: a, ...dims } = axisOf('sort', x, axis);
  return best('sort', x, a, dims, dims.length, descending);
}

/** The places of x's elements in order along an axis, as {@link sort}: x[argsort(x)] is sorted. u32, no gradient. */
export function argsort(x: Tensor<DType>, options: SortOptions = {}): Tensor<'u32'> {
  expectOptions('argsort', options, ['axis', 'descending']);
  const { axis = -1, descending = false } = options;
  expectWords(x, 'argsort: x');
  const { axis: a, ...dims } = axisOf('argsort', x, axis);
  const { values, indices } = noGrad(() => best('argsort', x, a, dims, dims.length, descending));
  values.dispose();
  return indices;
}

/**
 * The k largest (or smallest) elements along an axis, best first, with their places; any dtype of four bytes. Of equal
 * elements the first are taken, in their order; NaN counts as the largest, as in PyTorch. Rows are not sorted whole
 * when k is small.
 */
export function topk<D extends DType>(x: Tensor<D>, options: TopkOptions): Sorted<D> {
  expectOptions('topk', options, ['k', 'axis', 'largest', 'sorted']);
  const { k, axis = -1, largest = true } = options;
  expectWords(x, 'topk: x');
  const { axis: a, ...dims } = axisOf('topk', x, axis);
  if (!(Number.isInteger(k) && k >= 0 && k <= dims.length))
    throw new RangeError(`topk: k is ${k}, expected an integer in 0..${dims.length}`);
  return best('topk', x, a, dims, k, largest);
}
