import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { logSoftmax, mul, softmax, sum } from 'evenkeel/ops';
import * as reference from '../reference/softmax.ts';
import { checkOp, readAll, takeGrad, upload } from '../support/check-op.ts';
import { expectSameBits } from '../support/same-bits.ts';
import { sample } from '../support/sample.ts';
import { logForm, probabilities, softmaxRelative, U } from '../support/tolerance.ts';

const cases: { shape: number[]; axis: number; high?: number }[] = [
  { shape: [0, 3], axis: 1 },
  { shape: [1, 1], axis: 1 },
  { shape: [3, 1], axis: 1 },
  { shape: [7, 10], axis: 1 },
  { shape: [7, 3], axis: 0 },
  { shape: [2, 7, 3], axis: 1 },
  { shape: [33], axis: 0 },
  { shape: [31, 257], axis: 1 },
  { shape: [5, 33], axis: 1, high: 30 },
];
const inputs = (shape: number[], high = 4) => [sample(shape, { low: -high, high })];

describe('against the f64 reference', () => {
  test.each(cases)('softmax of [$shape] along $axis', ({ shape, axis, high }) => {
    const x = inputs(shape, high);
    const [range, n] = [reference.rangeOf(x[0]!, axis), shape[axis]!];
    return checkOp({
      inputs: x,
      run: (t) => softmax(t, { axis }),
      reference: (t) => reference.softmax(t, axis),
      gradient: (dy, t) => [reference.softmaxGradient(dy, t, axis)],
      tolerance: probabilities(range, n),
      // Two probabilities in each term, and a sum of n.
      gradientTolerance: ({ sum }) => (2 * softmaxRelative(range, n) + (n + 6) * U) * sum + 2 ** -126,
    });
  });

  test.each(cases)('logSoftmax of [$shape] along $axis', ({ shape, axis, high }) => {
    const x = inputs(shape, high);
    const [range, n] = [reference.rangeOf(x[0]!, axis), shape[axis]!];
    return checkOp({
      inputs: x,
      run: (t) => logSoftmax(t, { axis }),
      reference: (t) => reference.logSoftmax(t, axis),
      gradient: (dy, t) => [reference.logSoftmaxGradient(dy, t, axis)],
      tolerance: logForm(range),
      // exp of a value with the error of the log form.
      gradientTolerance: ({ sum }) => (1e-5 * Math.max(1, range) + softmaxRelative(range, n) + n * U) * sum + 2 ** -126,
    });
  });
});

test('large logits neither overflow nor lose the sum', async () => {
  const x = [1e4, -1e4, 1e4, 88, 0, -3e38];
  const [y, z] = await readAll(() => [softmax(tensor(x, { shape: [2, 3] })), logSoftmax(tensor(x, { shape: [2, 3] }))]);
  expect(Array.from(y!.slice(0, 3))).toEqual([0.5, 0, 0.5]);
  expect(y![3]! + y![4]! + y![5]!).toBe(1);
  expect(z![1]).toBeCloseTo(-2e4 - Math.log(2), 1);
  expect(z!.every(Number.isFinite)).toBe(true);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(() => softmax(x, { axis: 2 })).toThrow('softmax: axis is 2, x has shape [2,3]');
    expect(() => logSoftmax(tensor([], { shape: [2, 0] }))).toThrow('logSoftmax: axis -1 of shape [2,0] is empty');
    expect(() => softmax(tensor([1], { dtype: 'i32' }) as unknown as Tensor)).toThrow(
      'softmax: x is i32, expected f32',
    );
  });
});

test.each([{ shape: [3, 1] }, { shape: [7, 10] }, { shape: [9, 65] }, { shape: [3, 1000] }, { shape: [2, 4099] }])(
  '[$shape]: values and gradients have the same bits in both tunings',
  ({ shape }) =>
    expectSameBits(() =>
      [0, 1].flatMap((axis) =>
        [softmax, logSoftmax].flatMap((run) => {
          const x = requireGrad(upload(sample(shape)));
          const y = run(x, { axis });
          backward(sum(mul(y, upload(sample(shape, { seed: 2 })))));
          return [y, takeGrad(x)];
        }),
      ),
    ),
);
