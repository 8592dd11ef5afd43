import { describe, expect, test } from 'vitest';
import { hostUniform, key } from '../../src/random/index.ts';
import {
  binomialPmf,
  binomialTest,
  certifiedRadius,
  clopperPearsonLower,
  normalCdf,
  normalQuantile,
} from '../../src/stats/index.ts';
import { eventLimit } from '../../examples/reproduce/lib/statistics.ts';
import cases from '../golden/smoothing.json';
import { binomialDraw } from '../support/binomial-draw.ts';
import { casesOf, flat, relativeError } from '../support/golden.ts';

const CLASSIFIERS = 2000;
const SIGMA = 0.5;
/** Uniforms of 2,000 classifiers: where the truth lies, and the draw of its count. */
const uniforms = (seed: number): Float32Array => hostUniform(CLASSIFIERS, 2, key(seed));

describe('2,000 classifiers of known radius, one count each', () => {
  test.each([
    [1000, 0.05],
    [1000, 0.001],
    [10_000, 0.05],
    [100_000, 0.05],
    [100_000, 0.001],
  ])('n %d, alpha %d', (n, alpha) => {
    const u = uniforms(n + 1000 * alpha);
    let [violations, naive, certified] = [0, 0, 0];
    for (let i = 0; i < CLASSIFIERS; i++) {
      // Radii from 0 to the largest that n can certify.
      const radius = u[2 * i]! * certifiedRadius(clopperPearsonLower(n, n, alpha), SIGMA);
      const k = binomialDraw(u[2 * i + 1]!, n, normalCdf(radius / SIGMA));
      const claimed = certifiedRadius(clopperPearsonLower(k, n, alpha), SIGMA);
      violations += Number(claimed > radius);
      certified += Number(claimed > 0);
      naive += Number(certifiedRadius(Math.min(k, n - 0.5) / n, SIGMA) > radius);
    }
    const limit = eventLimit(CLASSIFIERS, alpha);
    expect(violations).toBeLessThanOrEqual(limit);
    expect(certified).toBeGreaterThan(1500);
    // The share of successes in place of its bound is wrong about every other time: the same check refutes it.
    expect(naive).toBeGreaterThan(eventLimit(CLASSIFIERS, 0.4));
    // And the bound gives away no more than it must.
    if (alpha === 0.05) expect(violations).toBeGreaterThan(limit / 4);
  });
});

test('selection from the samples of the estimation is refuted, fresh samples are not', () => {
  // Two classes at 1/2: nothing can be certified. Whoever chooses the class by the counts that he bounds is wrong on
  // both sides.
  const [n, alpha] = [1000, 0.05];
  const u = uniforms(5);
  let [fresh, reused] = [0, 0];
  for (let i = 0; i < CLASSIFIERS; i++) {
    const k = binomialDraw(u[2 * i]!, n, 0.5);
    const selected = u[2 * i + 1]! < 0.5 ? k : n - k;
    fresh += Number(clopperPearsonLower(selected, n, alpha) > 0.5);
    reused += Number(clopperPearsonLower(Math.max(k, n - k), n, alpha) > 0.5);
  }
  expect(fresh).toBeLessThanOrEqual(eventLimit(CLASSIFIERS, alpha));
  expect(reused).toBeGreaterThan(eventLimit(CLASSIFIERS, alpha));
});

test('PREDICT answers a tie no more often than alpha, by enumeration', () => {
  for (const [n, alpha] of [
    [11, 0.001],
    [100, 0.001],
    [100, 0.05],
    [999, 0.01],
  ] as const) {
    let wrong = 0;
    for (let k = 0; k <= n; k++) if (binomialTest(k, n, 0.5) <= alpha) wrong += binomialPmf(k, n, 0.5);
    expect(wrong).toBeLessThanOrEqual(alpha);
    expect(wrong).toBeGreaterThan(alpha / 3);
  }
});

test('coverage by enumeration: P[pLower > p] <= alpha', () => {
  for (const p of [0.5, 0.6, 0.9, 0.99]) {
    for (const [n, alpha] of [
      [50, 0.001],
      [200, 0.001],
      [200, 0.05],
      [1000, 0.01],
    ] as const) {
      let missed = 0;
      for (let k = 0; k <= n; k++) if (clopperPearsonLower(k, n, alpha) > p) missed += binomialPmf(k, n, p);
      expect(missed, `p ${p}, n ${n}, alpha ${alpha}`).toBeLessThanOrEqual(alpha);
    }
  }
});

describe('radii of all counts', () => {
  const n = 200;
  const radii = Array.from({ length: n + 1 }, (_, k) => certifiedRadius(clopperPearsonLower(k, n, 0.001), 1));
  test('never fall from one count to the next, and rise once they are above 0', () => {
    for (let k = 1; k <= n; k++) expect(radii[k]! > radii[k - 1]! || (radii[k] === 0 && radii[k - 1] === 0)).toBe(true);
  });
  test('are proportional to sigma', () => {
    radii.forEach((r, k) => expect(certifiedRadius(clopperPearsonLower(k, n, 0.001), 3)).toBeCloseTo(3 * r, 12));
  });
  test('never exceed the quantile of the bound, which never exceeds that of the share', () => {
    for (let k = 101; k < n; k++) {
      const bound = normalQuantile(clopperPearsonLower(k, n, 0.001));
      expect(radii[k]!).toBeLessThanOrEqual(Math.max(0, bound));
      expect(bound).toBeLessThan(normalQuantile(k / n));
    }
  });
});

/** Mean certified radius over sigma that n samples can be expected to give where the true radius over sigma is r. */
function expectedRadius(r: number, n: number): number {
  let mean = 0;
  for (let k = 0; k <= n; k++)
    mean += binomialPmf(k, n, normalCdf(r)) * certifiedRadius(clopperPearsonLower(k, n, 0.001), 1);
  return mean;
}

test('converges to the true radius from below', () => {
  for (const r of [0.5, 1, 2]) {
    const gaps = [100, 1000, 10_000].map((n) => r - expectedRadius(r, n));
    expect(gaps[2]!).toBeGreaterThan(0);
    expect(gaps[0]!).toBeGreaterThan(2 * gaps[1]!);
    expect(gaps[1]!).toBeGreaterThan(2 * gaps[2]!);
  }
  expect(expectedRadius(1, 10_000)).toBeGreaterThan(0.94);
});

test.each(casesOf(cases, 'linearSmoothedTruth'))(
  '$name: probability of the class of a smoothed linear classifier',
  ({ inputs, outputs }) => {
    const [distance, sigma] = [flat(inputs.signedDistance), flat(inputs.sigma)];
    flat(outputs.pA).forEach((want, i) =>
      expect(relativeError(normalCdf(Math.abs(distance[i]!) / sigma[i]!), want)).toBeLessThan(1e-12),
    );
  },
);
