import { expect, test } from 'vitest';
import { scope, tensor, backward } from 'evenkeel';
import { crossEntropyLoss } from 'evenkeel/losses';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { fit, TrainingStep } from 'evenkeel/train';
import { clusters } from '../support/synthetic.ts';
import { gpu } from '../support/gpu.ts';
import { mlpStep } from '../support/mlp-step.ts';

const mlp = () => Sequential(Linear(784, 256), ReLU(), Linear(256, 128), ReLU(), Linear(128, 10)).init({ seed: 0 });

test('a captured MLP step: at most 13 dispatches, 1 submit, nothing allocated', async () => {
  const { step, dispose } = mlpStep(128);
  const first = await step.value.item();
  const { submits, bindGroups } = gpu.counters;
  const created = gpu.buffersCreated;
  const live = gpu.memory().live;
  let before = gpu.counters.dispatches;
  for (let i = 2; i < 12; i++) {
    step.run();
    expect(gpu.counters.dispatches - before).toBe(step.dispatches);
    before = gpu.counters.dispatches;
  }
  expect(gpu.counters.submits - submits).toBe(10);
  expect(gpu.counters.bindGroups).toBe(bindGroups);
  expect(gpu.buffersCreated).toBe(created);
  expect(gpu.memory().live).toBe(live);
  expect(step.dispatches).toBeLessThanOrEqual(13);
  expect(await step.value.item()).toBeLessThan(first);
  dispose();
});

test('a step of fit, with its batch, noise and log, stays within 15 dispatches', async () => {
  const data = clusters({ n: 256, features: 784 });
  const model = mlp();
  const loss = crossEntropyLoss();
  const step = new TrainingStep(model, data, {
    loss,
    optimizer: sgd({ lr: 0.01, momentum: 0.9 }),
    batchSize: 128,
    inputNoise: 0.1,
    seed: 0,
  });
  step.setOrder(Uint32Array.from({ length: 256 }, (_, i) => i));
  step.run(0, 0.01);
  expect(step.dispatches).toBeLessThanOrEqual(15);
  const { submits } = gpu.counters;
  step.run(1, 0.01);
  expect(gpu.counters.submits - submits).toBe(1);
  step.dispose();
  loss.dispose();
  model.dispose();
});

test('memory returns to its baseline after 200 steps, captured and eager', async () => {
  const data = clusters({ n: 1000 });
  const model = Sequential(Linear(16, 32), ReLU(), Linear(32, 10)).init({ seed: 1 });
  const loss = crossEntropyLoss();
  const optimizer = sgd({ lr: 0.05, momentum: 0.9 });
  await fit(model, data, { loss, optimizer, epochs: 1 });
  await gpu.sync();
  const { live } = gpu.memory();
  const created: number[] = [];
  await fit(model, data, { loss, optimizer, epochs: 25, onEpoch: () => void created.push(gpu.buffersCreated) });
  expect(gpu.memory().live).toBe(live);
  // After the first epoch every buffer exists.
  expect(new Set(created.slice(1)).size).toBe(1);

  const x = tensor(data.x);
  const y = tensor(data.y, { dtype: 'i32' });
  const eager = (): void => scope(() => backward(loss(model.forward(x), y)));
  eager();
  await gpu.sync();
  const before = { live: gpu.memory().live, created: gpu.buffersCreated };
  for (let i = 0; i < 200; i++) eager();
  await gpu.sync();
  expect(gpu.memory().live).toBe(before.live);
  expect(gpu.buffersCreated).toBe(before.created);
  for (const t of [x, y, loss, model]) t.dispose();
});
