import { describe, expect, test } from 'vitest';
import { scope, tensor, zeros, type Tensor } from 'evenkeel';
import { cast } from 'evenkeel/ops';
import { copyIn, copyOut, takeView, type StridedView } from '../../src/ops/strided.ts';
import * as reference from '../reference/strided.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { launchesOf } from '../support/launches.ts';
import { sample } from '../support/sample.ts';
import { exact } from '../support/tolerance.ts';
import { asTuned } from '../support/tuning.ts';

const binary = (n: number): number[] => Array.from({ length: n }, () => 2);
const powers = (n: number): number[] => Array.from({ length: n }, (_, i) => 2 ** i);

const views: { name: string; size: number; view: StridedView }[] = [
  { name: 'empty', size: 5, view: { shape: [3, 0, 2], strides: [1, 1, 1], offset: 0 } },
  { name: 'one element', size: 5, view: { shape: [], strides: [], offset: 3 } },
  { name: 'a run', size: 100, view: { shape: [3, 31], strides: [31, 1], offset: 5 } },
  { name: 'every third, backwards', size: 100, view: { shape: [33], strides: [-3], offset: 98 } },
  { name: 'a transposed matrix', size: 31 * 33, view: { shape: [33, 31], strides: [1, 33], offset: 0 } },
  { name: 'a block of 257 columns', size: 3 * 300, view: { shape: [3, 257], strides: [300, 1], offset: 21 } },
  {
    name: 'five axes that join to three',
    size: 720,
    view: { shape: [2, 3, 4, 5, 6], strides: [60, 20, 5, 1, 120], offset: 0 },
  },
  { name: 'ten axes of 2 in reverse', size: 1024, view: { shape: binary(10), strides: powers(10), offset: 0 } },
  { name: 'sixteen axes of 2 in reverse', size: 65536, view: { shape: binary(16), strides: powers(16), offset: 0 } },
  { name: 'axes of 1 of any stride', size: 12, view: { shape: [1, 3, 1, 4], strides: [7, 1, 9, 3], offset: 0 } },
];

test.each(views)('$name', ({ size, view }) =>
  checkOp({
    inputs: [sample([size])],
    run: (x) => takeView('view', x, view),
    reference: (x) => reference.take(x, view),
    gradient: (dy) => [reference.place(dy, [size], view)],
    tolerance: exact,
  }),
);

test.each(views.filter(({ view }) => !view.shape.includes(0)))('$name: second gradient', ({ size, view }) =>
  checkLinearTwice(
    sample([size]),
    (x) => takeView('view', x, view),
    (x) => reference.take(x, view),
    (dy) => reference.place(dy, [size], view),
  ),
);

const TRANSPOSED: { name: string; size: number; view: StridedView }[] = [
  { name: 'ragged tiles', size: 47 * 70, view: { shape: [70, 47], strides: [1, 70], offset: 0 } },
  { name: 'one tile', size: 32 * 32, view: { shape: [32, 32], strides: [1, 32], offset: 0 } },
  { name: 'part of a matrix, backwards', size: 50 * 60, view: { shape: [40, 33], strides: [-1, 60], offset: 49 } },
  {
    name: 'images to channels last',
    size: 3 * 17 * 20 * 2,
    view: { shape: [3, 20, 2, 17], strides: [17 * 40, 2, 1, 40], offset: 0 },
  },
  {
    name: 'four axes in reverse',
    size: 16 * 5 * 3 * 33,
    view: { shape: [33, 3, 5, 16], strides: [1, 33, 99, 495], offset: 0 },
  },
];

test.each(TRANSPOSED)('$name, through workgroup memory', ({ size, view }) =>
  asTuned('hardware', async () => {
    expect(launchesOf(() => copyOut('view', zeros([size]), view)).map(({ kernel }) => kernel)).toEqual([
      'strided.transpose',
    ]);
    await checkOp({
      inputs: [sample([size])],
      run: (x) => takeView('view', x, view),
      reference: (x) => reference.take(x, view),
      gradient: (dy) => [reference.place(dy, [size], view)],
      tolerance: exact,
    });
  }),
);

