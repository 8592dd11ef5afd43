import { expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import { where } from 'evenkeel/ops';
import { build, count } from '../reference/dense.ts';
import * as reference from '../reference/where.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';

test.each([
  [[0, 2], [0, 2], [2]],
  [[1], [1], [1]],
  [[3, 5], [3, 5], [3, 5]],
  [[3, 5], [5], [3, 1]],
  [[3, 1], [3, 5], []],
  [[257], [257], [257]],
  [[2, 3, 31], [31], [2, 1, 1]],
])('condition [%j], a [%j], b [%j]', (c, a, b) => {
  const bits = integers(count(c), 2, 5);
  const n = Math.max(count(c), count(a), count(b));
  return checkOp({
    inputs: [build(c, (i) => bits[i]!), sample(a, { seed: 2 }), sample(b, { seed: 3 })],
    run: where,
    reference: reference.where,
    gradient: (dy, ...x) => [null, ...reference.whereGradient(dy, x[0]!, x[1]!, x[2]!)],
    tolerance: exact,
    gradientTolerance: summed(n),
  });
});

test('numbers as branches', async () => {
  const [y] = await readAll(() => [where(tensor([1, 0, -1]), 5, tensor([7, 8, 9]))]);
  expect(Array.from(y!)).toEqual([5, 8, 5]);
});

test('errors', () => {
  scope(() => {
    const [a, b] = [tensor([1, 2, 3]), tensor([1, 2])];
    expect(() => where(a, a, b)).toThrow('where: shapes [3], [3] and [2] do not broadcast');
    expect(() => where(tensor([1, 0, 1], { dtype: 'u32' }) as unknown as Tensor, a, a)).toThrow('where: condition is u32, expected f32');
    expect(() => where(a, a, tensor([1], { dtype: 'i32' }) as unknown as Tensor)).toThrow('where: b is i32, expected f32');
  });
});
