import { describe, expect, test } from 'vitest';
import { logitClipBounds, symmetricNoiseExcess } from '../../src/losses/index.ts';
import { CLIP_BOUNDS } from '../support/clip-bounds.ts';
import { testRandom } from '../support/fuzz.ts';

const norm = (z: readonly number[], p: number): number =>
  p === Infinity ? Math.max(...z.map(Math.abs)) : z.reduce((s, v) => s + Math.abs(v) ** p, 0) ** (1 / p);
const onSphere = (z: readonly number[], tau: number, p: number): number[] => z.map((v) => (tau * v) / norm(z, p));
const lse = (z: readonly number[]): number =>
  Math.max(...z) + Math.log(z.reduce((s, v) => s + Math.exp(v - Math.max(...z)), 0));

test.each(CLIP_BOUNDS)('ten classes, p = %f, tau = %f', (p, tau, low, high) => {
  const found = logitClipBounds({ tau, p, numClasses: 10 });
  expect(found.low).toBeCloseTo(low, 6);
  expect(found.high).toBeCloseTo(high, 6);
});

test('gap, confidence and sum over labels of ten classes', () => {
  const of = (tau: number, p = 2) => logitClipBounds({ tau, p, numClasses: 10 });
  expect([1, 2, 5].map((tau) => of(tau).confidence)).toEqual(
    [0.241746, 0.477755, 0.955775].map((v) => expect.closeTo(v, 6)),
  );
  expect([0.5, 1, 2, 5].map((tau) => of(tau).sumHigh)).toEqual(
    [23.16971, 23.685519, 26.360242, 47.88649].map((v) => expect.closeTo(v, 5)),
  );
  expect(of(1).sumLow).toBeCloseTo(23.025851, 6);
  expect([of(3, 1).gap, of(3).gap, of(3, Infinity).gap]).toEqual([3, expect.closeTo(3 * Math.sqrt(10 / 9), 12), 6]);
  // Continuous in p at both ends, never above the 2 tau of the paper, and without overflow.
  expect(of(3, 1 + 1e-9).gap).toBeCloseTo(3, 7);
  expect(of(3, 1e9).gap).toBeCloseTo(6, 7);
  for (const p of [1, 1.1, 1.5, 2, 3, 8]) expect(of(3, p).gap).toBeLessThanOrEqual(6);
  expect(of(1e4)).toMatchObject({ low: 0, high: expect.closeTo(1e4 * Math.SQRT2, 8) });
  expect(of(1e-9).sumHigh - of(1e-9).sumLow).toBeCloseTo(0, 8);
});

describe.each([1, 1.5, 2, 3, Infinity])('p = %f: no logits of that norm break the bounds, and some reach them', (p) => {
  test.each([2, 3, 10])('%i classes', (classes) => {
    const random = testRandom(classes);
    for (const tau of [0.3, 1, 4, 12]) {
      const { gap, low, high, sumLow, sumHigh, confidence } = logitClipBounds({ tau, p, numClasses: classes });
      const lossOf = (z: readonly number[]): number => lse(z) - z[0]!;
      const sumOf = (z: readonly number[]): number => classes * lse(z) - z.reduce((a, b) => a + b, 0);
      let [largest, largestSum] = [0, 0];
      const check = (z: number[]): number => {
        const [ce, sum] = [lossOf(z), sumOf(z)];
        [largest, largestSum] = [Math.max(largest, ce), Math.max(largestSum, sum)];
        expect(
          ce >= low - 1e-12 &&
            ce <= high + 1e-10 &&
            Math.exp(-ce) <= confidence + 1e-12 &&
            sum >= sumLow - 1e-11 &&
            sum <= sumHigh + 1e-10,
          `${z}`,
        ).toBe(true);
        return ce;
      };
      // Both are convex: the point of the sphere that is farthest along the gradient is never lower. From random
      // starts, with no two logits alike.
      const dual = p === Infinity ? 0 : 1 / (p - 1);
      for (let i = 0; i < 30; i++) {
        const start = onSphere(
          Array.from({ length: classes }, () => (random(2001) - 1000.5) / 1000),
          tau,
          p,
        );
        check(start);
        if (p === 1) continue;
        for (const own of [1, 0]) {
          let z = start;
          for (let step = 0; step < 60; step++) {
            const total = lse(z);
            const slope = z.map((v, k) =>
              own ? Math.exp(v - total) - Number(k === 0) : classes * Math.exp(v - total) - 1,
            );
            z = onSphere(
              slope.map((g) => Math.sign(g) * Math.abs(g) ** dual || 1e-9),
              tau,
              p,
            );
          }
          check(z);
        }
      }
      if (p > 1) expect(largest).toBeCloseTo(high, 7);
      // One logit up, the others down, is where Hoelder's inequality is met; p = 1 has the others at 0.
      const ratio = p === 1 ? 0 : p === Infinity ? 1 : (classes - 1) ** (-1 / (p - 1));
      const best = onSphere([1, ...new Array<number>(classes - 1).fill(-ratio)], tau, p);
      expect(check(best)).toBeCloseTo(low, 10);
      const alike = Math.log1p((classes - 1) * Math.exp(gap));
      expect(check(best.map((v) => -v))).toBeCloseTo(alike, 10);
      if (p === 1 || p === Infinity || classes === 2) expect(high).toBeCloseTo(alike, 10);
      if (p === 2) {
        check(onSphere([classes - 1, ...new Array<number>(classes - 1).fill(-1)], tau, 2));
        expect(largestSum).toBeCloseTo(sumHigh, 9);
      }
    }
  });
});

