import { expect, test } from 'vitest';
import { backward, grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { logsumexp, square, sum } from 'evenkeel/ops';
import { build, type Dense } from '../reference/dense.ts';
import { logsumexp as reference, logsumexpGradient } from '../reference/logsumexp.ts';
import { checkOp, expectWithin, readAll, takeGrad, upload } from '../support/check-op.ts';
import { checkTwice } from '../support/check-twice.ts';
import { integers, sample } from '../support/sample.ts';
import { close } from '../support/tolerance.ts';

const cases: { shape: number[]; axes: number[]; high?: number }[] = [
  { shape: [1], axes: [0] },
  { shape: [], axes: [] },
  { shape: [31], axes: [0] },
  { shape: [33, 7], axes: [0] },
  { shape: [7, 33], axes: [1], high: 40 },
  { shape: [3, 4, 5], axes: [1] },
  { shape: [3, 4, 5], axes: [0, 2] },
  { shape: [2, 3, 2, 3, 4], axes: [0, 2, 4] },
  { shape: [0, 3], axes: [1] },
  { shape: [1031], axes: [0] },
  { shape: [3, 1031], axes: [1] },
  { shape: [5, 257, 3], axes: [0, 1], high: 20 },
  { shape: [65_537, 3], axes: [1] },
];
const dropped = (y: Dense, axes: number[]): Dense => ({ ...y, shape: y.shape.filter((_, i) => !axes.includes(i)) });

test.each(cases)('[$shape] over [$axes]', ({ shape, axes, high = 4 }) =>
  checkOp({
    inputs: [sample(shape, { low: -high, high })],
    run: (x) => logsumexp(x, { axes }),
    reference: (x) => dropped(reference(x, axes), axes),
    gradient: (dy, x) => [logsumexpGradient(dy, x, axes)],
    // exp may lose 3 + 2 range ULP; log 2^-21 near 1.
    tolerance: close((3 + 4 * high) * 2 ** -23, 1e-6),
    gradientTolerance: close((10 + 8 * high) * 2 ** -23, 1e-8),
  }),
);

test.each(cases.slice(2, 8))('second gradient of [$shape] over [$axes]', ({ shape, axes }) =>
  checkTwice(
    sample(shape),
    shape.filter((_, i) => !axes.includes(i)),
    (x) => logsumexp(x, { axes }),
    (dy, x) => logsumexpGradient(dy, x, axes),
  ),
);

const NONE = -Infinity;
const rows: { name: string; row: number[] }[] = [
  { name: 'large values', row: [1e4, 1e4 - 1, -1e4] },
  { name: 'small values', row: [-1e4, -1e4 - 1, -1e5] },
  { name: 'some masked by -Infinity', row: [NONE, 1, 2] },
  { name: 'the first masked by the sentinel', row: [-3e38, 1, 2] },
  { name: 'all but one masked', row: [NONE, NONE, 5] },
];

test.each(rows)('$name', async ({ row }) => {
  for (const values of [row, [...new Array(600).fill(row[0]), ...row]]) {
    const x = build([values.length], (i) => Math.fround(values[i]!));
    const [y, g] = await readAll(() => {
      const t = requireGrad(upload(x));
      const value = logsumexp(t);
      backward(value);
      return [value, takeGrad(t)];
    });
    expectWithin(y!, reference(x, [0]), close(1e-6, 1e-6), 'forward');
    expectWithin(
      g!,
      logsumexpGradient(
        build([], () => 1),
        x,
        [0],
      ),
      close(1e-5, 1e-7),
      'gradient',
    );
  }
});

test('rows masked throughout, and infinite ones', async () => {
  const mask = Math.fround(-3e38);
  const [y, g, h] = await readAll(() => {
    const x = requireGrad(tensor([NONE, NONE, mask, mask, NONE, mask, Infinity, 1], { shape: [4, 2] }));
    const value = logsumexp(x, { axes: 1 });
    backward(sum(value));
    const first = takeGrad(x);
    const [again] = grad(sum(square(grad(sum(logsumexp(x, { axes: 1 })), [x], { createGraph: true })[0]!)), [x]);
    return [value, first, again!];
  });
  expect(Array.from(y!)).toEqual([NONE, mask, mask, Infinity]);
  expect(Array.from(g!).slice(0, 6)).toEqual([0, 0, 0.5, 0.5, 0, 1]);
  expect(Array.from(h!, Math.abs).slice(0, 6)).toEqual([0, 0, 0, 0, 0, 0]);
});

test('more than 65,535 workgroups of rows of one element', async () => {
  const values = integers(65_537 * 65, 1000, 3);
  const [y] = await readAll(() => [logsumexp(tensor(values, { shape: [values.length, 1] }), { axes: 1 })]);
  expect(values.findIndex((v, i) => Math.abs(v - y![i]!) > 1e-6)).toBe(-1);
});

test('without a scope only the results stay', () => {
  const x = upload(sample([3, 1031, 2]));
  for (const t of [x, logsumexp(x), logsumexp(x, { axes: [0, 2], keepDim: true })]) t.dispose();
});

test('errors', () => {
  scope(() => {
    expect(() => logsumexp(tensor([1]), { axes: 1 })).toThrow(
      'logsumexp: axes are [1], expected different axes of a tensor of shape [1]',
    );
    expect(() => logsumexp(tensor([], { shape: [2, 0] }), { axes: 1 })).toThrow(
      'logsumexp: x has shape [2,0], a reduced axis is empty',
    );
    expect(() => logsumexp(tensor([1], { dtype: 'i32' }) as unknown as Tensor)).toThrow(
      'logsumexp: x is i32, expected f32',
    );
  });
});
