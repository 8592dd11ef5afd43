import { expect, test } from 'vitest';
import { backward, capture, NdArray, scope, tensor } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss } from 'evenkeel/losses';
import {
  AdaptiveAvgPool2d,
  BasicBlock,
  BatchNorm,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  ReLU,
  Sequential,
} from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { hostNormal, key } from 'evenkeel/random';
import { fit, TrainingStep } from 'evenkeel/train';
import { gpu } from '../support/gpu.ts';

const net = () =>
  Sequential({
    conv1: Conv2d(1, 4, 3, { padding: 1, bias: false }),
    bn1: BatchNorm(4),
    relu: ReLU(),
    block: BasicBlock(4, 8, 2),
    pool: AdaptiveAvgPool2d(1),
    flatten: Flatten(),
    drop: Dropout(0.2),
    fc: Linear(8, 3),
  });
const rows = 8;
const batches = [1, 2, 3, 4].map((seed) => ({
  x: hostNormal(rows, 36, key(seed)),
  y: Int32Array.from({ length: rows }, (_, i) => (i * seed) % 3),
}));

/** Trains a fresh model on the batches; captured or not. Returns losses and the state. */
async function train(isCaptured: boolean): Promise<{ losses: number[]; state: Map<string, Float32Array> }> {
  const model = net().init({ seed: 1 });
  const loss = crossEntropyLoss();
  const optimizer = sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.1 }).for(model);
  const x = tensor(batches[0]!.x, { shape: [rows, 1, 6, 6] });
  const y = tensor(batches[0]!.y, { dtype: 'i32' });
  const step = () => {
    const value = loss(model.forward(x, { training: true }), y);
    backward(value);
    optimizer.step();
    return value;
  };
  const losses: number[] = [];
  let captured: ReturnType<typeof capture<ReturnType<typeof step>>> | null = null;
  for (const batch of batches) {
    x.write(batch.x);
    y.write(batch.y);
    if (isCaptured) {
      if (captured) captured.run();
      else captured = capture(step);
      losses.push(await captured.value.item());
    } else {
      const value = scope(step);
      losses.push(await value.item());
      value.dispose();
    }
  }
  const state = new Map([...(await model.stateDict())].map(([n, { data }]) => [n, data]));
  captured?.dispose();
  for (const t of [optimizer, loss, model, x, y]) t.dispose();
  return { losses, state };
}

test(
  'a captured step with batch norm, residual block and dropout is the eager one, bit for bit, running ' +
    'statistics included',
  async () => {
    const [eager, captured] = [await train(false), await train(true)];
    expect(captured.losses).toEqual(eager.losses);
    for (const [name, data] of eager.state) expect(captured.state.get(name), name).toEqual(data);
    expect(eager.state.get('bn1.num_batches_tracked')).toEqual(Float32Array.of(4));
    expect(new Set(eager.losses).size).toBe(4);
  },
);

const data = makeDataset(
  new NdArray(Float32Array.from(batches.flatMap(({ x }) => [...x])), [4 * rows, 1, 6, 6]),
  Int32Array.from(batches.flatMap(({ y }) => [...y])),
  { numClasses: 3 },
);

test(
  'fit: the same seed gives the same masks and statistics, another seed others, on a model that has already ' +
    'drawn some',
  async () => {
    const loss = crossEntropyLoss();
    const model = net().init({ seed: 1 });
    const start = await model.stateDict();
    const run = async (seed: number) => {
      model.loadStateDict(start);
      const losses: number[] = [];
      // One batch an epoch: the order of samples does not tell the runs apart, the masks do.
      await fit(model, data, {
        loss,
        optimizer: sgd({ lr: 0.05 }),
        epochs: 3,
        batchSize: 4 * rows,
        seed,
        onStep: (r) => void losses.push(r.loss),
      });
      const state = await model.stateDict();
      return {
        losses,
        mean: Array.from(state.get('block.bn2.running_mean')!.data),
        count: state.get('bn1.num_batches_tracked')!.data[0],
      };
    };
    const [a, b, c] = [await run(1), await run(1), await run(2)];
    expect(b).toEqual(a);
    expect(a.count).toBe(3);
    expect(Math.abs(c.losses[0]! - a.losses[0]!)).toBeGreaterThan(1e-4);
    for (const t of [model, loss]) t.dispose();
  },
);

test('memory returns to its baseline after 200 steps, and a step allocates nothing', async () => {
  const loss = crossEntropyLoss();
  const model = net().init({ seed: 1 });
  const step = new TrainingStep(model, data, {
    loss,
    optimizer: sgd({ lr: 0.01 }),
    batchSize: rows,
    inputNoise: 0,
    seed: 0,
  });
  step.setOrder(Uint32Array.from({ length: 4 * rows }, (_, i) => i));
  step.run(0, 0.01);
  await gpu.sync();
  const { live } = gpu.memory();
  const created = gpu.buffersCreated;
  for (let i = 1; i < 200; i++) step.run(i % 4, 0.01);
  await gpu.sync();
  expect(gpu.memory().live).toBe(live);
  expect(gpu.buffersCreated).toBe(created);

  const x = tensor(batches[0]!.x, { shape: [rows, 1, 6, 6] });
  const eager = (): void => scope(() => backward(loss(model.forward(x, { training: true }), batches[0]!.y)));
  eager();
  await gpu.sync();
  const before = { live: gpu.memory().live, created: gpu.buffersCreated };
  for (let i = 0; i < 50; i++) eager();
  await gpu.sync();
  expect({ live: gpu.memory().live, created: gpu.buffersCreated }).toEqual(before);
  for (const t of [step, model, loss, x]) t.dispose();
});