test('above some tau one rival costs more than all alike: three classes, p = 2', () => {
  const of = (tau: number): { high: number; alike: number } => {
    const { high, gap } = logitClipBounds({ tau, numClasses: 3 });
    return { high, alike: Math.log1p(2 * Math.exp(gap)) };
  };
  expect(of(1).high).toBeCloseTo(of(1).alike, 12);
  const far = of(20);
  // The label at -tau / sqrt 2, one rival at tau / sqrt 2, the other near 0.
  expect(far.high).toBeGreaterThan(far.alike + 1);
  expect(far.high).toBeCloseTo(20 * Math.SQRT2, 4);
});

describe('symmetric noise', () => {
  const classes = 4;
  const random = testRandom(6);
  /** Clipped logits of a few models at a few inputs of one label each. */
  const labels = [0, 1, 2, 3, 1, 0];
  const models = Array.from({ length: 60 }, () =>
    labels.map(() =>
      onSphere(
        Array.from({ length: classes }, () => random(2001) - 1000.5),
        1.5,
        2,
      ),
    ),
  );
  const ce = (z: readonly number[], y: number): number => lse(z) - z[y]!;
  const mean = (model: number[][], of: (z: number[], y: number) => number): number =>
    model.reduce((s, z, i) => s + of(z, labels[i]!), 0) / labels.length;
  const clean = (model: number[][]): number => mean(model, ce);
  const noisy = (model: number[][], rate: number): number =>
    mean(model, (z, y) => z.reduce((s, _, k) => s + (k === y ? 1 - rate : rate / (classes - 1)) * ce(z, k), 0));
  const sums = (model: number[][]): number => mean(model, (z) => z.reduce((s, _, k) => s + ce(z, k), 0));

  test.each([0, 0.2, 0.5, 0.7])(
    'rate %f: the noisy risk is a line in the clean one and the sum; the best noisy model is near the best',
    (rate) => {
      for (const model of models)
        expect(noisy(model, rate)).toBeCloseTo(
          (1 - (rate * classes) / (classes - 1)) * clean(model) + (rate / (classes - 1)) * sums(model),
          12,
        );
      const least = (risk: (m: number[][]) => number): number[][] =>
        models.reduce((a, b) => (risk(b) < risk(a) ? b : a));
      const excess = clean(least((m) => noisy(m, rate))) - clean(least(clean));
      expect(excess).toBeGreaterThanOrEqual(0);
      expect(excess).toBeLessThanOrEqual(
        symmetricNoiseExcess(logitClipBounds({ tau: 1.5, numClasses: classes }), { rate, numClasses: classes }) + 1e-12,
      );
    },
  );

  test('noise that depends on the class, diagonally dominant: the same line, label by label', () => {
    // Each label y keeps 1 - r_y and gives r_y / (K - 1) to the others, r_y < 1 - 1 / K.
    const rates = [0.1, 0.6, 0.3, 0.7];
    for (const model of models) {
      for (const [i, y] of labels.entries()) {
        const r = rates[y]!;
        const z = model[i]!;
        const risk = z.reduce((s, _, k) => s + (k === y ? 1 - r : r / (classes - 1)) * ce(z, k), 0);
        const sum = z.reduce((s, _, k) => s + ce(z, k), 0);
        expect(risk).toBeCloseTo((1 - (r * classes) / (classes - 1)) * ce(z, y) + (r / (classes - 1)) * sum, 12);
      }
    }
  });

  test('no noise costs nothing, and the smaller tau the less it costs', () => {
    const of = (tau: number, rate: number): number =>
      symmetricNoiseExcess(logitClipBounds({ tau, numClasses: 10 }), { rate, numClasses: 10 });
    expect(of(1, 0)).toBe(0);
    expect(of(0.5, 0.4)).toBeLessThan(of(1, 0.4));
    expect(of(1, 0.4)).toBeLessThan(of(1, 0.8));
  });
});

test.each<[() => unknown, string]>([
  [() => logitClipBounds({ tau: 0, numClasses: 3 }), 'logitClipBounds: tau is 0, expected a finite number > 0'],
  [
    () => logitClipBounds({ tau: 1, p: 0.9, numClasses: 3 }),
    'logitClipBounds: p is 0.9, expected a number >= 1 or Infinity',
  ],
  [() => logitClipBounds({ tau: 1, numClasses: 1 }), 'logitClipBounds: numClasses is 1, expected an integer >= 2'],
  [
    () => symmetricNoiseExcess({ sumLow: 1, sumHigh: 2 }, { rate: 0.5, numClasses: 2 }),
    'symmetricNoiseExcess: rate is 0.5, expected 0 <= rate < 0.5',
  ],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
