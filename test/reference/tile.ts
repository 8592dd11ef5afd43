import { accumulator, addTerm, build, ravel, unravel, type Dense } from './dense.ts';

/** Element i of x repeated: `from` maps a position of the result to one of x. */
function repeat(x: Dense, shape: readonly number[], from: (at: readonly number[]) => number[]): Dense {
  return build(shape, (i) => x.data[ravel(from(unravel(i, shape)), x.shape)]!);
}

function repeatGradient(dy: Dense, shape: readonly number[], from: (at: readonly number[]) => number[]): Dense {
  const dx = accumulator(shape);
  dy.data.forEach((v, i) => addTerm(dx, ravel(from(unravel(i, dy.shape)), shape), v));
  return dx;
}

const wrap =
  (shape: readonly number[]) =>
  (at: readonly number[]): number[] =>
    shape.map((d, i) => at[at.length - shape.length + i]! % d);
const divide =
  (axis: number, n: number) =>
  (at: readonly number[]): number[] =>
    at.map((v, i) => (i === axis ? Math.floor(v / n) : v));

/** Copies of x side by side, to `shape`. */
export const tile = (x: Dense, shape: readonly number[]): Dense => repeat(x, shape, wrap(x.shape));
/** Gradient of {@link tile}. */
export const tileGradient = (dy: Dense, shape: readonly number[]): Dense => repeatGradient(dy, shape, wrap(shape));
/** Each element n times along an axis. */
export const repeatInterleave = (x: Dense, axis: number, n: number): Dense =>
  repeat(
    x,
    x.shape.map((d, i) => (i === axis ? d * n : d)),
    divide(axis, n),
  );
/** Gradient of {@link repeatInterleave}. */
export const repeatInterleaveGradient = (dy: Dense, shape: readonly number[], axis: number, n: number): Dense =>
  repeatGradient(dy, shape, divide(axis, n));
