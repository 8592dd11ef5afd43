import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { binary, binaryGradient, scalars2 } from '../reference/binary.ts';
import { count, type Dense } from '../reference/dense.ts';
import { sum as sumOf, sumGradient } from '../reference/reduce.ts';
import { checkOp, readAll, takeGrad, upload } from '../support/check-op.ts';
import { distinct, sample } from '../support/sample.ts';
import { exact, powError, summed, U, ulp, ulps, type Tolerance } from '../support/tolerance.ts';

const shapes: [a: number[], b: number[]][] = [
  [[0, 3], [3]],
  [[1], [1]],
  [[31], [31]],
  [[7, 33], [33]],
  [[257], []],
  [[3, 7], [3, 1]],
  [[5, 1], [1, 7]],
  [[2, 3, 4], [3, 1]],
  [[2, 1, 5], [2, 3, 1]],
  [[4], [3, 2, 4]],
  [[2, 1, 3, 1], [1, 4, 1, 3]],
  [[2, 1, 3, 5, 2, 1], [1, 4, 1, 1, 1, 3]],
];
const some = [shapes[4]!, shapes[7]!, shapes[8]!];

// Terms of one element of the gradient: y's elements over the input's.
const terms = (own: readonly number[], other: readonly number[]): number => Math.max(1, count(other)) + Math.max(1, count(own));
// Rounding steps of each term of the gradients, in u: a product loses 2 (one ULP), a division 5.
const perTerm: Record<'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'minimum', number> = { add: 0, sub: 0, mul: 2, div: 9, maximum: 2, minimum: 2 };
const forward = { add: ulps(1), sub: ulps(1), mul: ulps(1), div: ulps(2.5), maximum: exact, minimum: exact };

// Values of a and b on different grids are never equal or near to it.
const operands = (a: number[], b: number[]): Dense[] => [distinct(a, { seed: 3 }), distinct(b, { seed: 4, offset: 1 / 128 })];

describe('arithmetic against the f64 reference', () => {
  const cases = (Object.keys(perTerm) as (keyof typeof perTerm)[]).flatMap((name) => (name === 'mul' ? shapes : some).map(([a, b]) => ({ name, a, b })));
  test.each(cases)('$name of [$a] and [$b]', ({ name, a, b }) =>
    checkOp({
      inputs: operands(a, b),
      run: ops[name],
      reference: (x, y) => binary(scalars2[name], x, y),
      gradient: (dy, x, y) => binaryGradient(scalars2[name], dy, x, y),
      tolerance: forward[name],
      gradientTolerance: summed(terms(a, b), perTerm[name]),
    }),
  );

  test.each([shapes[2]!, shapes[6]!])('pow of [%j] and [%j]', async (a, b) => {
    const inputs = [sample(a, { seed: 1, low: 0.1, high: 3 }), sample(b, { seed: 2, low: -2, high: 3 })];
    // The error of pow and of log relative to their results, at its largest over the values that occur.
    const worst = Math.max(...Array.from(inputs[0]!.data).flatMap((x) => Array.from(inputs[1]!.data, (p) => Math.max(powError(x, p) / x ** p, powError(x, p - 1) / x ** (p - 1)))));
    const relative = worst / U + 4;
    // dy y log(a): near a = 1 the error of log is absolute, 2^-21, as large as y itself.
    const logTerm: Tolerance = () => terms(a, b) * 3 ** 3 * (2 ** -21 + 2 * worst);
    await checkOp({
      inputs,
      run: ops.pow,
      reference: (x, y) => binary(scalars2.pow, x, y),
      gradient: (dy, x, y) => binaryGradient(scalars2.pow, dy, x, y),
      tolerance: ({ want }) => worst * want + ulp(want),
      gradientTolerance: [summed(terms(a, b), relative), logTerm],
    });
  });

  test('maskPositive', () =>
    checkOp({
      inputs: operands([5, 7], [7]),
      run: ops.maskPositive,
      reference: (x, y) => binary(scalars2.maskPositive, x, y),
      gradient: (dy, x, y) => [binaryGradient(scalars2.maskPositive, dy, x, y)[0], null],
      tolerance: exact,
    }));

  test('expand', () =>
    checkOp({
      inputs: [sample([3, 1])],
      run: (x) => ops.expand(x, [2, 3, 5]),
      reference: (x) => binary(scalars2.add, x, { shape: [2, 3, 5], data: new Float64Array(30) }),
      gradient: (dy, x) => {
        const whole = sumOf(dy, [0, 2]);
        return [{ ...whole, shape: x.shape }];
      },
      tolerance: exact,
      gradientTolerance: summed(10),
    }));

  test('expand to as many elements is a reshape', () =>
    checkOp({
      inputs: [sample([4])],
      run: (x) => ops.expand(x, [1, 4]),
      reference: (x) => ({ ...x, shape: [1, 4] }),
      gradient: (dy, x) => [{ ...sumGradient(dy, dy, []), shape: x.shape }],
      tolerance: exact,
    }));
});

