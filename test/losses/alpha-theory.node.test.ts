import { describe, expect, test } from 'vitest';
import { MIXTURE } from '../../examples/reproduce/alpha-landscape.ts';
import {
  alphaBounds,
  alphaInflection,
  alphaMarginLoss,
  alphaMinimalRisk,
  alphaMinimiser,
  alphaSchedule,
  gaussianAlphaRisk,
  slqcRadius,
  slqcTransfer,
} from '../../src/losses/index.ts';
import { temperatureScaling } from '../../src/calibrate/temperature-scaling.ts';
import { softmaxRows } from '../../src/calibrate/temperature.ts';

/** The alpha-loss of a probability, by its definition. */
const byDefinition = (p: number, alpha: number): number =>
  alpha === 1 ? -Math.log(p) : alpha === Infinity ? 1 - p : (alpha / (alpha - 1)) * (1 - p ** (1 - 1 / alpha));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const ALPHAS = [0.5, 0.8, 1, 1.5, 2, 4, 10, Infinity];

describe('margin form', () => {
  test.each(ALPHAS)('alpha %f: value, slope and curvature', (alpha) => {
    for (const z of [-5, -0.7, 0, 0.3, 4]) {
      const { value, slope, curvature } = alphaMarginLoss(z, alpha);
      expect(value).toBeCloseTo(byDefinition(sigmoid(z), alpha), 9);
      const h = 1e-4;
      const at = (x: number): number => alphaMarginLoss(x, alpha).value;
      expect(Math.abs(slope - (at(z + h) - at(z - h)) / (2 * h))).toBeLessThan(1e-5 * (1 + Math.abs(slope)));
      expect(
        Math.abs(curvature - (alphaMarginLoss(z + h, alpha).slope - alphaMarginLoss(z - h, alpha).slope) / (2 * h)),
      ).toBeLessThan(1e-5 * (1 + Math.abs(curvature)));
      expect(slope).toBeLessThan(0);
    }
  });
  test('exponential, logistic and sigmoid loss', () => {
    expect(alphaMarginLoss(-3, 0.5).value).toBeCloseTo(Math.exp(3), 10);
    expect(alphaMarginLoss(-3, 1).value).toBeCloseTo(Math.log1p(Math.exp(3)), 12);
    expect(alphaMarginLoss(-3, Infinity).value).toBeCloseTo(sigmoid(3), 12);
    expect(alphaMarginLoss(-800, 1).value).toBe(800);
  });
  test('continuous through alpha = 1, and falling in alpha', () => {
    for (const z of [-8, -2, 0, 3]) {
      const logLoss = alphaMarginLoss(z, 1).value;
      for (const alpha of [1 - 1e-4, 1 + 1e-4])
        expect(Math.abs(alphaMarginLoss(z, alpha).value - logLoss)).toBeLessThan(1e-3 * logLoss ** 2);
      ALPHAS.slice(1).forEach((alpha, i) =>
        expect(alphaMarginLoss(z, alpha).value).toBeLessThanOrEqual(alphaMarginLoss(z, ALPHAS[i]!).value),
      );
    }
  });
  test('one inflection, for alpha > 1 only', () => {
    expect([2, 4, 10, Infinity].map((alpha) => Math.round(1e6 * alphaInflection(alpha)) / 1e6)).toEqual([
      -0.693147, -0.287682, -0.105361, 0,
    ]);
    for (const alpha of [2, 4, 10, Infinity]) {
      const z = alphaInflection(alpha);
      expect(alphaMarginLoss(z - 0.01, alpha).curvature).toBeLessThan(0);
      expect(alphaMarginLoss(z + 0.01, alpha).curvature).toBeGreaterThan(0);
    }
    expect([alphaInflection(1), alphaInflection(0.5)]).toEqual([-Infinity, -Infinity]);
    for (let z = -6; z < 6; z += 0.5) expect(alphaMarginLoss(z, 1).curvature).toBeGreaterThan(0);
  });
});

