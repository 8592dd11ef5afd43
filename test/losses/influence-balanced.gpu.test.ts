import { expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { crossEntropyLoss, effectiveNumberWeights, influenceBalanced, influenced } from 'evenkeel/losses';
import { Linear, ReLU, Sequential, splitClassifier } from 'evenkeel/nn';
import { drw, sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { readAll, takeGrad, upload } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { clusters } from '../support/synthetic.ts';

const [rows, classes, width] = [7, 5, 3];
const z = sample([rows, classes]);
const phi = sample([rows, width], { seed: 2 });
const labels = integers(rows, classes, 3);

test.each([1, 1000])('values and gradients against plain loops, alpha %d', async (alpha) => {
  const weight = [1, 2, 0.5, 3, 1];
  const loss = influenceBalanced({ alpha, weight });
  const got = await readAll(() => {
    const leaf = requireGrad(upload(z));
    const features = requireGrad(upload(phi));
    const value = loss(leaf, labels, { features });
    backward(value);
    return [
      loss(upload(z), labels, { features: upload(phi), reduction: 'none' }),
      value,
      takeGrad(leaf),
      takeGrad(features),
    ];
  });
  let mean = 0;
  for (let r = 0; r < rows; r++) {
    const e = Array.from({ length: classes }, (_, c) => Math.exp(z.data[r * classes + c]!));
    const p = e.map((v) => v / e.reduce((a, b) => a + b));
    const y = labels[r]!;
    const error = p.map((v, c) => v - Number(c === y));
    const norm1 = (v: number[]): number => v.reduce((t, x) => t + Math.abs(x), 0);
    const factor =
      (weight[y]! * alpha) / (norm1(error) * norm1(Array.from(phi.data.slice(r * width, (r + 1) * width))) + 0.001);
    const value = -Math.log(p[y]!) * factor;
    mean += value / rows;
    expect(Math.abs(got[0]![r]! - value)).toBeLessThan(1e-5 * value);
    error.forEach((v, c) =>
      expect(Math.abs(got[2]![r * classes + c]! - (factor * v) / rows)).toBeLessThan((1e-5 * factor) / rows),
    );
  }
  expect(Math.abs(got[1]![0]! - mean)).toBeLessThan(1e-5 * mean);
  expect(Array.from(got[3]!)).toEqual(new Array(rows * width).fill(0));
  loss.dispose();
});

test('a sample without influence, and logits of 1e4, stay finite', async () => {
  const loss = influenceBalanced({ reduction: 'none' });
  const [v] = await readAll(() => [
    loss(tensor([1e4, -1e4, -1e4, 1e4], { shape: [2, 2] }), [0, 0], { features: tensor([0, 1], { shape: [2, 1] }) }),
  ]);
  expect(v![0]).toBe(0);
  expect(Number.isFinite(v![1]!)).toBe(true);
  loss.dispose();
});

test('influenced: fit gives it what the last layer is given, and cross-entropy comes first', async () => {
  const data = clusters({ n: 60, classes: 4, seed: 3 });
  const model = Sequential(Linear(16, 8), ReLU(), Linear(8, 4)).init({ seed: 1 });
  const objective = influenced(influenceBalanced({ alpha: 10 }), { from: 1 });
  const { loss: epochs } = await fit(model, data, {
    objective,
    optimizer: sgd({ lr: 0 }),
    schedule: drw({ from: 2 }),
    epochs: 3,
    batchSize: 60,
  });
  const { backbone } = splitClassifier(model);
  const [logits, features] = [await model.logits(data.x), await backbone.features(data.x)];
  const valueOf = async (of: (z: Tensor) => Tensor): Promise<number> =>
    (await readAll(() => [of(tensor(logits))]))[0]![0]!;
  const plain = crossEntropyLoss();
  const balanced = influenceBalanced({ alpha: 10 });
  const late = influenceBalanced({ alpha: 10, weight: effectiveNumberWeights(data.classCounts, 0.9999) });
  expect(epochs[0]!).toBeCloseTo(await valueOf((z) => plain(z, data.y)), 5);
  expect(epochs[1]!).toBeCloseTo(await valueOf((z) => balanced(z, data.y, { features: tensor(features) })), 4);
  expect(epochs[2]!).toBeCloseTo(await valueOf((z) => late(z, data.y, { features: tensor(features) })), 4);
  expect(Math.abs(epochs[1]! - epochs[0]!)).toBeGreaterThan(0.01);
  for (const m of [model, objective, plain, balanced, late]) m.dispose!();
});

test('errors', () => {
  expect(() => influenced(influenceBalanced(), { from: -1 })).toThrow(
    new RangeError('influenced: from is -1, expected a number >= 0 or Infinity'),
  );
  expect(() => influenceBalanced({ alpha: 0 })).toThrow(
    new RangeError('influenceBalanced: alpha is 0, expected a finite number > 0'),
  );
  const loss = influenceBalanced();
  scope(() => {
    expect(() => loss(upload(z), labels, {} as never)).toThrow(
      'influenceBalanced: features are missing, expected (rows, width)',
    );
    expect(() => loss(upload(z), labels, { features: tensor([1], { shape: [1, 1] }) })).toThrow(
      'influenceBalanced: features have shape [1,1], expected (7, width)',
    );
  });
  loss.dispose();
});
