import { describe, expect, test } from 'vitest';
import { requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import type { DType } from '../../src/tensor/dtype.ts';
import { binary, scalars2 } from '../reference/binary.ts';
import { build, type Dense } from '../reference/dense.ts';
import { checkOp } from '../support/check-op.ts';
import { testRandom } from '../support/fuzz.ts';
import { exact } from '../support/tolerance.ts';
import { PAIRS } from '../support/shapes.ts';

const COMPARISONS = ['greater', 'greaterEqual', 'less', 'lessEqual', 'equal', 'notEqual'] as const;
type Compare = (a: Tensor<DType> | number, b: Tensor<DType> | number) => Tensor<'bool'>;
const compare = (name: (typeof COMPARISONS)[number]): Compare => ops[name] as unknown as Compare;

/** A bool tensor, read as what the host gets. */
async function bits(make: () => Tensor<'bool'>): Promise<number[]> {
  const y = scope(make);
  expect(y.dtype).toBe('bool');
  const got = await y.read();
  y.dispose();
  expect(got).toBeInstanceOf(Uint8Array);
  return Array.from(got);
}

/** Small integers, so that many are equal. */
const few = (shape: readonly number[], seed: number): Dense => {
  const random = testRandom(seed);
  return build(shape, () => random(4) - 1);
};

describe.each(COMPARISONS)('%s', (name) => {
  test.each([
    ...PAIRS,
    [
      [5, 1],
      [1, 7],
    ],
    [
      [2, 1, 5],
      [2, 3, 1],
    ],
    [
      [2, 1, 2, 1, 2],
      [1, 2, 1, 2, 1],
    ],
  ])('of [%j] and [%j], ties included', (a, b) =>
    checkOp({
      inputs: [few(a, 1), few(b, 2)],
      run: (x, y) => ops.cast(compare(name)(x!, y!), 'f32'),
      reference: (x, y) => binary(scalars2[name], x, y),
      tolerance: exact,
    }),
  );
  test.each([
    ['f32', [-1.5, 0, 2, -0], [-1.5, 1, -2, 0]],
    ['i32', [-2147483648, 16777217, -1, 3], [2147483647, 16777216, -1, 4]],
    ['u32', [4294967295, 16777217, 7, 0], [1, 16777216, 7, 4294967295]],
    ['bool', [0, 0, 1, 1], [0, 1, 0, 1]],
  ] as [DType, number[], number[]][])('of %s', async (dtype, a, b) => {
    const run = compare(name);
    const want = (x: number[], y: number[]): number[] => x.map((v, i) => scalars2[name].f(v, y[i]!));
    if (dtype === 'bool' && name !== 'equal' && name !== 'notEqual') {
      scope(() =>
        expect(() => run(tensor(a, { dtype }), tensor(b, { dtype }))).toThrow(
          `${name}: a is bool, expected f32, i32 or u32`,
        ),
      );
      return;
    }
    expect(await bits(() => run(tensor(a, { dtype }), tensor(b, { dtype })))).toEqual(want(a, b));
    expect(await bits(() => run(tensor(a, { dtype }), b[2]!))).toEqual(
      want(
        a,
        a.map(() => b[2]!),
      ),
    );
    expect(await bits(() => run(a[3]!, tensor(b, { dtype })))).toEqual(
      want(
        b.map(() => a[3]!),
        b,
      ),
    );
  });
});

test('results carry no gradient', () => {
  scope(() => {
    const x = requireGrad(tensor([1, 2]));
    expect(ops.greater(x, 1).tracksGrad).toBe(false);
    expect(ops.isFinite(x).tracksGrad).toBe(false);
  });
});

test('logic', async () => {
  const [a, b] = [
    [0, 0, 1, 1],
    [0, 1, 0, 1],
  ] as const;
  const bool = (v: readonly number[], shape = [v.length]): Tensor<'bool'> => tensor(v, { dtype: 'bool', shape });
  expect(await bits(() => ops.logicalAnd(bool(a), bool(b)))).toEqual([0, 0, 0, 1]);
  expect(await bits(() => ops.logicalOr(bool(a), bool(b)))).toEqual([0, 1, 1, 1]);
  expect(await bits(() => ops.logicalXor(bool(a), bool(b)))).toEqual([0, 1, 1, 0]);
  expect(await bits(() => ops.logicalNot(bool(b)))).toEqual([1, 0, 1, 0]);
  expect(await bits(() => ops.logicalAnd(bool([0, 1], [2, 1]), bool([0, 1, 1])))).toEqual([0, 0, 0, 0, 1, 1]);
  expect(await bits(() => ops.logicalOr(bool([], [0, 2]), bool([1, 0])))).toEqual([]);
  // Non-zero host values count as true before they reach the device.
  expect(await bits(() => ops.logicalNot(bool([3, -1, 0])))).toEqual([0, 0, 1]);
});

test('isFinite tells infinities and NaN by their bits', async () => {
  expect(
    await bits(() => ops.isFinite(tensor([0, -0, 1e-45, 3.4028234663852886e38, -3e38, Infinity, -Infinity, NaN]))),
  ).toEqual([1, 1, 1, 1, 1, 0, 0, 0]);
  expect(await bits(() => ops.isFinite(tensor([], { shape: [0, 3] })))).toEqual([]);
});

test('errors', () => {
  scope(() => {
    const any = (x: unknown): Tensor => x as Tensor;
    const [x, n, t] = [tensor([1]), tensor([1], { dtype: 'i32' }), tensor([1], { dtype: 'bool' })];
    expect(() => ops.less(x, any(n))).toThrow('less: a is f32 and b is i32, expected the same type; cast one of them');
    expect(() => ops.equal(x, any(tensor([1], { dtype: 'f16' })))).toThrow(
      'equal: b is f16, expected f32, i32, u32 or bool',
    );
    expect(() => ops.equal(t, 2)).toThrow('equal: b is 2, expected an integer in 0..1 beside a tensor of bool');
    expect(() => ops.greater(n, 0.5)).toThrow(
      'greater: b is 0.5, expected an integer in -2147483648..2147483647 beside a tensor of i32',
    );
    expect(() => ops.logicalAnd(any(x) as unknown as Tensor<'bool'>, t)).toThrow('logicalAnd: a is f32, expected bool');
    expect(() => ops.logicalNot(n as unknown as Tensor<'bool'>)).toThrow('logicalNot: x is i32, expected bool');
    expect(() => ops.isFinite(any(n))).toThrow('isFinite: x is i32, expected f32');
    expect(() => ops.greater(tensor([1, 2, 3]), tensor([1, 2]))).toThrow(
      'greater: shapes [3] and [2] do not broadcast; sizes must be equal or 1, counted from the last axis',
    );
  });
});
