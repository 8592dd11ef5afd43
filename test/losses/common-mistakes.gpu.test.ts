// Common mistakes of long-tailed learning, as far as they happen on the device; the others are in
// common-mistakes.node.test.ts.
import { expect, test } from 'vitest';
import { backward, NdArray, requireGrad, tensor, type Tensor } from 'evenkeel';
import { classBalancedSampler, makeDataset, type Sampler } from 'evenkeel/data';
import {
  absgd,
  crossEntropyLoss,
  defineLoss,
  effectiveNumberWeights,
  focal,
  groupVs,
  vs,
  type AbsgdOptions,
  type Loss,
  type Objective,
} from 'evenkeel/losses';
import { mixed, type MixedOptions, type Mixing } from 'evenkeel/objectives';
import { Linear, Sequential } from 'evenkeel/nn';
import { reshape } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { evaluate, fit } from 'evenkeel/train';
import { readAll, takeGrad } from '../support/check-op.ts';
import { opposed } from '../support/synthetic.ts';
import { keep } from '../support/keep.ts';

const sum = (a: Iterable<number>): number => [...a].reduce((t, v) => t + v, 0);

const classCounts = [100, 50, 20, 5];
const z = [
  [2, 1, 0.5, -1],
  [0.3, -0.2, 0.1, 0.4],
  [-1.5, 0.7, 2.2, 0],
];
const y = [0, 3, 1];
const logits = (): Tensor => tensor(z.flat(), { shape: [3, 4] });
const ce = (row: number, label: number): number => Math.log(sum(z[row]!.map(Math.exp))) - z[row]![label]!;
const valueOf = async (loss: Loss): Promise<number> => (await readAll(() => [keep(loss)(logits(), y)]))[0]![0]!;

test('the sampler reaches the batches: without features the bias learns the prior that was sampled', async () => {
  const labels = Array.from({ length: 100 }, (_, i) => Number(i % 10 === 0));
  const data = makeDataset(new NdArray(new Float32Array(100), [100, 1]), labels);
  const rare = async (sampler?: Sampler): Promise<number> => {
    const model = keep(Sequential(Linear(1, 2)));
    await fit(model, data, {
      loss: keep(crossEntropyLoss()),
      optimizer: sgd({ lr: 1 }),
      epochs: 40,
      batchSize: 100,
      ...(sampler && { sampler }),
    });
    return (await model.predict(new NdArray(new Float32Array(1), [1, 1]))).data[1]!;
  };
  expect(await rare()).toBeCloseTo(0.1, 3);
  // The draws of an epoch give the class 0.5 +- 0.05, and the bias follows the last few.
  expect(Math.abs((await rare(classBalancedSampler())) - 0.5)).toBeLessThan(0.12);
});

test('class weights stand before the focal loss, not inside its probability', async () => {
  const weight = effectiveNumberWeights(classCounts, 0.9999);
  expect(await valueOf(focal({ gamma: 1, weight }))).toBeCloseTo(0.91279972, 6);
  expect(await valueOf(focal({ gamma: 1, weight, weightIn: 'probability' }))).toBeCloseTo(1.1367112, 6);
});

test('each share of a mixture multiplies the loss of its own sample', async () => {
  const [shares, partner] = [
    [0.95, 0.1, 0.6],
    [3, 0, 2],
  ];
  const of = async (options?: MixedOptions): Promise<number> => {
    const rule = Object.assign(
      ({ x }: { x: Tensor }) => ({ x, partner: tensor(partner, { dtype: 'i32' }), weight: tensor(shares) }),
      { dispose: () => {} },
    ) as Mixing;
    const objective = keep(mixed(rule, crossEntropyLoss(), options));
    return (
      await readAll(() => [
        objective({ x: logits(), y: tensor(y, { dtype: 'i32' }), forward: (x) => x } as Parameters<Objective>[0]),
      ])
    )[0]![0]!;
  };
  const [own, other] = [y.map((c, i) => ce(i, c)), partner.map((c, i) => ce(i, c))];
  const right = sum(shares.map((s, i) => s * own[i]! + (1 - s) * other[i]!)) / 3;
  const share = sum(shares) / 3;
  const wrong = (share * sum(own) + (1 - share) * sum(other)) / 3;
  expect(Math.abs(right - wrong)).toBeGreaterThan(0.05);
  expect(await of()).toBeCloseTo(right, 5);
  expect(await of({ compat: 'released-code' })).toBeCloseTo(wrong, 5);
});

