import { expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import { flatten, permute, reshape, squeeze, swapaxes, transpose, unsqueeze } from 'evenkeel/ops';
import { inverse, permute as reference } from '../reference/permute.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { exact } from '../support/tolerance.ts';

test.each([
  { shape: [0, 3], order: [1, 0] },
  { shape: [1], order: [0] },
  { shape: [], order: [] },
  { shape: [31, 33], order: [1, 0] },
  { shape: [3, 4, 5], order: [2, 0, 1] },
  { shape: [257, 2], order: [1, 0] },
  { shape: [2, 3, 4, 5], order: [3, 1, 0, 2] },
  { shape: [2, 3, 2, 3, 2], order: [4, 2, 0, 3, 1] },
  { shape: [2, 1, 3, 2, 1, 5], order: [5, 3, 1, 0, 4, 2] },
  { shape: [2, 3, 2, 1, 2, 3, 2, 2], order: [7, 2, 5, 0, 3, 6, 1, 4] },
  { shape: [1, 5, 1, 7], order: [2, 1, 0, 3] },
  { shape: [65537, 3], order: [1, 0] },
])('[$shape] in the order [$order]', ({ shape, order }) =>
  checkOp({
    inputs: [sample(shape)],
    run: (x) => permute(x, order),
    reference: (x) => reference(x, order),
    gradient: (dy) => [reference(dy, inverse(order))],
    tolerance: exact,
  }),
);

test('transpose exchanges the last two axes', () =>
  checkOp({
    inputs: [sample([2, 3, 5])],
    run: transpose,
    reference: (x) => reference(x, [0, 2, 1]),
    gradient: (dy) => [reference(dy, [0, 2, 1])],
    tolerance: exact,
  }));

/** The values and gradients of x in another shape. */
const expectShaped = (shape: number[], result: number[], run: (x: Tensor) => Tensor): Promise<void> =>
  checkOp({
    inputs: [sample(shape)],
    run,
    reference: (x) => ({ ...x, shape: result }),
    gradient: (dy) => [{ ...dy, shape }],
    tolerance: exact,
  });

test.each([
  { shape: [2, 3, 4], to: [6, 4], result: [6, 4] },
  { shape: [2, 3, 4], to: [-1, 2], result: [12, 2] },
  { shape: [1], to: [], result: [] },
  { shape: [0, 3], to: [3, -1], result: [3, 0] },
])('reshape [$shape] to [$to]', ({ shape, to, result }) => expectShaped(shape, result, (x) => reshape(x, to)));

test('flatten keeps the first axis', () =>
  checkOp({
    inputs: [sample([2, 3, 5])],
    run: (x) => flatten(x),
    reference: (x) => ({ ...x, shape: [2, 15] }),
    gradient: (dy) => [{ ...dy, shape: [2, 3, 5] }],
    tolerance: exact,
  }));

test('swapaxes', () =>
  checkOp({
    inputs: [sample([2, 3, 5, 4])],
    run: (x) => swapaxes(x, -1, 1),
    reference: (x) => reference(x, [0, 3, 2, 1]),
    gradient: (dy) => [reference(dy, [0, 3, 2, 1])],
    tolerance: exact,
  }));

test.each([
  { shape: [1, 3, 1, 2], axes: undefined, result: [3, 2] },
  { shape: [1, 3, 1, 2], axes: -2, result: [1, 3, 2] },
  { shape: [1, 3, 1, 2], axes: [0, 1], result: [3, 1, 2] },
  { shape: [1], axes: undefined, result: [] },
  { shape: [0, 1], axes: undefined, result: [0] },
])('squeeze [$shape] of axes $axes', ({ shape, axes, result }) =>
  expectShaped(shape, result, (x) => squeeze(x, { axes })),
);

test.each([
  { shape: [3, 2], axis: 0, result: [1, 3, 2] },
  { shape: [3, 2], axis: 2, result: [3, 2, 1] },
  { shape: [3, 2], axis: -2, result: [3, 1, 2] },
  { shape: [], axis: -1, result: [1] },
])('unsqueeze [$shape] at $axis', ({ shape, axis, result }) => expectShaped(shape, result, (x) => unsqueeze(x, axis)));

test('moving axes of size 1 shares memory', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 1, 3] });
    expect(permute(x, [1, 0, 2]).storage).toBe(x.storage);
    expect(swapaxes(x, 0, 1).shape).toEqual([1, 2, 3]);
  });
});

test('other dtypes and negative axes', async () => {
  const [y] = await readAll(() => [permute(tensor([1, 2, 3, 4, 5, -6], { shape: [2, 3], dtype: 'i32' }), [-1, 0])]);
  expect(Array.from(y!)).toEqual([1, 4, 2, 5, 3, -6]);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(() => permute(x, [0])).toThrow('permute: order is [0], expected each axis of shape [2,3] once');
    expect(() => permute(x, [0, -2])).toThrow('permute: order is [0,-2], expected each axis of shape [2,3] once');
    expect(() => swapaxes(x, 0, 2)).toThrow('swapaxes: axis is 2, x has shape [2,3]');
    expect(() => squeeze(x, { axes: [0, -2] })).toThrow(
      'squeeze: axes are [0,-2], expected different axes of a tensor of shape [2,3]',
    );
    expect(() => unsqueeze(x, 3)).toThrow('unsqueeze: axis is 3, expected -3..2 for shape [2,3]');
    expect(() => transpose(tensor([1, 2]))).toThrow('transpose: x has shape [2], expected at least two axes');
    expect(() => reshape(x, [4, 2])).toThrow('reshape: x has shape [2,3] (6 elements), it does not fit [4,2]');
    expect(() => reshape(x, [-1, -1])).toThrow('reshape: x has shape [2,3] (6 elements), it does not fit [-1,-1]');
    expect(() => reshape(x, [-1, 4])).toThrow('reshape: x has shape [2,3] (6 elements), it does not fit [-1,4]');
    expect(() => flatten(x, { startAxis: 3 })).toThrow('flatten: startAxis is 3, expected 0..2 for shape [2,3]');
  });
});
