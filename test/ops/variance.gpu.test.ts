import { expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { std, sum, variance } from 'evenkeel/ops';
import { build, count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/variance.ts';
import { checkOp, expectWithin, readAll, takeGrad, upload } from '../support/check-op.ts';
import { checkTwice } from '../support/check-twice.ts';
import { sample } from '../support/sample.ts';
import { close } from '../support/tolerance.ts';

const cases: { shape: number[]; axes: number[]; correction?: number }[] = [
  { shape: [2], axes: [0] },
  { shape: [1], axes: [0], correction: 0 },
  { shape: [31], axes: [0] },
  { shape: [33, 7], axes: [0] },
  { shape: [7, 33], axes: [1], correction: 0 },
  { shape: [3, 4, 5], axes: [1], correction: 1.5 },
  { shape: [3, 4, 5], axes: [0, 2] },
  { shape: [2, 3, 2, 3, 4], axes: [0, 2, 4] },
  { shape: [0, 3], axes: [1] },
  { shape: [1031], axes: [0] },
  { shape: [3, 1031], axes: [1], correction: 0 },
  { shape: [5, 257, 3], axes: [0, 1] },
  { shape: [5, 257, 3], axes: [1, 2] },
  { shape: [31, 3, 57], axes: [0, 2] },
  { shape: [65_537, 3], axes: [1] },
];
const dropped = (y: Dense, axes: number[]): Dense => ({ ...y, shape: y.shape.filter((_, i) => !axes.includes(i)) });

const input = (shape: number[]): Dense => sample(shape, { low: -1, high: 3 });
// Deviations are of the size of x, and rounding of each is below 2 u of it; the sums have two stages of at most 512
// terms.
const bound = close(2e-5, 1e-6);

test.each(cases)('variance of [$shape] over [$axes]', ({ shape, axes, correction = 1 }) =>
  checkOp({
    inputs: [input(shape)],
    run: (x) => variance(x, { axes, correction }),
    reference: (x) => dropped(reference.variance(x, axes, correction), axes),
    gradient: (dy, x) => [reference.varianceGradient(dy, x, axes, correction)],
    tolerance: bound,
    gradientTolerance: bound,
  }),
);

// A single element has no deviation, and std has a kink there.
test.each(cases.filter(({ shape, axes }) => count(axes.map((a) => shape[a]!)) > 1))(
  'std of [$shape] over [$axes]',
  ({ shape, axes, correction = 1 }) =>
    checkOp({
      inputs: [input(shape)],
      run: (x) => std(x, { axes, correction, keepDim: true }),
      reference: (x) => reference.std(x, axes, correction),
      gradient: (dy, x) => [reference.stdGradient(dy, x, axes, correction)],
      tolerance: bound,
      // Where three values lie close together std divides by little.
      gradientTolerance: close(1e-3, 1e-5),
    }),
);

test.each(cases.slice(2, 8))('second gradients of [$shape] over [$axes]', async ({ shape, axes, correction = 1 }) => {
  const x = sample(shape);
  const kept = shape.map((d, i) => (axes.includes(i) ? 1 : d));
  await checkTwice(
    x,
    kept,
    (t) => variance(t, { axes, correction, keepDim: true }),
    (dy, t) => reference.varianceGradient(dy, t, axes, correction),
  );
  await checkTwice(
    x,
    kept,
    (t) => std(t, { axes, correction, keepDim: true }),
    (dy, t) => reference.stdGradient(dy, t, axes, correction),
  );
});

test.each([
  [[4096], [0]],
  [[7, 100], [1]],
  [[100, 7], [0]],
  [
    [9, 5, 200],
    [0, 2],
  ],
])('mean 1e4 and deviation 1, [%j] over %j', async (shape, axes) => {
  // Twelve uniform numbers make one that is about normal; f32 near 1e4 is a multiple of 1/1024, which the reference
  // sees too.
  const parts = Array.from({ length: 12 }, (_, seed) => sample(shape, { seed: seed + 50, low: -0.5, high: 0.5 }));
  const x = build(shape, (i) => Math.fround(1e4 + parts.reduce((t, p) => t + p.data[i]!, 0)));
  const dy = build(
    shape.map((d, i) => (axes.includes(i) ? 1 : d)),
    () => 1,
  );
  const [v, s, g] = await readAll(() => {
    const t = requireGrad(upload(x));
    const value = variance(t, { axes });
    backward(sum(value));
    return [value, std(upload(x), { axes }), takeGrad(t)];
  });
  expectWithin(v!, reference.variance(x, axes, 1), close(1e-6, 0), 'variance');
  expectWithin(s!, reference.std(x, axes, 1), close(1e-6, 0), 'std');
  expectWithin(g!, reference.varianceGradient(dy, x, axes, 1), close(1e-5, 1e-7), 'gradient');
});

test('an outlier in the first place, which the values are taken relative to', async () => {
  const x = build([1000], (i) => (i === 0 ? 1e6 : i % 3));
  const [v] = await readAll(() => [variance(upload(x))]);
  expectWithin(v!, reference.variance(x, [0], 1), close(1e-5, 0), 'variance');
});

test('equal elements: variance 0 exactly, and the gradient of std is 0', async () => {
  const [v, s, g] = await readAll(() => {
    const x = requireGrad(tensor(new Float32Array(1200).fill(0.1), { shape: [2, 600] }));
    const y = std(x, { axes: 1 });
    backward(sum(y));
    return [variance(x, { axes: 1 }), y, takeGrad(x)];
  });
  expect([...v!, ...s!]).toEqual([0, 0, 0, 0]);
  expect(g!.every((d) => d === 0)).toBe(true);
});

test('more than 65,535 workgroups of rows of one element', async () => {
  const [y] = await readAll(() => [
    variance(
      tensor(
        Float32Array.from({ length: 65_537 * 65 }, (_, i) => i % 100),
        { shape: [65_537 * 65, 1] },
      ),
      { axes: 1, correction: 0 },
    ),
  ]);
  expect(y!.every((v) => v === 0)).toBe(true);
});

test('without a scope only the results stay', () => {
  const x = upload(sample([3, 1031, 2]));
  for (const t of [x, variance(x), std(x, { axes: [0, 2] })]) t.dispose();
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(() => variance(x, { axes: [2] })).toThrow(
      'variance: axes are [2], expected different axes of a tensor of shape [2,3]',
    );
    expect(() => variance(x, { axes: 0, correction: 2 })).toThrow(
      'variance: correction is 2, expected less than the 2 elements reduced',
    );
    expect(() => std(tensor([1]))).toThrow('std: correction is 1, expected less than the 1 elements reduced');
    expect(() => std(x, { correction: NaN })).toThrow(
      'std: correction is NaN, expected less than the 6 elements reduced',
    );
    expect(() => std(tensor([], { shape: [2, 0] }), { axes: 1 })).toThrow(
      'std: x has shape [2,0], a reduced axis is empty',
    );
    expect(() => variance(tensor([1, 2], { dtype: 'i32' }) as unknown as Tensor)).toThrow(
      'variance: x is i32, expected f32',
    );
  });
});
