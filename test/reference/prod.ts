import { build, ravel, unravel, type Dense } from './dense.ts';
import { keptShape } from './reduce.ts';

/** Product over axes, with size 1 left in their place. */
export function prod(x: Dense, axes: readonly number[]): Dense {
  const y = build(keptShape(x.shape, axes), () => 1);
  x.data.forEach((v, i) => (y.data[ravel(unravel(i, x.shape), y.shape)]! *= v));
  return y;
}

/** Gradient of {@link prod}: dy times the product of the other elements, multiplied out for each of them. */
export function prodGradient(dy: Dense, x: Dense, axes: readonly number[]): Dense {
  const kept = keptShape(x.shape, axes);
  const members = new Map<number, number[]>();
  const place = (i: number): number => ravel(unravel(i, x.shape), kept);
  x.data.forEach((_, i) => members.set(place(i), [...(members.get(place(i)) ?? []), i]));
  const out = build(x.shape, () => 0);
  for (const [at, list] of members) {
    for (const i of list)
      out.data[i] = list.reduce((product, j) => (j === i ? product : product * x.data[j]!), dy.data[at]!);
  }
  return out;
}
