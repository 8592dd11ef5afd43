import { expect, test } from 'vitest';
import { loadCalibrator } from '../../src/calibrate/load.ts';
import { logitAdjustment } from '../../src/calibrate/logit-adjustment.ts';
import { softmaxRows } from '../../src/calibrate/temperature.ts';

const clsNumList = [100, 50, 20, 5];
const z = [[2, 1, 0.5, -1], [0.3, -0.2, 0.1, 0.4], [1e4, -1e4, 0, 1e4]];
const close = (got: ArrayLike<number>, want: ArrayLike<number>): void => Array.from(want).forEach((v, i) => expect(got[i]).toBeCloseTo(v, 12));

test('takes tau log prior from the logits', () => {
  const { data } = logitAdjustment({ clsNumList, tau: 1.5 }).apply(z);
  close(data, softmaxRows(z.map((row) => row.map((v, c) => v - 1.5 * Math.log(clsNumList[c]! / 175)))).data);
  expect(data.every((p) => p >= 0 && p <= 1)).toBe(true);
});

test('tau 0, equal counts, and a test prior like the training prior change nothing', () => {
  const plain = softmaxRows(z).data;
  close(logitAdjustment({ clsNumList, tau: 0 }).apply(z).data, plain);
  close(logitAdjustment({ clsNumList: [7, 7, 7, 7] }).apply(z).data, plain);
  close(logitAdjustment({ clsNumList, testPrior: [1000, 500, 200, 50] }).apply(z).data, plain);
});

test('on probabilities it is Bayes: divided by the prior and normalised; an empty class counts as one sample', () => {
  const { data } = logitAdjustment({ clsNumList: [3, 0], input: 'probabilities' }).apply([[0.6, 0.4]]);
  close(data, [0.2 / 0.6, 0.4 / 0.6]);
});

test('is stored as JSON', () => {
  const made = logitAdjustment({ clsNumList });
  expect(loadCalibrator(JSON.parse(JSON.stringify(made.state))).apply(z)).toEqual(made.apply(z));
});

test('errors', () => {
  expect(() => logitAdjustment({ clsNumList: [1, -1] })).toThrow('logitAdjustment: clsNumList[1] is -1, expected a positive number');
  expect(() => logitAdjustment({ clsNumList: [3] })).toThrow('logitAdjustment: clsNumList has 1 entries, expected at least 2');
  expect(() => logitAdjustment({ clsNumList, tau: NaN })).toThrow('logitAdjustment: tau is NaN, expected a finite number');
  expect(() => logitAdjustment({ clsNumList, testPrior: [1, 1] })).toThrow('logitAdjustment: testPrior has 2 entries, expected 4');
  expect(() => logitAdjustment({ clsNumList, testPrior: [1, 1, 0, 1] })).toThrow('logitAdjustment: testPrior[2] is 0, expected a positive number');
  expect(() => logitAdjustment({ clsNumList }).apply([[1, 2]])).toThrow('apply: scores has 2 classes, expected 4');
});
