import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, zeros } from 'evenkeel';
import { argsort, cast, gather, mul, sort, sum, topk } from 'evenkeel/ops';
import type { DType } from '../../src/tensor/dtype.ts';
import { build, count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/sort.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, readAll, takeGrad, upload } from '../support/check-op.ts';
import { launchesOf } from '../support/launches.ts';
import { distinct, integers, sample } from '../support/sample.ts';
import { ALONG_AXIS } from '../support/shapes.ts';
import { exact } from '../support/tolerance.ts';
import { asTuned } from '../support/tuning.ts';

const cases: { shape: number[]; axis: number }[] = [
  ...ALONG_AXIS,
  { shape: [2, 257], axis: 1 },
  { shape: [1024], axis: 0 },
  // Longer rows, or too many comparisons: runs of 64 are merged.
  { shape: [1025], axis: 0 },
  { shape: [2, 1100, 3], axis: 1 },
  { shape: [3, 4099], axis: 1 },
  { shape: [300, 257], axis: 1 },
  { shape: [65_537, 3], axis: 1 },
];
/** Whole numbers with many ties. */
const tied = (shape: number[], bound = 9): Dense => {
  const values = integers(count(shape), bound, 12);
  return build(shape, (i) => values[i]! - Math.floor(bound / 2));
};
const expectSorted = async (
  made: () => readonly [ReturnType<typeof sort<DType>>, x: Dense, axis: number, descending: boolean, k: number],
): Promise<void> => {
  const [{ values, indices }, x, axis, descending, k] = scope(made);
  const [gotValues, gotIndices] = await readAll(() => [values, indices]);
  const places = reference.order(x, axis, descending, k);
  const wanted = reference.sorted(x, axis, descending, k);
  expect(indices.shape).toEqual(places.shape);
  expect(
    gotIndices!.findIndex((v, i) => v !== places.data[i]),
    'first wrong index',
  ).toBe(-1);
  expect(
    gotValues!.findIndex((v, i) => !Object.is(v, wanted.data[i])),
    'first wrong value',
  ).toBe(-1);
};

describe.each([false, true])('descending %s', (descending) => {
  test.each(cases)('sort of [$shape] along $axis', ({ shape, axis }) =>
    checkOp({
      inputs: [distinct(shape)],
      run: (x) => sort(x, { axis, descending }).values,
      reference: (x) => reference.sorted(x, axis, descending, x.shape[axis]!),
      gradient: (dy, x) => [reference.sortedGradient(dy, x, axis, descending)],
      tolerance: exact,
    }),
  );

  test.each(cases)('equal elements of [$shape] along $axis keep their order', async ({ shape, axis }) => {
    const x = tied(shape);
    await expectSorted(() => [sort(upload(x), { axis, descending }), x, axis, descending, shape[axis]!]);
    const [places] = await readAll(() => [argsort(upload(x), { axis, descending })]);
    expect(Array.from(places!)).toEqual(Array.from(reference.order(x, axis, descending, shape[axis]!).data));
  });

  test.each([[[40]], [[2000]]])('NaN is the largest, -0 equals 0, shape %j', async (shape) => {
    const special = [NaN, Infinity, -Infinity, 0, -0, 1e-40, -1e-40, 3.4e38, -3.4e38, 1, -1, NaN, 0, -0];
    const x = build(shape, (i) => Math.fround(special[(i * 5) % special.length]!));
    await expectSorted(() => [sort(upload(x), { descending }), x, 0, descending, shape[0]!]);
  });

  test.each(['i32', 'u32', 'bool'] as const)('%s', async (dtype) => {
    const ends = {
      i32: [-(2 ** 31), 2 ** 31 - 1, -1, 0, 1],
      u32: [2 ** 32 - 1, 2 ** 31, 2 ** 31 - 1, 0, 1],
      bool: [0, 1, 1, 0, 1],
    }[dtype];
    for (const n of [5, 33, 1500]) {
      const x = build([n], (i) => ends[(i * 7) % 5]!);
      await expectSorted(() => [sort(tensor(x.data, { dtype }), { descending }), x, 0, descending, n]);
      await expectSorted(() => [topk(tensor(x.data, { dtype }), { k: 4, largest: descending }), x, 0, descending, 4]);
    }
  });

  // k that count in blocks again and again (1, 3, 16), that merge (17, 63, 64, 65, 200), and all.
  test.each([0, 1, 3, 16, 17, 63, 64, 65, 200, 1100])('topk, k = %d', async (k) => {
    for (const [shape, axis] of [
      [[1100], 0],
      [[2, 1100, 3], 1],
      [[2, 8209], 1],
    ] as const) {
      const x = tied([...shape], 500);
      await expectSorted(() => [topk(upload(x), { k, axis, largest: descending }), x, axis, descending, k]);
    }
  });

  test.each(cases.filter(({ shape, axis }) => shape[axis]! > 2))('topk of [$shape] along $axis', ({ shape, axis }) =>
    checkOp({
      inputs: [distinct(shape)],
      run: (x) => topk(x, { k: 3, axis, largest: descending }).values,
      reference: (x) => reference.sorted(x, axis, descending, 3),
      gradient: (dy, x) => [reference.sortedGradient(dy, x, axis, descending)],
      tolerance: exact,
    }),
  );
});

