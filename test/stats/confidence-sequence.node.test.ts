import { describe, expect, test } from 'vitest';
import { hostUniform, key } from '../../src/random/index.ts';
import {
  clopperPearsonLower,
  confidenceSequenceLower,
  confidenceSequenceUpper,
  logBeta,
  logMixtureMartingale,
  sequentialSide,
} from '../../src/stats/index.ts';
import { eventLimit } from '../../examples/reproduce/lib/statistics.ts';

describe('the martingale', () => {
  test('is the ratio of beta functions', () => {
    for (const [k, n, p] of [
      [0, 1, 0.5],
      [1, 1, 0.9],
      [3, 7, 0.2],
      [50, 100, 0.6],
      [990, 1000, 0.97],
      [0, 40, 0.1],
    ] as const) {
      const want = logBeta(k + 0.5, n - k + 0.5) - Math.log(Math.PI) - k * Math.log(p) - (n - k) * Math.log(1 - p);
      expect(Math.abs(logMixtureMartingale(k, n, p) - want), `${k} of ${n} at ${p}`).toBeLessThan(1e-10);
    }
  });
  test('closed forms: 1 at the start; 1/(2p) after a success; 3/(8p^2) after two; 1/(8pq) after one of each', () => {
    for (const p of [0.01, 0.3, 0.5, 0.999]) {
      expect(logMixtureMartingale(0, 0, p)).toBe(0);
      expect(Math.exp(logMixtureMartingale(1, 1, p)) * 2 * p).toBeCloseTo(1, 13);
      expect((Math.exp(logMixtureMartingale(2, 2, p)) * 8 * p * p) / 3).toBeCloseTo(1, 13);
      expect(Math.exp(logMixtureMartingale(1, 2, p)) * 8 * p * (1 - p)).toBeCloseTo(1, 13);
    }
  });
  test('has mean 1 at the truth: E[M_(n+1) | k] = M_n', () => {
    for (const [k, n, p] of [
      [0, 0, 0.3],
      [5, 9, 0.7],
      [999, 1000, 0.9],
      [499_000, 1_000_000, 0.5],
    ] as const) {
      const step = (next: number): number =>
        Math.exp(logMixtureMartingale(next, n + 1, p) - logMixtureMartingale(k, n, p));
      expect(p * step(k + 1) + (1 - p) * step(k)).toBeCloseTo(1, 9);
    }
  });
  test('never exceeds 1 at k/n', () => {
    for (const [k, n] of [
      [1, 2],
      [99, 100],
      [1, 1_000_000],
    ] as const)
      expect(logMixtureMartingale(k, n, k / n)).toBeLessThan(0);
  });
});

describe('bounds', () => {
  test('all successes: p = (c / alpha^-1)^(1/n) with c = B(n + 1/2, 1/2) / pi', () => {
    for (const n of [10, 100, 10_000]) {
      const want = Math.exp((logBeta(n + 0.5, 0.5) - Math.log(Math.PI) + Math.log(0.001)) / n);
      const got = confidenceSequenceLower(n, n, 0.001);
      expect(got).toBeLessThanOrEqual(want * (1 + 1e-15));
      expect(got / want).toBeCloseTo(1, 11);
    }
  });
  test('solve log M = log 1/alpha from the safe side, up to n = 1e6', () => {
    for (const [k, n] of [
      [1, 10],
      [7, 10],
      [950, 1000],
      [999_000, 1_000_000],
      [1, 1_000_000],
    ] as const) {
      const [low, high] = [confidenceSequenceLower(k, n, 0.001), confidenceSequenceUpper(k, n, 0.001)];
      for (const end of [low, high]) {
        const excess = logMixtureMartingale(k, n, end) + Math.log(0.001);
        expect(excess).toBeGreaterThanOrEqual(0);
        expect(excess).toBeLessThan(1e-7);
      }
    }
  });
  test('grow with k and alpha; lie below Clopper-Pearson, which holds at one n only; are each other mirrored', () => {
    let last = -1;
    for (let k = 0; k <= 40; k++) {
      const low = confidenceSequenceLower(k, 40, 0.01);
      expect(low).toBeGreaterThan(last);
      expect(low).toBeLessThanOrEqual(clopperPearsonLower(k, 40, 0.01));
      expect(low).toBeLessThanOrEqual(confidenceSequenceLower(k, 40, 0.02));
      expect(confidenceSequenceUpper(40 - k, 40, 0.01)).toBeCloseTo(1 - low, 14);
      last = low;
    }
    expect([
      confidenceSequenceLower(0, 0, 0.5),
      confidenceSequenceUpper(0, 0, 0.5),
      confidenceSequenceLower(0, 9, 0.5),
      confidenceSequenceUpper(9, 9, 0.5),
    ]).toEqual([0, 1, 0, 1]);
  });
});

