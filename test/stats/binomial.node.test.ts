import { describe, expect, test } from 'vitest';
import cases from '../golden/smoothing.json';
import {
  binomialCdf,
  binomialPmf,
  binomialTest,
  certifiedRadius,
  clopperPearsonLower,
  clopperPearsonUpper,
  randomizedClopperPearsonLower,
  samplesForRadius,
} from '../../src/stats/index.ts';
import { casesOf, flat, relativeError } from '../support/golden.ts';
import reference from './reference-values.json';

describe('Clopper-Pearson bounds', () => {
  test.each(casesOf(cases, 'clopperPearson'))('golden $name', ({ options, inputs, outputs }) => {
    const alpha = options.alpha as number;
    const [k, n] = [flat(inputs.k), flat(inputs.n)];
    const isLower = outputs.lower !== undefined;
    const want = flat(isLower ? outputs.lower : outputs.upper);
    k.forEach((successes, i) => {
      const got = isLower ? clopperPearsonLower(successes, n[i]!, alpha) : clopperPearsonUpper(successes, n[i]!, alpha);
      expect(Math.abs(got - want[i]!), `k ${successes}, n ${n[i]}`).toBeLessThan(1e-12);
      expect(relativeError(got, want[i]!), `k ${successes}, n ${n[i]}`).toBeLessThan(1e-10);
      if (!isLower) return;
      const radius = flat(outputs.radiusOverSigma)[i]!;
      expect(relativeError(certifiedRadius(got, 1), Number.isNaN(radius) ? 0 : radius)).toBeLessThan(1e-9);
    });
  });
  test('never above the exact bound, within 1e-12 of it and 2e-11 relative (50-digit values, n up to 1e6)', () => {
    for (const [k, n, alpha, want] of reference.clopperPearsonLower as unknown as readonly [
      number,
      number,
      number,
      number,
    ][]) {
      const got = clopperPearsonLower(k, n, alpha);
      expect(got, `k ${k}, n ${n}, alpha ${alpha}`).toBeLessThanOrEqual(want);
      expect(relativeError(got, want)).toBeLessThan(2e-11);
      expect(want - got).toBeLessThan(1e-12);
      expect(clopperPearsonUpper(n - k, n, alpha)).toBeGreaterThanOrEqual(1 - want);
    }
  });
  test('thresholds of CERTIFY', () => {
    const [c] = casesOf(cases, 'certifyThreshold');
    const [least, atLeast, atAll, cap] = ['minCount', 'lowerAtMinCount', 'lowerAtAll', 'radiusCapOverSigma'].map(
      (key) => flat(c!.outputs[key]),
    );
    flat(c!.inputs.n).forEach((n, i) => {
      const k = least![i]!;
      expect(relativeError(clopperPearsonLower(k, n, 0.001), atLeast![i]!)).toBeLessThan(1e-10);
      expect(clopperPearsonLower(k, n, 0.001)).toBeGreaterThanOrEqual(0.5);
      expect(clopperPearsonLower(k - 1, n, 0.001)).toBeLessThan(0.5);
      expect(relativeError(clopperPearsonLower(n, n, 0.001), atAll![i]!)).toBeLessThan(1e-10);
      // The radius at n = 10 is 0.003: its relative error is that of pLower times 170.
      expect(relativeError(certifiedRadius(clopperPearsonLower(n, n, 0.001), 1), cap![i]!)).toBeLessThan(1e-10);
    });
  });
  test('ends, monotony and coverage', () => {
    expect(clopperPearsonLower(0, 50, 0.01)).toBe(0);
    expect(clopperPearsonUpper(50, 50, 0.01)).toBe(1);
    for (let k = 1; k <= 40; k++) {
      const p = clopperPearsonLower(k, 40, 0.05);
      expect(p).toBeGreaterThan(clopperPearsonLower(k - 1, 40, 0.05));
      expect(p).toBeGreaterThan(clopperPearsonLower(k, 40, 0.01));
      expect(p).toBeLessThan(k / 40);
      // P[Bin(n, p) >= k] = alpha defines the bound.
      expect(1 - binomialCdf(k - 1, 40, p)).toBeCloseTo(0.05, 10);
    }
  });
});

