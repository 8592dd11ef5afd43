import { describe, expect, test } from 'vitest';
import {
  hostBernoulli,
  hostCategorical,
  hostExponential,
  hostGumbel,
  hostPermutation,
  hostRandint,
  key,
  philox,
} from 'evenkeel/random';
import { below } from '../reference/random.ts';
import { expectCounts, expectDistributed, expectMoments, expectUncorrelated } from '../support/distribution.ts';
import { expectPlaces } from './places.ts';

const n = 200_000;
const k = key(11);

function countsOf(x: ArrayLike<number>, bins: number, low = 0): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (let i = 0; i < x.length; i++) counts[x[i]! - low]!++;
  return counts;
}

describe('bernoulli', () => {
  test.each([0.5, 0.1, 0.999, 1e-3])('p = %d', (p) => {
    const x = hostBernoulli(1, n, k, { p });
    expectCounts(countsOf(x, 2), [1 - p, p]);
    expectUncorrelated(x);
  });
  test('0 and 1 are certain', () => {
    expect(hostBernoulli(1, n, k, { p: 0 }).every((v) => v === 0)).toBe(true);
    expect(hostBernoulli(1, n, k, { p: 1 }).every((v) => v === 1)).toBe(true);
  });
  test('a probability for each element', () => {
    const p = Float32Array.from({ length: n }, (_, i) => (i % 4) / 4);
    const x = hostBernoulli(1, n, k, { p });
    for (let c = 0; c < 4; c++)
      expectCounts(
        countsOf(
          x.filter((_, i) => i % 4 === c),
          2,
        ),
        [1 - c / 4, c / 4],
      );
  });
});

describe('randint', () => {
  test.each([
    [0, 1],
    [0, 2],
    [0, 10],
    [-3, 4],
    [0, 257],
    [100, 1100],
  ])('from %d to %d', (low, high) => {
    const x = hostRandint(1, n, k, { low, high });
    expectCounts(countsOf(x, high - low, low), new Array(high - low).fill(1 / (high - low)));
    if (high - low > 1) expectUncorrelated(x);
  });
  test('the full range, and one of 3 2^30, where a quarter of the words is redrawn', () => {
    const full = hostRandint(1, n, k, { low: -(2 ** 31), high: 2 ** 31 });
    expectDistributed(Float32Array.from(full), (v) => v / 2 ** 32 + 0.5);
    const wide = hostRandint(1, n, k, { low: -(2 ** 30), high: 2 ** 31 });
    expectDistributed(Float32Array.from(wide), (v) => (v + 2 ** 30) / (3 * 2 ** 30));
    // Without redrawing, every third value would come up twice as often.
    expectCounts(
      countsOf(
        wide.map((v) => (v + 2 ** 30) % 3),
        3,
      ),
      [1 / 3, 1 / 3, 1 / 3],
    );
  });
  test('as in 64-bit arithmetic, word by word', () => {
    for (const range of [3, 1000, 2 ** 31 + 1, 3 * 2 ** 30]) {
      const x = hostRandint(1, 400, k, { low: -(2 ** 30), high: range - 2 ** 30 });
      x.forEach((v, i) => {
        let want: number | null = null;
        for (let attempt = 0; want === null; attempt++)
          want = below(philox([Math.floor(i / 4), 0, 0, attempt], k)[i % 4]!, range);
        expect(v).toBe(want - 2 ** 30);
      });
    }
  });
});

describe('exponential', () => {
  const x = hostExponential(1, n, k, { rate: 4 });
  test('moments', () =>
    expectMoments(x, [
      [1 / 4, 1 / 16],
      [1 / 8, 20 / 256],
    ]));
  test('distribution', () => expectDistributed(x, (v) => -Math.expm1(-4 * v)));
  test('neighbours', () => expectUncorrelated(x));
  test('all above 0 and finite', () => expect(x.every((v) => v > 0 && v < 4.2)).toBe(true));
});

describe('gumbel', () => {
  const x = hostGumbel(1, n, k, { loc: 2, scale: 0.5 });
  test('moments', () => expectMoments(x, [[2 + 0.5 * 0.5772156649, Math.PI ** 2 / 24]]));
  test('distribution', () => expectDistributed(x, (v) => Math.exp(-Math.exp((2 - v) / 0.5))));
  test('neighbours', () => expectUncorrelated(x));
});

describe('categorical', () => {
  const probs = [0.5, 0.2, 0.05, 0, 0.001, 0.249];
  const logits = probs.map((p) => (p > 0 ? Math.log(p) + 3 : -3e38));
  test.each([
    { name: 'logits', weights: { logits } },
    { name: 'probabilities', weights: { probs } },
    { name: 'counts', weights: { probs: probs.map((p) => p * 1000) } },
  ])('by $name', ({ weights }) => {
    const x = hostCategorical(weights as { logits: number[] }, [1, 1, 6], k, { count: n });
    expectCounts(countsOf(x, 6), probs);
    expectUncorrelated(x);
  });
  test('rows and items each have their own weights', () => {
    const weights = [0.9, 0.1, 0.3, 0.7, 0.5, 0.5, 0, 1];
    const x = hostCategorical({ probs: weights }, [2, 2, 2], k, { count: n / 2 });
    [0, 1, 2, 3].forEach((r) =>
      expectCounts(
        countsOf(
          x.filter((_, i) => i % 4 === r),
          2,
        ),
        weights.slice(2 * r, 2 * r + 2),
      ),
    );
    expectUncorrelated(x.filter((_, i) => i % 4 === 2));
  });
  test('one class', () =>
    expect(Array.from(hostCategorical({ logits: [5] }, [1, 1, 1], k, { count: 3 }))).toEqual([0, 0, 0]));
  test('errors', () => {
    expect(() => hostCategorical({} as never, [1, 1, 2], k)).toThrow(
      'hostCategorical: got neither logits nor probs, expected one of them',
    );
    expect(() => hostCategorical({ logits: [1], probs: [1] } as never, [1, 1, 1], k)).toThrow(
      'hostCategorical: got both logits and probs, expected one of them',
    );
    expect(() => hostCategorical({ logits: [1, 2, 3] }, [1, 2, 2], k)).toThrow(
      'hostCategorical: logits has 3 values, expected 4 for shape [1,2,2]',
    );
  });
});

describe('permutation', () => {
  test('every order of four is as likely', () => {
    const counts = new Map<string, number>();
    for (let first = 0; first < 48_000; first++) {
      const text = hostPermutation(4, k, { first }).join('');
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expectCounts([...counts.values()], new Array(24).fill(1 / 24));
  });
  test('each number once', () => {
    for (const size of [0, 1, 2, 31, 257, 5000])
      expect(Array.from(hostPermutation(size, k).sort())).toEqual(Array.from({ length: size }, (_, i) => i));
  });
  test('errors', () => {
    expect(() => hostPermutation(65_537, k)).toThrow('hostPermutation: n is 65537, expected an integer in 0..65536');
    expect(() => hostPermutation(1.5, k)).toThrow('hostPermutation: n is 1.5, expected an integer in 0..65536');
  });
});

test('a place gives its number whatever is drawn around it; keys, children and streams differ', () => {
  const draws = [
    (key_: typeof k, o: object) => hostBernoulli(3, 30, key_, o),
    (key_: typeof k, o: object) => hostRandint(3, 30, key_, { high: 1000, ...o }),
    (key_: typeof k, o: object) => hostExponential(3, 30, key_, o),
    (key_: typeof k, o: object) => hostGumbel(3, 30, key_, o),
  ];
  for (const draw of draws) expectPlaces(draw, k);
});