describe('2,000 sequences, looked at after each trial', () => {
  const [RUNS, TRIALS] = [2000, 1000];
  test.each([
    [0.5, 0.05],
    [0.9, 0.05],
    [0.98, 0.01],
  ])('p %d, alpha %d: wrong at any time no more often than alpha', (p, alpha) => {
    const [u, limit] = [hostUniform(RUNS, TRIALS, key(Math.round(1000 * p))), eventLimit(RUNS, alpha)];
    let [wrong, fixed] = [0, 0];
    for (let run = 0; run < RUNS; run++) {
      let [k, isWrong, isFixedWrong] = [0, false, false];
      for (let n = 1; n <= TRIALS; n++) {
        k += Number(u[run * TRIALS + n - 1]! < p);
        isWrong ||= sequentialSide(k, n, p, alpha) !== 0;
        if (n % 100 === 0 && alpha === 0.05) isFixedWrong ||= clopperPearsonLower(k, n, alpha) > p;
      }
      wrong += Number(isWrong);
      fixed += Number(isFixedWrong);
    }
    expect(wrong).toBeLessThanOrEqual(limit);
    expect(wrong).toBeGreaterThan(0);
    // Looking at a bound for one n again and again is refuted by the same check.
    if (alpha === 0.05) expect(fixed).toBeGreaterThan(limit);
  });
});

test('the side of p0', () => {
  expect([
    sequentialSide(0, 0, 0.5, 0.01),
    sequentialSide(5, 10, 0.5, 0.01),
    sequentialSide(20, 20, 0.5, 0.01),
    sequentialSide(0, 20, 0.5, 0.01),
  ]).toEqual([0, 0, 1, -1]);
  for (const k of [700, 800, 830, 840, 850, 860, 870, 900, 1000]) {
    const low = confidenceSequenceLower(k, 1000, 0.001);
    const high = confidenceSequenceUpper(k, 1000, 0.001);
    expect(sequentialSide(k, 1000, 0.85, 0.001)).toBe(low > 0.85 ? 1 : high < 0.85 ? -1 : 0);
  }
});

test('bad input', () => {
  expect(() => confidenceSequenceLower(3, 2, 0.1)).toThrow(
    'confidenceSequenceLower: k is 3, expected an integer in 0..2',
  );
  expect(() => confidenceSequenceLower(1, 2.5, 0.1)).toThrow(
    'confidenceSequenceLower: n is 2.5, expected an integer >= 0',
  );
  expect(() => confidenceSequenceUpper(1, 2, 0)).toThrow('confidenceSequenceUpper: alpha is 0, expected 0 < alpha < 1');
  expect(() => sequentialSide(1, 2, 1, 0.1)).toThrow('sequentialSide: p0 is 1, expected 0 < p0 < 1');
  expect(() => sequentialSide(1, 2, 0.5, 1)).toThrow('sequentialSide: alpha is 1, expected 0 < alpha < 1');
  expect(() => logMixtureMartingale(1, 2, NaN)).toThrow('logMixtureMartingale: p is NaN, expected 0 < p < 1');
});
