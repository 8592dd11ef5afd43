import { describe, expect, test } from 'vitest';
import {
  estimatePrior,
  logitAdjustment,
  matrixScaling,
  softmaxRows,
  temperatureScaling,
  vectorScaling,
  type AffineState,
} from 'evenkeel/calibrate';
import { NdArray } from 'evenkeel';
import { balancedAccuracy, nll } from 'evenkeel/metrics';
import { leastSquares } from '../../src/stats/least-squares.ts';
import { testRandom } from '../support/fuzz.ts';

/** Rows of three normal classes on a line with the shares `rho`, and exact probabilities under the shares `pi`. */
function world(n: number, seed: number, rho: readonly number[], pi: readonly number[]): { p: number[][]; y: number[] } {
  const random = testRandom(seed);
  const unit = (): number => (random(2 ** 30) + 0.5) / 2 ** 30;
  const y = Array.from({ length: n }, () => {
    let u = unit();
    return Math.max(
      0,
      rho.findIndex((s) => (u -= s) < 0),
    );
  });
  const p = y.map((c) => {
    const x = 2 * c + Math.sqrt(-2 * Math.log(unit())) * Math.cos(2 * Math.PI * unit());
    return Array.from(softmaxRows([pi.map((s, k) => Math.log(s) - (x - 2 * k) ** 2 / 2)]).data);
  });
  return { p, y };
}

const pi = [0.7, 0.2, 0.1];
const rho = [0.2, 0.3, 0.5];
const [calib, target] = [world(4000, 1, pi, pi), world(4000, 2, rho, pi)];

