import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import {
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  avgPool2d,
  conv2d,
  globalAvgPool2d,
  globalMaxPool2d,
  maxPool2d,
  mul,
  sum,
} from 'evenkeel/ops';
import * as reference from '../reference/pool2d.ts';
import { build, type Dense } from '../reference/dense.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, expectSameBits, readAll, takeGrad } from '../support/check-op.ts';
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
  { x: [2, 2, 7, 7], kernel: [2, 2], stride: [2, 2], padding: [0, 0], ceilMode: true },
  { x: [1, 2, 7, 7], kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceilMode: true },
  // The last window would start behind the image: it is left out.
  { x: [1, 1, 5, 4], kernel: [2, 2], stride: [3, 3], padding: [1, 0], ceilMode: true },
  // One window, larger than the image.
  { x: [1, 2, 2, 4], kernel: [3, 5], stride: [2, 2], padding: [0, 0], ceilMode: true },
  { x: [1, 1, 1, 257], kernel: [1, 33], stride: [1, 31], padding: [0, 16], ceilMode: true },
];

const dilated: Case[] = [
  { x: [1, 2, 7, 7], kernel: [2, 2], stride: [1, 1], padding: [0, 0], dilation: [2, 2] },
  { x: [2, 1, 9, 8], kernel: [3, 2], stride: [2, 3], padding: [1, 1], dilation: [2, 3] },
  { x: [1, 2, 8, 9], kernel: [3, 3], stride: [3, 2], padding: [1, 1], dilation: [3, 2], ceilMode: true },
];

test.each([...cases, ...dilated])(
  'maxPool2d of [$x], kernel $kernel, stride $stride, padding $padding, dilation $dilation, ceilMode $ceilMode',
  ({ x, kernel, ...g }) =>
    checkOp({
      inputs: [distinct(x)],
      run: (t) => maxPool2d(t, kernel, g),
      reference: (t) => reference.maxPool2d(t, { kernel, ...g }),
      gradient: (dy, t) => [reference.maxPool2dGradient(dy, t, { kernel, ...g })],
      tolerance: exact,
      gradientTolerance: summed(kernel[0] * kernel[1]),
    }),
);

describe.each([true, false])('avgPool2d, countIncludePad %s', (countIncludePad) => {
  test.each(cases)(
    'of [$x], kernel $kernel, stride $stride, padding $padding, ceilMode $ceilMode',
    ({ x, kernel, ...g }) =>
      checkOp({
        inputs: [sample(x)],
        run: (t) => avgPool2d(t, kernel, { ...g, countIncludePad }),
        reference: (t) => reference.avgPool2d(t, { kernel, ...g }, countIncludePad),
        gradient: (dy, t) => [reference.avgPool2dGradient(dy, t, { kernel, ...g }, countIncludePad)],
        // The weight is a division (5 u) and a product (2 u).
        tolerance: summed(kernel[0] * kernel[1], 7),
      }),
  );
});

const parts: { x: number[]; to: [number, number] }[] = [
  { x: [0, 2, 4, 4], to: [2, 2] },
  { x: [1, 1, 1, 1], to: [1, 1] },
  { x: [2, 2, 7, 5], to: [1, 1] },
  { x: [2, 2, 7, 5], to: [3, 2] },
  { x: [1, 3, 6, 6], to: [3, 3] },
  { x: [2, 2, 3, 4], to: [5, 7] },
  { x: [1, 2, 8, 8], to: [5, 3] },
  { x: [1, 1, 31, 33], to: [7, 33] },
  { x: [1, 1, 2, 257], to: [2, 10] },
];

test.each(parts)('adaptiveAvgPool2d and adaptiveMaxPool2d of [$x] to $to', async ({ x, to }) => {
  const g: reference.Parts = { parts: to };
  const n = x[2]! * x[3]!;
  await checkOp({
    inputs: [sample(x)],
    run: (t) => adaptiveAvgPool2d(t, to),
    reference: (t) => reference.avgPool2d(t, g),
    gradient: (dy, t) => [reference.avgPool2dGradient(dy, t, g)],
    tolerance: summed(n, 7),
    gradientTolerance: summed(to[0] * to[1], 7),
  });
  await checkOp({
    inputs: [distinct(x)],
    run: (t) => adaptiveMaxPool2d(t, to),
    reference: (t) => reference.maxPool2d(t, g),
    gradient: (dy, t) => [reference.maxPool2dGradient(dy, t, g)],
    tolerance: exact,
    gradientTolerance: summed(to[0] * to[1]),
  });
});

test('globalAvgPool2d and globalMaxPool2d are one part', async () => {
  const x = distinct([2, 3, 5, 4]);
  const g: reference.Parts = { parts: [1, 1] };
  await checkOp({
    inputs: [x],
    run: globalAvgPool2d,
    reference: (t) => reference.avgPool2d(t, g),
    gradient: (dy, t) => [reference.avgPool2dGradient(dy, t, g)],
    tolerance: summed(20, 7),
  });
  await checkOp({
    inputs: [x],
    run: globalMaxPool2d,
    reference: (t) => reference.maxPool2d(t, g),
    gradient: (dy, t) => [reference.maxPool2dGradient(dy, t, g)],
    tolerance: exact,
  });
});

