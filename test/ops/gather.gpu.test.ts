import { describe, expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import { gather, indexSelect } from 'evenkeel/ops';
import { count } from '../reference/dense.ts';
import { pick, pickGradient } from '../reference/gather.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';

describe('indexSelect', () => {
  test.each([
    { shape: [5, 4, 3], axis: 0, n: 6 },
    { shape: [5, 4, 3], axis: 1, n: 7 },
    { shape: [5, 4, 3], axis: 2, n: 1 },
    { shape: [257], axis: 0, n: 33 },
    { shape: [3, 2], axis: 0, n: 0 },
    { shape: [1, 31], axis: 0, n: 5 },
    { shape: [2, 1, 17], axis: 1, n: 16 },
    { shape: [0, 3], axis: 1, n: 2 },
  ])('$n of [$shape] along $axis', ({ shape, axis, n }) => {
    const index = integers(n, shape[axis]!, 3);
    return checkOp({
      inputs: [sample(shape)],
      run: (x) => indexSelect(x, index, { axis }),
      reference: (x) => pick(x, index, axis, n),
      gradient: (dy, x) => [pickGradient(dy, x, index, axis, n)],
      tolerance: exact,
      gradientTolerance: summed(n),
    });
  });
});

describe('gather', () => {
  test.each([
    { shape: [5, 4], axis: 1, n: 7 },
    { shape: [5, 4], axis: 0, n: 3 },
    { shape: [2, 5, 3], axis: 1, n: 7 },
    { shape: [33, 10], axis: 1, n: 1 },
    { shape: [257], axis: 0, n: 31 },
    { shape: [0, 3], axis: 1, n: 2 },
  ])('$n of [$shape] along $axis', ({ shape, axis, n }) => {
    const to = shape.map((d, i) => (i === axis ? n : d));
    const index = integers(count(to), shape[axis]!, 4);
    return checkOp({
      inputs: [sample(shape)],
      run: (x) => gather(x, tensor(index, { shape: to, dtype: 'i32' }), { axis }),
      reference: (x) => pick(x, index, axis, n),
      gradient: (dy, x) => [pickGradient(dy, x, index, axis, n)],
      tolerance: exact,
      gradientTolerance: summed(n),
    });
  });
});

test('an index outside the axis gives zeros on the device, and no gradient', () => {
  const index = [4, -1, 0, 2];
  return checkOp({
    inputs: [sample([3, 2])],
    run: (x) => indexSelect(x, tensor(index, { dtype: 'i32' })),
    reference: (x) => pick(x, index, 0, 4),
    gradient: (dy, x) => [pickGradient(dy, x, index, 0, 4)],
    tolerance: exact,
  });
});

test('integers and NaN are copied bit by bit', async () => {
  const [y, z] = await readAll(() => [indexSelect(tensor([1, -2, 3], { dtype: 'i32' }), [2, 1]), indexSelect(tensor([NaN, 1]), [1, 0])]);
  expect(Array.from(y!)).toEqual([3, -2]);
  expect(Array.from(z!)).toEqual([1, NaN]);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    const index = tensor([0, 1], { shape: [2, 1], dtype: 'i32' });
    expect(() => indexSelect(x, [0, 2])).toThrow('indexSelect: index[1] is 2, expected an integer in 0..1');
    expect(() => indexSelect(x, [0.5])).toThrow('indexSelect: index[0] is 0.5, expected an integer in 0..1');
    expect(() => indexSelect(x, [0], { axis: 2 })).toThrow('indexSelect: axis is 2, x has shape [2,3]');
    expect(() => indexSelect(x, index)).toThrow('indexSelect: index has shape [2,1], expected one axis');
    expect(() => gather(x, x as unknown as Tensor<'i32'>)).toThrow('gather: index is f32, expected i32');
    expect(() => gather(x, index, { axis: 0 })).toThrow('gather: index has shape [2,1], expected that of x [2,3] off axis 0');
  });
});
