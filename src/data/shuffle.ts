import { check, integer } from '../check/check.ts';
import { key, PURPOSE, splitKey } from '../random/key.ts';
import { philox } from '../random/philox.ts';

/** A source of uniform 32-bit integers. */
export type Random32 = () => number;

/**
 * The words of Philox4x32-10 under the key of `seed`, one after the other. Streams of one seed are independent (one for
 * each class or epoch, say). Integer arithmetic only: the same numbers on every platform.
 * Throws RangeError unless seed and stream are safe integers >= 0.
 */
export function random32(seed: number, stream = 0): Random32 {
  check('random32', { seed, stream }, { seed: integer(0), stream: integer(0) });
  const root = splitKey(key(seed), PURPOSE.order);
  let count = 0;
  let block: readonly number[] = [];
  return () => {
    const at = count++ % 4;
    if (at === 0) block = philox([(count - 1) / 4, 0, stream % 2 ** 32, Math.floor(stream / 2 ** 32)], root);
    return block[at]!;
  };
}

/**
 * Uniform integer in 0..bound-1 without bias, for 1 <= bound <= 2^32: values beyond the last full multiple are redrawn.
 */
export function randomBelow(random: Random32, bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound);
  let value = random();
  while (value >= limit) value = random();
  return value % bound;
}

/** Uniform number in [0, 1) with 53 bits. */
export function randomUnit(random: Random32): number {
  return ((random() >>> 5) * 2 ** 26 + (random() >>> 6)) * 2 ** -53;
}

/** Shuffles `items` in place (Fisher and Yates, in Durstenfeld's form, 1964) and returns it. */
export function shuffleInPlace<T extends { [i: number]: number; readonly length: number }>(
  items: T,
  random: Random32,
): T {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1);
    const kept = items[i]!;
    items[i] = items[j]!;
    items[j] = kept;
  }
  return items;
}

/** A permutation of 0..n-1, determined by `seed` and `stream`. Throws RangeError unless n is an integer in 0..2^32. */
export function shuffledIndices(n: number, seed: number, stream = 0): Uint32Array<ArrayBuffer> {
  check('shuffledIndices', { n }, { n: integer(0, 2 ** 32) });
  return shuffleInPlace(
    Uint32Array.from({ length: n }, (_, i) => i),
    random32(seed, stream),
  );
}
