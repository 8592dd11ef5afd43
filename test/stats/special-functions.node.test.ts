import { describe, expect, test } from 'vitest';
import cases from '../golden/smoothing.json';
import {
  betaPdf,
  betaQuantile,
  incompleteBeta,
  logBeta,
  logGamma,
  normalCdf,
  normalLogCdf,
  normalPdf,
  normalQuantile,
  roundDown,
  roundUp,
} from '../../src/stats/index.ts';
import { casesOf, flat, relativeError } from '../support/golden.ts';
import reference from './reference-values.json';

// Golden numbers carry 15 significant digits.
const PRINTED = 2e-14;

function worst(got: readonly number[], want: readonly number[]): number {
  expect(got.length).toBe(want.length);
  return got.reduce((max, value, i) => Math.max(max, relativeError(value, want[i]!)), 0);
}

/** The worst of `f` over rows of its arguments and, last, its value. */
const worstOf = (rows: number[][], f: (...args: [number, ...number[]]) => number): number =>
  worst(
    rows.map((row) => f(...(row.slice(0, -1) as [number]))),
    rows.map((row) => row.at(-1)!),
  );

describe('logGamma', () => {
  test('golden values', () => {
    const [c] = casesOf(cases, 'logGamma');
    expect(worst(flat(c!.inputs.x).map(logGamma), flat(c!.outputs.value))).toBeLessThan(PRINTED);
  });
  test('50-digit values, also next to the zeros at 1 and 2', () => {
    expect(worstOf(reference.logGamma, logGamma)).toBeLessThan(1e-14);
  });
  test('log Gamma(x + 1) = log Gamma(x) + log x across the branches', () => {
    for (const x of [0.1, 0.49, 0.51, 1.3, 1.49, 1.51, 2.49, 2.51, 5.5, 8.99, 9.01, 12, 1e6]) {
      expect(Math.abs(logGamma(x + 1) - logGamma(x) - Math.log(x))).toBeLessThan(4e-15 * Math.max(1, logGamma(x + 1)));
    }
  });
  test('limits and bad input', () => {
    expect(logGamma(Infinity)).toBe(Infinity);
    expect(() => logGamma(0)).toThrow(new RangeError('logGamma: x is 0, expected x > 0'));
    expect(() => logGamma(NaN)).toThrow(RangeError);
    expect(() => logGamma(-1.5)).toThrow(RangeError);
  });
});

describe('normal distribution', () => {
  test('golden cdf and pdf', () => {
    const [c] = casesOf(cases, 'normalCdf');
    const x = flat(c!.inputs.x);
    expect(worst(x.map(normalCdf), flat(c!.outputs.cdf))).toBeLessThan(PRINTED);
    // The golden density at -37.4 is off by 4.8e-14 (the rounding of x^2 / 2); the exact one is
    // 7.31198534550511023e-305.
    expect(worst(x.map(normalPdf), flat(c!.outputs.pdf))).toBeLessThan(6e-14);
    expect(relativeError(normalPdf(-37.4), 7.31198534550511023e-305)).toBeLessThan(1e-15);
  });
  test('golden log cdf', () => {
    const [c] = casesOf(cases, 'normalLogCdf');
    expect(worst(flat(c!.inputs.x).map(normalLogCdf), flat(c!.outputs.logCdf))).toBeLessThan(PRINTED);
  });
  test('golden quantile', () => {
    const [c] = casesOf(cases, 'normalQuantile');
    expect(worst(flat(c!.inputs.p).map(normalQuantile), flat(c!.outputs.x))).toBeLessThan(PRINTED);
  });
  test('50-digit values to a few ulps', () => {
    expect(worstOf(reference.normalCdf, normalCdf)).toBeLessThan(1.5e-15);
    expect(worstOf(reference.normalQuantile, normalQuantile)).toBeLessThan(1.5e-15);
  });
  test('quantile inverts the cdf over 60 decades and is odd about 1/2', () => {
    for (let e = -60; e < -0.31; e += 0.37) {
      const p = 10 ** e;
      // d log Phi = (x^2 / |x|) dx: the relative error of p grows with x^2.
      const x = normalQuantile(p);
      expect(relativeError(normalCdf(x), p)).toBeLessThan(1e-15 * (4 + x * x));
    }
    for (const p of [0.0625, 0.125, 0.25, 0.375, 0.46875]) expect(normalQuantile(1 - p)).toBe(-normalQuantile(p));
  });
  test('limits and bad input', () => {
    expect([
      normalCdf(-Infinity),
      normalCdf(Infinity),
      normalPdf(Infinity),
      normalLogCdf(-Infinity),
      normalLogCdf(Infinity),
    ]).toEqual([0, 1, 0, -Infinity, -0]);
    expect([normalCdf(NaN), normalPdf(NaN), normalLogCdf(NaN)]).toEqual([NaN, NaN, NaN]);
    expect([normalQuantile(0), normalQuantile(0.5), normalQuantile(1)]).toEqual([-Infinity, 0, Infinity]);
    expect(() => normalQuantile(1.5)).toThrow(new RangeError('normalQuantile: p is 1.5, expected a number in 0..1'));
    expect(() => normalQuantile(NaN)).toThrow(RangeError);
  });
});

