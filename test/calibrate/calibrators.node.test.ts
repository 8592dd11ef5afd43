import { describe, expect, test } from 'vitest';
import { affine, matrixScaling, vectorScaling } from '../../src/calibrate/affine.ts';
import type { ScoreOptions } from '../../src/calibrate/calibrator.ts';
import { loadCalibrator, type CalibratorState } from '../../src/calibrate/load.ts';
import {
  betaCalibration,
  histogramBinning,
  isotonicRegression,
  plattScaling,
} from '../../src/calibrate/one-vs-rest.ts';
import { temperatureScaling } from '../../src/calibrate/temperature-scaling.ts';
import { softmaxRows } from '../../src/calibrate/temperature.ts';
import { interpolate, isotonic } from '../../src/stats/isotonic.ts';
import { lbfgs } from '../../src/stats/lbfgs.ts';
import type { Labels, Matrix } from '../../src/metrics/matrix.ts';
import { testRandom } from '../support/fuzz.ts';
import { calibrators } from '../support/calibrators.ts';

/** Logits and labels drawn from softmax of a W z + b that a calibrator can undo. */
function data(
  rows: number,
  classes: number,
  seed: number,
  weight = (c: number) => 0.4 + 0.1 * c,
  bias = (c: number) => 0.3 * c,
) {
  const random = testRandom(seed);
  const logits = Array.from({ length: rows }, () => Array.from({ length: classes }, () => (random(2001) - 1000) / 250));
  const truth = softmaxRows(logits.map((row) => row.map((z, c) => weight(c) * z + bias(c))));
  const labels = logits.map((_, r) => {
    let u = random(1_000_000) / 1_000_000;
    const c = Array.from(truth.at(r).data).findIndex((p) => (u -= p) < 0);
    return c < 0 ? classes - 1 : c;
  });
  return { logits, labels };
}

describe.each(Object.entries(calibrators))('%s', (_name, method) => {
  const fit = (z: Matrix, y: Labels, options?: ScoreOptions) => method(options).fit(z, y);
  test.each([2, 3, 7])(
    '%i classes: rows sum to 1, the NLL falls, JSON gives the same calibrator, shifts do not matter',
    (classes) => {
      const { logits, labels } = data(400, classes, classes);
      const fitted = fit(logits, labels);
      const p = fitted.probabilities(logits);
      for (let r = 0; r < logits.length; r++)
        expect(p.at(r).data.reduce((sum: number, v: number) => sum + v, 0)).toBeCloseTo(1, 12);
      expect(fitted.nllAfter).toBeLessThan(fitted.nllBefore);
      expect(fitted.converged).toBe(true);
      expect(loadCalibrator(JSON.parse(JSON.stringify(fitted.state)) as CalibratorState).probabilities(logits)).toEqual(
        p,
      );
      const probabilities = softmaxRows(logits);
      const again = fit(probabilities, labels, { input: 'probabilities' }).probabilities(probabilities);
      if (method !== vectorScaling && method !== matrixScaling)
        again.data.forEach((v, i) => expect(Math.abs(v - p.data[i]!)).toBeLessThan(1e-5));
    },
  );
  test('extreme logits stay finite', () => {
    const { data: p } = fit(
      [
        [1e4, 0, -1e4],
        [-1e4, 1e4, 0],
        [0, 0, 1e4],
        [1e4, 0, 0],
      ],
      [0, 1, 2, 1],
    ).probabilities([
      [1e4, -1e4, 0],
      [0, 0, 0],
    ]);
    expect(p.every((v) => v >= 0 && v <= 1)).toBe(true);
  });
  test('errors', () => {
    expect(() => fit([[1, 2]], [2])).toThrow(/: labels\[0\] is 2, expected an integer in 0..1$/);
    expect(() => fit([[1, Infinity]], [0])).toThrow(/: scores is Infinity at row 0, class 1, expected finite numbers$/);
    expect(() => fit([[1]], [0])).toThrow(/: scores has 1 classes, expected at least 2$/);
    expect(() => fit([[3, 1]], [0], { input: 'probabilities' })).toThrow('expected probabilities in 0..1');
    expect(() =>
      fit(
        [
          [0, 1],
          [1, 0],
        ],
        [0, 1],
      ).probabilities([[1, 2, 3]]),
    ).toThrow('probabilities: scores has 3 classes, expected 2');
  });
});