describe('minimisers', () => {
  test.each([
    [0.5, 0.42365, 0.916515],
    [1, 0.8473, 0.610864],
    [2, 1.6946, 0.476845],
    [4, 3.38919, 0.392226],
  ])('eta = 0.7, alpha %f', (alpha, margin, risk) => {
    expect(alphaMinimiser(0.7, alpha)).toBeCloseTo(margin, 5);
    expect(alphaMinimalRisk([0.7, 0.3], alpha)).toBeCloseTo(risk, 6);
    const expected = (f: number): number =>
      0.7 * alphaMarginLoss(f, alpha).value + 0.3 * alphaMarginLoss(-f, alpha).value;
    expect(expected(margin)).toBeCloseTo(risk, 6);
    expect(expected(margin + 0.01)).toBeGreaterThan(expected(alphaMinimiser(0.7, alpha)));
  });
  test.each([
    [0.5, 1.89695],
    [1, 1.029653],
    [2, 0.767117],
    [5, 0.614368],
    [Infinity, 0.5],
  ])('three classes, alpha %f', (alpha, risk) => expect(alphaMinimalRisk([0.5, 0.3, 0.2], alpha)).toBeCloseTo(risk, 6));
  test('the tilt: sigmoid(f) = eta^a / (eta^a + (1 - eta)^a); near alpha = 1 nothing is lost', () => {
    expect(sigmoid(alphaMinimiser(0.8, 3))).toBeCloseTo(0.8 ** 3 / (0.8 ** 3 + 0.2 ** 3), 12);
    expect(alphaMinimalRisk([0.5, 0.3, 0.2], 1 + 1e-9)).toBeCloseTo(alphaMinimalRisk([0.5, 0.3, 0.2], 1), 7);
    expect([alphaMinimiser(0.5, Infinity), alphaMinimiser(1, 2), alphaMinimiser(0.4, Infinity)]).toEqual([
      0,
      Infinity,
      -Infinity,
    ]);
    expect(alphaMinimalRisk([1, 0], 2)).toBeCloseTo(0, 12);
  });
});

test('several classes: the minimiser is alpha log p, its temperature alpha, and un-tilting gives p back', () => {
  const counts = [5, 3, 2, 6];
  const p = counts.map((n) => n / 16);
  const labels = counts.flatMap((n, c) => new Array<number>(n).fill(c));
  const softmax = (z: readonly number[]): number[] => {
    const e = z.map(Math.exp);
    return e.map((v) => v / e.reduce((a, b) => a + b, 0));
  };
  for (const alpha of [0.6, 1, 2, 5]) {
    const z = p.map((v) => alpha * Math.log(v));
    const risk = (logits: readonly number[]): number =>
      p.reduce((t, v, c) => t + v * byDefinition(softmax(logits)[c]!, alpha), 0);
    expect(risk(z)).toBeCloseTo(alphaMinimalRisk(p, alpha), 12);
    z.forEach((_, k) => {
      const moved = (h: number): number => risk(z.map((v, c) => (c === k ? v + h : v)));
      expect((moved(1e-5) - moved(-1e-5)) / 2e-5).toBeCloseTo(0, 9);
      expect(moved(0.1)).toBeGreaterThan(risk(z));
    });
    expect(
      temperatureScaling().fit(
        labels.map(() => z),
        labels,
      ).temperature,
    ).toBeCloseTo(alpha, 9);
    softmaxRows([z], alpha).data.forEach((v, c) => expect(v).toBeCloseTo(p[c]!, 12));
  }
});

test('the NLL is convex in 1 / T', () => {
  const logits = Array.from({ length: 30 }, (_, r) => [Math.sin(r), Math.cos(3 * r), Math.sin(7 * r + 1)]);
  const at = (beta: number): number =>
    logits.reduce((t, z, r) => t - Math.log(softmaxRows([z], 1 / beta).data[r % 3]!), 0);
  for (let beta = 0.1; beta < 6; beta += 0.1)
    expect(at(beta + 0.05) + at(beta - 0.05) - 2 * at(beta)).toBeGreaterThan(-1e-12);
});