describe('as a GPU sorts, by workgroups', () => {
  test.each([
    { shape: [256], axis: 0 },
    { shape: [257], axis: 0 },
    { shape: [3, 1024], axis: 1 },
    { shape: [2, 1025, 3], axis: 1 },
    { shape: [4099, 2], axis: 0 },
    { shape: [20_011], axis: 0 },
  ])('[$shape] along $axis', ({ shape, axis }) =>
    asTuned('hardware', async () => {
      const special = [NaN, Infinity, -Infinity, 0, -0, 1, -1];
      const ties = tied(shape, 99);
      const x = build(shape, (i) => (i % 5 ? ties.data[i]! : special[i % 7]!));
      for (const descending of [false, true]) {
        await expectSorted(() => [sort(upload(x), { axis, descending }), x, axis, descending, shape[axis]!]);
        for (const k of [1, 17, 256])
          await expectSorted(() => [topk(upload(x), { k, axis, largest: descending }), x, axis, descending, k]);
      }
    }),
  );

  test('in few dispatches', () =>
    asTuned('hardware', async () => {
      const kernels = (n: number): string[] => launchesOf(() => sort(zeros([n]))).map(({ kernel }) => kernel);
      expect(kernels(256)).toEqual(['sort.rank']);
      expect(kernels(1024)).toEqual(['sort.runs']);
      expect(kernels(4096)).toEqual(['sort.runs', 'sort.merge']);
      expect(kernels(100_000)).toEqual(['sort.runs', ...Array.from({ length: 4 }, () => 'sort.merge')]);
      expect(launchesOf(() => topk(zeros([64, 1000]), { k: 5 }))).toEqual([
        { kernel: 'sort.runs', invocations: 64 * 256 },
      ]);
    }));
});

test('second gradients', async () => {
  const x = distinct([5, 7]);
  const transposed = (k: number) => (dy: Dense) =>
    reference.sortedGradient({ shape: [5, k], data: dy.data }, x, 1, true);
  const applied =
    (k: number) =>
    (v: Dense): Dense => {
      const places = reference.order(x, 1, true, k);
      return build([5, k], (at) => v.data[Math.floor(at / k) * 7 + places.data[at]!]!);
    };
  await checkLinearTwice(x, (t) => sort(t, { descending: true }).values, applied(7), transposed(7));
  await checkLinearTwice(x, (t) => topk(t, { k: 3 }).values, applied(3), transposed(3));
});

test('a long row, and its indices gather it', async () => {
  const x = sample([100_003], { seed: 9 });
  const want = Float32Array.from(x.data).sort();
  const [values, gathered, top, g] = await readAll(() => {
    const t = requireGrad(upload(x));
    const made = sort(t);
    backward(sum(mul(made.values, cast(made.indices, 'f32'))));
    return [
      made.values,
      gather(upload(x), argsort(upload(x)), { axis: 0 }),
      topk(upload(x), { k: 5, largest: false }).values,
      takeGrad(t),
    ];
  });
  expect(values!.findIndex((v, i) => v !== want[i])).toBe(-1);
  expect(gathered!.findIndex((v, i) => v !== want[i])).toBe(-1);
  expect(Array.from(top!)).toEqual(Array.from(want.slice(0, 5)));
  // The element at place i got the factor i.
  expect(g!.findIndex((v, i) => v !== i)).toBe(-1);
});

test('more than 65,535 workgroups of elements', async () => {
  const n = 65_537 * 33;
  const values = integers(2 * n, 1000, 3);
  const [low, high] = await readAll(() => {
    const x = tensor(values, { shape: [n, 2] });
    return [sort(x).values, topk(x, { k: 1 }).values];
  });
  const wrong = Array.from({ length: n }, (_, i) => i).find((i) => {
    const [a, b] = [values[2 * i]!, values[2 * i + 1]!];
    return low![2 * i] !== Math.min(a, b) || low![2 * i + 1] !== Math.max(a, b) || high![i] !== Math.max(a, b);
  });
  expect(wrong).toBeUndefined();
});

test('without a scope only the results stay', () => {
  const x = upload(tied([2, 1100, 2]));
  for (const t of [
    x,
    ...Object.values(sort(x, { axis: 1 })),
    ...Object.values(topk(x, { k: 5, axis: 1 })),
    argsort(x, { axis: 1 }),
  ])
    t.dispose();
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(() => sort(x, { axis: 2 })).toThrow('sort: axis is 2, x has shape [2,3]');
    expect(() => argsort(x, { axis: -3 })).toThrow('argsort: axis is -3, x has shape [2,3]');
    expect(() => topk(x, { k: 4 })).toThrow('topk: k is 4, expected an integer in 0..3');
    expect(() => topk(x, { k: 1.5 })).toThrow('topk: k is 1.5, expected an integer in 0..3');
    expect(() => sort(tensor([1], { dtype: 'f16' }))).toThrow(
      'sort: x is f16, expected a type of four bytes; cast it first',
    );
  });
});
