import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { equalMask, maskPositive } from '../../src/ops/binary.ts';
import type { DType } from '../../src/tensor/dtype.ts';
import { binary, binaryGradient, scalars2 } from '../reference/binary.ts';
import { count, type Dense } from '../reference/dense.ts';
import { sum as sumOf, sumGradient } from '../reference/reduce.ts';
import { checkOp, readAll, takeGrad, upload } from '../support/check-op.ts';
import { distinct, sample } from '../support/sample.ts';
import { exact, powError, summed, U, ulp, ulps, type Tolerance } from '../support/tolerance.ts';
import { PAIRS } from '../support/shapes.ts';

const shapes: [a: number[], b: number[]][] = [
  ...PAIRS,
  [
    [3, 7],
    [3, 1],
  ],
  [
    [5, 1],
    [1, 7],
  ],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [
    [2, 1, 5],
    [2, 3, 1],
  ],
  [[4], [3, 2, 4]],
  [
    [2, 1, 3, 1],
    [1, 4, 1, 3],
  ],
  [
    [2, 1, 3, 5, 2, 1],
    [1, 4, 1, 1, 1, 3],
  ],
  // Five and eight axes that cannot be joined.
  [
    [2, 1, 2, 1, 2],
    [1, 2, 1, 2, 1],
  ],
  [
    [2, 1, 3, 1, 2, 1, 2, 1],
    [1, 2, 1, 2, 1, 2, 1, 3],
  ],
];

// Terms of one element of the gradient: y's elements over the input's.
const terms = (own: readonly number[], other: readonly number[]): number =>
  Math.max(1, count(other)) + Math.max(1, count(own));
// Rounding steps of each term of the gradients, in u: a product loses 2 (one ULP), a division 5.
const perTerm: Record<'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'minimum', number> = {
  add: 0,
  sub: 0,
  mul: 2,
  div: 9,
  maximum: 2,
  minimum: 2,
};
const forward = { add: ulps(1), sub: ulps(1), mul: ulps(1), div: ulps(2.5), maximum: exact, minimum: exact };

// Values of a and b on different grids are never equal or near to it.
const operands = (a: number[], b: number[]): Dense[] => [
  distinct(a, { seed: 3 }),
  distinct(b, { seed: 4, offset: 1 / 128 }),
];

describe('arithmetic against the f64 reference', () => {
  const cases = (Object.keys(perTerm) as (keyof typeof perTerm)[]).flatMap((name) =>
    shapes.map(([a, b]) => ({ name, a, b })),
  );
  test.each(cases)('$name of [$a] and [$b]', ({ name, a, b }) =>
    checkOp({
      inputs: operands(a, b),
      run: (x, y) => ops[name](x!, y!),
      reference: (x, y) => binary(scalars2[name], x, y),
      gradient: (dy, x, y) => binaryGradient(scalars2[name], dy, x, y),
      tolerance: forward[name],
      gradientTolerance: summed(terms(a, b), perTerm[name]),
    }),
  );

  test.each(shapes)('pow of [%j] and [%j]', async (a, b) => {
    const inputs = [sample(a, { seed: 1, low: 0.1, high: 3 }), sample(b, { seed: 2, low: -2, high: 3 })];
    // The error of pow and of log relative to their results, at its largest over the values that occur.
    const worst = Math.max(
      ...Array.from(inputs[0]!.data).flatMap((x) =>
        Array.from(inputs[1]!.data, (p) => Math.max(powError(x, p) / x ** p, powError(x, p - 1) / x ** (p - 1))),
      ),
    );
    const relative = worst / U + 4;
    // dy y log(a): near a = 1 the error of log is absolute, 2^-21, as large as y itself.
    const logTerm: Tolerance = () => terms(a, b) * 3 ** 3 * (2 ** -21 + 2 * worst);
    await checkOp({
      inputs,
      run: (x, y) => ops.pow(x!, y!),
      reference: (x, y) => binary(scalars2.pow, x, y),
      gradient: (dy, x, y) => binaryGradient(scalars2.pow, dy, x, y),
      tolerance: ({ want }) => worst * want + ulp(want),
      gradientTolerance: [summed(terms(a, b), relative), logTerm],
    });
  });

  test('maskPositive', () =>
    checkOp({
      inputs: operands([5, 7], [7]),
      run: (x, y) => maskPositive(x!, y!),
      reference: (x, y) => binary(scalars2.maskPositive, x, y),
      gradient: (dy, x, y) => [binaryGradient(scalars2.maskPositive, dy, x, y)[0], null],
      tolerance: exact,
    }));

  test('expand', () =>
    checkOp({
      inputs: [sample([3, 1])],
      run: (x) => ops.expand(x!, [2, 3, 5]),
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
      run: (x) => ops.expand(x!, [1, 4]),
      reference: (x) => ({ ...x, shape: [1, 4] }),
      gradient: (dy, x) => [{ ...sumGradient(dy, dy, []), shape: x.shape }],
      tolerance: exact,
    }));
});

