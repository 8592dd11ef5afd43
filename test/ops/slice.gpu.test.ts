import { describe, expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import { cast, chunk, concat, flip, slice, split, type SliceOptions } from 'evenkeel/ops';
import { positions, take, takeGradient } from '../reference/slice.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { exact } from '../support/tolerance.ts';

type Entry = number | undefined;

/** What a slice takes from each axis, spelled out. */
function wanted(shape: readonly number[], { start, end, step, axes }: SliceOptions): number[][] {
  const list = (v: SliceOptions['start']): readonly Entry[] => (v === undefined ? [] : typeof v === 'number' ? [v] : v);
  const named = axes === undefined ? shape.map((_, i) => i) : [axes].flat().map((a) => (a < 0 ? a + shape.length : a));
  return shape.map((length, axis) => {
    const i = named.indexOf(axis);
    return i < 0
      ? positions(length, undefined, undefined)
      : positions(length, list(start)[i], list(end)[i], list(step)[i]);
  });
}

const cases: { shape: number[]; options: SliceOptions }[] = [
  { shape: [5], options: { start: 2, end: 2 } },
  { shape: [0, 3], options: { start: 1 } },
  { shape: [1], options: { end: 1 } },
  { shape: [31], options: { start: -7, end: -2 } },
  { shape: [33], options: { start: 1, step: 4 } },
  { shape: [33], options: { step: -1 } },
  { shape: [33], options: { start: -2, end: 3, step: -5 } },
  { shape: [257, 3], options: { start: 100, end: 200 } },
  { shape: [5, 7], options: { start: 1, end: -1, axes: -1 } },
  { shape: [5, 7], options: { start: [1, 2], end: [4, undefined], step: [2, 3] } },
  { shape: [2, 3, 4], options: { start: [undefined, -2], step: [-1, -1] } },
  { shape: [2, 3, 4], options: { start: [1, 0], end: [3, 1], axes: [2, 0] } },
  { shape: [4, 5], options: { start: -100, end: 100 } },
  { shape: [4, 5], options: { start: 100, end: -100, step: -1 } },
  { shape: [4, 5], options: { start: 100, end: 200 } },
  { shape: [4, 5], options: {} },
  { shape: [65537, 2], options: { start: 1, axes: 1 } },
];

describe('slice', () => {
  test.each(cases)('[$shape] $options', ({ shape, options }) => {
    const at = wanted(shape, options);
    return checkOp({
      inputs: [sample(shape)],
      run: (x) => slice(x, options),
      reference: (x) => take(x, at),
      gradient: (dy) => [takeGradient(dy, shape, at)],
      tolerance: exact,
    });
  });
  test('second gradient', () => {
    const options = { start: [1, -1], step: [2, -2] };
    const at = wanted([5, 7], options);
    return checkLinearTwice(
      sample([5, 7]),
      (x) => slice(x, options),
      (x) => take(x, at),
      (dy) => takeGradient(dy, [5, 7], at),
    );
  });
  test('more elements than one row of workgroups holds', async () => {
    const x = Uint32Array.from({ length: 2 * 4_300_000 }, (_, i) => i);
    const [y] = await readAll(() => [slice(tensor(x, { dtype: 'u32' }), { start: 1, step: 2 })]);
    expect(y!.length).toBe(4_300_000);
    expect(y!.findIndex((v, i) => v !== 2 * i + 1)).toBe(-1);
  });
  test('rows that lie together are copied without a dispatch', async () => {
    await gpu.sync();
    const before = gpu.counters.dispatches;
    const [y] = await readAll(() => [slice(tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] }), { start: 1 })]);
    expect(gpu.counters.dispatches).toBe(before);
    expect(Array.from(y!)).toEqual([3, 4, 5, 6]);
  });
});

test.each([
  { shape: [0, 3], axes: undefined },
  { shape: [1], axes: 0 },
  { shape: [31], axes: undefined },
  { shape: [3, 33], axes: [1] },
  { shape: [257, 2], axes: 0 },
  { shape: [2, 3, 5], axes: [-1, 1] },
  { shape: [2, 3, 5], axes: undefined },
  { shape: [2, 3, 5], axes: [] },
])('flip [$shape] along $axes', ({ shape, axes }) => {
  const over = axes === undefined ? shape.map((_, i) => i) : [axes].flat().map((a) => (a < 0 ? a + shape.length : a));
  const at = shape.map((d, i) => positions(d, undefined, undefined, over.includes(i) ? -1 : 1));
  return checkOp({
    inputs: [sample(shape)],
    run: (x) => flip(x, { axes }),
    reference: (x) => take(x, at),
    gradient: (dy) => [take(dy, at)],
    tolerance: exact,
  });
});