test('a shift by group does not cancel in the softmax', async () => {
  const groups = [0, 1, 2];
  const values = async (form?: 'official'): Promise<number[]> => {
    const loss = keep(groupVs({ groupCounts: [60, 30, 10], gamma: 0, tau: 1, ...(form && { form }) }));
    return Array.from((await readAll(() => [loss(logits(), y, { groups, reduction: 'none' })]))[0]!);
  };
  const plain = y.map((c, i) => ce(i, c));
  (await values('official')).forEach((v, i) => expect(v).toBeCloseTo(plain[i]!, 5));
  const shifted = [0.6, 0.3, 0.1].map((p, i) => Math.log1p((Math.exp(plain[i]!) - 1) / p));
  (await values()).forEach((v, i) => expect(v).toBeCloseTo(shifted[i]!, 5));
});

test('the first step of ABSGD has weights that sum to 1: its average does not start at 0', async () => {
  const first = async (options: AbsgdOptions): Promise<number> => {
    const loss = keep(absgd(defineLoss({ name: 'given', values: (v) => reshape(v, [v.shape[0]!]) }), options));
    const [slope] = await readAll(() => {
      const leaf = requireGrad(tensor([0.1, 0.5, 2, 4], { shape: [4, 1] }));
      backward(loss(leaf, [0, 0, 0, 0]));
      return [takeGrad(leaf)];
    });
    return sum(slope!);
  };
  for (const options of [{}, { gamma: 0.1 }, { gamma: 0.1, lambda: 2 }, { init: 'firstBatch' }] as const)
    expect(await first(options)).toBeCloseTo(1, 5);
  expect(await first({ compat: 'released-code' })).toBeCloseTo(20, 3);
});

test('the scale of class weights acts under mean, and cancels under weightedMean', async () => {
  const weight = [0.5, 1, 2, 4];
  const tenfold = weight.map((w) => 10 * w);
  const at = (w: number[], reduction: 'mean' | 'weightedMean'): Promise<number> =>
    valueOf(vs({ classCounts, weight: w, reduction }));
  expect((await at(tenfold, 'mean')) / (await at(weight, 'mean'))).toBeCloseTo(10, 4);
  expect((await at(tenfold, 'weightedMean')) / (await at(weight, 'weightedMean'))).toBeCloseTo(1, 5);
});

test('evaluation between epochs changes no weight and chooses none: the model is that of the last epoch', async () => {
  const { train, other } = opposed();
  const run = async (watches: boolean): Promise<{ weights: number[]; watched: number[]; final: number }> => {
    const model = keep(Sequential(Linear(16, 10)));
    const watched: number[] = [];
    await fit(model, train, {
      loss: keep(crossEntropyLoss()),
      optimizer: sgd({ lr: 0.01 }),
      epochs: 8,
      batchSize: 32,
      seed: 3,
      ...(watches && { onEpoch: async () => void watched.push((await evaluate(model, other)).accuracy) }),
    });
    return {
      weights: [...(await model.stateDict()).values()].flatMap((p) => Array.from(p.data)),
      watched,
      final: (await evaluate(model, other)).accuracy,
    };
  };
  const [alone, seen] = [await run(false), await run(true)];
  expect(seen.weights).toEqual(alone.weights);
  expect(Math.max(...seen.watched)).toBeGreaterThan(seen.watched.at(-1)!);
  expect(seen.final).toBe(seen.watched.at(-1));
});
