import { expect, test } from 'vitest';
import { backward, grad, requireGrad, tensor } from 'evenkeel';
import { ndtri, sum } from 'evenkeel/ops';
import { normalPdf, normalQuantile as reference } from 'evenkeel/stats';
import { readAll, takeGrad } from '../support/check-op.ts';

test('value, gradient and second gradient from 1e-30 to 1 - 1e-6, and finite at the ends', async () => {
  const p = Float32Array.from([
    1e-30,
    1e-20,
    1e-12,
    1e-6,
    1e-4,
    0.0242,
    0.0243,
    0.1,
    0.25,
    0.4999,
    0.5,
    0.50001,
    0.7,
    0.9,
    0.975,
    0.976,
    0.999,
    1 - 2 ** -18,
    1 - 2 ** -20,
  ]);
  const [y, slope, second, ends, none] = await readAll(() => {
    const x = requireGrad(tensor(p));
    const value = ndtri(x);
    const [g] = grad(sum(value), [x], { createGraph: true });
    const [h] = grad(sum(g!), [x]);
    return [value, g!, h!, ndtri(tensor([0, 1])), ndtri(tensor([]))];
  });
  p.forEach((v, i) => {
    const want = reference(v);
    expect(Math.abs(y![i]! - want), `quantile of ${v}`).toBeLessThanOrEqual(1e-6 * Math.abs(want) + 1e-7);
    const derivative = 1 / normalPdf(want);
    // An error e of y is a relative error y e of the slope.
    const relative = 4e-6 * (1 + want * want);
    expect(Math.abs(slope![i]! / derivative - 1), `slope at ${v}`).toBeLessThanOrEqual(relative);
    if (v > 1e-12)
      expect(Math.abs(second![i]! - want * derivative ** 2), `second slope at ${v}`).toBeLessThanOrEqual(
        3 * relative * Math.abs(want) * derivative ** 2 + 1e-5 * derivative ** 2,
      );
  });
  expect(ends![0]).toBeCloseTo(-12.9, 1);
  expect(ends![1]).toBeCloseTo(5.3, 1);
  expect(none!.length).toBe(0);
});

test('NaN goes through, and through both gradients', async () => {
  const results = await readAll(() => {
    const x = requireGrad(tensor([NaN, 0.5, NaN, 0.9]));
    const y = ndtri(x);
    const [g] = grad(sum(y), [x], { createGraph: true });
    backward(sum(ndtri(x)));
    return [y, g!, takeGrad(x)];
  });
  for (const values of results) expect(Array.from(values, Number.isNaN)).toEqual([true, false, true, false]);
});
