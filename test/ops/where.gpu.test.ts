import { expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { cast, greater, mul, sum, where } from 'evenkeel/ops';
import type { DType } from '../../src/tensor/dtype.ts';
import { build, count } from '../reference/dense.ts';
import * as reference from '../reference/where.ts';
import { checkOp, readAll, takeGrad } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';

test.each([
  [[0, 2], [0, 2], [2]],
  [[1], [1], [1]],
  [
    [3, 5],
    [3, 5],
    [3, 5],
  ],
  [[3, 5], [5], [3, 1]],
  [[3, 1], [3, 5], []],
  [[], [33], [33]],
  [[257], [257], [257]],
  [[2, 3, 31], [31], [2, 1, 1]],
  [[4], [3, 1, 1], [2, 1]],
  [[2, 1, 3, 1, 2, 1, 2, 1], [1, 2, 1, 2, 1, 2, 1, 3], [3]],
])('condition [%j], a [%j], b [%j]', (c, a, b) => {
  const bits = integers(count(c), 2, 5);
  const n = Math.max(count(c) * count(a), count(c) * count(b), count(a) * count(b));
  return checkOp({
    inputs: [build(c, (i) => bits[i]!), sample(a, { seed: 2 }), sample(b, { seed: 3 })],
    run: (condition, x, y) => where(cast(condition!, 'bool'), x!, y!),
    reference: reference.where,
    gradient: (dy, ...x) => [null, ...reference.whereGradient(dy, x[0]!, x[1]!, x[2]!)],
    tolerance: exact,
    gradientTolerance: summed(n),
  });
});

async function read(make: () => Tensor<DType>): Promise<[DType, number[]]> {
  const y = scope(make);
  try {
    return [y.dtype, Array.from(await y.read())];
  } finally {
    y.dispose();
  }
}

test.each(['f32', 'i32', 'u32', 'bool'] as const)('branches of %s', async (dtype) => {
  const run = where as (c: Tensor<DType>, a: unknown, b: unknown) => Tensor<DType>;
  const mask = (): Tensor<'bool'> => tensor([1, 0, 1], { dtype: 'bool' });
  const [a, b] =
    dtype === 'bool'
      ? [
          [1, 1, 0],
          [0, 1, 0],
        ]
      : dtype === 'f32'
        ? [
            [1.5, -2, 1e-40],
            [4, 5, 6],
          ]
        : [
            [1, 2, 16777217],
            [4, 5, 6],
          ];
  const [x, y] = [a, b].map((v) => (dtype === 'f32' ? v.map(Math.fround) : v)) as [number[], number[]];
  expect(await read(() => run(mask(), tensor(x, { dtype }), tensor(y, { dtype })))).toEqual([
    dtype,
    [x[0], y[1], x[2]],
  ]);
  expect(await read(() => run(mask(), 1, tensor(y, { dtype })))).toEqual([dtype, [1, y[1], 1]]);
  expect(await read(() => run(mask(), tensor(x, { dtype }), 0))).toEqual([dtype, [x[0], 0, x[2]]]);
});

test.each([
  ['f32', [1, 0, -0, -1e-45, NaN]],
  ['i32', [1, 0, 0, -2147483648, 2]],
  ['u32', [1, 0, 0, 2147483648, 2]],
  ['bool', [1, 0, 0, 1, 1]],
] as [DType, number[]][])('a condition of %s holds where it is not zero', async (dtype, c) => {
  expect(await read(() => where(tensor(c, { dtype }) as Tensor, 5, tensor([6, 7, 8, 9, 10])))).toEqual([
    'f32',
    [5, 7, 8, 5, 5],
  ]);
  expect(await read(() => where(tensor(c, { dtype }) as Tensor, 1, 0))).toEqual(['f32', [1, 0, 0, 1, 1]]);
});

test('what is not taken does not matter, nor does its gradient', async () => {
  const [y, g] = await readAll(() => {
    const x = requireGrad(tensor([2, 0, 4]));
    const chosen = where(greater(x, 0), x, tensor([NaN, 7, Infinity]));
    backward(sum(mul(chosen, tensor([1, NaN, 3]))));
    return [chosen, takeGrad(x)];
  });
  expect(Array.from(y!)).toEqual([2, 7, 4]);
  expect(Array.from(g!)).toEqual([1, 0, 3]);
});

test('65,536 x 64 + 3 elements, more workgroups than one dimension holds', async () => {
  const n = 65_536 * 64 + 3;
  const x = Float32Array.from({ length: n }, (_, i) => (i % 4093) - 2000);
  const [y] = await readAll(() => {
    const t = tensor(x);
    return [where(greater(t, 0), t, -1)];
  });
  expect(y!.findIndex((v, i) => v !== (x[i]! > 0 ? x[i]! : -1))).toBe(-1);
});

test('errors', () => {
  scope(() => {
    const [a, b] = [tensor([1, 2, 3]), tensor([1, 2])];
    const any = (x: unknown): Tensor => x as Tensor;
    expect(() => where(a, a, b)).toThrow(
      'where: shapes [3], [3] and [2] do not broadcast; sizes must be equal or 1, counted from the last axis',
    );
    expect(() => where(any(tensor([1, 0, 1], { dtype: 'f16' })), a, a)).toThrow(
      'where: condition is f16, expected f32, i32, u32 or bool',
    );
    expect(() => where(a, a, any(tensor([1], { dtype: 'i32' })))).toThrow(
      'where: a is f32 and b is i32, expected the same type; cast one of them',
    );
    expect(() => where(a, any(tensor([1], { dtype: 'f16' })), 0)).toThrow(
      'where: a is f16, expected f32, i32, u32 or bool',
    );
    expect(() => where(a, tensor([1], { dtype: 'u32' }), -1)).toThrow(
      'where: b is -1, expected an integer in 0..4294967295 beside a tensor of u32',
    );
  });
});
