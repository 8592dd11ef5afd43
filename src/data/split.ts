import { indicesByClass, subset, type Dataset } from './dataset.ts';
import { random32, shuffleInPlace } from './shuffle.ts';

/** The streams below belong to `longTail`, which often runs before with the same seed. */
const FIRST_STREAM = 2 ** 16;

/** Fractions of the parts by name, beside `seed` (default 0) and `stratified` (default true). */
export interface SplitOptions {
  seed?: number;
  stratified?: boolean;
  [part: string]: number | boolean | undefined;
}

/** The parts, under the names of their fractions. */
export type Split<O> = { [Part in Exclude<keyof O, 'seed' | 'stratified'>]: Dataset };

/**
 * Splits a data set into disjoint random parts: `split(data, { train: 0.8, calib: 0.1, test: 0.1, seed: 0 })`.
 * Stratified: each class is divided on its own, by largest remainder (ties: the part named first), and a class that
 * has an example keeps at least one in the part named first. Examples keep the order of `data` within a part.
 * Fractions that sum to less than 1 leave examples out.
 * Throws RangeError unless there is a part, every fraction is in (0, 1], and they sum to at most 1.
 */
export function split<const O extends SplitOptions>(data: Dataset, options: O): Split<O> {
  const { seed = 0, stratified = true, ...fractions } = options;
  if (typeof stratified !== 'boolean') throw new RangeError(`split: stratified is ${String(stratified)}, expected true or false`);
  const names = Object.keys(fractions);
  const shares = names.map((name) => {
    const fraction = fractions[name];
    if (typeof fraction !== 'number' || !(fraction > 0 && fraction <= 1)) throw new RangeError(`split: ${name} is ${String(fraction)}, expected a fraction in (0, 1]`);
    return fraction;
  });
  if (names.length === 0) throw new RangeError('split: options name no part, expected at least one fraction, such as train: 0.8');
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (total > 1 + 1e-9) throw new RangeError(`split: fractions sum to ${total}, expected at most 1`);

  const parts = names.map((): number[] => []);
  const groups = stratified ? indicesByClass(data) : [Array.from(data.y, (_, i) => i)];
  groups.forEach((indices, stream) => {
    shuffleInPlace(indices, random32(seed, FIRST_STREAM + stream));
    let at = 0;
    apportion(indices.length, shares).forEach((size, part) => {
      for (const end = at + size; at < end; at++) parts[part]!.push(indices[at]!);
    });
  });
  const sorted = parts.map((indices) => subset(data, indices.sort((i, j) => i - j)));
  return Object.fromEntries(names.map((name, part) => [name, sorted[part]!])) as Split<O>;
}

/** Whole numbers closest to n * share that sum to floor(n * total share), the first of them positive when n > 0. */
function apportion(n: number, shares: readonly number[]): number[] {
  const quotas = shares.map((share) => n * share);
  const sizes = quotas.map((quota) => Math.floor(quota + 1e-9)); // 0.1 * 30 is 3.0000000000000004, 0.7 * 10 below 7
  const whole = Math.min(n, Math.floor(quotas.reduce((sum, quota) => sum + quota, 0) + 1e-6));
  const byRemainder = quotas.map((_, part) => part).sort((p, q) => quotas[q]! - sizes[q]! - (quotas[p]! - sizes[p]!) || p - q);
  let left = whole - sizes.reduce((sum, size) => sum + size, 0);
  for (const part of byRemainder) if (left-- > 0) sizes[part]!++;
  if (n > 0 && sizes[0] === 0) {
    const largest = sizes.indexOf(Math.max(...sizes));
    if (sizes[largest]! > 0) sizes[largest]!--;
    sizes[0] = 1;
  }
  return sizes;
}
