import { describe, expect, test } from 'vitest';
import { scope, tensor } from 'evenkeel';
import { cast, concat, stack } from 'evenkeel/ops';
import { concat as reference, concatGradient } from '../reference/concat.ts';
import { build, type Dense } from '../reference/dense.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { exact } from '../support/tolerance.ts';

/** Shapes equal but for one axis. */
const shapes = (shape: number[], axis: number, sizes: readonly number[]): number[][] =>
  sizes.map((n) => shape.map((d, i) => (i === axis ? n : d)));

const cases = [
  { shape: [0, 3], axis: 1, sizes: [3, 2] },
  { shape: [1], axis: 0, sizes: [1, 1] },
  { shape: [2, 5], axis: 0, sizes: [3] },
  { shape: [2, 31], axis: 0, sizes: [1, 0, 4] },
  { shape: [33, 2], axis: 1, sizes: [31, 2] },
  { shape: [257, 1, 3], axis: 1, sizes: [1, 2, 1] },
  { shape: [2, 3, 4], axis: 2, sizes: [4, 1, 5] },
  { shape: [3, 1], axis: 1, sizes: Array.from({ length: 17 }, (_, i) => (i % 4) + 1) },
  { shape: [7], axis: 0, sizes: Array.from({ length: 33 }, () => 3) },
  { shape: [65537, 1], axis: 1, sizes: [1, 2] },
];

describe('concat', () => {
  test.each(cases)('[$shape] with $sizes along $axis', ({ shape, axis, sizes }) => {
    const all = shapes(shape, axis, sizes);
    return checkOp({
      inputs: all.map((s, i) => sample(s, { seed: i + 1 })),
      run: (...x) => concat(x, { axis: axis - shape.length }),
      reference: (...x) => reference(x, axis),
      gradient: (dy) => concatGradient(dy, all, axis),
      tolerance: exact,
    });
  });

  test('a tensor may come twice', () => {
    const x = sample([3, 2]);
    return checkOp({
      inputs: [x],
      run: (t) => concat([t, t], { axis: 1 }),
      reference: (t) => reference([t, t], 1),
      gradient: (dy) => {
        const [a, b] = concatGradient(dy, [x.shape, x.shape], 1) as [Dense, Dense];
        return [build(x.shape, (i) => a.data[i]! + b.data[i]!)];
      },
      tolerance: exact,
      gradientTolerance: ({ want }) => Math.abs(want) * 2 ** -23,
    });
  });

  test('second gradient', () => {
    const other = sample([3, 4], { seed: 9 });
    const x = sample([3, 2]);
    const zeros = build(other.shape, () => 0);
    return checkLinearTwice(
      x,
      (t) => concat([tensor(zeros.data, { shape: zeros.shape }), t], { axis: 1 }),
      (t) => reference([zeros, t], 1),
      (dy) => concatGradient(dy, [other.shape, x.shape], 1)[1]!,
    );
  });

  test('one dispatch a tensor; none along the first axis, where elements stay together', async () => {
    for (const [axis, want] of [
      [0, 0],
      [1, 12],
    ] as const) {
      await gpu.sync();
      const before = gpu.counters.dispatches;
      scope(
        () =>
          void concat(
            Array.from({ length: 12 }, () => tensor(new Float32Array(6), { shape: [2, 3] })),
            { axis },
          ),
      );
      await gpu.sync();
      expect(gpu.counters.dispatches - before).toBe(want);
    }
  });

  test('more elements than one row of workgroups holds', async () => {
    const rows = 2_100_000;
    const column = (k: number): Uint32Array => Uint32Array.from({ length: rows }, (_, i) => 4 * i + k);
    const [y] = await readAll(() => [
      concat(
        [column(0), column(1), column(2)].map((data) => tensor(data, { shape: [rows, 1], dtype: 'u32' })),
        { axis: 1 },
      ),
    ]);
    expect(y!.findIndex((v, i) => v !== 4 * Math.floor(i / 3) + (i % 3))).toBe(-1);
  });
});

test.each([
  { shape: [2, 3], axis: 0, n: 2 },
  { shape: [2, 3], axis: 1, n: 4 },
  { shape: [2, 3], axis: -1, n: 9 },
  { shape: [], axis: 0, n: 3 },
  { shape: [0, 2], axis: 1, n: 2 },
])('stack $n of [$shape] at $axis', ({ shape, axis, n }) => {
  const at = axis < 0 ? axis + shape.length + 1 : axis;
  const one = [...shape.slice(0, at), 1, ...shape.slice(at)];
  return checkOp({
    inputs: Array.from({ length: n }, (_, i) => sample(shape, { seed: i + 1 })),
    run: (...x) => stack(x, { axis }),
    reference: (...x) =>
      reference(
        x.map((t) => ({ ...t, shape: one })),
        at,
      ),
    gradient: (dy) =>
      concatGradient(
        dy,
        Array.from({ length: n }, () => one),
        at,
      ).map((g) => ({ ...g, shape })),
    tolerance: exact,
  });
});

test.each(['i32', 'u32', 'bool'] as const)('%s', async (dtype) => {
  const [y, z] = await readAll(() => {
    const [a, b] = [tensor([1, 0], { dtype, shape: [2, 1] }), tensor([0, 1, 1, 0], { dtype, shape: [2, 2] })];
    return [concat([a, b], { axis: 1 }), stack([a, a])];
  });
  expect(Array.from(y!)).toEqual([1, 0, 1, 0, 1, 0]);
  expect(Array.from(z!)).toEqual([1, 0, 1, 0]);
});

test('errors', () => {
  scope(() => {
    const [x, y] = [tensor(new Float32Array(6), { shape: [2, 3] }), tensor(new Float32Array(4), { shape: [2, 2] })];
    expect(() => concat([])).toThrow('concat: tensors is empty, expected at least one tensor');
    expect(() => concat([x, y])).toThrow(
      'concat: tensors[1] has shape [2,2], expected that of tensors[0] [2,3] off axis 0',
    );
    expect(() => concat([x, tensor([1])], { axis: 1 })).toThrow(
      'concat: tensors[1] has shape [1], expected that of tensors[0] [2,3] off axis 1',
    );
    expect(() => concat([x], { axis: 2 })).toThrow('concat: axis is 2, x has shape [2,3]');
    expect(() => concat([x, cast(x, 'i32') as never])).toThrow('concat: tensors[1] is i32, expected f32 as tensors[0]');
    expect(() => concat([cast(x, 'f16')])).toThrow(
      'concat: tensors[0] is f16, expected a type of four bytes; cast it first',
    );
    expect(() => stack([x, y])).toThrow('stack: tensors[1] has shape [2,2], expected that of tensors[0] [2,3]');
    expect(() => stack([x], { axis: 4 })).toThrow('unsqueeze: axis is 4, expected -3..2 for shape [2,3]');
  });
});