describe('split and chunk', () => {
  const x = sample([7, 3, 4]);
  test.each([
    { name: 'split by 3', run: (t: Tensor) => split(t, 3), sizes: [3, 3, 1], axis: 0 },
    { name: 'split by 9', run: (t: Tensor) => split(t, 9), sizes: [7], axis: 0 },
    { name: 'split by a list', run: (t: Tensor) => split(t, [2, 0, 5]), sizes: [2, 0, 5], axis: 0 },
    { name: 'split of axis -1', run: (t: Tensor) => split(t, [1, 3], { axis: -1 }), sizes: [1, 3], axis: 2 },
    { name: 'chunk in 4', run: (t: Tensor) => chunk(t, 4), sizes: [2, 2, 2, 1], axis: 0 },
    { name: 'chunk in 5, of which one is missing', run: (t: Tensor) => chunk(t, 5), sizes: [2, 2, 2, 1], axis: 0 },
    { name: 'chunk of axis 1', run: (t: Tensor) => chunk(t, 2, { axis: 1 }), sizes: [2, 1], axis: 1 },
  ])('$name', async ({ run, sizes, axis }) => {
    let first = 0;
    for (const [k, size] of sizes.entries()) {
      const at = x.shape.map((d, i) => positions(d, i === axis ? first : 0, i === axis ? first + size : d));
      first += size;
      await checkOp({
        inputs: [x],
        run: (t) => run(t)[k]!,
        reference: (t) => take(t, at),
        gradient: (dy) => [takeGradient(dy, x.shape, at)],
        tolerance: exact,
      });
    }
    expect(scope(() => run(tensor(x.data, { shape: x.shape })).length)).toBe(sizes.length);
  });
  test('put together again they are x, and so is the gradient', () =>
    checkOp({
      inputs: [x],
      run: (t) => concat(split(t, [2, 1, 1], { axis: 2 }), { axis: 2 }),
      reference: (t) => t,
      gradient: (dy) => [dy],
      tolerance: exact,
    }));
  test('an empty axis gives one empty piece', () => {
    scope(() => expect(split(tensor([], { shape: [0, 2] }), 3).map((t) => t.shape)).toEqual([[0, 2]]));
  });
});

test.each(['i32', 'u32', 'bool'] as const)('%s', async (dtype) => {
  const [a, b] = await readAll(() => {
    const x = tensor([1, 0, 1, 1], { dtype });
    return [slice(x, { start: 1, step: 2 }), flip(x)];
  });
  expect(Array.from(a!)).toEqual([0, 1]);
  expect(Array.from(b!)).toEqual([1, 1, 0, 1]);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(() => slice(x, { step: 0 })).toThrow('slice: step[0] is 0, expected an integer other than 0');
    expect(() => slice(x, { start: [0, 0.5] })).toThrow('slice: start[1] is 0.5, expected an integer');
    expect(() => slice(x, { end: NaN })).toThrow('slice: end[0] is NaN, expected an integer');
    expect(() => slice(x, { start: [0, 0, 0] })).toThrow('slice: got 3 entries for 3 axes, x has shape [2,3]');
    expect(() => slice(x, { start: [0, 0], axes: 1 })).toThrow('slice: got 2 entries for 1 axes, x has shape [2,3]');
    expect(() => slice(x, { start: 0, axes: 2 })).toThrow(
      'slice: axes are [2], expected different axes of a tensor of shape [2,3]',
    );
    expect(() => slice(x, { start: [0, 1], axes: [1, -1] })).toThrow(
      'slice: axes are [1,-1], expected different axes of a tensor of shape [2,3]',
    );
    expect(() => slice(cast(x, 'f16'), { start: 1 })).toThrow(
      'slice: x is f16, expected a type of four bytes; cast it first',
    );
    expect(() => flip(x, { axes: [0, 0] })).toThrow(
      'flip: axes are [0,0], expected different axes of a tensor of shape [2,3]',
    );
    expect(() => split(x, 0)).toThrow('split: size is 0, expected a positive integer');
    expect(() => split(x, [1, 2], { axis: 0 })).toThrow(
      'split: sizes are [1,2], expected non-negative integers that add up to 2, the size of axis 0 of [2,3]',
    );
    expect(() => split(x, [3, -1])).toThrow(
      'split: sizes are [3,-1], expected non-negative integers that add up to 2, the size of axis 0 of [2,3]',
    );
    expect(() => split(x, 1, { axis: -3 })).toThrow('split: axis is -3, x has shape [2,3]');
    expect(() => chunk(x, 1.5)).toThrow('chunk: chunks is 1.5, expected a positive integer');
  });
});
