import { expect, test } from 'vitest';
import { backward, grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { norm, sum } from 'evenkeel/ops';
import type { Dense } from '../reference/dense.ts';
import { norm as reference, normGradient } from '../reference/norm.ts';
import { checkOp, readAll, takeGrad, upload } from '../support/check-op.ts';
import { checkTwice } from '../support/check-twice.ts';
import { distinct, integers, sample } from '../support/sample.ts';
import { close } from '../support/tolerance.ts';

const shapes: { shape: number[]; axes: number[] }[] = [
  { shape: [1], axes: [0] },
  { shape: [31], axes: [0] },
  { shape: [33, 7], axes: [0] },
  { shape: [7, 33], axes: [1] },
  { shape: [3, 4, 5], axes: [0, 2] },
  { shape: [257, 3], axes: [0, 1] },
  { shape: [0, 3], axes: [1] },
  { shape: [3, 1031], axes: [1] },
  { shape: [65_537, 3], axes: [1] },
];
const cases = [0.5, 1, 1.5, 2, 3, 4, 9, Infinity].flatMap((p) =>
  shapes.filter(({ shape }) => p === 2 || shape[0]! < 1000).map((s) => ({ ...s, p })),
);
const dropped = (y: Dense, axes: number[]): Dense => ({ ...y, shape: y.shape.filter((_, i) => !axes.includes(i)) });
const input = (shape: number[], p: number): Dense =>
  p === Infinity ? distinct(shape, { offset: 1 / 256 }) : sample(shape, { low: -3, high: 3, away: [0] });

// Sums of at most a thousand positive terms, each a power with the error of exp2 and log2, and a root of that.
const bound = close(1e-4, 1e-6);

test.each(cases)('p = $p of [$shape] over [$axes]', ({ shape, axes, p }) =>
  checkOp({
    inputs: [input(shape, p)],
    run: (x) => norm(x, { axes, p }),
    reference: (x) => dropped(reference(x, axes, p), axes),
    gradient: (dy, x) => [normGradient(dy, x, axes, p)],
    tolerance: p <= 4 && Number.isInteger(p) ? close(1e-5, 1e-6) : bound,
    gradientTolerance: bound,
  }),
);

test.each([1.5, 2, 3, 4, Infinity])('second gradient, p = %d', async (p) => {
  const x = input([5, 7], p);
  const gradient = (dy: Dense, v: Dense): Dense => normGradient(dy, v, [1], p);
  await checkTwice(x, [5], (t) => norm(t, { axes: 1, p }), gradient, close(1e-3, 1e-4));
});

test.each([0.5, 1, 1.5, 2, 3, 4, Infinity])('the zero vector has norm 0 and gradient 0, p = %d', async (p) => {
  const [y, g, h] = await readAll(() => {
    const x = requireGrad(tensor(new Float32Array(6), { shape: [2, 3] }));
    const value = norm(x, { axes: 1, p });
    backward(sum(value));
    const first = takeGrad(x);
    const [again] = grad(sum(norm(x, { axes: 1, p })), [x], { createGraph: true });
    return [value, first, again!];
  });
  expect(Array.from(y!)).toEqual([0, 0]);
  expect(Array.from(g!, Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
  expect(Array.from(h!, Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
});

test('zeros among other elements, ties of the largest, keepDim', async () => {
  const [one, half, largest, kept] = await readAll(() => {
    const of = (values: number[], p: number): Tensor => {
      const x = requireGrad(tensor(values));
      backward(norm(x, { p }));
      return takeGrad(x);
    };
    return [
      of([3, 0, -4], 1),
      of([4, 0, 4], 0.5),
      of([-2, 2, 1, 2, -2], Infinity),
      norm(upload(sample([2, 3])), { axes: 1, keepDim: true }),
    ];
  });
  expect(Array.from(one!, (v) => v + 0)).toEqual([1, 0, -1]);
  expect(Array.from(half!)).toEqual([expect.closeTo(2, 4), 0, expect.closeTo(2, 4)]);
  expect(Array.from(largest!, (v) => v + 0)).toEqual([-0.25, 0.25, 0, 0.25, -0.25]);
  expect(kept!.length).toBe(2);
});

test('more than 65,535 workgroups of rows of one element', async () => {
  const values = integers(65_537 * 65, 1000, 3).map((v) => v - 500);
  const [y] = await readAll(() => [norm(tensor(values, { shape: [values.length, 1] }), { axes: 1, p: 1 })]);
  expect(values.findIndex((v, i) => Math.abs(v) !== y![i])).toBe(-1);
});

test('without a scope only the results stay', () => {
  const x = upload(sample([3, 1031, 2]));
  for (const t of [x, norm(x), norm(x, { axes: [0, 2], p: Infinity })]) t.dispose();
});

test('errors', () => {
  scope(() => {
    const x = tensor([1, 2]);
    expect(() => norm(x, { p: 0 })).toThrow('norm: p is 0, expected a number > 0 or Infinity');
    expect(() => norm(x, { p: NaN })).toThrow('norm: p is NaN, expected a number > 0 or Infinity');
    expect(() => norm(x, { axes: 1 })).toThrow('norm: axes are [1], expected different axes of a tensor of shape [2]');
    expect(() => norm(tensor([1], { dtype: 'i32' }) as unknown as Tensor)).toThrow('norm: x is i32, expected f32');
    expect(() => norm(tensor([], { shape: [2, 0] }), { axes: 1, p: Infinity })).toThrow(
      'norm: x has shape [2,0], a reduced axis is empty',
    );
  });
});