describe.each(['em', 'bbse'] as const)('%s', (method) => {
  test('finds the shares of the unlabelled rows', () => {
    const { prior, converged, clipped } = estimatePrior(calib.p, calib.y, target.p, { method });
    prior.forEach((v, c) => expect(Math.abs(v - rho[c]!)).toBeLessThan(method === 'em' ? 0.03 : 0.06));
    expect(prior.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(converged).toBe(true);
    expect(clipped).toEqual([]);
    estimatePrior(calib.p, calib.y, calib.p, { method }).prior.forEach((v, c) =>
      expect(Math.abs(v - calib.y.filter((y) => y === c).length / 4000)).toBeLessThan(0.01),
    );
  });
  test('a class that is no label gets no share', () => {
    const kept = calib.y.flatMap((y, r) => (y < 2 ? [r] : []));
    const { prior } = estimatePrior(
      kept.map((r) => calib.p[r]!),
      kept.map((r) => calib.y[r]!),
      target.p,
      { method },
    );
    expect(prior[2]).toBe(0);
    expect(prior.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });
  test('calibration and logit adjustment under the estimate', () => {
    const { prior } = estimatePrior(calib.p, calib.y, target.p, { method });
    const score = calib.p.map((row) => row.map((v) => 3 * Math.log(v)));
    const T = (options?: object): number => temperatureScaling().fit(score, calib.y, options).temperature;
    // The best temperature for the target, which knows its labels.
    const best = temperatureScaling().fit(
      target.p.map((row) => row.map((v) => 3 * Math.log(v))),
      target.y,
    ).temperature;
    expect(Math.abs(T({ prior }) - best)).toBeLessThan(Math.abs(T() - best));
    const adjusted = logitAdjustment({
      classCounts: pi.map((v) => 1000 * v),
      testPrior: prior,
      input: 'probabilities',
    }).probabilities(target.p);
    expect(nll(adjusted, target.y)).toBeLessThan(nll(target.p, target.y) - 0.05);
    const exact = world(4000, 2, rho, rho);
    expect(nll(adjusted, target.y)).toBeLessThan(nll(exact.p, exact.y) + 0.005);
    expect(balancedAccuracy(adjusted, target.y)).toBeGreaterThan(balancedAccuracy(target.p, target.y));
  });
});

test('EM by hand: two classes, the fixed point of its equation', () => {
  const p = [
    [0.9, 0.1],
    [0.9, 0.1],
    [0.2, 0.8],
  ];
  const { prior } = estimatePrior(
    [
      [0.5, 0.5],
      [0.5, 0.5],
    ],
    [0, 1],
    p,
  );
  const next = p.reduce((sum, [a, b]) => sum + (a! * prior[0]!) / (a! * prior[0]! + b! * prior[1]!) / 3, 0);
  expect(next).toBeCloseTo(prior[0]!, 8);
  expect(
    estimatePrior(
      [
        [0.5, 0.5],
        [0.5, 0.5],
      ],
      [0, 1],
      p,
      { maxIterations: 1 },
    ).converged,
  ).toBe(false);
});

test('BBSE by hand: the shares that give the predictions seen; below 0 they are set to 0 and named', () => {
  const calib = [
    [0.9, 0.1],
    [0.8, 0.2],
    [0.3, 0.7],
    [0.4, 0.6],
    [0.1, 0.9],
  ];
  // P(predicted 0 | 0) = 2/3, P(predicted 0 | 1) = 0: half of the predictions 0 means rho_0 = 3/4.
  const y = [0, 0, 0, 1, 1];
  expect(
    estimatePrior(
      calib,
      y,
      [
        [0.9, 0.1],
        [0.1, 0.9],
      ],
      { method: 'bbse' },
    ).prior,
  ).toEqual([0.75, 0.25].map((v) => expect.closeTo(v, 12)));
  expect(
    estimatePrior(
      calib,
      y,
      [
        [0.9, 0.1],
        [0.8, 0.2],
      ],
      { method: 'bbse' },
    ),
  ).toEqual({ prior: [1, 0], converged: true, clipped: [1] });
  expect(() =>
    estimatePrior(
      [
        [0.9, 0.1],
        [0.9, 0.1],
      ],
      [0, 1],
      [[0.5, 0.5]],
      { method: 'bbse' },
    ),
  ).toThrow('estimatePrior: the predictions do not tell the classes apart (their confusion matrix is singular)');
});

test('least squares', () => {
  expect(
    Array.from(
      leastSquares(
        [
          [1, 0],
          [1, 1],
          [1, 2],
        ],
        [1, 3, 5],
      )!,
    ),
  ).toEqual([1, 2].map((v) => expect.closeTo(v, 12)));
  // Residual at right angles to the columns.
  const [a, b] = [
    [
      [2, 1],
      [1, 3],
      [0, 1],
      [4, 1],
    ],
    [1, 2, 3, 4],
  ];
  const x = leastSquares(a, b)!;
  for (const j of [0, 1])
    expect(a.reduce((sum, row, i) => sum + row[j]! * (b[i]! - row[0]! * x[0]! - row[1]! * x[1]!), 0)).toBeCloseTo(
      0,
      12,
    );
  expect(
    leastSquares(
      [
        [1, 2],
        [2, 4],
        [3, 6],
      ],
      [1, 2, 3],
    ),
  ).toBeNull();
});

test.each<[() => unknown, string]>([
  [
    () => estimatePrior([[0.5, 0.5]], [0], [[2, -1]]),
    'estimatePrior: unlabelled is 2 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)',
  ],
  [() => estimatePrior([[0.5, 0.5]], [0], [[NaN, 1]]), 'estimatePrior: unlabelled is NaN at row 0, class 0'],
  [() => estimatePrior([[0.5, 0.5]], [3], [[0.5, 0.5]]), 'estimatePrior: labels[0] is 3, expected an integer in 0..1'],
  [
    () => estimatePrior([[0.5, 0.5]], [0], [[0.2, 0.3, 0.5]]),
    'estimatePrior: unlabelled has 3 classes, expected 2 as in probs',
  ],
  [
    () => estimatePrior([[0.5, 0.5]], [0], [[0.5, 0.5]], { method: 'x' as 'em' }),
    "estimatePrior: method is 'x', expected 'em' or 'bbse'",
  ],
  [
    () => estimatePrior([[0.5, 0.5]], [0], [[0, 1]]),
    'estimatePrior: unlabelled gives no probability to any class that is a label',
  ],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});

test('a calibrated model takes the prior in its fit', async () => {
  const model = { logits: () => Promise.resolve(new NdArray(Float32Array.from(calib.p.flat(), Math.log), [4000, 3])) };
  const data = { x: null, y: Int32Array.from(calib.y) } as never;
  const { calibrator, predict } = await vectorScaling().fit(model, data, { prior: 'balanced' });
  const { data: logits, shape } = await model.logits();
  expect(calibrator.state).toEqual(vectorScaling().fit({ data: logits, shape }, calib.y, { prior: 'balanced' }).state);
  expect(await predict(null as never)).toEqual(calibrator.probabilities({ data: logits, shape }));
  // Nothing of logit adjustment is fitted: it wraps a model at once.
  const adjusted = logitAdjustment({ classCounts: [7, 2, 1], testPrior: 'balanced' }).wrap(model);
  expect((adjusted.calibrator.state as AffineState).bias.map((b, c) => b + Math.log([7, 2, 1][c]!))).toEqual(
    [0, 1, 2].map(() => expect.closeTo(Math.log(10), 12)),
  );
  expect((await adjusted.predict(null as never)).shape).toEqual([4000, 3]);
  // Probabilities of a model are the softmax of its logits.
  const dirichlet = await matrixScaling({ input: 'probabilities' }).fit(model, data);
  expect(dirichlet.calibrator.state).toEqual(
    matrixScaling({ input: 'probabilities' }).fit(softmaxRows({ data: logits, shape }), calib.y).state,
  );
});
