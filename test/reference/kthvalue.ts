import type { Dense } from './dense.ts';

/**
 * The k-th element from the smallest or largest, -0 as 0 and NaN above all numbers; and the numbers of elements before
 * it and equal to it.
 */
export function kthvalue({ data }: Dense, k: number, largest: boolean): [value: number, before: number, equal: number] {
  const keys = Array.from(data, (v) =>
    Number.isNaN(v) ? Number.MAX_VALUE : v === Infinity ? Number.MAX_VALUE / 2 : v + 0,
  ).sort((a, b) => (largest ? b - a : a - b));
  const key = keys[k - 1]!;
  const value = key === Number.MAX_VALUE ? NaN : key === Number.MAX_VALUE / 2 ? Infinity : key;
  return [value, keys.indexOf(key), keys.filter((v) => v === key).length];
}
