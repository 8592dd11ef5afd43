import { describe, expect, test } from 'vitest';
import { grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { mul, prod, square, sum } from 'evenkeel/ops';
import { build, count, type Dense } from '../reference/dense.ts';
import { prod as reference, prodGradient } from '../reference/prod.ts';
import { checkOp, readAll, upload } from '../support/check-op.ts';
import { checkTwice } from '../support/check-twice.ts';
import { integers, sample } from '../support/sample.ts';
import { OVER_AXES } from '../support/shapes.ts';
import { close, U } from '../support/tolerance.ts';

const cases: { shape: number[]; axes: number[] }[] = [
  ...OVER_AXES,
  { shape: [2, 3, 2, 3, 2], axes: [0, 2, 4] },
  { shape: [0, 3], axes: [1] },
  { shape: [2, 0], axes: [1] },
  { shape: [257, 2], axes: [0, 1] },
  { shape: [2, 600], axes: [1] },
  { shape: [65_537, 3], axes: [1] },
];
const members = (shape: number[], axes: number[]): number => count(axes.map((a) => shape[a]!));
const dropped = (y: Dense, axes: number[]): Dense => ({ ...y, shape: y.shape.filter((_, i) => !axes.includes(i)) });
/** Values near 1 of both signs, so that long products stay in range. */
const input = (shape: number[]): Dense => {
  const [x, signs] = [sample(shape, { low: 0.9, high: 1.1 }), integers(count(shape), 2, 5)];
  return build(shape, (i) => Math.fround(x.data[i]! * (2 * signs[i]! - 1)));
};

test.each(cases)('[$shape] over [$axes]', ({ shape, axes }) =>
  checkOp({
    inputs: [input(shape)],
    run: (x) => prod(x, { axes }),
    reference: (x) => dropped(reference(x, axes), axes),
    gradient: (dy, x) => [prodGradient(dy, x, axes)],
    tolerance: ({ want }) => (members(shape, axes) + 2) * U * Math.abs(want),
    gradientTolerance: ({ want }) => (members(shape, axes) + 4) * U * Math.abs(want),
  }),
);

describe.each([0, 1, 2, 3])('%d zeros in a row', (zeros) => {
  // Zeros at 0, 4 and 2 of each row, in either layout.
  const x = build([6, 5, 6], (i) => {
    const [row, column] = [Math.floor(i / 6) % 5, i % 6];
    return [0, 4, 2].slice(0, zeros).some((z) => z === row || z === column) ? 0 : 1.5 + ((i * 7) % 5) / 8;
  });
  test.each([[[1]], [[2]], [[0, 1]], [[0, 2]]])('over %j', async (axes) => {
    const run = (t: Tensor): Tensor => prod(t, { axes });
    const shape = x.shape.filter((_, i) => !axes.includes(i));
    await checkOp({
      inputs: [x],
      run,
      reference: (v) => dropped(reference(v, axes), axes),
      gradient: (dy, v) => [prodGradient(dy, v, axes)],
      tolerance: close(1e-5, 0),
      gradientTolerance: close(1e-5, 0),
    });
    await checkTwice(
      x,
      shape,
      run,
      (dy, v) => prodGradient(dy, v, axes),
      ({ want }) => 1e-4 * Math.abs(want) + 2e-3,
    );
  });
});

test.each(cases.slice(2, 9))('second gradient of [$shape] over [$axes]', ({ shape, axes }) =>
  checkTwice(
    input(shape),
    shape.filter((_, i) => !axes.includes(i)),
    (x) => prod(x, { axes }),
    (dy, x) => prodGradient(dy, x, axes),
  ),
);

test('integers, keepDim, and the product of nothing', async () => {
  const [i, u, none, overflow] = await readAll(() => [
    prod(tensor([-2, 3, 4, 5, 6, -7], { shape: [2, 3], dtype: 'i32' }), { axes: 1, keepDim: true }),
    prod(tensor([2, 3, 4, 5], { dtype: 'u32' })),
    prod(tensor([])),
    prod(tensor([65_536, 65_537], { dtype: 'u32' })),
  ]);
  expect([i, u, none, overflow].map((v) => Array.from(v!))).toEqual([[-24, -210], [120], [1], [65_536]]);
});

test('more than 65,535 workgroups of rows of one element', async () => {
  const values = integers(65_537 * 65, 1000, 3);
  const [y, g] = await readAll(() => {
    const x = requireGrad(tensor(values, { shape: [values.length, 1] }));
    const made = prod(x, { axes: 1 });
    return [made, ...grad(sum(made), [x])];
  });
  expect(values.findIndex((v, i) => v !== y![i] || g![i] !== 1)).toBe(-1);
});

test('without a scope only the results stay', () => {
  const x = upload(sample([3, 1031, 2]));
  for (const t of [x, prod(x), prod(x, { axes: [0, 2] })]) t.dispose();
});

test('errors', () => {
  scope(() => {
    const x = requireGrad(upload(sample([2, 3])));
    expect(() => prod(x, { axes: 2 })).toThrow(
      'prod: axes are [2], expected different axes of a tensor of shape [2,3]',
    );
    expect(() => prod(tensor([1], { dtype: 'bool' }) as unknown as Tensor)).toThrow(
      'prod: x is bool, expected f32, i32 or u32',
    );
    const [g] = grad(prod(x), [x], { createGraph: true });
    const [h] = grad(sum(square(g!)), [x], { createGraph: true });
    expect(() => grad(sum(mul(h!, h!)), [x])).toThrow(
      'prod is a fused op whose gradient cannot be differentiated again',
    );
  });
});
