import { describe, expect, test } from 'vitest';
import { backward, capture, noGrad, prepare, requireGrad, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { add, crossEntropy, erf, linear, mul, reshape, softmax, sum, tanh } from 'evenkeel/ops';
import { Conv2d, Flatten, Linear as linearLayer, MaxPool2d, mlp, ReLU, resnet20, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { Arena } from '../../src/nn/arena.ts';
import { expectSameBits } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { integers, sample } from '../support/sample.ts';

const arena = (): Arena =>
  new Arena(
    gpu,
    new Map([
      ['w1', { shape: [8, 5], data: Float32Array.from(sample([40], { seed: 1 }).data) }],
      ['b1', { shape: [8], data: new Float32Array(8) }],
      ['w2', { shape: [3, 8], data: Float32Array.from(sample([24], { seed: 2 }).data) }],
      ['b2', { shape: [3], data: new Float32Array(3) }],
    ]),
  );
const batch = (k: number): { x: number[]; y: number[] } => ({
  x: Array.from(sample([30], { seed: 10 + k }).data),
  y: integers(6, 3, k),
});

function lossOf(a: Arena, x: Tensor, y: Tensor<'i32'>): Tensor {
  const p = (name: string): Tensor => a.parameters.get(name)!;
  return crossEntropy(linear(linear(x, p('w1'), p('b1'), { activation: 'relu' }), p('w2'), p('b2')), y);
}

/** Five steps of training; losses and parameters afterwards. */
async function train(
  captured: boolean,
): Promise<{ losses: number[]; values: Float32Array; created: number[]; submits: number[] }> {
  const a = arena();
  const state = sgd({ lr: 0.1, momentum: 0.9 }).for(a);
  const x = tensor(batch(0).x, { shape: [6, 5] });
  const y = tensor(batch(0).y, { dtype: 'i32' });
  const step = (): Tensor => {
    const loss = lossOf(a, x, y);
    backward(loss);
    state.step();
    return loss;
  };
  const losses: number[] = [];
  const [created, submits]: [number[], number[]] = [[], []];
  let replay: ReturnType<typeof capture<Tensor>> | null = null;
  for (let k = 0; k < 5; k++) {
    const { x: xs, y: ys } = batch(k);
    x.write(xs);
    y.write(ys);
    if (!captured) {
      const loss = scope(step);
      losses.push(await loss.item());
      loss.dispose();
    } else if (!replay) {
      replay = capture(step);
      losses.push(await replay.value.item());
    } else {
      const before = { created: gpu.buffersCreated, submits: gpu.counters.submits };
      replay.run();
      created.push(gpu.buffersCreated - before.created);
      submits.push(gpu.counters.submits - before.submits);
      losses.push(await replay.value.item());
    }
  }
  const values = await a.values.read();
  replay?.dispose();
  for (const t of [a, state, x, y]) t.dispose();
  return { losses, values, created, submits };
}

test(
  '5 steps of training with changing data: bit by bit the same as ' + 'eager, no buffer made, one submit a step',
  async () => {
    const eager = await train(false);
    const replayed = await train(true);
    expect(replayed.losses).toEqual(eager.losses);
    expectSameBits(replayed.values, eager.values, 'parameters');
    expect(new Set(eager.losses).size).toBe(5);
    expect(replayed.created).toEqual([0, 0, 0, 0]);
    expect(replayed.submits).toEqual([1, 1, 1, 1]);
  },
);

describe('captured step', () => {
  test('constants inside live as long as the step', async () => {
    const x = tensor([1, 2]);
    const step = capture(() =>
      add(
        mul(x, 3),
        scope(() => mul(tensor([10, 20]), 2)),
      ),
    );
    const junk = [tensor([7, 7]), tensor([9, 9])];
    x.write([2, 4]);
    expect(Array.from(await step.run().read())).toEqual([26, 52]);
    for (const t of [...junk, step, x]) t.dispose();
  });

  test('a tensor that is freed outside stays for the step', async () => {
    const [x, y] = [tensor([1, 2]), tensor([5, 5])];
    const step = capture(() => add(x, y));
    y.dispose();
    const junk = tensor([9, 9]);
    x.write([3, 4]);
    expect(Array.from(await step.run().read())).toEqual([8, 9]);
    for (const t of [junk, step, x]) t.dispose();
  });

  test('several outputs, views and nothing', async () => {
    const x = tensor([1, 2, 3, 4]);
    const step = capture(() => ({ twice: mul(x, 2), table: reshape(tanh(mul(x, 0)), [2, 2]), list: [add(x, 1)] }));
    x.write([5, 6, 7, 8]);
    const { twice, table, list } = step.run();
    expect([
      table.shape,
      Array.from(await twice.read()),
      Array.from(await table.read()),
      Array.from(await list[0]!.read()),
    ]).toEqual([
      [2, 2],
      [10, 12, 14, 16],
      [0, 0, 0, 0],
      [6, 7, 8, 9],
    ]);
    step.dispose();
    const nothing = capture(() => undefined);
    expect([nothing.run(), nothing.dispatches, nothing.bytes]).toEqual([undefined, 0, 0]);
    for (const t of [nothing, x]) t.dispose();
  });

  test('temporaries share memory', () => {
    const x = zeros([64, 64]);
    const step = capture(() => {
      let y = x;
      for (let i = 0; i < 20; i++) y = softmax(y);
      return y;
    });
    expect(step.dispatches).toBe(20);
    expect(step.bytes).toBeLessThanOrEqual(3 * 4096 * 4);
    for (const t of [step, x]) t.dispose();
  });

  test('state on the device moves on by itself', async () => {
    const counter = tensor([0]);
    const step = capture(() => {
      const next = add(counter, 1);
      counter.gpu.recorder.push({
        kind: 'copy',
        from: next.storage,
        fromOffset: 0,
        to: counter.storage,
        toOffset: 0,
        bytes: 4,
      });
    });
    for (let i = 0; i < 9; i++) step.run();
    expect(await counter.item()).toBe(10);
    for (const t of [step, counter]) t.dispose();
  });

  test('gradients of leaves are outputs like any other', async () => {
    const x = requireGrad(tensor([1, 2]));
    const w = tensor([3, 4]);
    const step = capture(() => {
      backward(sum(mul(x, w)));
      const g = x.grad!;
      x.grad = null;
      return g;
    });
    w.write([5, 6]);
    expect(Array.from(await step.run().read())).toEqual([5, 6]);
    for (const t of [step, x, w]) t.dispose();
  });

  test('dispose returns the memory, once', () => {
    const x = zeros([100]);
    const before = gpu.memory().live;
    const step = capture(() => noGrad(() => mul(tanh(x), tanh(x))));
    expect(gpu.memory().live).toBeGreaterThan(before);
    step.dispose();
    step.dispose();
    expect(gpu.memory().live).toBe(before);
    expect(() => step.run()).toThrow('capture: run after dispose');
    x.dispose();
  });

  test.each([
    ['a perceptron', () => mlp(784, 256, 128, 10), [32, 784]],
    ['layers of uneven width', () => mlp(100, 512, 128, 700, 64, 300, 10), [100, 100]],
    [
      'a convolutional network',
      () =>
        Sequential(
          Conv2d(1, 24, 5),
          ReLU(),
          MaxPool2d(2),
          Conv2d(24, 32, 3),
          ReLU(),
          MaxPool2d(2),
          Flatten(),
          linearLayer(800, 128),
          ReLU(),
          linearLayer(128, 10),
        ),
      [16, 1, 28, 28],
    ],
    ['ResNet-20', () => resnet20(), [2, 3, 32, 32]],
  ] as const)(
    '%s: temporaries take at most 1.2 times what lives at one time, and nothing is allocated afterwards',
    async (_name, make, shape) => {
      using model = make().init({ seed: 0 });
      const x = tensor(sample(shape).data, { shape });
      const y = tensor(new Int32Array(shape[0]), { dtype: 'i32' });
      const step = capture(() => backward(crossEntropy(model.forward(x, { training: true }), y)));
      expect(step.bytes).toBeLessThanOrEqual(1.2 * step.bound);
      const before = { created: gpu.buffersCreated, groups: gpu.counters.bindGroups, submits: gpu.counters.submits };
      for (let i = 0; i < 3; i++) step.run();
      await gpu.sync();
      expect([gpu.buffersCreated, gpu.counters.bindGroups, gpu.counters.submits]).toEqual([
        before.created,
        before.groups,
        before.submits + 3,
      ]);
      for (const t of [step, x, y]) t.dispose();
    },
  );

  test('prepare compiles what a step launches, runs nothing, and leaves the device as it was', async () => {
    const [x, w] = [tensor([1, 2, 3]), requireGrad(tensor([4, 5, 6]))];
    const step = (): Tensor => {
      const y = sum(erf(mul(x, w)));
      backward(y);
      return y;
    };
    const before = { live: gpu.memory().live, dispatches: gpu.counters.dispatches, submits: gpu.counters.submits };
    const compiled = (): number => [...gpu.pipelines.values()].filter(({ pipeline }) => pipeline.isCompiled).length;
    const known = compiled();
    await prepare(step);
    expect({ live: gpu.memory().live, dispatches: gpu.counters.dispatches, submits: gpu.counters.submits }).toEqual(
      before,
    );
    const made = compiled();
    expect(made).toBeGreaterThan(known);
    w.grad = null;
    const captured = capture(step);
    // Those of ops that became one are never compiled on their own.
    expect(compiled()).toBe(made);
    expect(await captured.value.item()).toBeCloseTo(3, 4);
    await expect(prepare(() => capture(step))).rejects.toThrow('capture inside a captured step');
    for (const t of [captured, x, w]) t.dispose();
  });

  test('errors', async () => {
    const x = tensor([1, 2]);
    expect(() => capture(() => capture(() => mul(x, 2)))).toThrow('capture inside a captured step');
    expect(() => capture(async () => mul(x, 2))).toThrow(
      'scope: the function is async, expected a synchronous one; await outside the scope',
    );
    let reading: Promise<unknown> = Promise.resolve();
    const step = capture(() => {
      reading = mul(x, 2).read();
      reading.catch(() => {});
    });
    await expect(reading).rejects.toThrow('read inside a captured step: read its outputs after capture() returns');
    expect(() =>
      capture(() => {
        mul(x, 3);
        throw new Error('inside');
      }),
    ).toThrow('inside');
    // Nothing of a failed capture stays behind.
    const y = scope(() => mul(x, 2));
    expect(Array.from(await y.read())).toEqual([2, 4]);
    for (const t of [step, x, y]) t.dispose();
  });
});
