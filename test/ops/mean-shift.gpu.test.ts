import { describe, expect, test } from 'vitest';
import { capture, grad, requireGrad, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { meanShift, mul, square, sum } from 'evenkeel/ops';
import { build, count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/mean-shift.ts';
import { checkOp, expectWithin, readAll, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { U, summed, type Tolerance } from '../support/tolerance.ts';

const shapes = [
  [1, 1],
  [7, 5],
  [2, 3, 6],
  [31, 33],
  [257, 4],
  [3, 16, 5, 7],
  [2, 257, 1],
  [600, 2, 3],
  [4200, 1000, 1],
];

/** x less a mean of n terms. */
const shifted =
  (n: number): Tolerance =>
  ({ sum: s }) =>
    (n + 5) * U * s;

describe('training', () => {
  test.each(shapes.map((shape) => ({ shape })))('$shape', async ({ shape }) => {
    const n = count(shape) / shape[1]!;
    const x = sample(shape, { low: -1, high: 3 });
    using running = tensor(sample([shape[1]!], { seed: 9 }).data);
    // A large input shows the fold of the grid; the loops of the reference take long there.
    const isLarge = count(shape) > 2 ** 20;
    if (isLarge) {
      const [y] = await readAll(() => [meanShift(upload(x), running, { training: true })]);
      expectWithin(y!, reference.meanShift(x), shifted(n), 'forward', [x]);
      return;
    }
    await checkOp({
      inputs: [x],
      run: (t) => meanShift(t, running, { training: true }),
      reference: (t) => reference.meanShift(t),
      gradient: (dy) => [reference.meanShift(dy)],
      tolerance: shifted(n),
    });
  });

  test('the running mean moves, also in a captured step', async () => {
    const x = sample([33, 7, 3], { low: -1, high: 3 });
    const mean = reference.channelMeans(x);
    using running = tensor([1, 2, 3, 4, 5, 6, 7]);
    using input = upload(x);
    using step = capture(() => meanShift(input, running, { training: true, momentum: 0.25 }));
    let want: Dense = build([7], (i) => i + 1);
    for (let i = 0; i < 3; i++) {
      // The recording itself was the first step.
      if (i > 0) step.run();
      want = build([7], (c) => want.data[c]! + 0.25 * (mean.data[c]! - want.data[c]!));
      expectWithin(await running.read(), want, () => 8 * (99 + 8) * U, `after step ${i}`);
    }
  });

  test('the gradient can be differentiated', async () => {
    const x = sample([5, 3, 2], { seed: 1 });
    const v = sample([5, 3, 2], { seed: 2 });
    const [h] = await readAll(() => {
      const t = requireGrad(upload(x));
      const [g] = grad(mul(sum(square(square(meanShift(t, zeros([3]), { training: true })))), 1 / 12), [t], {
        createGraph: true,
      });
      return grad(sum(mul(g!, upload(v))), [t]);
    });
    // f = sum(y^4) / 12 with y = C x, C symmetric: the Hessian times v is C (y^2 C v).
    const [y, along] = [reference.meanShift(x), reference.meanShift(v)];
    expectWithin(
      h!,
      reference.meanShift(build(x.shape, (i) => y.data[i]! ** 2 * along.data[i]!)),
      ({ sum: s }) => 60 * U * s + 1e-6,
      'second gradient',
    );
  });
});

describe('evaluation', () => {
  test.each([[0, 3], [3, 0], ...shapes.slice(0, -1)].map((shape) => ({ shape })))('$shape', async ({ shape }) => {
    const mean = sample([shape[1]!], { seed: 9 });
    using running = upload(mean);
    await checkOp({
      inputs: [sample(shape)],
      run: (x) => meanShift(x, running),
      reference: (x) => reference.meanShift(x, mean),
      gradient: (dy) => [dy],
      tolerance: summed(0),
    });
    expect(Array.from(await running.read())).toEqual(Array.from(mean.data));
  });
});

test('errors', () => {
  scope(() => {
    const x = zeros([2, 3]);
    const words = tensor(new Uint32Array(6), { shape: [2, 3], dtype: 'u32' }) as unknown as Tensor;
    expect(() => meanShift(words, zeros([3]))).toThrow('meanShift: x is u32, expected f32');
    expect(() => meanShift(x, tensor([1, 2, 3], { dtype: 'i32' }) as unknown as Tensor)).toThrow(
      'meanShift: runningMean is i32, expected f32',
    );
    expect(() => meanShift(zeros([3]), zeros([3]))).toThrow('meanShift: x has shape [3], expected at least two axes');
    expect(() => meanShift(x, zeros([2]))).toThrow('meanShift: runningMean has shape [2], expected [3]');
    expect(() => meanShift(x, zeros([3]), { training: true, momentum: 2 })).toThrow(
      'meanShift: momentum is 2, expected a number in 0..1',
    );
    expect(() => meanShift(zeros([0, 3]), zeros([3]), { training: true })).toThrow(
      'meanShift: x has shape [0,3], a mean needs at least one element',
    );
  });
});
