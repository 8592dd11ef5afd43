import { describe, expect, test } from 'vitest';
import { hostBeta, hostDirichlet, hostGamma, key } from 'evenkeel/random';
import { incompleteBeta, normalCdf } from 'evenkeel/stats';
import { gammaCdf } from '../reference/random.ts';
import { expectDistributed, expectMoments, expectUncorrelated } from '../support/distribution.ts';
import { expectPlaces } from './places.ts';

const n = 100_000;
const k = key(5);
/** Powers of e below it are drawn as 0. */
const UNDERFLOW = 2e-38;

test('the reference of the gamma distribution: exponential, and chi-square of one degree', () => {
  for (const x of [0.01, 0.5, 1, 2, 7, 30]) {
    expect(gammaCdf(x, 1)).toBeCloseTo(-Math.expm1(-x), 12);
    expect(gammaCdf(x, 0.5)).toBeCloseTo(2 * normalCdf(Math.sqrt(2 * x)) - 1, 12);
  }
});

describe('gamma', () => {
  test.each([0.05, 0.2, 0.5, 0.999, 1, 1.5, 3, 20, 1000, 1e6])('concentration %d', (concentration) => {
    const a = Math.fround(concentration);
    const x = hostGamma(1, n, k, { concentration });
    // E x^p = a (a + 1) .. (a + p - 1)
    expectMoments(
      x,
      [
        [a, a],
        [a * (a + 1), a * (a + 1) * ((a + 2) * (a + 3) - a * (a + 1))],
      ],
      4.5,
    );
    expectDistributed(
      x,
      (v) => (a < 1e5 ? gammaCdf(v, a) : normalCdf((Math.cbrt(v / a) - (1 - 1 / (9 * a))) * Math.sqrt(9 * a))),
      [UNDERFLOW, Infinity],
    );
    expectUncorrelated(x);
  });
  test('rate divides', () => {
    const [x, y] = [hostGamma(1, 100, k, { concentration: 2 }), hostGamma(1, 100, k, { concentration: 2, rate: 4 })];
    expect(Array.from(y)).toEqual(Array.from(x, (v) => v / 4));
  });
  test('tiny and huge concentrations stay finite', () => {
    expect(hostGamma(1, 1000, k, { concentration: 1e-30 }).every((v) => v === 0)).toBe(true);
    const huge = hostGamma(1, 1000, k, { concentration: 1e30 });
    expect(huge.every((v) => Math.abs(v / 1e30 - 1) < 1e-5)).toBe(true);
  });
});

describe('beta', () => {
  test.each([
    [1, 1],
    [0.5, 0.5],
    [2, 5],
    [30, 3],
    [0.7, 4],
    [500, 500],
  ])('of %d and %d', (a, b) => {
    const x = hostBeta(1, n, k, { a, b });
    const [p, q] = [Math.fround(a), Math.fround(b)];
    const raw = (m: number): number =>
      Array.from({ length: m }, (_, i) => (p + i) / (p + q + i)).reduce((t, v) => t * v, 1);
    expectMoments(
      x,
      [
        [raw(1), raw(2) - raw(1) ** 2],
        [raw(2), raw(4) - raw(2) ** 2],
      ],
      4.5,
    );
    expectDistributed(x, (v) => incompleteBeta(v, p, q));
    expectUncorrelated(x);
    expect(x.every((v) => v >= 0 && v <= 1)).toBe(true);
  });
  test.each([
    [0.2, 0.2],
    [0.05, 0.1],
  ])('of %d and %d, up to one half', (a, b) => {
    const x = hostBeta(1, n, k, { a, b });
    const [p, q] = [Math.fround(a), Math.fround(b)];
    expectMoments(x, [[p / (p + q), (p * q) / ((p + q) ** 2 * (p + q + 1))]]);
    expectDistributed(x, (v) => incompleteBeta(v, p, q), [UNDERFLOW, 0.5]);
  });
  test('tiny parameters give ends, never NaN', () => {
    const x = hostBeta(1, 10_000, k, { a: 1e-6, b: 3e-6 });
    expect(x.every((v) => v === 0 || v === 1)).toBe(true);
    expectMoments(x, [[0.25, 3 / 16]]);
  });
});

describe('dirichlet', () => {
  test.each([[[1, 1, 1]], [[0.2, 3, 1, 0.5]], [[50, 10]]])('of %j', (concentration) => {
    const classes = concentration.length;
    const total = concentration.reduce((t, v) => t + v, 0);
    const x = hostDirichlet(n / 10, 10, k, { concentration });
    for (let row = 0; row < 1000; row++)
      expect(x.slice(row * classes, (row + 1) * classes).reduce((t, v) => t + v, 0)).toBeCloseTo(1, 6);
    concentration.forEach((a, c) => {
      const own = x.filter((_, i) => i % classes === c);
      expectMoments(own, [[a / total, (a * (total - a)) / (total ** 2 * (total + 1))]]);
      if (a >= 0.5 && total - a >= 0.5)
        expectDistributed(own, (v) => incompleteBeta(v, Math.fround(a), Math.fround(total - a)));
      expectUncorrelated(own);
    });
  });
  test('tiny parameters choose one class', () => {
    const x = hostDirichlet(1, 3000, k, { concentration: [1e-6, 1e-6, 1e-6] });
    expect(x.every((v) => v === 0 || v === 1)).toBe(true);
  });
});

test('a place gives its number whatever is drawn around it; keys, children and streams differ', () => {
  const draws = [
    (key_: typeof k, o: object) => hostGamma(3, 30, key_, { concentration: 0.5, ...o }),
    (key_: typeof k, o: object) => hostBeta(3, 30, key_, { a: 0.5, b: 2, ...o }),
    (key_: typeof k, o: object) => hostDirichlet(3, 10, key_, { concentration: [1, 0.5, 2], ...o }),
  ];
  for (const draw of draws) expectPlaces(draw, k);
});

test('errors', () => {
  expect(() => hostGamma(1, 1, k, { concentration: 0 })).toThrow(
    'hostGamma: concentration is 0, expected a finite number > 0',
  );
  expect(() => hostGamma(1, 1, k, { concentration: 1, rate: -1 })).toThrow(
    'hostGamma: rate is -1, expected a finite number > 0',
  );
  expect(() => hostBeta(1, 1, k, { a: 1, b: NaN })).toThrow('hostBeta: b is NaN, expected a finite number > 0');
  expect(() => hostDirichlet(1, 1, k, { concentration: [1, Infinity] })).toThrow(
    'hostDirichlet: concentration[1] is Infinity, expected a finite number > 0',
  );
});
