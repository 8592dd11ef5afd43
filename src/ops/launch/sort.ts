import kernel from '../../../shaders/sort.wgsl';
import type { DType } from '../../tensor/dtype.ts';
import { empty, zeros, type Tensor } from '../../tensor/tensor.ts';

/** Elements in their new order, and the place along the axis where each was. */
export interface Sorted<D extends DType> {
  values: Tensor<D>;
  indices: Tensor<'u32'>;
}

/** Sizes before, along and after the axis that is sorted. */
export interface SortDims {
  outer: number;
  length: number;
  inner: number;
}

/** Elements of a run that is sorted by counting; a whole row where all rows together take at most WORK comparisons. */
const [RUN, ROW, WORK] = [64, 1024, 2 ** 24];
/** The same for GPUs: longer rows are sorted in workgroup memory, in runs of the other number. */
const [SHORT, SHARED] = [256, 1024];

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
  const shares = x.gpu.tuning.sharesUnder > 0;
  const ways = shares ? 4 : 2;
  const step = (entry: 'rank' | 'runs' | 'merge', width: number, run: number, keep: number): void => {
    const { values, indices } = now;
    const next = Math.floor(now.length / run) * keep + Math.min(keep, now.length % run);
    const shape = x.shape.map((d, i) => (i === axis ? next : d));
    const made = {
      values: empty(shape, { dtype: x.dtype, gpu: x.gpu }),
      indices: empty(shape, { dtype: 'u32', gpu: x.gpu }),
      length: next,
    };
    kernel[entry](
      { outer, length: now.length, inner, width, keep, next },
      { x: values, indexOf: indices, y: made.values, index: made.indices },
      [entry === 'runs' ? 256 * outer * Math.ceil(now.length / run) * inner : values.size],
      {
        ...variant,
        FIRST: Number(values === x),
        ...(entry === 'merge' && { WAYS: ways }),
        ...(entry === 'runs' && { RUN: run }),
      },
    );
    if (values !== x) {
      values.dispose();
      indices.dispose();
    }
    now = made;
  };
  const all = shares ? length <= SHORT : length <= ROW && x.size * length <= WORK;
  const block = all ? Math.max(1, length) : shares ? SHARED : RUN;
  const count = shares && !all ? 'runs' : 'rank';
  let width = Math.min(block, k);
  step(count, block, block, width);
  while (now.length > width) {
    // Few of a run stay: sorting blocks of what stayed drops most of them at once.
    const few = 4 * width <= block;
    const keep = Math.min(k, few ? block : ways * width);
    if (few) step(count, block, block, keep);
    else step('merge', width, ways * width, keep);
    width = keep;
  }
  return { values: now.values, indices: now.indices };
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
