import { describe, expect, test } from 'vitest';
import { random32, randomBelow, shuffledIndices, shuffleInPlace } from '../../src/data/index.ts';

// From an independent transcription of Philox and of the key derivation into Python integers.
const FROZEN = {
  seed0: [1255483210, 2010477268, 4280073854],
  seed1: [1949300905, 1461529503, 3684694806],
  stream1: [1437438351, 1712038250, 2254821441],
  seedHigh: [705448603, 3426713503, 2315561230],
  permutation: [2, 3, 9, 8, 5, 4, 7, 6, 1, 0],
};

describe('random32', () => {
  test('frozen first values: the same on every platform', () => {
    const first = (seed: number, stream?: number) => {
      const random = random32(seed, stream);
      return [random(), random(), random()];
    };
    expect(first(0)).toEqual(FROZEN.seed0);
    expect(first(1)).toEqual(FROZEN.seed1);
    expect(first(0, 1)).toEqual(FROZEN.stream1);
    expect(first(2 ** 40)).toEqual(FROZEN.seedHigh);
  });
  test('seeds and streams give different numbers', () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 40; seed++)
      for (let stream = 0; stream < 40; stream++) seen.add(random32(seed, stream)());
    expect(seen.size).toBe(1600);
  });
  test('bits are balanced', () => {
    const random = random32(7);
    const ones = new Array<number>(32).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const value = random();
      for (let bit = 0; bit < 32; bit++) ones[bit]! += (value >>> bit) & 1;
    }
    // Five standard deviations of Bin(20000, 1/2).
    for (const count of ones) expect(Math.abs(count - 10_000)).toBeLessThan(354);
  });
});

describe('shuffle', () => {
  test('a permutation, frozen, different by seed and stream', () => {
    expect(Array.from(shuffledIndices(10, 0))).toEqual(FROZEN.permutation);
    for (const n of [0, 1, 2, 1000])
      expect(Array.from(shuffledIndices(n, 3)).sort((i, j) => i - j)).toEqual(Array.from({ length: n }, (_, i) => i));
    expect(shuffledIndices(50, 1)).not.toEqual(shuffledIndices(50, 2));
    expect(shuffledIndices(50, 1, 0)).not.toEqual(shuffledIndices(50, 1, 1));
  });
  test('all permutations of four are equally likely', () => {
    const counts = new Map<string, number>();
    const random = random32(11);
    for (let i = 0; i < 24_000; i++) {
      const key = shuffleInPlace([0, 1, 2, 3], random).join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    // chi-squared with 23 degrees of freedom: 60 is beyond its 0.9999 quantile.
    expect([...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(60);
  });
  test('randomBelow redraws what would be biased', () => {
    // 2^32 mod 3 = 1: the value 2^32 - 1 is redrawn, 2^32 - 2 is not.
    const values = [0xffffffff, 0xfffffffe];
    expect(randomBelow(() => values.shift()!, 3)).toBe(2);
    expect(randomBelow(() => 0xffffffff, 2 ** 32)).toBe(0xffffffff);
    expect(randomBelow(() => 0xffffffff, 1)).toBe(0);
  });
});

test.each([
  [() => random32(-1), 'random32: seed is -1, expected an integer >= 0'],
  [() => random32(0.5), 'random32: seed is 0.5, expected an integer >= 0'],
  [() => random32(0, NaN), 'random32: stream is NaN, expected an integer >= 0'],
  [() => shuffledIndices(-1, 0), 'shuffledIndices: n is -1, expected an integer in 0..4294967296'],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