describe('landscape', () => {
  test('the gradient of the mixture risk is its derivative', () => {
    for (const alpha of [0.95, 1, 10, Infinity]) {
      const { gradient } = gaussianAlphaRisk([0.5, -0.8], MIXTURE, alpha);
      const at = (a: number, b: number): number => gaussianAlphaRisk([0.5 + a, -0.8 + b], MIXTURE, alpha).risk;
      expect(gradient[0]).toBeCloseTo((at(1e-5, 0) - at(-1e-5, 0)) / 2e-5, 7);
      expect(gradient[1]).toBeCloseTo((at(0, 1e-5) - at(0, -1e-5)) / 2e-5, 7);
    }
    expect(gaussianAlphaRisk([0, 0], MIXTURE, 1).risk).toBeCloseTo(Math.LN2, 12);
    expect(gaussianAlphaRisk([3, 4], MIXTURE, Infinity).zeroOne).toBeCloseTo(
      gaussianAlphaRisk([0.3, 0.4], MIXTURE, 1).zeroOne,
      12,
    );
  });

  /** Risk and gradient of a linear model on a few points of [0, 1]^2. */
  const points = [
    [0.1, 0.9, 1],
    [0.8, 0.3, -1],
    [0.5, 0.6, 1],
    [1, 1, -1],
    [0, 0.2, 1],
  ];
  const risk = (theta: number[], alpha: number): { value: number; gradient: number[] } => {
    const gradient = [0, 0];
    let value = 0;
    for (const [a, b, y] of points as [number, number, number][]) {
      const loss = alphaMarginLoss(y * (theta[0]! * a + theta[1]! * b), alpha);
      value += loss.value / points.length;
      gradient[0]! += (loss.slope * y * a) / points.length;
      gradient[1]! += (loss.slope * y * b) / points.length;
    }
    return { value, gradient };
  };
  const thetas = Array.from({ length: 40 }, (_, i) => [2 * Math.sin(i), 2 * Math.cos(1.7 * i)]);

  test('the bounds hold between any two alpha >= 1', () => {
    for (const theta of thetas) {
      const bounds = alphaBounds(Math.hypot(...theta), 2);
      for (const [a, b] of [
        [1, 2],
        [1, Infinity],
        [2, 3],
        [4, Infinity],
      ] as const) {
        const [one, two] = [risk(theta, a), risk(theta, b)];
        const step = Math.abs(1 / a - 1 / b);
        expect(Math.abs(one.value - two.value)).toBeLessThanOrEqual(bounds.value * step);
        expect(
          Math.hypot(one.gradient[0]! - two.gradient[0]!, one.gradient[1]! - two.gradient[1]!),
        ).toBeLessThanOrEqual(bounds.gradient * step);
      }
    }
  });

  test('quasi-convexity carries over as promised', () => {
    const target = [-0.5, 0.6];
    for (const theta of thetas) {
      const norm = Math.max(Math.hypot(...theta), Math.hypot(...target));
      const radius = slqcRadius(risk(theta, 1.5).gradient, theta, target);
      if (radius <= 0) continue;
      const next = risk(theta, 1.6).gradient;
      const carried = slqcTransfer(1.5, 1.6, { epsilon: 0.1, radius, gradientNorm: Math.hypot(...next), norm, d: 2 });
      expect(slqcRadius(next, theta, target)).toBeGreaterThanOrEqual(carried.radius);
      expect(carried.epsilon).toBeGreaterThan(0.1);
    }
    expect(slqcTransfer(2, 2, { epsilon: 0.1, radius: 0.3, gradientNorm: 1, norm: 1, d: 2 })).toEqual({
      epsilon: 0.1,
      radius: 0.3,
    });
    expect(slqcRadius([-2, 0], [0, 0], [3, 4])).toBe(3);
    expect(slqcRadius([0, 0], [0, 0], [3, 4])).toBe(-Infinity);
  });
});

test('alpha by step: 1 / alpha on a line', () => {
  const at = alphaSchedule({ from: 1, to: 4, start: 1, end: 3 });
  const steps = (...list: number[]): number[] =>
    list.map((step) => at({ step, epoch: 0, epochs: 10, stepsPerEpoch: 10 }));
  expect(steps(0, 10, 20, 30, 90)).toEqual([1, 1, 1.6, 4, 4]);
  const open = alphaSchedule({ from: 1, to: Infinity });
  expect([0, 50, 100].map((step) => open({ step, epoch: 0, epochs: 10, stepsPerEpoch: 10 }))).toEqual([1, 2, Infinity]);
});

test.each<[() => unknown, string]>([
  [() => alphaMarginLoss(1, 0), 'alphaMarginLoss: alpha is 0, expected a number > 0 or Infinity'],
  [() => alphaSchedule({ from: -1, to: 2 }), 'alphaSchedule: alpha is -1, expected a number > 0 or Infinity'],
  [() => alphaSchedule({ from: 1, to: 2, start: 3, end: 1 }), 'alphaSchedule: end is 1, expected a number >= start, 3'],
  [() => alphaMinimiser(1.2, 2), 'alphaMinimiser: eta is 1.2, expected a number in 0..1'],
  [
    () => alphaMinimalRisk([0.5, 0.6], 2),
    'alphaMinimalRisk: probabilities are [0.5,0.6], expected numbers >= 0 that sum to 1',
  ],
  [() => alphaBounds(1, 0), 'alphaBounds: d is 0, expected a positive integer'],
  [
    () => slqcTransfer(0.5, 2, { epsilon: 0, radius: 1, gradientNorm: 1, norm: 1, d: 1 }),
    'slqcTransfer: alpha0 is 0.5, expected a number >= 1 or Infinity',
  ],
])('bad input %#', (call, message) => {
  expect(call).toThrow(message);
});
