import { build, ravel, unravel, type Dense } from './dense.ts';

/** Axis i of the result is axis order[i] of x. */
export function permute(x: Dense, order: readonly number[]): Dense {
  const shape = order.map((a) => x.shape[a]!);
  return build(shape, (i) => {
    const at = unravel(i, shape);
    const from = new Array<number>(order.length);
    order.forEach((a, axis) => (from[a] = at[axis]!));
    return x.data[ravel(from, x.shape)]!;
  });
}

/** The permutation that undoes `order`. */
export function inverse(order: readonly number[]): number[] {
  return order.map((_, i) => order.indexOf(i));
}
