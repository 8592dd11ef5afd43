import { expect } from 'vitest';

/** The 1 % point of the distance of Kolmogorov and Smirnov times the root of the sample size. */
const KS_LIMIT = 1.628;

/** Mean of `power` of the deviations from `center`. */
export function moment(x: ArrayLike<number>, power: number, center = 0): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i]! - center) ** power;
  return sum / x.length;
}

/**
 * Fails unless the sample moments about 0 lie within `errors` standard errors of `want`; [want, variance of x^p] for p
 * = 1, 2, ...
 */
export function expectMoments(
  x: ArrayLike<number>,
  want: readonly (readonly [mean: number, variance: number])[],
  errors = 4,
): void {
  want.forEach(([mean, variance], k) => {
    const off = Math.abs(moment(x, k + 1) - mean) / Math.sqrt(variance / x.length);
    expect(off, `moment ${k + 1} is ${moment(x, k + 1)}, expected ${mean}: standard errors`).toBeLessThan(errors);
  });
}

/**
 * Fails unless the distance of Kolmogorov and Smirnov between a sample and a distribution function is under its 1 %
 * point. Only values from `low` to `high` are compared: where f32 is too coarse, at 0 and next to 1, many fall on one
 * number.
 */
export function expectDistributed(
  x: Float32Array,
  cdf: (v: number) => number,
  [low, high] = [-Infinity, Infinity],
): void {
  const sorted = x.slice().sort();
  let distance = 0;
  sorted.forEach((v, i) => {
    if (v < low || v > high) return;
    const p = cdf(v);
    distance = Math.max(distance, (i + 1) / sorted.length - p, p - i / sorted.length);
  });
  expect(distance * Math.sqrt(sorted.length), 'Kolmogorov-Smirnov').toBeLessThan(KS_LIMIT);
}

/** Fails unless neighbours at several distances are uncorrelated to four standard errors. */
export function expectUncorrelated(x: ArrayLike<number>, lags: readonly number[] = [1, 2, 3, 4, 5, 7]): void {
  const mean = moment(x, 1);
  const variance = moment(x, 2, mean);
  for (const lag of lags) {
    let sum = 0;
    for (let i = lag; i < x.length; i++) sum += (x[i]! - mean) * (x[i - lag]! - mean);
    expect(Math.abs(sum / x.length / variance), `lag ${lag}`).toBeLessThan(4 / Math.sqrt(x.length));
  }
}

/**
 * Fails unless counts agree with probabilities: each within 4.5 standard errors, and the chi-square sum too (by its
 * normal form).
 */
export function expectCounts(counts: ArrayLike<number>, probs: ArrayLike<number>): void {
  const n = Array.from(counts).reduce((a, b) => a + b, 0);
  let chi = 0;
  for (let c = 0; c < counts.length; c++) {
    const p = probs[c]!;
    const off = counts[c]! - n * p;
    expect(Math.abs(off), `count of ${c}: ${counts[c]}, expected ${n * p}`).toBeLessThanOrEqual(
      4.5 * Math.sqrt(n * p * (1 - p)),
    );
    if (p > 0) chi += off ** 2 / (n * p);
  }
  const freedom = counts.length - 1;
  if (freedom > 0) expect((chi - freedom) / Math.sqrt(2 * freedom), `chi-square ${chi} of ${freedom}`).toBeLessThan(4);
}
