import { describe, expect, test } from 'vitest';
import {
  accuracy,
  argmaxRows,
  balancedAccuracy,
  confusionMatrix,
  nll,
  perClassAccuracy,
  shotAccuracy,
} from '../../src/metrics/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { oneHotRows } from '../support/one-hot-rows.ts';

describe('argmaxRows', () => {
  test('first index of the maximum; nested arrays, NdArray and plain data alike', () => {
    const rows = [
      [1, 3, 3],
      [-5, -7, -6],
      [0, 0, 0],
      [-Infinity, 2, Infinity],
    ];
    const want = Int32Array.of(1, 0, 0, 2);
    expect(argmaxRows(rows)).toEqual(want);
    expect(argmaxRows(new NdArray(Float32Array.from(rows.flat()), [4, 3]))).toEqual(want);
    expect(argmaxRows({ data: rows.flat(), shape: [4, 3] })).toEqual(want);
    expect(argmaxRows(rows.map((row) => Float64Array.from(row)))).toEqual(want);
  });
});

describe('accuracies', () => {
  // Class 0: 3 of 4 right, class 1: 1 of 2, class 2 absent, class 3: 0 of 1.
  const labels = [0, 0, 0, 0, 1, 1, 3];
  const scores = oneHotRows([0, 0, 0, 2, 1, 0, 1], 4);
  test('values', () => {
    expect(accuracy(scores, labels)).toBe(4 / 7);
    expect(perClassAccuracy(scores, Int32Array.from(labels))).toEqual([0.75, 0.5, NaN, 0]);
    expect(balancedAccuracy(scores, labels)).toBeCloseTo(1.25 / 3, 15);
    expect(confusionMatrix(scores, labels)).toEqual([
      [3, 0, 1, 0],
      [1, 1, 0, 0],
      [0, 0, 0, 0],
      [0, 1, 0, 0],
    ]);
  });
  test('identities: trace / total = accuracy; equal classes make both accuracies equal', () => {
    const matrix = confusionMatrix(scores, labels);
    expect(matrix.reduce((sum, row, c) => sum + row[c]!, 0) / matrix.flat().reduce((sum, n) => sum + n, 0)).toBe(
      accuracy(scores, labels),
    );
    const even = oneHotRows([0, 1, 1, 1, 2, 0], 3);
    expect(balancedAccuracy(even, [0, 0, 1, 1, 2, 2])).toBeCloseTo(accuracy(even, [0, 0, 1, 1, 2, 2]), 15);
  });
});

describe('shotAccuracy', () => {
  const labels = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4];
  const scores = oneHotRows([0, 0, 1, 0, 2, 2, 0, 3, 0, 0], 5); // per class 1, .5, 1, .5, 0
  test('thresholds: more than 100, 20 to 100, fewer than 20', () => {
    expect(shotAccuracy(scores, labels, { classCounts: [500, 101, 100, 20, 19] })).toEqual({
      many: 0.75,
      medium: 0.75,
      few: 0,
    });
    expect(
      shotAccuracy(scores, labels, { classCounts: [500, 101, 100, 20, 19], manyThreshold: 450, fewThreshold: 101 }),
    ).toEqual({ many: 1, medium: 0.5, few: 0.5 });
  });
  test('an empty group, or one without labels, is null', () => {
    expect(shotAccuracy(scores, labels, { classCounts: [500, 400, 300, 200, 150] })).toEqual({
      many: 0.6,
      medium: null,
      few: null,
    });
    expect(shotAccuracy(scores.slice(0, 8), labels.slice(0, 8), { classCounts: [500, 101, 100, 20, 19] }).few).toBe(
      null,
    );
  });
  test('numbers of classes rank them, too', () => {
    const hundred = Array.from({ length: 100 }, (_, c) => c);
    const counts = hundred.map((c) => 500 - c);
    // Right up to class 66, where the few begin in the split of CIFAR-100 by UniMix's code; by thirds they begin behind
    // it.
    const upTo66 = oneHotRows(
      hundred.map((c) => (c <= 66 ? c : 0)),
      100,
    );
    expect(shotAccuracy(upTo66, hundred, { classCounts: counts, shots: { many: 33, few: 34 } })).toEqual({
      many: 1,
      medium: 1,
      few: 1 / 34,
    });
    expect(shotAccuracy(upTo66, hundred, { classCounts: counts, shots: 'thirds' }).few).toBe(0);
    expect(shotAccuracy(upTo66, hundred, { classCounts: counts, shots: { many: 0, few: 0 } })).toEqual({
      many: null,
      medium: 0.67,
      few: null,
    });
  });
  test('thirds rank the classes by count', () => {
    expect(shotAccuracy(scores, labels, { classCounts: [90, 50, 80, 60, 70], shots: 'thirds' })).toEqual({
      many: 1,
      medium: 0,
      few: 0.5,
    });
    // Ten classes: 4, 2, 4, which leaves the medium group its two classes.
    const ten = oneHotRows([0, 1, 2, 3, 4, 9, 0, 0, 0, 0], 10);
    const all = Array.from({ length: 10 }, (_, c) => c);
    expect(
      shotAccuracy(ten, all, { classCounts: [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50], shots: 'thirds' }),
    ).toEqual({ many: 1, medium: 0.5, few: 0 });
    expect(shotAccuracy(oneHotRows([0, 0], 2), [0, 1], { classCounts: [7, 7], shots: 'thirds' })).toEqual({
      many: 1,
      medium: null,
      few: 0,
    });
    expect(shotAccuracy([[1]], [0], { classCounts: [3], shots: 'thirds' })).toEqual({
      many: 1,
      medium: null,
      few: null,
    });
  });
});

