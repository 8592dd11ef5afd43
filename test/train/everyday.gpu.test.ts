// Ten programs that a user of PyTorch writes on the first day. everyday.node.test.ts holds each to 15 lines.
import { expect, test } from 'vitest';
import { backward, capture, grad, requireGrad, scope, tensor, type NdArray, type Tensor } from 'evenkeel';
import { freeze, Linear, ReLU, Sequential, unfreeze } from 'evenkeel/nn';
import {
  add,
  crossEntropy,
  div,
  log,
  mean,
  mul,
  neg,
  norm,
  oneHot,
  sigmoid,
  softmax,
  square,
  sub,
  sum,
} from 'evenkeel/ops';
import { adam, loadState, saveState, sgd } from 'evenkeel/optim';
import { evaluate, fit } from 'evenkeel/train';
import { clusters } from '../support/synthetic.ts';
import '../support/gpu.ts';

const data = clusters({ n: 256 });
const net = () => Sequential({ features: Sequential(Linear(16, 32), ReLU()), head: Linear(32, 10) });
const shard = (k: number) => clusters({ n: 64, seed: k });
const gated = () => ({
  gate: requireGrad(tensor(new Float32Array(16).fill(0.5))),
  inner: Linear(16, 16),
  forward(x: Tensor) {
    return mul(this.inner.forward(x), sigmoid(mul(x, this.gate)));
  },
});

test('own loop', async () => {
  using model = net().init({ seed: 0 });
  using opt = sgd({ lr: 0.1, momentum: 0.9 }).for(model);
  using x = tensor(data.x);
  using step = capture(() => {
    const loss = crossEntropy(model.forward(x, { training: true }), data.y);
    backward(loss);
    opt.step();
    return loss;
  });
  const first = await step.value.item();
  for (let t = 1; t < 60; t++) {
    opt.lr = 0.1 * (1 - t / 60);
    step.run();
  }
  expect(await step.value.item()).toBeLessThan(first / 10);
});

test('own layer', async () => {
  using model = Sequential({ block: gated(), head: Linear(16, 10) });
  const { loss } = await fit(model, data, {
    loss: crossEntropy,
    optimizer: adam({ lr: 0.01 }),
    epochs: 20,
    batchSize: 64,
  });
  expect(loss.at(-1)).toBeLessThan(loss[0]! / 4);
  expect([...model.parameters.keys()]).toContain('block.gate');
  using other = Sequential({ block: gated(), head: Linear(16, 10) });
  other.load(await model.save());
  expect(await other.logits(data.x)).toEqual(await model.logits(data.x));
});

test('own loss', async () => {
  const generalized = (logits: Tensor, labels: Tensor<'i32'>): Tensor => {
    const p = sum(mul(softmax(logits), oneHot(labels, 10)), { axes: 1 });
    return mean(mul(sub(1, p), neg(log(p))));
  };
  using model = net();
  const { loss } = await fit(model, data, { loss: generalized, optimizer: adam({ lr: 0.01 }), epochs: 20 });
  expect(loss.at(-1)).toBeLessThan(loss[0]! / 4);
});

test('freeze and fine-tune', async () => {
  using model = net().init({ seed: 0 });
  const before = await model.stateDict();
  freeze(model, 'features.*');
  const onEpoch = ({ epoch }: { epoch: number }) => {
    if (epoch === 1) unfreeze(model, 'features.0.bias');
  };
  await fit(model, data, { loss: crossEntropy, optimizer: sgd({ lr: 0.1, weightDecay: 1e-3 }), epochs: 4, onEpoch });
  const after = await model.stateDict();
  expect(after.get('features.0.weight')).toEqual(before.get('features.0.weight'));
  for (const name of ['features.0.bias', 'head.weight']) expect(after.get(name)).not.toEqual(before.get(name));
});

test('two rates', async () => {
  using model = net().init({ seed: 0 });
  const before = await model.parameters.get('features.0.weight')!.read();
  const slow = { params: 'features.*', lr: 1e-4, weightDecay: 0 };
  const optimizer = adam({ lr: 0.01, weightDecay: 1e-4, groups: [slow] });
  const { loss } = await fit(model, data, { loss: crossEntropy, optimizer, epochs: 10 });
  expect(loss.at(-1)).toBeLessThan(loss[0]!);
  const after = await model.parameters.get('features.0.weight')!.read();
  // Adam moves an element by about lr a step at most: 20 steps.
  expect(Math.max(...after.map((v, i) => Math.abs(v - before[i]!)))).toBeLessThan(20 * 1.2e-4);
});

test('accumulate', async () => {
  using model = net().init({ seed: 0 });
  using opt = sgd({ lr: 0.1, momentum: 0.9 }).for(model);
  for (let t = 0; t < 160; t++) {
    const { x, y } = shard(t % 4);
    scope(() => backward(div(crossEntropy(model.forward(tensor(x)), y), 4), { accumulate: true }));
    if (t % 4 < 3) continue;
    opt.step();
    opt.zeroGrad();
  }
  expect((await evaluate(model, data)).accuracy).toBeGreaterThan(0.9);
});

test('gradient penalty', async () => {
  using model = net().init({ seed: 0 });
  using opt = adam({ lr: 0.01 }).for(model);
  using x = requireGrad(tensor(data.x));
  using step = capture(() => {
    const loss = crossEntropy(model.forward(x), data.y);
    const [dx] = grad(loss, [x], { createGraph: true });
    const penalty = mean(square(norm(mul(dx!, data.y.length), { axes: 1 })));
    backward(add(loss, mul(penalty, 0.1)));
    opt.step();
    return penalty;
  });
  for (let t = 1; t < 60; t++) step.run();
  expect(await step.value.item()).toBeLessThan(0.5);
});

test('save and resume', async () => {
  const run = async (from: number, to: number, saved?: Uint8Array[]) => {
    using model = net().init({ seed: from });
    using opt = adam({ lr: 0.01, amsgrad: true }).for(model);
    if (saved) model.load(saved[0]!);
    if (saved) loadState(opt, saved[1]!);
    for (let t = from; t < to; t++) {
      scope(() => backward(crossEntropy(model.forward(tensor(data.x)), data.y)));
      opt.step();
    }
    return [await model.save(), await saveState(opt)];
  };
  expect(await run(5, 10, await run(0, 5))).toEqual(await run(0, 10));
});

test('stream', async () => {
  async function* chunks() {
    for (let k = 0; k < 60; k++) yield shard(k);
  }
  using model = net().init({ seed: 0 });
  using opt = sgd({ lr: 0.05, momentum: 0.9 }).for(model);
  for await (const { x, y } of chunks()) {
    scope(() => backward(crossEntropy(model.forward(tensor(x), { training: true }), y)));
    opt.step();
  }
  expect((await evaluate(model, data)).accuracy).toBeGreaterThan(0.9);
});

test('evaluate with own metric', async () => {
  const topTwo = (probabilities: NdArray, labels: ArrayLike<number>): number => {
    const hits = Array.from(labels, (y, i) => {
      const row = Array.from({ length: 10 }, (_, c) => probabilities.data[10 * i + c]!);
      return Number(row.filter((p) => p > row[y]!).length < 2);
    });
    return hits.reduce((a, b) => a + b, 0) / hits.length;
  };
  using model = net().init({ seed: 0 });
  await fit(model, data, { loss: crossEntropy, optimizer: adam({ lr: 0.01 }), epochs: 10 });
  const { accuracy, scores } = await evaluate(model, data, { metrics: { topTwo } });
  expect(scores.topTwo).toBeGreaterThanOrEqual(accuracy);
});
