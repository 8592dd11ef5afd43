import { sizeOf } from '../tensor/shape.ts';
import { noGrad } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { permute } from './permute.ts';
import { keptShape, partsOf } from './launch/reduce.ts';

/** What a kernel needs to reduce (outer, length, inner) over its middle axis, in `parts` pieces of `chunk` elements. */
export interface Rows {
  readonly params: { outer: number; length: number; inner: number; chunk: number; parts: number };
  /** Shape of the result, with the reduced axes as size 1. */
  readonly shape: readonly number[];
}

/** Calls `run` with x as (outer, length, inner), the axes to reduce in the middle: a copy of x where they are apart. */
export function inRows<T>(x: Tensor, axes: readonly number[], run: (x: Tensor, rows: Rows) => T): T {
  const shape = keptShape(x.shape, axes);
  const isApart = axes.some((a, i) => i > 0 && a !== axes[i - 1]! + 1);
  const first = isApart ? x.rank - axes.length : (axes[0] ?? x.rank);
  const rest = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const order = [...rest.slice(0, first), ...axes, ...rest.slice(first)];
  const outer = sizeOf(order.slice(0, first).map((a) => x.shape[a]!));
  const length = sizeOf(axes.map((a) => x.shape[a]!));
  const inner = sizeOf(order.slice(first + axes.length).map((a) => x.shape[a]!));
  const parts = partsOf(outer * inner, length);
  const copy = isApart ? noGrad(() => permute(x, order)) : x;
  const result = run(copy, { params: { outer, length, inner, chunk: Math.ceil(length / parts), parts }, shape });
  if (copy !== x) copy.dispose();
  return result;
}
