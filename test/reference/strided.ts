import { build, count, unravel, type Dense } from './dense.ts';

/** Shape, strides and offset of a view, in elements. */
export interface View {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Position in the viewed array of element i of the view. */
const placeOf = (i: number, { shape, strides, offset }: View): number =>
  unravel(i, shape).reduce((at, v, axis) => at + v * strides[axis]!, offset);

/** The elements of x at the view. */
export function take(x: Dense, view: View): Dense {
  return build(view.shape, (i) => x.data[placeOf(i, view)]!);
}

/** Zeros of `shape` with x added at the view. */
export function place(x: Dense, shape: readonly number[], view: View): Dense {
  const y = build(shape, () => 0);
  for (let i = 0; i < count(view.shape); i++) y.data[placeOf(i, view)]! += x.data[i]!;
  return y;
}