describe('randomised bound', () => {
  test('Clopper-Pearson at u = 1, that of one more success at u = 0, falling between', () => {
    for (const [k, n, alpha] of [
      [1, 20, 0.05],
      [13, 20, 0.001],
      [950, 1000, 0.001],
      [99_000, 100_000, 0.001],
    ] as const) {
      const at = (u: number): number => randomizedClopperPearsonLower(k, n, alpha, u);
      expect(relativeError(at(1), clopperPearsonLower(k, n, alpha))).toBeLessThan(1e-10);
      expect(relativeError(at(0), clopperPearsonLower(k + 1, n, alpha))).toBeLessThan(1e-10);
      const values = [0, 0.1, 0.4, 0.7, 1].map(at);
      values.slice(1).forEach((v, i) => expect(v).toBeLessThan(values[i]!));
      // P[X > k] + u P[X = k] = alpha defines it.
      expect(1 - binomialCdf(k, n, at(0.4)) + 0.4 * binomialPmf(k, n, at(0.4))).toBeCloseTo(alpha, 9);
    }
    // All succeed: (alpha / u)^(1/n), or 1 where u is below alpha.
    expect(randomizedClopperPearsonLower(50, 50, 0.01, 0.5)).toBeCloseTo(0.02 ** (1 / 50), 12);
    const whole = randomizedClopperPearsonLower(50, 50, 0.01, 0.005);
    expect(whole < 1 && whole > 1 - 1e-14).toBe(true);
    expect(certifiedRadius(whole, 1)).toBeGreaterThan(7);
    expect(randomizedClopperPearsonLower(0, 50, 0.01, 1)).toBe(0);
    expect(randomizedClopperPearsonLower(0, 50, 0.01, 0.99)).toBe(0);
  });
  test('fails with probability alpha, not less: by enumeration over counts, exact in u', () => {
    for (const [n, p, alpha] of [
      [20, 0.6, 0.05],
      [50, 0.9, 0.01],
      [50, 0.5, 0.001],
    ] as const) {
      let [missed, plain] = [0, 0];
      for (let k = 0; k <= n; k++) {
        // The bound falls in u: it exceeds p up to some u.
        let [low, high] = [0, 1];
        if (randomizedClopperPearsonLower(k, n, alpha, 1) > p) low = 1;
        else if (randomizedClopperPearsonLower(k, n, alpha, 0) > p) {
          for (let i = 0; i < 50; i++) {
            const middle = (low + high) / 2;
            if (randomizedClopperPearsonLower(k, n, alpha, middle) > p) low = middle;
            else high = middle;
          }
        }
        missed += low * binomialPmf(k, n, p);
        if (clopperPearsonLower(k, n, alpha) > p) plain += binomialPmf(k, n, p);
      }
      expect(missed).toBeLessThanOrEqual(alpha);
      expect(relativeError(missed, alpha)).toBeLessThan(1e-8);
      expect(plain).toBeLessThan(0.95 * alpha);
    }
  });
});

describe('CERTIFY and PREDICT for given counts', () => {
  const argmax = (counts: number[]) => counts.indexOf(Math.max(...counts));
  test.each(casesOf(cases, 'certify'))('golden $name', ({ options, inputs, outputs }) => {
    const { alpha, sigma, n } = options as { alpha: number; sigma: number; n: number };
    const [selection, estimation] = [flat(inputs.countsSelection), flat(inputs.countsEstimation)];
    const radii = flat(outputs.radius);
    flat(outputs.prediction).forEach((want, row) => {
      const top = argmax(selection.slice(row * 10, row * 10 + 10));
      const pLower = clopperPearsonLower(estimation[row * 10 + top]!, n, alpha);
      expect(pLower < 0.5 ? -1 : top).toBe(want);
      const radius = certifiedRadius(pLower, sigma);
      expect(relativeError(radius, radii[row]!)).toBeLessThan(1e-9);
    });
  });
  test.each(casesOf(cases, 'predict'))('golden $name', ({ options, inputs, outputs }) => {
    const counts = flat(inputs.counts);
    const classes = counts.length / flat(outputs.prediction).length;
    flat(outputs.prediction).forEach((want, row) => {
      const mine = counts.slice(row * classes, (row + 1) * classes);
      const [first, second] = [...mine].sort((p, q) => q - p) as [number, number];
      const isSure = binomialTest(first, first + second) <= (options.alpha as number);
      expect(isSure ? argmax(mine) : -1).toBe(want);
    });
  });
});

test.each([
  [11, 11],
  [100, 67],
  [1000, 553],
  [10_000, 5166],
])('PREDICT over two classes, n %d: answers from %d on, never below n = 11', (n, least) => {
  expect(binomialTest(least, n)).toBeLessThanOrEqual(0.001);
  expect(binomialTest(least - 1, n)).toBeGreaterThan(0.001);
  expect(binomialTest(10, 10)).toBeGreaterThan(0.001);
  if (n === 100)
    expect([binomialTest(67, 100), binomialTest(66, 100)]).toEqual([
      expect.closeTo(8.737e-4, 7),
      expect.closeTo(1.79e-3, 6),
    ]);
});