test.each(['greater', 'greaterEqual', 'less', 'lessEqual', 'equal'] as const)('%s, ties included', (name) => {
  const a = { shape: [2, 3], data: Float64Array.from([1, 2, 3, -1, 0, 5]) };
  const b = { shape: [3], data: Float64Array.from([1, 0, 3]) };
  return checkOp({ inputs: [a, b], run: ops[name], reference: (x, y) => binary(scalars2[name], x, y), tolerance: exact });
});

test.each(['maximum', 'minimum'] as const)('%s gives half of the gradient to each of two equals', async (name) => {
  const x: Dense = { shape: [3], data: Float64Array.from([1, 2, 3]) };
  const y: Dense = { shape: [3], data: Float64Array.from([1, 5, 0]) };
  // Differences across a tie mean nothing, so the reference gradient is compared directly.
  const got = await readAll(() => {
    const [a, b] = [requireGrad(upload(x)), requireGrad(upload(y))];
    backward(ops.sum(ops[name](a, b)));
    return [takeGrad(a), takeGrad(b)];
  });
  const want = binaryGradient(scalars2[name], { shape: [3], data: Float64Array.of(1, 1, 1) }, x, y);
  expect(got.map((g) => Array.from(g))).toEqual(want.map((g) => Array.from(g.data)));
});

test('pow at its special points: integer powers of negative bases, 0 and 1', async () => {
  const [y] = await readAll(() => [ops.pow(tensor([-2, -2, -2, 0, 7, 0]), tensor([3, 2, -1, 0, 0, 1]))]);
  const want = [-8, 4, -0.5, 1, 1, 0];
  // exp2(log2) is not exact even for integers.
  y!.forEach((v, i) => expect(Math.abs(v - want[i]!)).toBeLessThanOrEqual(want[i] ? powError(-2, 3) : 2 ** -100));
});

test('numbers as operands', async () => {
  const got = await readAll(() => {
    const x = tensor([1, 2]);
    return [ops.add(x, 1), ops.sub(1, x), ops.mul(x, 3), ops.div(2, x)];
  });
  expect(got.map((v) => Array.from(v))).toEqual([[2, 3], [0, -1], [3, 6], [2, 1]]);
});

test('65,536 x 64 + 3 elements, more workgroups than one dimension holds', async () => {
  const n = 65_536 * 64 + 3;
  const x = Float32Array.from({ length: n }, (_, i) => (i % 4093) - 2000);
  const [y] = await readAll(() => [ops.add(tensor(x), 1)]);
  expect(y!.findIndex((v, i) => v !== x[i]! + 1)).toBe(-1);
});

test('errors', () => {
  scope(() => {
    const [a, b] = [tensor([1, 2, 3]), tensor([1, 2])];
    const words = tensor([1, 2, 3], { dtype: 'i32' }) as unknown as Tensor;
    expect(() => ops.add(a, b)).toThrow('add: shapes [3] and [2] do not broadcast; sizes must be equal or 1, counted from the last axis');
    expect(() => ops.mul(a, words)).toThrow('mul: b is i32, expected f32');
    expect(() => ops.div(words, a)).toThrow('div: a is i32, expected f32');
    expect(() => ops.expand(a, [2])).toThrow('expand: shape [3] does not broadcast to [2]');
    expect(() => ops.add(tensor(new Float32Array(8), { shape: [2, 1, 2, 1, 2] }), tensor(new Float32Array(4), { shape: [1, 2, 1, 2, 1] }))).toThrow(
      'add: broadcasting [2,1,2,1,2] with [1,2,1,2,1] needs 5 separate axes, at most 4 are supported; reshape or expand first',
    );
  });
});
