import { expect, test } from 'vitest';
import { loadCalibrator } from '../../src/calibrate/load.ts';
import { logitAdjustment } from '../../src/calibrate/logit-adjustment.ts';
import { temperatureScaling } from '../../src/calibrate/temperature-scaling.ts';
import { softmaxRows } from '../../src/calibrate/temperature.ts';
import { nll } from '../../src/metrics/nll.ts';
import { testRandom } from '../support/fuzz.ts';

const classCounts = [100, 50, 20, 5];
const z = [
  [2, 1, 0.5, -1],
  [0.3, -0.2, 0.1, 0.4],
  [1e4, -1e4, 0, 1e4],
];
const close = (got: ArrayLike<number>, want: ArrayLike<number>): void =>
  Array.from(want).forEach((v, i) => expect(got[i]).toBeCloseTo(v, 12));

test('takes tau log prior from the logits', () => {
  const { data } = logitAdjustment({ classCounts, tau: 1.5 }).probabilities(z);
  close(data, softmaxRows(z.map((row) => row.map((v, c) => v - 1.5 * Math.log(classCounts[c]! / 175)))).data);
  expect(data.every((p) => p >= 0 && p <= 1)).toBe(true);
});

test('tau 0, equal counts, and a test prior like the training prior change nothing', () => {
  const plain = softmaxRows(z).data;
  close(logitAdjustment({ classCounts, tau: 0 }).probabilities(z).data, plain);
  close(logitAdjustment({ classCounts: [7, 7, 7, 7] }).probabilities(z).data, plain);
  close(logitAdjustment({ classCounts, testPrior: [1000, 500, 200, 50] }).probabilities(z).data, plain);
});

test('on probabilities it is Bayes: divided by the prior and normalised; an empty class counts as one sample', () => {
  const { data } = logitAdjustment({ classCounts: [3, 0], input: 'probabilities' }).probabilities([[0.6, 0.4]]);
  close(data, [0.2 / 0.6, 0.4 / 0.6]);
});

test("'balanced' is the default test prior; a calibrator of the adjusted probabilities takes the same prior", () => {
  expect(logitAdjustment({ classCounts, testPrior: 'balanced' }).state).toEqual(logitAdjustment({ classCounts }).state);
  // Logits three times too large, of rows whose classes come as 8 : 1.
  const world = (n: number, seed: number, share: number) => {
    const random = testRandom(seed);
    const unit = (): number => (random(2 ** 30) + 0.5) / 2 ** 30;
    const labels = Array.from({ length: n }, () => Number(unit() > share));
    const logits = labels.map((y) => {
      const x = y + Math.sqrt(-2 * Math.log(unit())) * Math.cos(2 * Math.PI * unit());
      return [3 * Math.log(8 / 9), 3 * (x - 0.5 + Math.log(1 / 9))];
    });
    return { logits, labels };
  };
  const [calib, test] = [world(4000, 1, 8 / 9), world(4000, 2, 1 / 2)];
  const adjusted = (of: typeof calib) => logitAdjustment({ classCounts: [8, 1], tau: 3 }).probabilities(of.logits);
  const error = (prior?: 'balanced') => {
    const scaled = temperatureScaling({ input: 'probabilities' }).fit(adjusted(calib), calib.labels, { prior });
    return nll(scaled.probabilities(adjusted(test)), test.labels);
  };
  expect(error('balanced')).toBeLessThan(nll(adjusted(test), test.labels) - 0.1);
  expect(error('balanced')).toBeLessThan(error() + 1e-3);
  // What the metric expects there from the long-tailed rows.
  const expected = nll(adjusted(calib), calib.labels, { prior: 'balanced' });
  expect(Math.abs(expected - nll(adjusted(test), test.labels))).toBeLessThan(0.1);
});

test('is stored as JSON', () => {
  const made = logitAdjustment({ classCounts });
  expect(loadCalibrator(JSON.parse(JSON.stringify(made.state))).probabilities(z)).toEqual(made.probabilities(z));
});

test('errors', () => {
  expect(() => logitAdjustment({ classCounts: [1, -1] })).toThrow(
    'logitAdjustment: classCounts[1] is -1, expected a finite number >= 0',
  );
  expect(() => logitAdjustment({ classCounts: [3] })).toThrow(
    'logitAdjustment: classCounts has 1 entries, expected at least 2',
  );
  expect(() => logitAdjustment({ classCounts, tau: NaN })).toThrow(
    'logitAdjustment: tau is NaN, expected a finite number',
  );
  expect(() => logitAdjustment({ classCounts, testPrior: [1, 1] })).toThrow(
    'logitAdjustment: testPrior has 2 entries, expected 4',
  );
  expect(() => logitAdjustment({ classCounts, testPrior: [1, 1, 0, 1] })).toThrow(
    'logitAdjustment: testPrior[2] is 0, expected a finite number > 0',
  );
  expect(() => logitAdjustment({ classCounts }).probabilities([[1, 2]])).toThrow(
    'probabilities: scores has 2 classes, expected 4',
  );
});
