import { expect, test } from 'vitest';
import { splitAccuracy } from '../../src/metrics/index.ts';

const scores = [
  [2, 1, 0],
  [0, 1, 2],
  [0, 3, 1],
  [1, 0, 0],
  [0, 0, 1],
];
// Predicted: 0, 2, 1, 0, 2.

test('right, wrong and all labels apart', () => {
  // Wrong labels in rows 1 (fitted), 3 (true class found) and 4 (neither).
  expect(splitAccuracy(scores, [0, 2, 0, 1, 1], [0, 1, 0, 0, 0])).toEqual({
    clean: 1 / 2,
    noisy: 1 / 3,
    recovered: 1 / 3,
    all: 2 / 5,
  });
});

test('null where there are none', () => {
  expect(splitAccuracy(scores, [0, 2, 1, 1, 1], [0, 2, 1, 1, 1])).toEqual({
    clean: 3 / 5,
    noisy: null,
    recovered: null,
    all: 3 / 5,
  });
  expect(splitAccuracy([[1, 0]], [0], [1])).toEqual({ clean: null, noisy: 1, recovered: 0, all: 1 });
});

test('errors', () => {
  expect(() => splitAccuracy(scores, [0], [0, 0, 0, 0, 0])).toThrow(
    'splitAccuracy: labels has 1 entries, expected 5, one per row',
  );
  expect(() => splitAccuracy(scores, [0, 0, 0, 0, 0], [0, 3, 0, 0, 0])).toThrow(
    'splitAccuracy: trueLabels[1] is 3, expected an integer in 0..2',
  );
  expect(() => splitAccuracy([[NaN]], [0], [0])).toThrow('splitAccuracy: scores is NaN at row 0, class 0');
});