test('more elements than one row of workgroups holds', async () => {
  const [rows, cols] = [2049, 2063];
  const x = Int32Array.from({ length: rows * cols }, (_, i) => i);
  const [y] = await readAll(() => [
    copyOut('view', tensor(x, { dtype: 'i32' }), { shape: [cols, rows], strides: [-1, cols], offset: cols - 1 }),
  ]);
  expect(y!.findIndex((v, i) => v !== (i % rows) * cols + cols - 1 - Math.floor(i / rows))).toBe(-1);
});

describe('what is launched', () => {
  const dispatches = async (make: () => unknown): Promise<number> => {
    await gpu.sync();
    const before = gpu.counters.dispatches;
    scope(() => void make());
    await gpu.sync();
    return gpu.counters.dispatches - before;
  };

  test('all elements in order share memory', () => {
    scope(() => {
      const x = tensor(new Float32Array(12));
      const y = copyOut('view', x, { shape: [3, 1, 4], strides: [4, 99, 1], offset: 0 });
      expect(y.storage).toBe(x.storage);
      expect(y.shape).toEqual([3, 1, 4]);
    });
  });
  test('a run is copied without a dispatch, both ways; other views take one', async () => {
    const run = { shape: [2, 3], strides: [3, 1], offset: 4 };
    const apart = { shape: [2, 3], strides: [4, 1], offset: 1 };
    for (const [view, want] of [
      [run, 0],
      [apart, 1],
    ] as const) {
      expect(await dispatches(() => copyOut('view', tensor(new Float32Array(12)), view))).toBe(want);
      expect(
        await dispatches(() =>
          copyIn('view', tensor(new Float32Array(12)), view, tensor(new Float32Array(6), { shape: [2, 3] })),
        ),
      ).toBe(want);
    }
  });
});

test.each(['f32', 'i32', 'u32', 'bool'] as const)('%s, and the rest of the target stays', async (dtype) => {
  const values = {
    bool: [1, 0, 1, 1, 0, 1],
    i32: [3, -1, 7, -2147483648, 0, 1],
    u32: [3, 4294967295, 7, 2147483648, 0, 1],
    f32: [3, 4294967295, 7, 2147483648, 0, 1],
  }[dtype];
  const [taken, placed] = await readAll(() => {
    const x = tensor(values, { dtype }) as Tensor;
    const y = tensor(values, { dtype }) as Tensor;
    copyIn('view', y, { shape: [2], strides: [-3], offset: 5 }, tensor([0, 1], { dtype }));
    return [copyOut('view', x, { shape: [3], strides: [-2], offset: 5 }), y];
  });
  const stored = Array.from(
    dtype === 'f32' ? Float32Array.from(values) : dtype === 'i32' ? Int32Array.from(values) : values,
  );
  expect(Array.from(taken!)).toEqual([stored[5], stored[3], stored[1]]);
  expect(Array.from(placed!)).toEqual([stored[0], stored[1], 1, stored[3], stored[4], 0]);
});

test('NaN keeps its bits', async () => {
  const bits = Uint32Array.of(0x7fc12345, 1, 0xffc00001, 2);
  const [y] = await readAll(() => [
    copyOut('view', tensor(new Float32Array(bits.buffer)), { shape: [2], strides: [-2], offset: 2 }),
  ]);
  expect(Array.from(new Uint32Array(y!.buffer))).toEqual([0xffc00001, 0x7fc12345]);
});

test('errors', () => {
  scope(() => {
    const many = { shape: binary(17), strides: powers(17), offset: 0 };
    expect(() => copyOut('permute', tensor(new Float32Array(2 ** 17)), many)).toThrow(
      'permute: shape [2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2] has 17 separate axes longer than 1, at most 16 are supported',
    );
    const half = cast(tensor([1, 2]), 'f16');
    expect(() => copyOut('slice', half, { shape: [1], strides: [1], offset: 0 })).toThrow(
      'slice: x is f16, expected a type of four bytes; cast it first',
    );
  });
});
