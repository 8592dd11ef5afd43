import { expectOptions } from '../check/options.ts';
import type { DType } from '../tensor/dtype.ts';
import { record } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { axisOf, expectWords } from './arguments.ts';
import { put, sorted, take, type SortDims, type Sorted } from './launch/sort.ts';

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

/** The best `k` of each row in order, on the tape. */
function best<D extends DType>(
  op: string,
  x: Tensor<D>,
  axis: number,
  dims: SortDims,
  k: number,
  descending: boolean,
): Sorted<D> {
  const { values, indices } = sorted(x, axis, dims, k, descending);
  record(op, values, [x], { gradient: (dy) => [placed(op, dy, indices, x.shape, dims, k)] });
  return { values, indices };
}

/** {@link put} on the tape: the transpose of {@link taken}. */
function placed(
  op: string,
  dy: Tensor,
  indices: Tensor<'u32'>,
  shape: readonly number[],
  dims: SortDims,
  k: number,
): Tensor {
  return record(op, put(dy, indices, shape, dims, k), [dy], {
    gradient: (g) => [taken(op, g, indices, shape, dims, k)],
  });
}

/** {@link take} on the tape. */
function taken(
  op: string,
  x: Tensor,
  indices: Tensor<'u32'>,
  shape: readonly number[],
  dims: SortDims,
  k: number,
): Tensor {
  return record(op, take(x, indices, dims, k), [x], { gradient: (g) => [placed(op, g, indices, shape, dims, k)] });
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
  const { values, indices } = sorted(x, a, dims, dims.length, descending);
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
