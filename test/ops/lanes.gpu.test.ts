import { describe, expect, test } from 'vitest';
import { backward, requireGrad, tensor, type Tensor } from 'evenkeel';
import { logsumexp, mul, probabilityLoss, std, sum, variance } from 'evenkeel/ops';
import { categorical, key } from 'evenkeel/random';
import { classOf } from '../../src/ops/class-of.ts';
import { holdLogits } from '../../src/ops/held-logits.ts';
import { Norms } from '../../src/optim/norms.ts';
import { readAll, takeGrad, upload } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { expectSameBits } from '../support/same-bits.ts';
import { sample } from '../support/sample.ts';

/** Rows of 100 and of 2,100: of 8 and of 64 parts. The third has infinities and the fourth a NaN. */
const logits = (classes: number): Tensor => {
  const x = sample([5, classes]);
  x.data[2 * classes + 70] = -Infinity;
  x.data[2 * classes + 7] = -Infinity;
  x.data[3 * classes + 90] = NaN;
  return upload(x);
};
const labels = (): Tensor<'i32'> => tensor([1, 70, 2, 3, -1], { dtype: 'i32' });

describe.each([100, 2100])('rows of %i have the same bits in both tunings', (classes) => {
  test('probability loss', () =>
    expectSameBits(() => {
      const z = requireGrad(upload(sample([5, classes])));
      const y = probabilityLoss(z, labels(), 'mix', [0.5, 2]);
      backward(sum(mul(y, tensor([1, 2, 3, 4, 5]))));
      return [y, takeGrad(z)];
    }));
  test('held logits, classes and draws', () =>
    expectSameBits(() => {
      const z = logits(classes);
      const { held, kinds } = holdLogits(z, tensor([1, 1, 1, 0, 1]));
      return [
        held,
        kinds,
        classOf(z),
        categorical({ logits: z }, key(3)),
        categorical({ probs: logits(classes) }, key(3)),
      ];
    }));
});

test.each([
  { shape: [70], axis: 0 },
  { shape: [4, 130], axis: 1 },
  { shape: [200_003], axis: 0 },
  { shape: [130, 20], axis: 0 },
])('[$shape] over $axis: variance and logsumexp have the same bits in both tunings', ({ shape, axis }) =>
  expectSameBits(() => {
    const x = upload(sample(shape));
    return [variance(x, { axes: axis }), std(x, { axes: axis }), logsumexp(x, { axes: axis })];
  }),
);

test.each([1, 2, Infinity])('norms of order %d of segments, in both tunings', async (order) => {
  const sizes = [4, 3, 1024, 150_001];
  const starts = [0, 4, 8, 1032];
  const x = sample([1032 + 150_004]);
  x.data.fill(0, 7, 8).fill(0, 1032 + 150_001);
  const run = (): Tensor[] => {
    const norms = new Norms(
      gpu,
      sizes.map((size, i) => ({ start: starts[i]!, size })),
      order,
    );
    norms.record(upload(x));
    const y = mul(norms.values, 1);
    norms.dispose();
    return [y];
  };
  await expectSameBits(run);
  const [got] = await readAll(run);
  sizes.forEach((size, i) => {
    const all = Array.from(x.data.subarray(starts[i], starts[i]! + size), Math.abs);
    const want =
      order === Infinity
        ? all.reduce((a, b) => Math.max(a, b))
        : all.reduce((total, v) => total + v ** order, 0) ** (1 / order);
    expect(Math.abs(got![i]! / want - 1)).toBeLessThan(1e-6);
  });
});
