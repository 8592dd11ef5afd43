import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { argmax, argmin, max, mean, min, norm, sum } from 'evenkeel/ops';
import { build, count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/reduce.ts';
import { checkOp, readAll, takeGrad, upload } from '../support/check-op.ts';
import { distinct, integers, sample } from '../support/sample.ts';
import { exact, summed, U, ulps } from '../support/tolerance.ts';

const cases: { shape: number[]; axes: number[] }[] = [
  { shape: [1], axes: [0] },
  { shape: [31], axes: [0] },
  { shape: [33, 7], axes: [0] },
  { shape: [7, 33], axes: [1] },
  { shape: [3, 4, 5], axes: [1] },
  { shape: [3, 4, 5], axes: [0, 2] },
  { shape: [2, 3, 2, 3], axes: [0, 2, 3] },
  { shape: [3, 1, 4], axes: [1] },
  { shape: [], axes: [] },
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

  test.each([...cases, { shape: [0, 3], axes: [1] }, { shape: [2, 0], axes: [1] }])('sum of [$shape] over [$axes]', ({ shape, axes }) =>
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
    for (const [run, sign] of [[max, 1], [min, -1]] as const) {
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

test.each(cases.slice(0, 6))('norm of [$shape] over [$axes]', ({ shape, axes }) => {
  const n = terms(shape, axes);
  return checkOp({
    inputs: [sample(shape, { low: 0.1, high: 3 })],
    run: (x) => norm(x, { axes }),
    reference: (x) => dropped(reference.norm(x, axes), axes),
    gradient: (dy, x) => [reference.normGradient({ ...dy, shape: reference.keptShape(shape, axes) }, x, axes)],
    // Half of the relative error of the sum of squares (n + 3 + 2 u), and 5 ULP of the root.
    tolerance: ({ want }) => ((n + 5) / 2 + 10) * U * want,
    // The norm's error again, and dy / (2 y), times 2 x: 5 ULP more.
    gradientTolerance: ({ want }) => ((n + 5) / 2 + 10 + 12) * U * Math.abs(want),
  });
});

test.each([
  { shape: [7, 33], axis: 1 },
  { shape: [7, 33], axis: 0 },
  { shape: [3, 4, 5], axis: 1 },
  { shape: [257], axis: 0 },
  { shape: [0, 4], axis: 1 },
])('argmax and argmin of [$shape] along $axis take the first of equals', async ({ shape, axis }) => {
  const values = integers(count(shape), 4, 9);
  const x = build(shape, (i) => values[i]!);
  const got = await readAll(() => [argmax(upload(x), { axis }), argmin(upload(x), { axis })]);
  expect(got.map((v) => Array.from(v))).toEqual([reference.arg(x, axis, 1), reference.arg(x, axis, -1)]);
});

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

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(() => sum(x, { axes: [2] })).toThrow('sum: axes are [2], expected different axes of a tensor of shape [2,3]');
    expect(() => mean(x, { axes: [1, -1] })).toThrow('mean: axes are [1,-1], expected different axes of a tensor of shape [2,3]');
    expect(() => max(tensor([], { shape: [2, 0] }), { axes: 1 })).toThrow('max: x has shape [2,0], a reduced axis is empty');
    expect(() => argmax(tensor([], { shape: [2, 0] }))).toThrow('argmax: axis -1 of shape [2,0] is empty');
    expect(() => argmin(x, { axis: 3 })).toThrow('argmin: axes are [3], expected different axes of a tensor of shape [2,3]');
    expect(() => sum(tensor([1], { dtype: 'i32' }) as unknown as Tensor)).toThrow('sum: x is i32, expected f32');
  });
});