describe('nll', () => {
  test('values', () => {
    expect(
      nll(
        [
          [0.5, 0.5],
          [0.25, 0.75],
        ],
        [0, 1],
      ),
    ).toBeCloseTo((Math.log(2) - Math.log(0.75)) / 2, 15);
    expect(nll([[1, 0]], [0])).toBe(0);
    expect(nll([[1, 0]], [1])).toBe(Infinity);
    expect(nll([[1 + 5e-7, -5e-7]], [1])).toBe(Infinity);
  });
});

describe('bad input', () => {
  const good = [[0.5, 0.5]];
  test.each([
    [() => argmaxRows([]), 'argmaxRows: x has shape [0,0], expected at least one row and one class'],
    [() => argmaxRows([[1, 2], [3]]), 'argmaxRows: x row 1 has 1 entries, expected 2 as in row 0'],
    [
      () =>
        argmaxRows([
          [1, 2],
          [3, NaN],
        ]),
      'argmaxRows: x is NaN at row 1, class 1',
    ],
    [() => argmaxRows({ data: [1, 2], shape: [2] }), 'argmaxRows: x has shape [2], expected (rows, classes)'],
    [() => argmaxRows({ data: [1, 2], shape: [2, 2] }), 'argmaxRows: x has 2 elements, expected 4 for shape [2,2]'],
    [() => accuracy(good, [0, 1]), 'accuracy: labels has 2 entries, expected 1, one per row'],
    [() => accuracy(good, [2]), 'accuracy: labels[0] is 2, expected an integer in 0..1'],
    [() => perClassAccuracy(good, [-1]), 'perClassAccuracy: labels[0] is -1, expected an integer in 0..1'],
    [() => balancedAccuracy(good, [0.5]), 'balancedAccuracy: labels[0] is 0.5, expected an integer in 0..1'],
    [() => confusionMatrix([[NaN, 0]], [0]), 'confusionMatrix: scores is NaN at row 0, class 0'],
    [
      () => shotAccuracy(good, [0], { classCounts: [1] }),
      'shotAccuracy: classCounts has 1 entries, expected 2, one per class',
    ],
    [
      () => shotAccuracy(good, [0], { classCounts: [1, -1] }),
      'shotAccuracy: classCounts[1] is -1, expected a number >= 0',
    ],
    [
      () => shotAccuracy(good, [0], { classCounts: [1, 1], fewThreshold: 200 }),
      'shotAccuracy: fewThreshold is 200, expected at most manyThreshold = 100',
    ],
    [
      () => shotAccuracy(good, [0], { classCounts: [1, 1], shots: 'halves' as never }),
      "shotAccuracy: shots is halves, expected 'thresholds', 'thirds' or { many, few }",
    ],
    [
      () => shotAccuracy(good, [0], { classCounts: [1, 1], shots: { many: 2, few: 1 } }),
      'shotAccuracy: shots has 2 many and 1 few, expected numbers of classes that sum to at most 2',
    ],
    [
      () => nll([[3, -1]], [0]),
      'nll: probs is 3 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)',
    ],
    [() => nll([[0.5, 0.4]], [0]), 'nll: probs sum to 0.9 in row 0, expected 1 (apply softmax to logits first)'],
  ])('%#', (call, message) => {
    expect(call).toThrow(new RangeError(message));
  });
});
