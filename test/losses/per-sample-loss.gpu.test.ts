import { describe, expect, test } from 'vitest';
import { backward, capture, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { crossEntropy, perSampleLoss } from 'evenkeel/losses';
import { gather, logSoftmax, neg, reshape } from 'evenkeel/ops';
import { expectWithin, readAll, takeGrad, upload } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { close } from '../support/tolerance.ts';

// Cross-entropy written as a loss of one value a sample: everything around the value must agree with the fused one.
const nll = (logits: Tensor, labels: Tensor<'i32'>): Tensor => {
  const rows = labels.size;
  return neg(reshape(gather(logSoftmax(logits), reshape(labels, [rows, 1])), [rows]));
};
const weight = [0.5, 2, 1, 3];
const z = sample([6, 4]);
const labels = integers(6, 4, 3);

describe.each(['none', 'mean', 'sum', 'weightedMean'] as const)('reduction %s', (reduction) => {
  test.each([
    { name: 'plain' },
    { name: 'class weights', weight },
    { name: 'sample weights', sampleWeight: [0, 1, 2, 0.5, 1, 1] },
    { name: 'both', weight, sampleWeight: [0, 1, 2, 0.5, 1, 1] },
  ])('$name: value and gradient of the fused loss', async ({ weight, sampleWeight }) => {
    const run = async (make: typeof crossEntropy): Promise<Float32Array[]> => {
      const loss = make({ weight, reduction });
      const got = await readAll(() => {
        const x = requireGrad(upload(z));
        const y = loss(x, labels, sampleWeight && { sampleWeight: tensor(sampleWeight) });
        if (y.size === 1) backward(y);
        return [y, takeGrad(x)];
      });
      loss.dispose();
      return got;
    };
    const want = await run(crossEntropy);
    const got = await run((options) => perSampleLoss('nll', nll, options));
    got.forEach((g, i) =>
      expectWithin(g, { shape: [], data: Float64Array.from(want[i]!) }, close(1e-5, 1e-6), `output ${i}`),
    );
  });
});

test('a call may ask for values, and dense logits keep their shape', async () => {
  const loss = perSampleLoss('nll', nll);
  const y = scope(() => loss(upload(sample([2, 3, 4])), labels, { reduction: 'none' }));
  expect([y.shape, loss.reduction, loss.name]).toEqual([[2, 3], 'weightedMean', 'nll']);
  y.dispose();
  loss.dispose();
});

test('new class weights reach a captured step', async () => {
  const loss = perSampleLoss('nll', nll, { weight });
  const fused = crossEntropy({ weight });
  const [x, y] = [upload(z), tensor(labels, { dtype: 'i32' })];
  const step = capture(() => [loss(x, y), fused(x, y)]);
  for (const next of [null, [1, 1, 1, 10], null]) {
    for (const l of [loss, fused]) l.setClassWeight(next);
    const [a, b] = await Promise.all(step.run().map((t) => t.item()));
    expect(a).toBeCloseTo(b!, 5);
  }
  step.dispose();
  for (const t of [x, y, loss, fused]) t.dispose();
});

test('a label outside the classes counts for nothing on the device', async () => {
  const loss = perSampleLoss('nll', nll);
  const y = scope(() => loss(upload(z), tensor([-100, 1, 2, 3, 0, 9], { dtype: 'i32' })));
  const rest = scope(() => loss(tensor(z.data.slice(4, 20), { shape: [4, 4] }), [1, 2, 3, 0]));
  expect(await y.item()).toBeCloseTo(await rest.item(), 5);
  for (const t of [y, rest, loss]) t.dispose();
});

test('errors', () => {
  const loss = perSampleLoss('nll', nll, { weight });
  scope(() => {
    expect(() => loss(upload(sample([2, 3])), [0, 1])).toThrow('nll: weight has 4 entries, the logits have 3 classes');
    expect(() => loss(upload(z), [0, 1])).toThrow('nll: got 2 labels for logits of shape [6,4]');
    expect(() => loss(upload(z), [0, 1, 2, 4, 0, 0])).toThrow('nll: labels[3] is 4, expected an integer in 0..3');
    expect(() => loss(upload(z), labels, { sampleWeight: tensor([1]) })).toThrow(
      'nll: sampleWeight has shape [1], expected [6]',
    );
    expect(() => perSampleLoss('nll', nll, { weight: [1, NaN, 1, 1] })(upload(z), labels)).toThrow(
      'nll: weight[1] is NaN, expected a finite number',
    );
    expect(() => perSampleLoss('nll', nll, { classes: 3 })(upload(z), labels)).toThrow(
      'nll: logits have shape [6,4], expected 3 classes on the last axis',
    );
  });
  loss.dispose();
});
