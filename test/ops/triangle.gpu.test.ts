import { describe, expect, test } from 'vitest';
import { scope, tensor } from 'evenkeel';
import { cast, tril, triu } from 'evenkeel/ops';
import { triangle } from '../reference/triangle.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { exact } from '../support/tolerance.ts';

describe.each([
  { name: 'tril', op: tril, keeps: (k: number) => (d: number) => d <= k },
  { name: 'triu', op: triu, keeps: (k: number) => (d: number) => d >= k },
])('$name', ({ op, keeps }) => {
  test.each([
    { shape: [0, 3], diagonal: 0 },
    { shape: [1, 1], diagonal: 0 },
    { shape: [4, 4], diagonal: 0 },
    { shape: [4, 4], diagonal: -1 },
    { shape: [31, 33], diagonal: 2 },
    { shape: [33, 31], diagonal: -5 },
    { shape: [2, 3, 5, 4], diagonal: 1 },
    { shape: [3, 5], diagonal: 2 ** 40 },
    { shape: [3, 5], diagonal: -(2 ** 40) },
    { shape: [257, 2], diagonal: -200 },
    { shape: [21846, 3, 1], diagonal: -1 },
  ])('[$shape] from diagonal $diagonal', ({ shape, diagonal }) =>
    checkOp({
      inputs: [sample(shape)],
      run: (x) => op(x, { diagonal }),
      reference: (x) => triangle(x, keeps(diagonal)),
      gradient: (dy) => [triangle(dy, keeps(diagonal))],
      tolerance: exact,
    }),
  );
  test('second gradient', () =>
    checkLinearTwice(
      sample([4, 5]),
      (x) => op(x, { diagonal: 1 }),
      (x) => triangle(x, keeps(1)),
      (dy) => triangle(dy, keeps(1)),
    ));
  test('more elements than one row of workgroups holds', async () => {
    const [rows, cols] = [2100, 2050];
    const [y] = await readAll(() => [
      op(tensor(new Int32Array(rows * cols).fill(7), { dtype: 'i32', shape: [rows, cols] })),
    ]);
    expect(y!.findIndex((v, i) => v !== (keeps(0)((i % cols) - Math.floor(i / cols)) ? 7 : 0))).toBe(-1);
  });
});

test.each(['i32', 'u32', 'bool'] as const)('%s', async (dtype) => {
  const [y, z] = await readAll(() => {
    const x = tensor([1, 1, 1, 1], { shape: [2, 2], dtype });
    return [tril(x), triu(x, { diagonal: 1 })];
  });
  expect(Array.from(y!)).toEqual([1, 0, 1, 1]);
  expect(Array.from(z!)).toEqual([0, 1, 0, 0]);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(() => tril(tensor([1, 2]))).toThrow('tril: x has shape [2], expected at least two axes');
    expect(() => triu(x, { diagonal: 0.5 })).toThrow('triu: diagonal is 0.5, expected an integer');
    expect(() => triu(cast(x, 'f16'))).toThrow('triu: x is f16, expected a type of four bytes; cast it first');
  });
});
