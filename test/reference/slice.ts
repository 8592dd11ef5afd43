import { build, count, ravel, unravel, type Dense } from './dense.ts';

/** Positions of start:end:step in 0..length-1, stepped one by one as the definition of a Python slice has it. */
export function positions(length: number, start: number | undefined, end: number | undefined, step = 1): number[] {
  const clip = (v: number): number =>
    Math.min(step > 0 ? length : length - 1, Math.max(step > 0 ? 0 : -1, v < 0 ? v + length : v));
  const stop = end === undefined ? (step > 0 ? length : -1) : clip(end);
  const found: number[] = [];
  for (
    let i = start === undefined ? (step > 0 ? 0 : length - 1) : clip(start);
    step > 0 ? i < stop : i > stop;
    i += step
  )
    found.push(i);
  return found;
}

/** The elements of x at the given positions of each axis. */
export function take(x: Dense, at: readonly (readonly number[])[]): Dense {
  return build(
    at.map((list) => list.length),
    (i) => x.data[placeOf(i, x.shape, at)]!,
  );
}

/** Gradient of {@link take}. */
export function takeGradient(dy: Dense, shape: readonly number[], at: readonly (readonly number[])[]): Dense {
  const dx = build(shape, () => 0);
  for (let i = 0; i < count(dy.shape); i++) dx.data[placeOf(i, shape, at)]! += dy.data[i]!;
  return dx;
}

function placeOf(i: number, shape: readonly number[], at: readonly (readonly number[])[]): number {
  return ravel(
    unravel(
      i,
      at.map((list) => list.length),
    ).map((v, axis) => at[axis]![v]!),
    shape,
  );
}