describe('data that a calibrator separates', () => {
  const separable = {
    logits: [
      [5, 0, 0],
      [4, 1, 0],
      [0, 3, 1],
      [0, 6, 0],
      [0, 0, 2],
      [1, 0, 7],
    ],
    labels: [0, 0, 1, 1, 2, 2],
  };
  const alwaysWrong = { logits: separable.logits, labels: [1, 1, 2, 2, 0, 0] };
  const oneClass = { logits: separable.logits, labels: [0, 0, 0, 0, 0, 0] };
  const numbers = (value: unknown): number[] =>
    typeof value === 'number'
      ? [value]
      : typeof value === 'object' && value !== null
        ? Object.values(value).flatMap(numbers)
        : [];
  test.each(
    Object.entries({
      ...calibrators,
      'matrixScaling without penalties': () => matrixScaling({ lambda: 0, mu: 0 }),
    }),
  )('%s stays finite, and lowers the NLL', (_name, method) => {
    for (const { logits, labels } of [separable, alwaysWrong, oneClass]) {
      const { state, nllBefore, nllAfter, probabilities } = method().fit(logits, labels);
      expect(numbers(state).every((v) => Number.isFinite(v) && Math.abs(v) < 1e3)).toBe(true);
      // Platt smooths its targets, which costs where the labels are certain.
      expect(nllAfter).toBeLessThan(method === plattScaling ? 1.1 : nllBefore);
      expect(
        Array.from(
          probabilities([
            [3, 1, 2],
            [0, 0, 0],
          ]).data,
        ).every((p) => p >= 0 && p <= 1),
      ).toBe(true);
    }
  });
  test('converged says where there is no minimum', () => {
    const of = (data: typeof separable) =>
      [temperatureScaling, vectorScaling, matrixScaling, plattScaling, betaCalibration, isotonicRegression].map(
        (method) => method().fit(data.logits, data.labels).converged,
      );
    // Platt has smoothed targets, isotonic steps: both have one.
    expect(of(separable)).toEqual([false, false, false, true, false, true]);
    // A temperature and factors a, b >= 0 cannot turn the order round; a vector of shifts, and one class alone, can.
    expect(of(alwaysWrong)).toEqual([false, true, true, true, true, true]);
    expect(of(oneClass)).toEqual([false, false, true, true, false, true]);
  });
  test('huge logits: the NLL before is exact, where softmax is 0 for the label', () => {
    for (const method of [vectorScaling, matrixScaling, plattScaling])
      expect(
        method().fit(
          [
            [1e4, 0],
            [0, 1e4],
            [1e4, 0],
          ],
          [0, 1, 1],
        ).nllBefore,
      ).toBeCloseTo(1e4 / 3, 8);
  });
});

describe('at any scale of the logits', () => {
  const logits = [
    [1, 0],
    [0.9, 0],
    [0, 1],
    [0.2, 0.1],
    [0.5, 0.4],
    [0, 0.7],
    [0.3, 0.5],
  ];
  const labels = [0, 0, 1, 1, 0, 1, 0];
  const unpenalised = () => matrixScaling({ lambda: 0, mu: 0.01 });
  test.each(Object.entries({ temperatureScaling, vectorScaling, plattScaling, unpenalised }))(
    '%s finds the same minimum',
    (_name, method) => {
      const one = method().fit(logits, method === vectorScaling ? [0, 1, 1, 1, 0, 1, 0] : labels);
      for (const scale of [30, 1e3, 1e5, 1e7]) {
        const far = method().fit(
          logits.map((row) => row.map((z) => scale * z)),
          method === vectorScaling ? [0, 1, 1, 1, 0, 1, 0] : labels,
        );
        expect(far.nllAfter).toBeCloseTo(one.nllAfter, 5);
        expect(far.converged).toBe(one.converged);
      }
    },
  );
  test('beta is not stuck where the softmax is saturated', () => {
    for (const scale of [1, 1e3, 1e6]) {
      const { nllAfter, converged } = betaCalibration().fit(
        logits.map((row) => row.map((z) => scale * z)),
        labels,
      );
      expect(nllAfter).toBeLessThan(0.37);
      expect(converged).toBe(true);
    }
  });
  test('four rows of [100, 0], one of class 1: a quarter', () => {
    const four = [
      [100, 0],
      [100, 0],
      [100, 0],
      [100, 0],
    ];
    for (const method of Object.values(calibrators)) {
      if (method === plattScaling) continue;
      expect(method().fit(four, [0, 0, 1, 0]).nllAfter).toBeCloseTo(-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25), 8);
    }
    expect(plattScaling().fit(four, [0, 0, 1, 0]).converged).toBe(true);
  });
  test('saturated and separable: no worse than before', () => {
    for (const method of [temperatureScaling, vectorScaling, matrixScaling])
      expect(
        method().fit(
          [
            [1e5, 0],
            [0, 1e6],
          ],
          [0, 1],
        ),
      ).toMatchObject({ nllBefore: 0, nllAfter: 0, converged: false });
  });
});

test('Platt can raise the NLL: its targets are smoothed, and its rows divided by their sum', () => {
  const confident = [
    [9, 0, 0],
    [0, 9, 0],
    [0, 0, 9],
  ];
  const { nllBefore, nllAfter, converged } = plattScaling().fit(confident, [0, 1, 2]);
  expect(nllBefore).toBeLessThan(3e-4);
  // Targets 2/3 for the class and 1/4 for the others: 2/3 of 2/3 + 1/4 + 1/4.
  expect(nllAfter).toBeCloseTo(-Math.log(2 / 3 / (2 / 3 + 1 / 4 + 1 / 4)), 6);
  expect(converged).toBe(true);
});

