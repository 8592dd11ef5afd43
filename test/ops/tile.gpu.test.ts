import { expect, test } from 'vitest';
import { scope, tensor } from 'evenkeel';
import { cast, repeatInterleave, tile } from 'evenkeel/ops';
import * as reference from '../reference/tile.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';

test.each([
  { shape: [3], repeats: [0], result: [0] },
  { shape: [0, 3], repeats: [2, 2], result: [0, 6] },
  { shape: [1], repeats: [1], result: [1] },
  { shape: [], repeats: [3], result: [3] },
  { shape: [31], repeats: [5], result: [155] },
  { shape: [3, 33], repeats: [2, 3], result: [6, 99] },
  { shape: [3, 2], repeats: [2, 1, 2], result: [2, 3, 4] },
  { shape: [2, 3, 5], repeats: [2], result: [2, 3, 10] },
  { shape: [257, 2], repeats: [1, 1], result: [257, 2] },
  { shape: [2, 1, 3, 2], repeats: [2, 3, 2, 2], result: [4, 3, 6, 4] },
  { shape: [1, 3], repeats: [65537, 1], result: [65537, 3] },
])('tile [$shape] by $repeats', ({ shape, repeats, result }) =>
  checkOp({
    inputs: [sample(shape)],
    run: (x) => tile(x, repeats),
    reference: (x) => reference.tile(x, result),
    gradient: (dy) => [reference.tileGradient(dy, shape)],
    tolerance: exact,
    gradientTolerance: summed(repeats.reduce((n, r) => n * r, 1)),
  }),
);

test.each([
  { shape: [3], axis: 0, n: 0 },
  { shape: [0, 3], axis: 1, n: 2 },
  { shape: [1], axis: 0, n: 4 },
  { shape: [31, 2], axis: 0, n: 3 },
  { shape: [3, 33], axis: -1, n: 2 },
  { shape: [2, 3, 5], axis: 1, n: 7 },
  { shape: [257], axis: 0, n: 1 },
  { shape: [32769], axis: 0, n: 2 },
])('repeatInterleave [$shape] by $n along $axis', ({ shape, axis, n }) => {
  const a = axis < 0 ? axis + shape.length : axis;
  return checkOp({
    inputs: [sample(shape)],
    run: (x) => repeatInterleave(x, n, { axis }),
    reference: (x) => reference.repeatInterleave(x, a, n),
    gradient: (dy) => [reference.repeatInterleaveGradient(dy, shape, a, n)],
    tolerance: exact,
    gradientTolerance: summed(n),
  });
});

test('second gradients', async () => {
  const x = sample([3, 5]);
  await checkLinearTwice(
    x,
    (t) => tile(t, [2, 3]),
    (t) => reference.tile(t, [6, 15]),
    (dy) => reference.tileGradient(dy, [3, 5]),
  );
  await checkLinearTwice(
    x,
    (t) => repeatInterleave(t, 3),
    (t) => reference.repeatInterleave(t, 0, 3),
    (dy) => reference.repeatInterleaveGradient(dy, [3, 5], 0, 3),
  );
});

test.each(['i32', 'u32', 'bool'] as const)('%s', async (dtype) => {
  const [a, b] = await readAll(() => [
    tile(tensor([1, 0], { dtype }), [2]),
    repeatInterleave(tensor([1, 0], { dtype }), 2),
  ]);
  expect(Array.from(a!)).toEqual([1, 0, 1, 0]);
  expect(Array.from(b!)).toEqual([1, 1, 0, 0]);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(() => tile(x, [2, -1])).toThrow('tile: repeats[1] is -1, expected an integer >= 0');
    expect(() => repeatInterleave(x, 0.5)).toThrow('repeatInterleave: repeats is 0.5, expected an integer >= 0');
    expect(() => repeatInterleave(x, 2, { axis: 2 })).toThrow('repeatInterleave: axis is 2, x has shape [2,3]');
    expect(() => tile(cast(x, 'f16'), [2])).toThrow('tile: x is f16, expected a type of four bytes; cast it first');
  });
});
