import { expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import { normalize } from 'evenkeel/ops';
import * as reference from '../reference/normalize.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { checkTwice } from '../support/check-twice.ts';
import { sample } from '../support/sample.ts';
import { U } from '../support/tolerance.ts';

test.each([
  { shape: [0, 3] },
  { shape: [1, 1] },
  { shape: [5, 7] },
  { shape: [33] },
  { shape: [31, 17] },
  { shape: [2, 3, 64] },
  { shape: [257, 2] },
  // Rows shorter than eps are divided by eps.
  { shape: [6, 3], eps: 100 },
])('[$shape], eps $eps', ({ shape, eps = 1e-12 }) => {
  const n = shape.at(-1)!;
  return checkOp({
    inputs: [sample(shape, { away: [0] })],
    run: (x) => normalize(x, { eps }),
    reference: (x) => reference.normalize(x, eps),
    gradient: (dy, x) => [reference.normalizeGradient(dy, x, eps)],
    // Half of the error of the sum of squares with its divisions (n + 3 + 12 u), the root (10 u), two products and a
    // division (9 u).
    tolerance: ({ want }) => ((n + 15) / 2 + 19) * U * Math.abs(want),
    // Three lengths and a sum of n products.
    gradientTolerance: ({ sum }) => (3 * ((n + 15) / 2 + 19) + n + 10) * U * sum,
  });
});

test.each([1e-12, 100])('the gradient can be differentiated again, eps %d', (eps) =>
  checkTwice(
    sample([3, 5], { away: [0] }),
    [3, 5],
    (x) => normalize(x, { eps }),
    (dy, x) => reference.normalizeGradient(dy, x, eps),
  ),
);

test('zero, huge and tiny rows', async () => {
  const [y] = await readAll(() => [
    normalize(tensor([0, 0, 3e30, 4e30, 3e-30, 4e-30], { shape: [3, 2] }), { eps: 1e-37 }),
  ]);
  expect(Array.from(y!.slice(0, 2))).toEqual([0, 0]);
  [0.6, 0.8, 0.6, 0.8].forEach((want, i) => expect(Math.abs(y![i + 2]! - want)).toBeLessThan(30 * U));
});

test('errors', () => {
  scope(() => {
    expect(() => normalize(tensor(1))).toThrow('normalize: x is a scalar, expected at least one axis');
    expect(() => normalize(tensor([1], { dtype: 'u32' }) as unknown as Tensor)).toThrow(
      'normalize: x is u32, expected f32',
    );
  });
});
