import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { NdArray } from 'evenkeel';

const lines = (...of: string[]): string => of.join('\n');
const range = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => i);

describe('NdArray on a console', () => {
  test.each<[NdArray, string]>([
    [new NdArray(Float32Array.of(0.1, 2, -3.5)), lines('NdArray float32 [3]', '[ 0.1,    2, -3.5]')],
    [
      new NdArray([
        [1, 20],
        [300, 4],
      ]),
      lines('NdArray float32 [2,2]', '[[  1,  20],', ' [300,   4]]'),
    ],
    [
      new NdArray(new Int32Array(8), [2, 2, 2]),
      lines('NdArray int32 [2,2,2]', '[[[0, 0],', '  [0, 0]],', '', ' [[0, 0],', '  [0, 0]]]'),
    ],
    [new NdArray(Float64Array.of(Math.PI), []), 'NdArray float64 [] 3.14159'],
    [
      new NdArray(Float32Array.of(NaN, -Infinity, -0)),
      lines('NdArray float32 [3]', '[      NaN, -Infinity,        -0]'),
    ],
    [new NdArray(new Uint8Array(0), [0, 3]), lines('NdArray uint8 [0,3]', '[]')],
  ])('%#', (array, text) => {
    expect(String(array)).toBe(text);
    expect(inspect(array)).toBe(text);
  });

  test('of more than 1000 values the ends of each axis', () => {
    expect(String(new NdArray(range(1001)))).toBe(
      lines('NdArray float32 [1001]', '[   0,    1,    2, ..,  998,  999, 1000]'),
    );
    expect(String(new NdArray(range(2002), [2, 1001])).split('\n')).toEqual([
      'NdArray float32 [2,1001]',
      '[[   0,    1,    2, ..,  998,  999, 1000],',
      ' [1001, 1002, 1003, .., 1999, 2000, 2001]]',
    ]);
    expect(
      String(new NdArray(range(2000), [1000, 2]))
        .split('\n')
        .slice(0, 5),
    ).toEqual(['NdArray float32 [1000,2]', '[[   0,    1],', ' [   2,    3],', ' [   4,    5],', ' ..,']);
  });

  test('long rows are broken at 80 columns', () => {
    const text = String(new NdArray(range(60)));
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text.match(/\d+/g)!.slice(2).map(Number)).toEqual([...range(60)]);
  });
});

test('toArray gives nested lists', () => {
  expect(new NdArray(range(6), [2, 3]).toArray()).toEqual([
    [0, 1, 2],
    [3, 4, 5],
  ]);
  expect(new NdArray(range(4), [2, 1, 2]).toArray()).toEqual([[[0, 1]], [[2, 3]]]);
  expect(new NdArray(Float32Array.of(7), []).toArray()).toBe(7);
  expect(new NdArray(new Float32Array(0), [2, 0]).toArray()).toEqual([[], []]);
  expect((new NdArray(range(3000), [3000]).toArray() as number[]).length).toBe(3000);
});
