import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor } from 'evenkeel';
import { avgPool2d, maxPool2d, sum } from 'evenkeel/ops';
import * as reference from '../reference/pool2d.ts';
import { checkOp, readAll, takeGrad } from '../support/check-op.ts';
import { distinct, sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';

interface Case extends reference.Window {
  x: number[];
}

const cases: Case[] = [
  { x: [0, 2, 4, 4], kernel: [2, 2], stride: [2, 2], padding: [0, 0] },
  { x: [1, 1, 1, 1], kernel: [1, 1], stride: [1, 1], padding: [0, 0] },
  { x: [2, 3, 6, 6], kernel: [2, 2], stride: [2, 2], padding: [0, 0] },
  { x: [2, 2, 7, 5], kernel: [2, 2], stride: [2, 2], padding: [0, 0] },
  { x: [1, 3, 7, 8], kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
  { x: [1, 2, 5, 6], kernel: [3, 3], stride: [1, 1], padding: [1, 1] },
  { x: [1, 2, 6, 9], kernel: [2, 3], stride: [1, 2], padding: [0, 1] },
  { x: [3, 5, 4, 4], kernel: [4, 4], stride: [4, 4], padding: [0, 0] },
  { x: [1, 1, 9, 9], kernel: [2, 2], stride: [3, 3], padding: [1, 1] },
  { x: [1, 31, 4, 3], kernel: [2, 2], stride: [1, 1], padding: [0, 0] },
];

test.each(cases)('maxPool2d of [$x], kernel $kernel, stride $stride, padding $padding', ({ x, ...g }) =>
  checkOp({
    inputs: [distinct(x)],
    run: (t) => maxPool2d(t, g.kernel, { stride: g.stride, padding: g.padding }),
    reference: (t) => reference.maxPool2d(t, g),
    gradient: (dy, t) => [reference.maxPool2dGradient(dy, t, g)],
    tolerance: exact,
    gradientTolerance: summed(g.kernel[0] * g.kernel[1]),
  }),
);

describe.each([true, false])('avgPool2d, countIncludePad %s', (countIncludePad) => {
  test.each(cases)('of [$x], kernel $kernel, stride $stride, padding $padding', ({ x, ...g }) => {
    const n = g.kernel[0] * g.kernel[1];
    return checkOp({
      inputs: [sample(x)],
      run: (t) => avgPool2d(t, g.kernel, { stride: g.stride, padding: g.padding, countIncludePad }),
      reference: (t) => reference.avgPool2d(t, g, countIncludePad),
      gradient: (dy, t) => [reference.avgPool2dGradient(dy, t, g, countIncludePad)],
      // The weight is a division (5 u) and a product (2 u).
      tolerance: summed(n, 7),
    });
  });
});

test('the first of equal maxima takes the gradient', async () => {
  const [y, g] = await readAll(() => {
    const x = requireGrad(tensor(new Float32Array(16).fill(3), { shape: [1, 1, 4, 4] }));
    const pooled = maxPool2d(x, 3, { stride: 1 });
    backward(sum(pooled));
    return [pooled, takeGrad(x)];
  });
  expect(Array.from(y!)).toEqual([3, 3, 3, 3]);
  expect(Array.from(g!)).toEqual([1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('all values negative: padding never wins', async () => {
  const [y] = await readAll(() => [maxPool2d(tensor([-4, -3, -2, -1], { shape: [1, 1, 2, 2] }), 2, { padding: 1 })]);
  expect(Array.from(y!)).toEqual([-4, -3, -2, -1]);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(16), { shape: [1, 1, 4, 4] });
    expect(() => maxPool2d(tensor([1, 2]), 2)).toThrow('maxPool2d: x has shape [2], expected rank 4');
    expect(() => maxPool2d(x, 0)).toThrow('maxPool2d: kernelSize is [0,0], expected integers of at least 1');
    expect(() => avgPool2d(x, 2, { stride: 0 })).toThrow('avgPool2d: stride is [0,0], expected integers of at least 1');
    expect(() => maxPool2d(x, 3, { padding: 2 })).toThrow('maxPool2d: padding is [2,2], expected at most half of the kernel [3,3]');
    expect(() => avgPool2d(x, 5)).toThrow('avgPool2d: x has shape [1,1,4,4], too small for a 5 x 5 window with padding [0,0]');
  });
});