describe('binomialTest', () => {
  test('golden p-values at 1/2', () => {
    const [c] = casesOf(cases, 'binomTestTwoSided');
    const [k, n, want] = [flat(c!.inputs.k), flat(c!.inputs.n), flat(c!.outputs.pValue)];
    k.forEach((successes, i) => {
      // Subnormal golden values are residues of an underflow; the exact values, such as 2^-9999, are 0 in float64.
      expect(Math.abs(binomialTest(successes, n[i]!) - want[i]!), `k ${successes}, n ${n[i]}`).toBeLessThanOrEqual(
        Math.max(1e-11 * want[i]!, 2e-323),
      );
    });
  });
  test.each(reference.binomialTest as [number, number, number, number][])('k %d, n %d, p %d', (k, n, p, want) => {
    expect(relativeError(binomialTest(k, n, p), want)).toBeLessThan(1e-11);
  });
  test('equals the sum over outcomes at most as likely', () => {
    for (const p of [0.1, 0.35, 0.5, 0.8]) {
      const mass = Array.from({ length: 24 }, (_, i) => binomialPmf(i, 23, p));
      expect(mass.reduce((sum, m) => sum + m, 0)).toBeCloseTo(1, 13);
      mass.forEach((limit, k) => {
        const want = mass.filter((m) => m <= limit * (1 + 1e-7)).reduce((sum, m) => sum + m, 0);
        expect(binomialTest(k, 23, p)).toBeCloseTo(want, 12);
        expect(binomialCdf(k, 23, p)).toBeCloseTo(
          mass.slice(0, k + 1).reduce((sum, m) => sum + m, 0),
          12,
        );
      });
    }
    expect([binomialPmf(0, 3, 0), binomialPmf(1, 3, 0), binomialPmf(3, 3, 1)]).toEqual([1, 0, 1]);
  });
});

describe('radius', () => {
  test('golden number of samples', () => {
    const [c] = casesOf(cases, 'samplesForRadius');
    const wanted = flat(c!.outputs.n);
    flat(c!.inputs.radiusOverSigma).forEach((radius, i) => {
      expect(samplesForRadius(radius, { alpha: 0.001 })).toBe(wanted[i]);
      expect(samplesForRadius(radius * 0.25, { sigma: 0.25 })).toBe(wanted[i]);
      expect(certifiedRadius(clopperPearsonLower(wanted[i]!, wanted[i]!, 0.001), 1)).toBeGreaterThanOrEqual(radius);
      expect(certifiedRadius(clopperPearsonLower(wanted[i]! - 1, wanted[i]! - 1, 0.001), 1)).toBeLessThan(radius);
    });
  });
  test('abstains below 1/2 and is proportional to sigma', () => {
    expect([certifiedRadius(0.49, 1), certifiedRadius(0.5, 1), certifiedRadius(0, 2)]).toEqual([0, 0, 0]);
    expect(certifiedRadius(0.9, 0.5)).toBe(certifiedRadius(0.9, 1) / 2);
    expect(certifiedRadius(0.9, 1)).toBeLessThan(1.2815515655446004);
    expect(samplesForRadius(0)).toBe(10); // 0.001^(1/10) = 0.5012
  });
});

test.each([
  [() => clopperPearsonLower(1, 2, 1.5), 'clopperPearsonLower: alpha is 1.5, expected 0 < alpha < 1'],
  [() => clopperPearsonLower(1, 2, NaN), 'clopperPearsonLower: alpha is NaN, expected 0 < alpha < 1'],
  [() => clopperPearsonLower(3, 2, 0.1), 'clopperPearsonLower: k is 3, expected an integer in 0..2'],
  [() => clopperPearsonLower(0.5, 2, 0.1), 'clopperPearsonLower: k is 0.5, expected an integer in 0..2'],
  [
    () => randomizedClopperPearsonLower(1, 2, 0.1, 1.5),
    'randomizedClopperPearsonLower: u is 1.5, expected a number in 0..1',
  ],
  [
    () => randomizedClopperPearsonLower(1, 2, 0, 1),
    'randomizedClopperPearsonLower: alpha is 0, expected 0 < alpha < 1',
  ],
  [() => clopperPearsonUpper(0, 0, 0.1), 'clopperPearsonUpper: n is 0, expected a positive integer'],
  [() => clopperPearsonUpper(0, 1, 0), 'clopperPearsonUpper: alpha is 0, expected 0 < alpha < 1'],
  [() => binomialTest(-1, 4), 'binomialTest: k is -1, expected an integer in 0..4'],
  [() => binomialTest(1, 4, 2), 'binomialTest: p is 2, expected a number in 0..1'],
  [() => binomialPmf(1, 1.5, 0.2), 'binomialPmf: n is 1.5, expected a positive integer'],
  [() => binomialCdf(1, 2, -0.2), 'binomialCdf: p is -0.2, expected a number in 0..1'],
  [() => certifiedRadius(1, 1), 'certifiedRadius: pLower is 1, expected 0 <= pLower < 1'],
  [() => certifiedRadius(0.9, 0), 'certifiedRadius: sigma is 0, expected a finite number > 0'],
  [() => samplesForRadius(-1), 'samplesForRadius: radius is -1, expected a finite number >= 0'],
  [() => samplesForRadius(1, { alpha: 1 }), 'samplesForRadius: alpha is 1, expected 0 < alpha < 1'],
  [
    () => samplesForRadius(9),
    'samplesForRadius: radius is 9 = 9 sigma, expected one that fewer than 2^53 samples can certify',
  ],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
