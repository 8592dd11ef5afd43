import { expect, test } from 'vitest';
import { selectBySusceptibility, susceptibilityCurve } from 'evenkeel/train';

const results = [1, 2, 3, 6].map((drop, i) => ({ drop, before: drop * 2, lr: 0.1 * 2 ** i }));

test('running mean, the plotted form, a window, and the normalised variants', () => {
  expect(susceptibilityCurve([])).toEqual([]);
  expect(susceptibilityCurve(results)).toEqual([1, 1.5, 2, 3]);
  expect(susceptibilityCurve(results, { rule: 'plotted' })).toEqual([0, 1, 5 / 3, 11 / 4]);
  expect(susceptibilityCurve(results, { window: 2 })).toEqual([1, 1.5, 2.5, 4.5]);
  expect(susceptibilityCurve(results, { normalize: 'loss' })).toEqual([0.5, 0.5, 0.5, 0.5]);
  expect(susceptibilityCurve(results, { normalize: 'lr', window: 1 })).toEqual([10, 10, 7.5, 7.5]);
});

test('errors of the curve', () => {
  expect(() => susceptibilityCurve(results, { window: 0 })).toThrow(
    'susceptibilityCurve: window is 0, expected a positive integer',
  );
  expect(() => susceptibilityCurve(results, { rule: 'last' as never })).toThrow(
    "susceptibilityCurve: rule is 'last', expected 'mean' or 'plotted'",
  );
  expect(() => susceptibilityCurve(results, { normalize: 'x' as never })).toThrow(
    "susceptibilityCurve: normalize is 'x', expected 'none', 'lr' or 'loss'",
  );
  expect(() => susceptibilityCurve([{ drop: 0, before: 1, lr: 0 }], { normalize: 'lr' })).toThrow(
    'susceptibilityCurve: the rate of result 0 is 0, expected a number above 0 to divide by',
  );
  expect(() => susceptibilityCurve([{ drop: 0, before: 0, lr: 1 }], { normalize: 'loss' })).toThrow(
    'susceptibilityCurve: the loss before the step of result 0 is 0, expected a number above 0 to divide by',
  );
});

test('the pool is divided at the means; ties go to low zeta and high accuracy', () => {
  const pool = [
    [0.1, 0.9],
    [0.3, 0.8],
    [0.1, 0.2],
    [0.3, 0.5],
    [0.2, 0.6],
  ].map(([zeta, accuracy]) => ({ zeta: zeta!, accuracy: accuracy! }));
  expect(selectBySusceptibility(pool)).toEqual({
    thresholds: { zeta: expect.closeTo(0.2, 14), accuracy: expect.closeTo(0.6, 14) },
    regions: [1, 2, 3, 4, 1],
    selected: [0, 4],
  });
  // 0.1 + 0.1 + 0.1 is not 0.3.
  expect(selectBySusceptibility(new Array(3).fill({ zeta: 0.1, accuracy: 0.1 })).selected).toEqual([0, 1, 2]);
  expect(
    selectBySusceptibility([
      { zeta: 1, accuracy: 1 },
      { zeta: 0, accuracy: 0 },
    ]),
  ).toEqual({ thresholds: { zeta: 0.5, accuracy: 0.5 }, regions: [2, 3], selected: [] });
  expect(
    selectBySusceptibility([
      { zeta: -0.2, accuracy: 0.4 },
      { zeta: -0.2, accuracy: 0.4 },
      { zeta: -0.2, accuracy: 0.4 },
    ]).regions,
  ).toEqual([1, 1, 1]);
});

test('errors of the pool', () => {
  expect(() => selectBySusceptibility([])).toThrow(
    'selectBySusceptibility: the pool is empty, expected at least one model',
  );
  expect(() =>
    selectBySusceptibility([
      { zeta: 0, accuracy: 1 },
      { zeta: NaN, accuracy: 1 },
    ]),
  ).toThrow('selectBySusceptibility: zeta of model 1 is NaN, expected a finite number');
  expect(() => selectBySusceptibility([{ zeta: 0, accuracy: Infinity }])).toThrow(
    'selectBySusceptibility: accuracy of model 0 is Infinity, expected a finite number',
  );
});
