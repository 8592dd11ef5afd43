import { describe, expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import { pad, type PadOptions } from 'evenkeel/ops';
import * as reference from '../reference/pad.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';

const modes: reference.Mode[] = ['constant', 'reflect', 'replicate', 'circular'];
const cases: { x: number[]; pads: number[] }[] = [
  { x: [0, 3], pads: [1, 1] },
  { x: [2, 2, 5, 4], pads: [1, 2, 3, 0] },
  { x: [2, 2, 5, 4], pads: [0, 0, 1, 1] },
  { x: [2, 2, 5, 4], pads: [-1, -1, 0, -2] },
  { x: [1, 2, 5, 4], pads: [2, 1, 1, 3] },
  { x: [7], pads: [3, 6] },
  { x: [5, 1], pads: [0, 0, -2, 4] },
  { x: [2, 3, 2, 3, 2], pads: [1, 1, 2, -1, 0, 1, 1, 2] },
  { x: [31, 33], pads: [-5, 32, 30, -30] },
  { x: [257, 2, 2], pads: [1, 0] },
  { x: [3, 4], pads: [] },
  // Everything is cut off.
  { x: [2, 3], pads: [-1, -2] },
];

describe.each(modes)('mode %s', (mode) => {
  test.each(cases)('of [$x], pads [$pads]', ({ x, pads }) =>
    checkOp({
      inputs: [sample(x)],
      run: (t) => pad(t, pads, { mode, value: 0.5 }),
      reference: (t) => reference.pad(t, pads, mode, 0.5),
      gradient: (dy) => [reference.padGradient(dy, x, pads, mode)],
      tolerance: exact,
      gradientTolerance: summed(mode === 'replicate' ? 64 : 9),
    }),
  );

  test('the gradient of the gradient', () => {
    const x = sample([2, 4, 5]);
    const pads = [2, 3, 1, -1];
    return checkLinearTwice(
      x,
      (t) => pad(t, pads, { mode }),
      (t) => reference.pad(t, pads, mode),
      (dy) => reference.padGradient(dy, x.shape, pads, mode),
    );
  });
});

test('replicate may add more than the axis has, and constants may surround nothing', async () => {
  await checkOp({
    inputs: [sample([1, 2])],
    run: (t) => pad(t, [5, 7, 3, 0], { mode: 'replicate' }),
    reference: (t) => reference.pad(t, [5, 7, 3, 0], 'replicate'),
    gradient: (dy) => [reference.padGradient(dy, [1, 2], [5, 7, 3, 0], 'replicate')],
    tolerance: exact,
    gradientTolerance: summed(32),
  });
  await checkOp({
    inputs: [sample([0])],
    run: (t) => pad(t, [2, 1], { value: -3 }),
    reference: (t) => reference.pad(t, [2, 1], 'constant', -3),
    tolerance: exact,
  });
});

test('more elements than one grid row holds', () => {
  const pads = [1, 0, 699_997, 0];
  return checkOp({
    inputs: [sample([3, 5])],
    run: (t) => pad(t, pads),
    reference: (t) => reference.pad(t, pads, 'constant'),
    tolerance: exact,
  });
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(12), { shape: [3, 4] });
    const run = (pads: number[], options?: PadOptions) => () => pad(x, pads, options);
    expect(() => pad(tensor([1, 2], { dtype: 'i32' }) as unknown as Tensor, [1, 1])).toThrow(
      'pad: x is i32, expected f32',
    );
    expect(run([1])).toThrow('pad: pads are [1], expected two integers for each of at most 2 axes of x [3,4]');
    expect(run([1, 0.5])).toThrow('pad: pads are [1,0.5], expected two integers for each of at most 2 axes of x [3,4]');
    expect(run([0, 0, 0, 0, 1, 1])).toThrow(
      'pad: pads are [0,0,0,0,1,1], expected two integers for each of at most 2 axes of x [3,4]',
    );
    expect(run([-3, -2])).toThrow('pad: pads are [-3,-2], which cut more off axis 1 of x [3,4] than it has');
    expect(run([1, 1, 3, 0], { mode: 'reflect' })).toThrow(
      'pad: pads are [1,1,3,0], reflect adds at most 2 to axis 0 of x [3,4]',
    );
    expect(run([5, 0], { mode: 'circular' })).toThrow(
      'pad: pads are [5,0], circular adds at most 4 to axis 1 of x [3,4]',
    );
    expect(run([1, 1], { mode: 'zero' as 'constant' })).toThrow(
      "pad: mode is 'zero', expected 'constant', 'reflect', 'replicate' or 'circular'",
    );
  });
});
