import { describe, expect, test } from 'vitest';
import {
  accuracy,
  balancedAccuracy,
  balancedError,
  classReport,
  equalOpportunityDifference,
  gMean,
  groupAccuracy,
  groupBalancedError,
  macroF1,
  perClassAccuracy,
  worstClass,
  worstGroup,
} from '../../src/metrics/index.ts';
import { oneHotRows } from '../support/one-hot-rows.ts';

// Class 0: 3 of 4 right, class 1: 1 of 2, class 2 predicted but absent, class 3: 0 of 1 and never predicted, class 4:
// neither.
const labels = [0, 0, 0, 0, 1, 1, 3];
const scores = oneHotRows([0, 0, 0, 2, 1, 0, 1], 5);

describe('classes', () => {
  test('report; absent ones have null', () => {
    expect(classReport(scores, labels)).toEqual([
      { support: 4, predicted: 4, recall: 0.75, precision: 0.75, f1: 0.75 },
      { support: 2, predicted: 2, recall: 0.5, precision: 0.5, f1: 0.5 },
      { support: 0, predicted: 1, recall: null, precision: 0, f1: 0 },
      { support: 1, predicted: 0, recall: 0, precision: null, f1: 0 },
      { support: 0, predicted: 0, recall: null, precision: null, f1: null },
    ]);
  });
  test('macro F1 leaves out what is in neither list, as scikit-learn', () =>
    expect(macroF1(scores, labels)).toBeCloseTo(1.25 / 4, 15));
  test('balanced error', () => {
    expect(balancedError(scores, labels)).toBeCloseTo(1 - 1.25 / 3, 15);
    expect(balancedError(scores, labels)).toBe(1 - balancedAccuracy(scores, labels));
  });
  test('G-mean: the root of the product, 0 with a class of 0, no underflow', () => {
    expect(gMean(scores, labels)).toBe(0);
    expect(gMean(scores.slice(0, 6), labels.slice(0, 6))).toBeCloseTo(Math.sqrt(0.375), 15);
    const many = Array.from({ length: 3000 }, (_, i) => i % 1500);
    const half = Array.from({ length: 3000 }, (_, i) => (i < 1500 ? i : (i + 1) % 1500));
    expect(gMean(oneHotRows(half, 1500), many)).toBeCloseTo(0.5, 12);
    expect(gMean(oneHotRows([0, 1], 2), [0, 1])).toBe(1);
  });
  test('worst class: the first of equals, absent ones do not count', () => {
    expect(worstClass(scores, labels)).toEqual({ class: 3, accuracy: 0 });
    expect(worstClass(oneHotRows([0, 1, 0, 1], 3), [0, 0, 1, 1])).toEqual({ class: 0, accuracy: 0.5 });
    expect(worstClass(oneHotRows([2], 3), [2])).toEqual({ class: 2, accuracy: 1 });
  });
  test('ordering: worst class <= G-mean <= balanced accuracy', () => {
    const seven = { scores: oneHotRows([0, 0, 1, 1, 2, 1, 2], 3), labels: [0, 0, 0, 1, 1, 2, 2] };
    const mean = balancedAccuracy(seven.scores, seven.labels);
    const root = gMean(seven.scores, seven.labels);
    expect(root).toBeLessThan(mean);
    expect(worstClass(seven.scores, seven.labels).accuracy).toBeLessThan(root);
    expect(mean).toBeCloseTo(perClassAccuracy(seven.scores, seven.labels).reduce((a, b) => a + b) / 3, 15);
  });
});

describe('groups', () => {
  // Attribute of each row; accuracy of class 0: 2 of 2 and 1 of 2, of class 1: 1 of 1 and 0 of 1.
  const attribute = [0, 0, 1, 1, 0, 1, 1];
  test('accuracy of each; null without rows', () => {
    expect(groupAccuracy(scores, labels, attribute, { numGroups: 3 })).toEqual([1, 0.25, null]);
    expect(groupAccuracy(scores, labels, attribute)).toEqual([1, 0.25]);
  });
  test('worst group and balanced error pass over empty groups', () => {
    expect(worstGroup(scores, labels, attribute, { numGroups: 5 })).toEqual({ group: 1, accuracy: 0.25 });
    expect(worstGroup(scores, labels, [2, 2, 2, 2, 2, 2, 2])).toEqual({ group: 2, accuracy: accuracy(scores, labels) });
    expect(groupBalancedError(scores, labels, attribute, { numGroups: 5 })).toBe(0.375);
  });
  test('groups that are the labels give the balanced error', () =>
    expect(groupBalancedError(scores, labels, labels)).toBeCloseTo(balancedError(scores, labels), 15));
  test('equal opportunity: one class, or the mean over classes with two groups', () => {
    expect(equalOpportunityDifference(scores, labels, attribute, { positive: 0 })).toBe(0.5);
    expect(equalOpportunityDifference(scores, labels, attribute)).toBe(1);
    expect(equalOpportunityDifference(scores, labels, attribute, { positive: 3 })).toBe(null);
    expect(equalOpportunityDifference(scores, labels, attribute, { positive: 'mean' })).toBe(0.75);
    expect(
      equalOpportunityDifference(
        scores,
        labels,
        labels.map(() => 4),
        { positive: 'mean' },
      ),
    ).toBe(null);
    expect(equalOpportunityDifference(oneHotRows([1, 0, 1, 1], 2), [1, 1, 1, 1], [0, 0, 1, 2])).toBe(0.5);
  });
});

test.each([
  [() => macroF1([], []), 'macroF1: scores has shape [0,0], expected at least one row and one class'],
  [() => gMean([[1, NaN]], [0]), 'gMean: scores is NaN at row 0, class 1'],
  [() => worstClass([[1, 0]], [2]), 'worstClass: labels[0] is 2, expected an integer in 0..1'],
  [() => balancedError([[1, 0]], [0, 1]), 'balancedError: labels has 2 entries, expected 1, one per row'],
  [() => classReport([[1, 0]], [-1]), 'classReport: labels[0] is -1, expected an integer in 0..1'],
  [() => groupAccuracy([[1, 0]], [0], []), 'groupAccuracy: groups has 0 entries, expected 1, one per row'],
  [() => groupAccuracy([[1, 0]], [0], [-1]), 'groupAccuracy: groups[0] is -1, expected an integer >= 0'],
  [() => worstGroup([[1, 0]], [0], [2], { numGroups: 2 }), 'worstGroup: groups[0] is 2, expected an integer in 0..1'],
  [
    () => groupBalancedError([[1, 0]], [0], [0], { numGroups: 0 }),
    'groupBalancedError: numGroups is 0, expected a positive integer',
  ],
  [
    () => equalOpportunityDifference([[1, 0]], [0], [0], { positive: 2 }),
    "equalOpportunityDifference: positive is 2, expected an integer in 0..1 or 'mean'",
  ],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