test('vector scaling recovers factors and shifts, and its gradient is that of NLL', () => {
  const { logits, labels } = data(20_000, 3, 9);
  const { weight, bias } = vectorScaling().fit(logits, labels).state;
  [0.4, 0.5, 0.6].forEach((a, c) => expect(Math.abs(weight[c]! - a)).toBeLessThan(0.04));
  expect(Math.abs(bias[2]! - bias[0]! - 0.6)).toBeLessThan(0.1);
  // At the optimum predicted and observed class counts agree.
  const p = vectorScaling().fit(logits, labels).probabilities(logits);
  for (let c = 0; c < 3; c++)
    expect(logits.reduce((sum, _, r) => sum + p.data[r * 3 + c]! - Number(labels[r] === c), 0) / 20_000).toBeCloseTo(
      0,
      6,
    );
});

test('limits of matrix scaling', () => {
  const { logits, labels } = data(300, 3, 5);
  const stiff = matrixScaling({ lambda: 1e6, mu: 1e6 }).fit(logits, labels).state;
  stiff.weight.forEach((w, i) => i % 4 !== 0 && expect(Math.abs(w)).toBeLessThan(1e-5));
  expect(matrixScaling({ lambda: 0, mu: 0 }).fit(logits, labels).nllAfter).toBeLessThanOrEqual(
    vectorScaling().fit(logits, labels).nllAfter + 1e-9,
  );
  expect(() => matrixScaling({ lambda: -1 }).fit(logits, labels)).toThrow(
    'matrixScaling: lambda is -1, expected a finite number >= 0',
  );
});

test('temperature is the diagonal 1 / T', () => {
  const { logits, labels } = data(200, 4, 3);
  const { temperature } = temperatureScaling().fit(logits, labels);
  expect(temperatureScaling().fit(logits, labels).probabilities(logits)).toEqual(
    affine({
      kind: 'vector',
      input: 'logits',
      classes: 4,
      weight: new Array<number>(4).fill(1 / temperature),
      bias: [0, 0, 0, 0],
    }).probabilities(logits),
  );
});

test('two classes: Platt keeps them complementary; beta contains the identity', () => {
  const { logits, labels } = data(500, 2, 8);
  const { state } = plattScaling().fit(logits, labels);
  if (state.kind !== 'platt') throw new Error(state.kind);
  expect(state.maps[0]!.a).toBeCloseTo(state.maps[1]!.a, 5);
  expect(state.maps[0]!.b).toBeCloseTo(-state.maps[1]!.b, 5);
  const identity = loadCalibrator({
    kind: 'beta',
    input: 'logits',
    classes: 2,
    maps: [
      { a: 1, b: 1, c: 0 },
      { a: 1, b: 1, c: 0 },
    ],
  }).probabilities(logits);
  softmaxRows(logits).data.forEach((v, i) => expect(identity.data[i]).toBeCloseTo(v, 12));
});

test('histogram: fractions of the bins; an empty bin keeps its centre', () => {
  const p = [
    [0.1, 0.9],
    [0.2, 0.8],
    [0.9, 0.1],
    [0.9, 0.1],
  ];
  const { state } = histogramBinning({ input: 'probabilities', numBins: 4 }).fit(p, [1, 0, 0, 1]);
  expect(state.maps[0]).toEqual({ edges: [0, 0.25, 0.5, 0.75, 1], values: [0.5, 0.375, 0.625, 0.5] });
  expect(
    histogramBinning({ input: 'probabilities', numBins: 2, binning: 'mass' }).fit(p, [1, 0, 0, 1]).state.maps[0],
  ).toMatchObject({ values: [0.5, 0.5] });
  expect(() => histogramBinning({ numBins: 0 }).fit(p, [1, 0, 0, 1])).toThrow(
    'histogramBinning: numBins is 0, expected a positive integer',
  );
});

test('isotonic: pooled blocks, ties, interpolation', () => {
  const fit = isotonic([1, 2, 3, 4, 4, 5], [0, 1, 0, 1, 0, 1]);
  expect(fit).toEqual({ x: [1, 2, 4, 5], y: [0, 0.5, 0.5, 1] });
  expect([0, 1.5, 3, 4.5, 9].map((x) => interpolate(fit, x))).toEqual([0, 0.25, 0.5, 0.75, 1]);
});

test('lbfgs: a quadratic of condition 1e4', () => {
  const found = lbfgs(
    (x, g) => {
      let value = 0;
      x.forEach((v, i) => {
        const a = 10 ** i;
        value += 0.5 * a * (v - i) ** 2;
        g[i] = a * (v - i);
      });
      return value;
    },
    [5, 5, 5, 5, 5],
  );
  expect(found.converged).toBe(true);
  found.x.forEach((v, i) => expect(v).toBeCloseTo(i, 6));
});

test('an unknown kind is refused', () => {
  expect(() => loadCalibrator({ kind: 'spline' } as never)).toThrow(
    'loadCalibrator: kind is spline, expected that of a fitted calibrator',
  );
  expect(() => loadCalibrator({ kind: 'vector', input: 'logits', classes: 3, weight: [1], bias: [0, 0, 0] })).toThrow(
    'loadCalibrator: weight of vector has 1 entries, expected 3',
  );
});
