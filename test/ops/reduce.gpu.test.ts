import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { all, any, argmax, argmin, max, mean, min, reshape, square, sum } from 'evenkeel/ops';
import type { DType } from '../../src/tensor/dtype.ts';
import { build, count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/reduce.ts';
import { checkOp, readAll, takeGrad, upload } from '../support/check-op.ts';
import { checkTwice } from '../support/check-twice.ts';
import { expectSameBits } from '../support/same-bits.ts';
import { distinct, integers, sample } from '../support/sample.ts';
import { OVER_AXES } from '../support/shapes.ts';
import { exact, summed, U, ulps } from '../support/tolerance.ts';

const cases: { shape: number[]; axes: number[] }[] = [
  ...OVER_AXES,
  { shape: [3, 1, 4], axes: [1] },
  // Over 512 elements to few results: two passes.
  { shape: [513], axes: [0] },
  { shape: [3, 1031], axes: [1] },
  { shape: [1031, 3], axes: [0] },
  { shape: [5, 257, 3], axes: [0, 1] },
];
const long = 70_001;
const dropped = (y: Dense, axes: number[]): Dense => ({ ...y, shape: y.shape.filter((_, i) => !axes.includes(i)) });
const terms = (shape: number[], axes: number[]): number => count(axes.map((a) => shape[a]!));

describe.each([true, false])('keepDim %s', (keepDim) => {
  const shaped = (y: Dense, axes: number[]): Dense => (keepDim ? y : dropped(y, axes));

  test.each([...cases, { shape: [0, 3], axes: [1] }, { shape: [2, 0], axes: [1] }])(
    'sum of [$shape] over [$axes]',
    ({ shape, axes }) =>
      checkOp({
        inputs: [sample(shape)],
        run: (x) => sum(x, { axes, keepDim }),
        reference: (x) => shaped(reference.sum(x, axes), axes),
        gradient: (dy, x) => [reference.sumGradient(dy, x, axes)],
        tolerance: summed(terms(shape, axes)),
        gradientTolerance: exact,
      }),
  );

  test.each(cases)('mean of [$shape] over [$axes]', ({ shape, axes }) => {
    const n = terms(shape, axes);
    return checkOp({
      inputs: [sample(shape)],
      run: (x) => mean(x, { axes, keepDim }),
      reference: (x) => shaped(reference.sum(x, axes, 1 / n), axes),
      gradient: (dy, x) => [reference.sumGradient(dy, x, axes, 1 / n)],
      // 1 / n is rounded, and so is the product with it.
      tolerance: summed(n, 3),
      gradientTolerance: ulps(2),
    });
  });

  test.each(cases)('max and min of [$shape] over [$axes]', async ({ shape, axes }) => {
    for (const [run, sign] of [
      [max, 1],
      [min, -1],
    ] as const) {
      await checkOp({
        inputs: [distinct(shape)],
        run: (x) => run(x, { axes, keepDim }),
        reference: (x) => shaped(reference.extreme(x, axes, sign), axes),
        gradient: (dy, x) => [reference.extremeGradient(dy, x, axes, sign)],
        tolerance: exact,
        // dy / 1 is exact on an adapter that divides exactly; WGSL allows 2.5 ULP.
        gradientTolerance: ulps(2.5),
      });
    }
  });
});

test.each([
  { shape: [7, 33], axis: 1 },
  { shape: [7, 33], axis: 0 },
  { shape: [3, 4, 5], axis: 1 },
  { shape: [257], axis: 0 },
  { shape: [0, 4], axis: 1 },
  { shape: [65_537, 3], axis: 1 },
  // Over 512 elements to few results: two passes.
  { shape: [513], axis: 0 },
  { shape: [2, 1031], axis: 1 },
  { shape: [3, 1031, 2], axis: 1 },
])('argmax and argmin of [$shape] along $axis take the first of equals', async ({ shape, axis }) => {
  const values = integers(count(shape), 4, 9);
  const x = build(shape, (i) => values[i]!);
  const got = await readAll(() => [argmax(upload(x), { axis }), argmin(upload(x), { axis })]);
  expect(got.map((v) => Array.from(v))).toEqual([reference.arg(x, axis, 1), reference.arg(x, axis, -1)]);
});

const INTEGERS = ['i32', 'u32'] as const;
const whole = (count: number, dtype: DType): number[] =>
  integers(count, 2000, 4).map((v) => (dtype === 'i32' ? v - 1000 : v));
const read = async (make: () => readonly Tensor<DType>[]): Promise<number[][]> =>
  (await readAll(make)).map((v) => Array.from(v));

test.each(INTEGERS)('sum, max, min, argmax and argmin of %s', async (dtype) => {
  for (const { shape, axes } of [...cases, { shape: [65_537, 3], axes: [0] }, { shape: [3, 65_537], axes: [0] }]) {
    const values = whole(count(shape), dtype);
    const x = build(shape, (i) => values[i]!);
    const got = await read(() => {
      const t = tensor(values, { shape, dtype });
      return [
        sum(t, { axes }),
        max(t, { axes }),
        min(t, { axes }),
        ...(axes.length === 1 ? [argmax(t, { axis: axes[0]! }), argmin(t, { axis: axes[0]! })] : []),
      ];
    });
    const want = [reference.sum(x, axes), reference.extreme(x, axes, 1), reference.extreme(x, axes, -1)].map((y) =>
      Array.from(y.data),
    );
    expect(got).toEqual([
      ...want,
      ...(axes.length === 1 ? [reference.arg(x, axes[0]!, 1), reference.arg(x, axes[0]!, -1)] : []),
    ]);
  }
});

test('integers at the ends of their range', async () => {
  const got = await read(() => {
    const [i, u] = [tensor([-(2 ** 31), 2 ** 31 - 1], { dtype: 'i32' }), tensor([2 ** 32 - 1, 2], { dtype: 'u32' })];
    return [max(i), min(i), sum(i), max(u), min(u), sum(u), argmax(u), argmin(i)];
  });
  expect(got).toEqual([[2 ** 31 - 1], [-(2 ** 31)], [-1], [2 ** 32 - 1], [2], [1], [0], [0]]);
});

test.each(['f32', ...INTEGERS, 'bool'] as const)('any and all of %s', async (dtype) => {
  for (const { shape, axes } of [
    ...cases,
    { shape: [0, 3], axes: [1] },
    { shape: [2, 0], axes: [1] },
    { shape: [65_537, 3], axes: [1] },
  ]) {
    const values = integers(count(shape), 3, 8).map((v) => Number(v > 0));
    // Rows of ones, and rows of zeros, too.
    const x = build(shape, (i) => (i % 7 < 3 ? i % 2 : values[i]!));
    for (const keepDim of [true, false]) {
      const made = scope(() => [any, all].map((f) => f(tensor(x.data, { shape, dtype }), { axes, keepDim })));
      const want = [false, true].map((every) => reference.truth(x, axes, every));
      expect(made.map((t) => t.dtype)).toEqual(['bool', 'bool']);
      expect(made[0]!.shape).toEqual((keepDim ? want[0]! : dropped(want[0]!, axes)).shape);
      expect(await read(() => made)).toEqual(want.map((y) => Array.from(y.data)));
    }
  }
});

test('any and all: what is small, negative or -0', async () => {
  const got = await read(() => [
    any(tensor([0, -0])),
    all(tensor([-1, 1e-30, Infinity])),
    any(tensor([])),
    all(tensor([])),
    all(tensor([2, -5], { dtype: 'i32' })),
  ]);
  expect(got).toEqual([[0], [1], [0], [1], [1]]);
});

test('rows of -Infinity, and of Infinity, keep it', async () => {
  const got = await read(() => [
    max(tensor([-Infinity, -Infinity])),
    min(tensor([Infinity, Infinity])),
    max(tensor([-Infinity, -3.4e38])),
    argmax(tensor([-Infinity, -3.4e38])),
  ]);
  expect(got).toEqual([[-Infinity], [Infinity], [Math.fround(-3.4e38)], [1]]);
});

test('argmax and argmin of all of x', async () => {
  const x = distinct([3, 5, 67]);
  const flat = build([x.data.length], (i) => x.data[i]!);
  const got = await read(() => [
    argmax(upload(x), { axis: null }),
    argmin(upload(x), { axis: null }),
    argmax(tensor(7), { axis: null }),
  ]);
  expect(got).toEqual([reference.arg(flat, 0, 1), reference.arg(flat, 0, -1), [0]]);
});

test('more than 65,535 workgroups of results', async () => {
  const values = integers(65_537 * 65, 1000, 3);
  const [total, largest, truth, place] = await readAll(() => {
    const x = tensor(values, { shape: [values.length, 1] });
    return [
      sum(x, { axes: 1 }),
      max(x, { axes: 1 }),
      any(x, { axes: 1 }),
      argmax(reshape(x, [1, values.length]), { axis: 0 }),
    ];
  });
  expect(
    values.findIndex((v, i) => v !== total![i] || v !== largest![i] || Number(v > 0) !== truth![i] || place![i] !== 0),
  ).toBe(-1);
});

test.each(cases.slice(0, 6))(
  'second gradient of mean of squares and of max, [$shape] over [$axes]',
  async ({ shape, axes }) => {
    const kept = reference.keptShape(shape, axes);
    const squares = (x: Dense): Dense => build(shape, (i) => x.data[i]! ** 2);
    const chain = (g: Dense, x: Dense): Dense => build(shape, (i) => 2 * x.data[i]! * g.data[i]!);
    await checkTwice(
      sample(shape),
      kept,
      (x) => mean(square(x), { axes, keepDim: true }),
      (dy, x) => chain(reference.sumGradient(dy, x, axes, 1 / terms(shape, axes)), x),
    );
    const apart = build(shape, (i) => distinct(shape).data[i]! / 8 + 40);
    await checkTwice(
      apart,
      kept,
      (x) => max(square(x), { axes, keepDim: true }),
      (dy, x) => chain(reference.extremeGradient(dy, squares(x), axes, 1), x),
    );
  },
);

test('equal maxima share the gradient evenly', async () => {
  const [g] = await readAll(() => {
    const x = requireGrad(tensor([3, 1, 3, 3, 0, 2], { shape: [2, 3] }));
    backward(sum(max(x, { axes: 1 })));
    return [takeGrad(x)];
  });
  expect(Array.from(g!)).toEqual([0.5, 0, 0.5, 1, 0, 0]);
});

test('a long sum stays within the tree bound', async () => {
  const x = sample([long], { low: -1, high: 1 });
  const want = reference.sum(x, [0]);
  const [y] = await readAll(() => [sum(upload(x))]);
  // 256 parts of at most 274 terms, four sums side by side in each.
  expect(Math.abs(y![0]! - want.data[0]!)).toBeLessThanOrEqual((274 / 4 + 256 / 4 + 8) * U * want.sum![0]!);
});

test('without a scope only the results stay', () => {
  const x = upload(sample([3, 1031, 2]));
  for (const t of [
    x,
    sum(x),
    mean(x, { axes: [0, 2] }),
    max(x),
    any(x),
    argmax(x, { axis: null }),
    argmin(x, { axis: 1 }),
  ])
    t.dispose();
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(() => sum(x, { axes: [2] })).toThrow(
      'sum: axes are [2], expected different axes of a tensor of shape [2,3]',
    );
    expect(() => mean(x, { axes: [1, -1] })).toThrow(
      'mean: axes are [1,-1], expected different axes of a tensor of shape [2,3]',
    );
    expect(() => max(tensor([], { shape: [2, 0] }), { axes: 1 })).toThrow(
      'max: x has shape [2,0], a reduced axis is empty',
    );
    expect(() => argmax(tensor([], { shape: [2, 0] }))).toThrow('argmax: axis -1 of shape [2,0] is empty');
    expect(() => argmin(x, { axis: 3 })).toThrow('argmin: axis is 3, x has shape [2,3]');
    expect(() => argmin(tensor([], { shape: [2, 0] }), { axis: null })).toThrow('argmin: x of shape [2,0] is empty');
    expect(() => sum(tensor([1], { dtype: 'bool' }) as unknown as Tensor)).toThrow(
      'sum: x is bool, expected f32, i32 or u32',
    );
    expect(() => max(tensor([1], { dtype: 'f16' }) as unknown as Tensor)).toThrow(
      'max: x is f16, expected f32, i32 or u32',
    );
    expect(() => mean(tensor([1], { dtype: 'i32' }) as unknown as Tensor)).toThrow('mean: x is i32, expected f32');
    expect(() => argmax(tensor([1], { dtype: 'bool' }) as unknown as Tensor)).toThrow(
      'argmax: x is bool, expected f32, i32 or u32',
    );
    expect(() => any(tensor([1], { dtype: 'f16' }) as unknown as Tensor)).toThrow(
      'any: x is f16, expected f32, i32, u32 or bool',
    );
    expect(() => all(x, { axes: [0, 0] })).toThrow(
      'all: axes are [0,0], expected different axes of a tensor of shape [2,3]',
    );
  });
});

test.each([
  { shape: [1, 1] },
  { shape: [3, 7] },
  { shape: [5, 8] },
  { shape: [9, 65] },
  { shape: [70, 513] },
  { shape: [2, 2049] },
  { shape: [1, 300_001] },
])('[$shape]: sums, extremes and places have the same bits in both tunings', ({ shape }) =>
  expectSameBits(() => {
    const x = upload(sample(shape));
    return [0, 1].flatMap((axes) => [
      sum(x, { axes }),
      mean(x, { axes }),
      max(x, { axes }),
      min(x, { axes }),
      argmax(x, { axis: axes }),
    ]);
  }),
);
