import kernel from '../../../shaders/sort.wgsl';
import type { DType } from '../../tensor/dtype.ts';
import { empty, zeros, type Tensor } from '../../tensor/tensor.ts';

/** Elements in their new order, and the place along the axis where each was. */
export interface Sorted<D extends DType> {
  values: Tensor<D>;
  indices: Tensor<'u32'>;
}

/** Sizes before, along and behind the axis that is sorted. */
export interface SortDims {
  outer: number;
  length: number;
  inner: number;
}

/** Elements of a run that is sorted by counting; a whole row where all rows together take at most WORK comparisons. */
const [RUN, ROW, WORK] = [64, 1024, 2 ** 24];

const ORDERED: Partial<Record<DType, string>> = {
  f32: 'return orderedFloat(bits);',
  i32: 'return bits ^ 0x80000000u;',
};

/** The best `k` of each row in order. Sorted runs, cut to k elements, are merged until a row is one run. */
export function sorted<D extends DType>(
  x: Tensor<D>,
  axis: number,
  { outer, length, inner }: SortDims,
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
  return { values, indices };
}

/** Zeros of `shape` but for the k elements of each row of dy, which go to the places `indices` along the axis. */
export function put(dy: Tensor, indices: Tensor<'u32'>, shape: readonly number[], dims: SortDims, k: number): Tensor {
  const dx = zeros(shape, { gpu: dy.gpu });
  kernel.put({ ...dims, width: 0, keep: 0, next: k }, { x: dy, indexOf: indices, y: dx }, [dy.size]);
  return dx;
}

/** The k elements of each row of x at the places `indices` along the axis. */
export function take(x: Tensor, indices: Tensor<'u32'>, dims: SortDims, k: number): Tensor {
  const y = empty(indices.shape, { gpu: x.gpu });
  kernel.take({ ...dims, width: 0, keep: 0, next: k }, { x, indexOf: indices, y }, [y.size]);
  return y;
}
