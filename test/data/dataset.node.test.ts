import { describe, expect, test } from 'vitest';
import { makeDataset, subset } from '../../src/data/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';

const x = new NdArray(
  Float32Array.from({ length: 12 }, (_, i) => i),
  [4, 1, 3],
);

describe('makeDataset', () => {
  test('fields, counts and defaults', () => {
    const data = makeDataset(x, [2, 0, 2, 1], { name: 'toy' });
    expect(data).toEqual({ x, y: Int32Array.of(2, 0, 2, 1), numClasses: 3, classCounts: [1, 1, 2], name: 'toy' });
    expect(makeDataset(x, [0, 0, 0, 0], { numClasses: 3 })).toEqual({
      x,
      y: new Int32Array(4),
      numClasses: 3,
      classCounts: [4, 0, 0],
    });
    expect(makeDataset(new NdArray(new Float32Array(0), [0, 2]), [], { numClasses: 2 }).classCounts).toEqual([0, 0]);
  });
  test('labels are copied', () => {
    const y = Int32Array.of(0, 1, 0, 1);
    const data = makeDataset(x, y);
    y[0] = 1;
    expect(data.y[0]).toBe(0);
  });
  const bad = new NdArray(Float32Array.of(1, 2, 3, NaN), [2, 2]);
  test.each([
    [() => makeDataset(x, [0, 1]), 'makeDataset: y has 2 labels, expected 4, one per row of x'],
    [() => makeDataset(x, [0, 1, -1, 0]), 'makeDataset: y[2] is -1, expected an integer in 0..1'],
    [() => makeDataset(x, [0, 1, 2, 0], { numClasses: 2 }), 'makeDataset: y[2] is 2, expected an integer in 0..1'],
    [() => makeDataset(x, [0, 1.5, 0, 0], { numClasses: 3 }), 'makeDataset: y[1] is 1.5, expected an integer in 0..2'],
    [
      () => makeDataset(x, [0, 0, 0, 0], { numClasses: 0 }),
      'makeDataset: numClasses is 0, expected a positive integer',
    ],
    [
      () => makeDataset(new NdArray(new Float32Array(0), [0, 2]), []),
      'makeDataset: numClasses is 0, expected a positive integer',
    ],
    [
      () => makeDataset(new NdArray(Float32Array.of(1), []), [0]),
      'makeDataset: x has shape [], expected (n, ...features)',
    ],
    [() => makeDataset(bad, [0, 0]), 'makeDataset: x is NaN in example 1, expected finite numbers'],
  ])('bad input %#', (call, message) => {
    expect(call).toThrow(new RangeError(message));
  });
});

describe('subset', () => {
  const data = makeDataset(x, [2, 0, 2, 1], { numClasses: 4, name: 'toy' });
  test('takes examples in the order given, with repeats, and copies them', () => {
    const part = subset(data, [3, 0, 3]);
    expect(part.x.shape).toEqual([3, 1, 3]);
    expect(Array.from(part.x.data)).toEqual([9, 10, 11, 0, 1, 2, 9, 10, 11]);
    expect(part).toMatchObject({ y: Int32Array.of(1, 2, 1), numClasses: 4, classCounts: [0, 2, 1, 0], name: 'toy' });
    part.x.data[0] = -1;
    expect(x.data[9]).toBe(9);
  });
  test('of nothing', () => {
    expect(subset(data, [])).toMatchObject({ y: new Int32Array(0), numClasses: 4, classCounts: [0, 0, 0, 0] });
    expect(subset(data, []).x.shape).toEqual([0, 1, 3]);
  });
  test.each([[4], [-1], [0.5], [NaN]])('index %d', (index) => {
    expect(() => subset(data, [0, index])).toThrow(
      new RangeError(`subset: indices[1] is ${index}, expected an integer in 0..3`),
    );
  });
});
