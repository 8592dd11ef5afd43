/** A source of uniform 32-bit integers. */
export type Random32 = () => number;

/**
 * Host generator xoshiro128** (Blackman and Vigna, Scrambled linear pseudorandom number generators, ACM TOMS 2021),
 * its state filled by a 32-bit mixing function from `seed` and `stream`. Integer arithmetic only: the same numbers on
 * every platform. Streams of one seed are used as independent sources (one per class, say).
 * Throws RangeError unless seed and stream are safe integers >= 0.
 */
export function random32(seed: number, stream = 0): Random32 {
  if (!(Number.isSafeInteger(seed) && seed >= 0)) throw new RangeError(`random32: seed is ${seed}, expected a safe integer >= 0`);
  if (!(Number.isSafeInteger(stream) && stream >= 0)) throw new RangeError(`random32: stream is ${stream}, expected a safe integer >= 0`);
  const words = [seed >>> 0, Math.floor(seed / 2 ** 32), stream >>> 0, Math.floor(stream / 2 ** 32)];
  let chain = 0x9e3779b9;
  for (const word of words) chain = mix((chain ^ word) + 0x9e3779b9);
  // Four mixed counters of one chain: distinct, so never the all-zero state.
  let [a, b, c, d] = [1, 2, 3, 4].map((i) => mix(chain + Math.imul(i, 0x9e3779b9))) as [number, number, number, number];
  return () => {
    const out = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return out;
  };
}

/** Uniform integer in 0..bound-1 without bias, for 1 <= bound <= 2^32: values beyond the last full multiple are redrawn. */
export function randomBelow(random: Random32, bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound);
  let value = random();
  while (value >= limit) value = random();
  return value % bound;
}

/** Shuffles `items` in place (Fisher and Yates, in Durstenfeld's form, 1964) and returns it. */
export function shuffleInPlace<T extends { [i: number]: number; readonly length: number }>(items: T, random: Random32): T {
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
  if (!(Number.isInteger(n) && n >= 0 && n <= 2 ** 32)) throw new RangeError(`shuffledIndices: n is ${n}, expected an integer in 0..2^32`);
  return shuffleInPlace(Uint32Array.from({ length: n }, (_, i) => i), random32(seed, stream));
}

/** A bijection of 32-bit words with good avalanche: two rounds of xor-shift and multiply (constants found by the hash-prospector of C. Wellons). */
function mix(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}