test('equalMask is 1 at ties and has no gradient', async () => {
  const [y] = await readAll(() => [equalMask(requireGrad(tensor([1, 2, 3])), tensor([1, 0, 3]))]);
  expect(Array.from(y!)).toEqual([1, 0, 1]);
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

test('pow at its special points: integer powers of negative bases, 0 and 1; NaN elsewhere below 0', async () => {
  const [y, odd] = await readAll(() => [
    ops.pow(tensor([-2, -2, -2, 0, 7, 0]), tensor([3, 2, -1, 0, 0, 1])),
    ops.pow(tensor([-2, -0.5, 0, 0]), tensor([0.5, -1.5, -1, -0.5])),
  ]);
  const want = [-8, 4, -0.5, 1, 1, 0];
  // exp2(log2) is not exact even for integers.
  y!.forEach((v, i) => expect(Math.abs(v - want[i]!)).toBeLessThanOrEqual(want[i] ? powError(-2, 3) : 2 ** -100));
  expect(Array.from(odd!)).toEqual([NaN, NaN, Infinity, Infinity]);
});

test('gradients of pow where a or b is 0, and where a is negative', async () => {
  const got = await readAll(() => {
    const [a, b] = [requireGrad(tensor([0, 0, 0, 3, -2, -2])), requireGrad(tensor([0, 1, 2, 0, 2, 3]))];
    backward(ops.sum(ops.pow(a, b)));
    return [takeGrad(a), takeGrad(b)];
  });
  const want = [
    [0, 1, 0, 0, -4, 12],
    [0, 0, 0, Math.log(3), 0, 0],
  ];
  got.forEach((g, k) =>
    g.forEach((v, i) => expect(Math.abs(v - want[k]![i]!), `gradient ${k}, element ${i}`).toBeLessThanOrEqual(1e-5)),
  );
});

describe('numbers as operands', () => {
  test('on either side', async () => {
    const got = await readAll(() => {
      const x = tensor([1, 2]);
      return [
        ops.add(x, 1),
        ops.sub(1, x),
        ops.mul(x, 3),
        ops.div(2, x),
        ops.maximum(1.5, x),
        ops.pow(x, 2),
        ops.add(2, 3),
      ];
    });
    expect(got.map((v) => Array.from(v))).toEqual([[2, 3], [0, -1], [3, 6], [2, 1], [1.5, 2], [1, 4], [5]]);
  });
  test('the gradient goes to the tensor', async () => {
    const a = 0.5;
    const rules: [run: (x: Tensor) => Tensor, slope: (x: number) => number][] = [
      [(x) => ops.add(a, x), () => 1],
      [(x) => ops.sub(a, x), () => -1],
      [(x) => ops.sub(x, a), () => 1],
      [(x) => ops.mul(a, x), () => a],
      [(x) => ops.div(a, x), (x) => -a / (x * x)],
      [(x) => ops.div(x, a), () => 1 / a],
      [(x) => ops.maximum(a, x), (x) => (x > a ? 1 : x === a ? 0.5 : 0)],
      [(x) => ops.minimum(x, a), (x) => (x < a ? 1 : x === a ? 0.5 : 0)],
      [(x) => ops.pow(x, 3), (x) => 3 * x * x],
      [(x) => ops.pow(a, x), (x) => a ** x * Math.log(a)],
      [(x) => ops.pow(-1, x), () => 0],
    ];
    const values = [0.25, 0.5, 2];
    for (const [k, [run, slope]] of rules.entries()) {
      const [g] = await readAll(() => {
        const x = requireGrad(tensor(values));
        backward(ops.sum(run(x)));
        return [takeGrad(x)];
      });
      values.forEach((x, i) =>
        expect(Math.abs(g![i]! - slope(x)), `rule ${k} at ${x}`).toBeLessThanOrEqual(
          1e-6 * Math.max(1, Math.abs(slope(x))),
        ),
      );
    }
  });
  test('take no memory', () => {
    const x = tensor([1, 2]);
    const before = x.gpu.memory().live;
    const y = ops.mul(x, 2);
    expect(x.gpu.memory().live - before).toBe(y.byteLength);
    y.dispose();
    x.dispose();
  });
});

describe('integers', () => {
  const least = -2147483648;
  const rows: [
    name: 'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'minimum',
    dtype: 'i32' | 'u32',
    a: number[],
    b: number[],
    want: number[],
  ][] = [
    ['add', 'i32', [1, -5, 2147483647], [2, 3, 1], [3, -2, least]],
    ['add', 'u32', [1, 4294967295], [2, 2], [3, 1]],
    ['sub', 'i32', [1, least], [2, 1], [-1, 2147483647]],
    ['sub', 'u32', [5, 1], [3, 2], [2, 4294967295]],
    ['mul', 'i32', [-3, 65536, 16777217], [5, 65536, 3], [-15, 0, 50331651]],
    ['mul', 'u32', [3, 65537], [5, 65537], [15, 131073]],
    ['div', 'i32', [7, -7, 7, -7, 9, least], [2, 2, -2, -2, 0, -1], [3, -3, -3, 3, 9, least]],
    ['div', 'u32', [7, 4294967295, 9], [2, 16, 0], [3, 268435455, 9]],
    ['maximum', 'i32', [1, -2, 16777217], [-1, -1, 16777216], [1, -1, 16777217]],
    ['maximum', 'u32', [1, 4294967295], [2, 1], [2, 4294967295]],
    ['minimum', 'i32', [1, -2], [-1, -1], [-1, -2]],
    ['minimum', 'u32', [1, 4294967295], [2, 1], [1, 1]],
  ];
  const read = async (make: () => Tensor<DType>): Promise<[DType, number[]]> => {
    const y = scope(make);
    try {
      return [y.dtype, Array.from(await y.read())];
    } finally {
      y.dispose();
    }
  };
  test.each(rows)('%s of %s', async (name, dtype, a, b, want) => {
    const run = ops[name] as (a: unknown, b: unknown) => Tensor<DType>;
    expect(await read(() => run(tensor(a, { dtype }), tensor(b, { dtype })))).toEqual([dtype, want]);
    expect(await read(() => run(tensor([a[0]!, a[0]!], { dtype }), b[0]!))).toEqual([dtype, [want[0], want[0]]]);
    expect(await read(() => run(a[0]!, tensor(b.slice(0, 1), { dtype })))).toEqual([dtype, [want[0]]]);
  });
  test('broadcast, and in every size', async () => {
    for (const [a, b] of shapes) {
      const [x, y] = [a, b].map((shape, k) =>
        Float64Array.from({ length: count(shape) }, (_, i) => (i * 37 + 11 * k) % 101),
      ) as [Float64Array, Float64Array];
      const want = binary(scalars2.sub, { shape: a, data: x }, { shape: b, data: y });
      expect(
        await read(() => ops.sub(tensor(x, { shape: a, dtype: 'i32' }), tensor(y, { shape: b, dtype: 'i32' }))),
      ).toEqual(['i32', Array.from(want.data, (v) => v + 0)]);
    }
  });
  test.each(['i32', 'u32', 'bool'] as const)('expand of %s', async (dtype) => {
    expect(await read(() => ops.expand(tensor([0, 1], { shape: [2, 1], dtype }), [2, 3]))).toEqual([
      dtype,
      [0, 0, 0, 1, 1, 1],
    ]);
  });
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
    const words = tensor([1, 2, 3], { dtype: 'i32' });
    const bools = tensor([1, 0, 1], { dtype: 'bool' });
    const any = (x: unknown): Tensor => x as Tensor;
    expect(() => ops.add(a, b)).toThrow(
      'add: shapes [3] and [2] do not broadcast; sizes must be equal or 1, counted from the last axis',
    );
    expect(() => ops.mul(a, any(words))).toThrow(
      'mul: a is f32 and b is i32, expected the same type; cast one of them',
    );
    expect(() => ops.div(any(words), a)).toThrow(
      'div: a is i32 and b is f32, expected the same type; cast one of them',
    );
    expect(() => ops.add(any(bools), 1)).toThrow('add: a is bool, expected f32, i32 or u32');
    expect(() => ops.sub(1, any(tensor([1], { dtype: 'f16' })))).toThrow('sub: b is f16, expected f32, i32 or u32');
    expect(() => ops.pow(any(words), 2)).toThrow('pow: a is i32, expected f32');
    expect(() => ops.pow(2, any(words))).toThrow('pow: b is i32, expected f32');
    expect(() => ops.mul(words, 1.5)).toThrow(
      'mul: b is 1.5, expected an integer in -2147483648..2147483647 beside a tensor of i32',
    );
    expect(() => ops.sub(-1, tensor([1], { dtype: 'u32' }))).toThrow(
      'sub: a is -1, expected an integer in 0..4294967295 beside a tensor of u32',
    );
    expect(() => ops.expand(a, [2])).toThrow('expand: shape [3] does not broadcast to [2]');
    expect(() => ops.expand(any(tensor([1], { dtype: 'f16' })), [2])).toThrow(
      'expand: x is f16, expected f32, i32, u32 or bool',
    );
    const alternate = (first: number): Tensor =>
      tensor(new Float32Array(first === 2 ? 32 : 16), {
        shape: Array.from({ length: 9 }, (_, i) => (i % 2 === 0 ? first : 3 - first)),
      });
    expect(() => ops.add(alternate(2), alternate(1))).toThrow(
      'add: broadcasting [2,1,2,1,2,1,2,1,2] and [1,2,1,2,1,2,1,2,1] needs 9 separate axes, at most 8 are ' +
        'supported; reshape or expand first',
    );
  });
});