test('more elements than one grid row holds: windows of one element copy', async () => {
  const values = Float32Array.from({ length: 2_100_001 * 2 }, (_, i) => (i % 8191) - 4095);
  const [y, g] = await readAll(() => {
    const x = requireGrad(tensor(values, { shape: [2, 1, 1, 2_100_001] }));
    const pooled = maxPool2d(x, 1);
    backward(sum(mul(avgPool2d(pooled, 1), x.detach())));
    return [pooled, takeGrad(x)];
  });
  expectSameBits(y!, values, 'y');
  expectSameBits(g!, values, 'dx');
});

test('behind a relu, whose mask the pooling applies', async () => {
  const g: reference.Window = { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
  // A 1 x 1 convolution with weight 1 is the identity.
  const one: Dense = { shape: [1, 1, 1, 1], data: Float64Array.of(1) };
  const relu = (x: Dense): Dense => build(x.shape, (i) => Math.max(0, x.data[i]!));
  const masked = (dx: Dense, x: Dense): Dense => build(x.shape, (i) => (x.data[i]! > 0 ? dx.data[i]! : 0));
  const rectified = (x: Tensor, w: Tensor): Tensor => conv2d(x, w, null, { activation: 'relu' });
  const inputs = [sample([2, 1, 6, 4], { away: [0] }), one];
  await checkOp({
    inputs,
    run: (x, w) => avgPool2d(rectified(x, w), 2),
    reference: (x) => reference.avgPool2d(relu(x), g),
    gradient: (dy, x) => [masked(reference.avgPool2dGradient(dy, x, g), x), null],
    tolerance: summed(4, 9),
  });
  await checkOp({
    inputs,
    run: (x, w) => maxPool2d(rectified(x, w), 2),
    reference: (x) => reference.maxPool2d(relu(x), g),
    gradient: (dy, x) => [masked(reference.maxPool2dGradient(dy, relu(x), g), x), null],
    tolerance: summed(1),
  });
});

test('the gradient of the gradient', async () => {
  const x = distinct([2, 2, 6, 7]);
  const steps = { stride: [2, 1], padding: [1, 0] } as const;
  const g: reference.Window = { kernel: [3, 2], ...steps };
  await checkLinearTwice(
    x,
    (t) => avgPool2d(t, g.kernel, { ...steps, countIncludePad: false }),
    (t) => reference.avgPool2d(t, g, false),
    (dy) => reference.avgPool2dGradient(dy, x, g, false),
  );
  await checkLinearTwice(
    x,
    (t) => adaptiveAvgPool2d(t, [4, 3]),
    (t) => reference.avgPool2d(t, { parts: [4, 3] }),
    (dy) => reference.avgPool2dGradient(dy, x, { parts: [4, 3] }),
  );
  // Small changes of x leave the maxima where they are.
  await checkLinearTwice(
    x,
    (t) => maxPool2d(t, g.kernel, steps),
    (t) => reference.pickMaxima(t, x, g),
    (dy) => reference.maxPool2dGradient(dy, x, g),
  );
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
    expect(() => maxPool2d(x, 3, { padding: 2 })).toThrow(
      'maxPool2d: padding is [2,2], expected at most half of the kernel [3,3]',
    );
    expect(() => maxPool2d(x, 3, { dilation: 2 })).toThrow(
      'maxPool2d: x has shape [1,1,4,4], too small for a 3 x 3 window with padding [0,0] and dilation [2,2]',
    );
    expect(() => maxPool2d(x, 2, { padding: 1, dilation: 5 })).toThrow(
      'maxPool2d: x has shape [1,1,4,4], smaller than dilation [5,5], so that a window may hold nothing but padding',
    );
    expect(() => adaptiveAvgPool2d(x, 0)).toThrow(
      'adaptiveAvgPool2d: outputSize is [0,0], expected integers of at least 1',
    );
    const long = tensor(new Float32Array(70_000), { shape: [1, 1, 1, 70_000] });
    expect(() => adaptiveAvgPool2d(long, [1, 65_000])).toThrow(
      'adaptiveAvgPool2d: x has shape [1,1,1,70000] and outputSize is [1,65000], too large together',
    );
    expect(() => globalMaxPool2d(tensor([], { shape: [1, 1, 0, 4] }))).toThrow(
      'globalMaxPool2d: x has shape [1,1,0,4], expected height and width of at least 1',
    );
    expect(() => avgPool2d(x, 5)).toThrow(
      'avgPool2d: x has shape [1,1,4,4], too small for a 5 x 5 window with padding [0,0]',
    );
  });
});