describe('beta distribution', () => {
  test.each([
    ['incompleteBeta', 'x', incompleteBeta, 'value'],
    ['betaQuantile', 'q', betaQuantile, 'x'],
  ] as const)('golden %s', (name, argument, f, output) => {
    const [c] = casesOf(cases, name);
    const [at, a, b] = [flat(c!.inputs[argument]), flat(c!.inputs.a), flat(c!.inputs.b)];
    const found = at.map((v, i) => f(v, a[i]!, b[i]!));
    expect(worst(found, flat(c!.outputs[output]))).toBeLessThan(1e-13);
  });
  test('50-digit values of the incomplete beta up to a = b = 1e6', () => {
    expect(worstOf(reference.incompleteBeta, (a, b, x) => incompleteBeta(x!, a!, b!))).toBeLessThan(1e-12);
  });
  test('quantile inverts the distribution function, from tiny to large parameters', () => {
    for (const a of [0.01, 0.3, 1, 2, 17.5, 400, 1e6]) {
      for (const b of [0.05, 0.7, 1, 3, 90, 5e4, 1e6]) {
        for (const q of [1e-9, 1e-3, 0.2, 0.5, 0.9, 0.9999]) {
          const x = betaQuantile(q, a, b);
          expect(x).toBeGreaterThanOrEqual(0);
          expect(x).toBeLessThanOrEqual(1);
          // One ulp of x moves I_x by density * ulp, which is all that can be asked for where x is close to 1.
          const resolution = x > 0 && x < 1 ? betaPdf(x, a, b) * Number.EPSILON : 1;
          const bracket =
            x === 0 || x === 1 || Math.abs(incompleteBeta(x, a, b) - q) <= 1e-11 * Math.min(q, 1 - q) + 8 * resolution;
          expect(bracket, `q ${q}, a ${a}, b ${b}, x ${x}`).toBe(true);
          if (x === 0) expect(incompleteBeta(5e-324, a, b)).toBeGreaterThan(q);
          if (x === 1) expect(incompleteBeta(1 - 2 ** -53, a, b)).toBeLessThan(q);
        }
      }
    }
  });
  test('identities: complement, closed forms, density', () => {
    for (const [a, b, x] of [
      [2, 5, 0.3],
      [0.4, 0.6, 0.01],
      [300, 200, 0.61],
    ] as const) {
      expect(incompleteBeta(x, a, b) + incompleteBeta(1 - x, b, a)).toBeCloseTo(1, 13);
      const h = 1e-6 * x;
      expect(
        relativeError((incompleteBeta(x + h, a, b) - incompleteBeta(x - h, a, b)) / (2 * h), betaPdf(x, a, b)),
      ).toBeLessThan(1e-6);
    }
    expect(relativeError(incompleteBeta(0.3, 7, 1), 0.3 ** 7)).toBeLessThan(1e-14);
    expect(relativeError(betaQuantile(0.3, 1, 1), 0.3)).toBeLessThan(1e-15);
    expect(relativeError(logBeta(3, 4), Math.log(1 / 60))).toBeLessThan(1e-14);
    expect([betaPdf(0, 0.5, 1), betaPdf(0, 1, 4), betaPdf(0, 2, 2), betaPdf(1, 4, 1)]).toEqual([Infinity, 4, 0, 4]);
    expect([betaQuantile(0, 2, 3), betaQuantile(1, 2, 3), incompleteBeta(0, 2, 3), incompleteBeta(1, 2, 3)]).toEqual([
      0, 1, 0, 1,
    ]);
  });
  test.each([
    [() => incompleteBeta(1.5, 1, 1), 'incompleteBeta: x is 1.5, expected a number in 0..1'],
    [() => incompleteBeta(0.5, 0, 1), 'incompleteBeta: a is 0, expected a finite number > 0'],
    [() => betaQuantile(0.5, 1, Infinity), 'betaQuantile: b is Infinity, expected a finite number > 0'],
    [() => betaQuantile(NaN, 1, 1), 'betaQuantile: q is NaN, expected a number in 0..1'],
    [() => betaPdf(-1, 1, 1), 'betaPdf: x is -1, expected a number in 0..1'],
    [() => logBeta(1, NaN), 'logBeta: b is NaN, expected a finite number > 0'],
  ])('bad input %#', (call, message) => {
    expect(call).toThrow(new RangeError(message));
  });
});

test('roundDown and roundUp move by at least the asked ulps', () => {
  for (const x of [1, 0.9999999, -3.25, 1e-200, 1e200, 0.5]) {
    expect(roundDown(x)).toBeLessThan(x);
    expect(roundUp(x)).toBeGreaterThan(x);
    expect(relativeError(roundDown(x, 4), x)).toBeLessThanOrEqual(5 * Number.EPSILON);
  }
  expect([roundDown(0), roundDown(Infinity), roundUp(-Infinity)]).toEqual([0, Infinity, -Infinity]);
});
