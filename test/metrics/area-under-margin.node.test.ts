import { describe, expect, test } from 'vitest';
import { areaUnderMargin } from '../../src/metrics/index.ts';

test('mean margins: the label against the largest other logit', () => {
  const aum = areaUnderMargin(3);
  aum.update(
    [
      [3, 1, 2],
      [0, -1, -4],
    ],
    [0, 1],
    [0, 1],
  );
  aum.update(
    [
      [1, 4, 1],
      [0, 5, 0],
    ],
    [0, 1],
    [0, 1],
  );
  // 3 - 2 and 1 - 4; -1 - 0 and 5 - 0; never met.
  expect([...aum.values()]).toEqual([-1, 2, NaN]);
  aum.update(
    [
      [2, 2, 0],
      [2, 2, 0],
    ],
    [1, 1],
    [2, 2],
  );
  expect([...aum.values()]).toEqual([-1, 2, 0]);
});

test('invariant to a shift of the logits; with a row for each sample no index is needed', () => {
  const [a, b] = [areaUnderMargin(2), areaUnderMargin(2)];
  a.update(
    [
      [1, 2],
      [3, 5],
    ],
    [0, 1],
  );
  b.update(
    [
      [101, 102],
      [-97, -95],
    ],
    [0, 1],
  );
  expect(b.values()).toEqual(a.values());
});

describe('threshold samples', () => {
  const aum = areaUnderMargin(6);
  aum.update(
    [
      [-3, 0],
      [-2, 0],
      [-1, 0],
      [0, 0],
      [-2.5, 0],
      [4, 0],
    ],
    [0, 0, 0, 0, 0, 0],
  );
  test('the percentile as NumPy interpolates it', () => {
    expect(aum.threshold([0, 1, 2, 3])).toBeCloseTo(-0.03, 14);
    expect(aum.threshold([3, 1, 0, 2], 50)).toBe(-1.5);
    expect([aum.threshold([2, 0], 0), aum.threshold([2, 0], 100), aum.threshold([4])]).toEqual([-3, -1, -2.5]);
  });
  test('suspects are at most at the threshold, without the threshold samples', () => {
    expect(aum.suspects(-1)).toEqual([0, 1, 2, 4]);
    expect(aum.suspects(-1, [0, 1])).toEqual([2, 4]);
    expect(areaUnderMargin(2).suspects(0)).toEqual([]);
  });
});

test('errors', () => {
  const aum = areaUnderMargin(2);
  expect(() => areaUnderMargin(1.5)).toThrow('areaUnderMargin: n is 1.5, expected a positive integer');
  expect(() => aum.update([[1], [2]], [0, 0])).toThrow('areaUnderMargin: logits have 1 class, expected at least 2');
  expect(() =>
    aum.update(
      [
        [1, 2],
        [2, 1],
      ],
      [0, 2],
    ),
  ).toThrow('areaUnderMargin: labels[1] is 2, expected an integer in 0..1');
  expect(() => aum.update([[1, 2]], [0])).toThrow('areaUnderMargin: got 1 values, expected 2, one for each sample');
  expect(() => aum.update([[1, 2]], [0], [-1])).toThrow('areaUnderMargin: index[0] is -1, expected an integer in 0..1');
  expect(() => aum.threshold([])).toThrow('areaUnderMargin: there are no threshold samples, expected at least one');
  expect(() => aum.threshold([0])).toThrow(
    'areaUnderMargin: threshold sample 0 was never met, expected logits of it first',
  );
  expect(() => aum.threshold([0], 101)).toThrow('areaUnderMargin: percentile is 101, expected a number in 0..100');
});
