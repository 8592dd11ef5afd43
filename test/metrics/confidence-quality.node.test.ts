import { expect, test } from 'vitest';
import { softmaxRows } from '../../src/calibrate/temperature.ts';
import {
  calibrationError,
  classwiseCalibrationError,
  confidenceAuroc,
  overconfidence,
  perClassCalibrationError,
} from '../../src/metrics/index.ts';
import { testRandom } from '../support/fuzz.ts';

const p = [
  [0.9, 0.1],
  [0.6, 0.4],
  [0.7, 0.3],
  [0.8, 0.2],
];

test('over-confidence is signed, and the calibration error of one bin without its sign', () => {
  expect(overconfidence(p, [0, 0, 1, 1])).toBeCloseTo(0.25, 12);
  expect(overconfidence(p, [0, 0, 0, 0])).toBeCloseTo(-0.25, 12);
  expect(Math.abs(overconfidence(p, [0, 1, 0, 0]))).toBeCloseTo(calibrationError(p, [0, 1, 0, 0], { numBins: 1 }), 12);
});

test('AUROC of confidence by counting pairs, ties half; order and temperature do not matter', () => {
  expect(confidenceAuroc(p, [0, 0, 1, 1])).toBeCloseTo(0.5, 12); // right .9 .6, wrong .7 .8: two pairs of four
  expect(
    confidenceAuroc(
      [
        [0.8, 0.2],
        [0.8, 0.2],
        [0.9, 0.1],
      ],
      [0, 1, 0],
    ),
  ).toBeCloseTo(0.75, 12);
  expect(confidenceAuroc(p, [0, 0, 0, 0])).toBeNaN();
  const random = testRandom(2);
  const logits = Array.from({ length: 60 }, () => [random(9), 0]);
  const labels = logits.map(() => random(2));
  const of = (temperature: number): number => confidenceAuroc(softmaxRows(logits, temperature), labels);
  const right = logits.map(([z], i) => ({ z: z!, hit: labels[i] === 0 }));
  let [won, pairs] = [0, 0];
  for (const a of right)
    for (const b of right)
      if (a.hit && !b.hit) {
        pairs++;
        won += a.z > b.z ? 1 : a.z === b.z ? 0.5 : 0;
      }
  expect(of(1)).toBeCloseTo(won / pairs, 12);
  expect(of(3)).toBeCloseTo(of(1), 12);
  expect(confidenceAuroc(softmaxRows([...logits].reverse()), [...labels].reverse())).toBeCloseTo(of(1), 12);
});

test('without the bias of sampling, calibrated rows have an l2 error near 0 on average; with it they do not', () => {
  const random = testRandom(7);
  const squares = { plain: 0, debiased: 0 };
  for (let trial = 0; trial < 200; trial++) {
    const rows = Array.from({ length: 150 }, () => 0.5 + random(5000) / 10_000);
    const labels = rows.map((c) => Number(random(1_000_000) / 1_000_000 >= c));
    const probs = rows.map((c) => [c, 1 - c]);
    squares.plain += calibrationError(probs, labels, { norm: 'l2', numBins: 10 }) ** 2 / 200;
    squares.debiased += calibrationError(probs, labels, { norm: 'l2', numBins: 10, debias: true }) ** 2 / 200;
  }
  expect(squares.plain).toBeGreaterThan(0.004);
  expect(squares.debiased).toBeLessThan(squares.plain / 2);
  // By hand: one bin of four rows, gap 0.25, accuracy 1/2: 0.0625 - 0.25 / 3 is below 0.
  expect(calibrationError(p, [0, 0, 1, 1], { norm: 'l2', numBins: 1, debias: true })).toBe(0);
  // Gap 0.75, accuracy 0: nothing is added by sampling.
  expect(calibrationError(p, [1, 1, 1, 1], { norm: 'l2', numBins: 1, debias: true })).toBeCloseTo(0.75, 12);
  expect(classwiseCalibrationError(p, [1, 1, 1, 1], { norm: 'l2', numBins: 1, debias: true })).toBeCloseTo(0.75, 12);
  // Accuracy 3/4, gap 0: sqrt max(0, -...).
  expect(perClassCalibrationError(p, [0, 0, 0, 1], { norm: 'l2', numBins: 1, debias: true })).toEqual([0, 0]);
});

test.each<[() => unknown, string]>([
  [
    () => overconfidence([[2, -1]], [0]),
    'overconfidence: probs is 2 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)',
  ],
  [() => confidenceAuroc([[0.5, 0.5]], [2]), 'confidenceAuroc: labels[0] is 2, expected an integer in 0..1'],
  [
    () => calibrationError(p, [0, 0, 0, 0], { debias: true }),
    "calibrationError: debias is true with norm 'l1', expected norm 'l2'",
  ],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
