import { describe, expect, test } from 'vitest';
import { scope, tensor, zeros, type Tensor } from 'evenkeel';
import { cumsum } from 'evenkeel/ops';
import { build, count } from '../reference/dense.ts';
import { cumsum as reference } from '../reference/cumsum.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, expectSameBits, expectWithin, readAll, upload } from '../support/check-op.ts';
import { launchesOf } from '../support/launches.ts';
import { integers, sample } from '../support/sample.ts';
import { ALONG_AXIS } from '../support/shapes.ts';
import { summed } from '../support/tolerance.ts';
import { asTuned } from '../support/tuning.ts';

const cases: { shape: number[]; axis: number }[] = [
  ...ALONG_AXIS,
  { shape: [7, 33], axis: -1 },
  // Over 512 elements in few rows: in pieces.
  { shape: [513], axis: 0 },
  { shape: [3, 1031], axis: 1 },
  { shape: [1031, 3], axis: 0 },
  { shape: [2, 1000, 3], axis: 1 },
  { shape: [65_537, 3], axis: 1 },
];

describe.each([{}, { exclusive: true }, { reverse: true }, { exclusive: true, reverse: true }])('%j', (how) => {
  test.each(cases)('[$shape] along $axis', ({ shape, axis }) => {
    const length = shape.at(axis)!;
    return checkOp({
      inputs: [sample(shape)],
      run: (x) => cumsum(x, { axis, ...how }),
      reference: (x) => reference(x, axis, how),
      gradient: (dy) => [reference(dy, axis, { ...how, reverse: !how.reverse })],
      tolerance: summed(length),
      gradientTolerance: summed(length),
    });
  });

  test('second gradient', () =>
    checkLinearTwice(
      sample([5, 7]),
      (x) => cumsum(x, { axis: 0, ...how }),
      (x) => reference(x, 0, how),
      (dy) => reference(dy, 0, { ...how, reverse: !how.reverse }),
    ));

  test.each(['i32', 'u32'] as const)('%s', async (dtype) => {
    for (const { shape, axis } of cases) {
      const values = integers(count(shape), 100, 6).map((v) => (dtype === 'i32' ? v - 50 : v));
      const [y] = await readAll(() => [cumsum(tensor(values, { shape, dtype }), { axis, ...how })]);
      expect(Array.from(y!)).toEqual(
        Array.from(
          reference(
            build(shape, (i) => values[i]!),
            axis,
            how,
          ).data,
          (v) => v + 0,
        ),
      );
    }
  });
});

test('a long row: its error grows with the square root of its length', async () => {
  const n = 300_007;
  const x = sample([n], { low: -1, high: 1 });
  const want = reference(x, 0);
  const [y] = await readAll(() => [cumsum(tensor(x.data))]);
  const bound = summed(2 * Math.ceil(Math.sqrt(n)));
  expect(
    y!.findIndex(
      (v, i) => !(Math.abs(v - want.data[i]!) <= bound({ want: want.data[i]!, sum: want.sum![i]!, i, inputs: [] })),
    ),
  ).toBe(-1);
});

describe('on either tuning', () => {
  test.each([
    ...cases,
    { shape: [512], axis: 0 },
    { shape: [5, 65], axis: 1 },
    { shape: [5000, 65], axis: 1 },
    { shape: [3, 1537], axis: 1 },
    { shape: [2, 1500, 33], axis: 1 },
    { shape: [300_007], axis: 0 },
  ])('[$shape] along $axis has the same bits', async ({ shape, axis }) => {
    const x = sample(shape, { seed: 4 });
    // NaN and infinities spoil what follows them, and nothing before.
    const spoilt = build(shape, (i) => (i % 411 === 410 ? [Infinity, 3e38, -3e38, NaN][i % 4]! : x.data[i]!));
    for (const how of [{}, { exclusive: true, reverse: true }] as const) {
      const made: Float32Array[][] = [];
      for (const kind of ['software', 'hardware'] as const)
        await asTuned(kind, async () => {
          made.push(await readAll(() => [x, spoilt].map((t) => cumsum(upload(t), { axis, ...how }))));
        });
      for (const k of [0, 1]) expectSameBits(made[1]![k]!, made[0]![k]!, `input ${k}`);
      expectWithin(made[1]![0]!, reference(x, axis, how), summed(shape[axis]!), 'hardware');
    }
  });

  test('integers, from the end', () =>
    asTuned('hardware', async () => {
      const values = integers(3 * 2000, 100, 6);
      const [y] = await readAll(() => [cumsum(tensor(values, { shape: [3, 2000], dtype: 'i32' }), { reverse: true })]);
      const want = reference(
        build([3, 2000], (i) => values[i]!),
        1,
        { reverse: true },
      );
      expect(Array.from(y!)).toEqual(Array.from(want.data));
    }));

  test('a GPU gets at least 16,384 lanes for a million elements, and few dispatches', () =>
    asTuned('hardware', async () => {
      const launched = launchesOf(() => cumsum(zeros([1_000_000])));
      expect(launched.map(({ kernel }) => kernel)).toEqual(['cumsum.shared_', 'cumsum.shared_', 'cumsum.shared_']);
      for (const i of [0, 2]) expect(launched[i]!.invocations).toBeGreaterThanOrEqual(16_384);
      expect(launchesOf(() => cumsum(zeros([4096, 1000])))).toEqual([
        { kernel: 'cumsum.shared_', invocations: 64 * 4096 },
      ]);
    }));
});

test('more than 65,535 workgroups of rows', async () => {
  const values = integers(65_537 * 130, 1000, 3);
  const [y] = await readAll(() => [cumsum(tensor(values, { shape: [values.length / 2, 2], dtype: 'i32' }))]);
  expect(values.findIndex((v, i) => y![i] !== (i % 2 ? values[i - 1]! + v : v))).toBe(-1);
});

test('without a scope only the results stay', () => {
  const x = tensor(sample([3, 1031, 2]).data, { shape: [3, 1031, 2] });
  for (const t of [x, cumsum(x, { axis: 1 }), cumsum(x, { axis: 0, reverse: true })]) t.dispose();
});

test('errors', () => {
  scope(() => {
    expect(() => cumsum(tensor([1, 2]), { axis: 1 })).toThrow('cumsum: axis is 1, x has shape [2]');
    expect(() => cumsum(tensor([1], { dtype: 'bool' }) as unknown as Tensor)).toThrow(
      'cumsum: x is bool, expected f32, i32 or u32',
    );
  });
});
