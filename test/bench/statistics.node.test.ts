import { describe, expect, test } from 'vitest';
import { leastTime } from './roofline.ts';
import { callsFor, pairedRatio, relativeError, rotated, spread } from './statistics.ts';

describe('spread', () => {
  test('is the quantiles of NumPy', () => {
    expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1.75, high: 3.25 });
    expect(spread([7])).toEqual({ median: 7, low: 7, high: 7 });
    expect(() => spread([])).toThrow('spread: no values');
  });
});

test('pairedRatio divides within rounds, so that a slow round counts once', () => {
  expect(pairedRatio([1, 10, 2], [2, 20, 4])).toEqual({ median: 0.5, low: 0.5, high: 0.5 });
  expect(() => pairedRatio([1], [1, 2])).toThrow('pairedRatio: 1 and 2 values are no pairs');
});

test('rotated lets each go first in turn', () => {
  expect([0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
  expect(rotated([], 3)).toEqual([]);
});

test('callsFor fills a sample, with bounds', () => {
  expect([500, 50, 0.001, 0].map((once) => callsFor(once, 200))).toEqual([1, 4, 10_000, 10_000]);
});

test('relativeError compares with the largest value; sizes and NaN count as infinitely wrong', () => {
  expect(relativeError([1, 2, 4.4], [1, 2, 4])).toBeCloseTo(0.1);
  expect(relativeError([0, 0], [0, 0])).toBe(0);
  expect(relativeError([1], [1, 2])).toBe(Infinity);
  expect(relativeError([NaN], [1])).toBe(Infinity);
});

test('leastTime is the longer of arithmetic and memory, in ms', () => {
  const peaks = { multiplyAdds: 10, copies: 2 };
  expect(leastTime(peaks, { operations: 2e9, bytes: null })).toBeCloseTo(100);
  expect(leastTime(peaks, { operations: 2e9, bytes: 4e8 })).toBeCloseTo(200);
  expect(leastTime(peaks, { operations: null, bytes: null })).toBeNull();
});
