import { describe, expect, test } from 'vitest';
import { capture, GpuError, NdArray, scope, tensor, zeros } from 'evenkeel';
import { Smooth } from 'evenkeel/certify';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss } from 'evenkeel/losses';
import { Dropout, Flatten, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { add, matmul, mul, sum } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { gpu } from '../support/gpu.ts';
import { inject, POINTS } from '../support/inject.ts';
import { sample } from '../support/sample.ts';

const array = (shape: readonly number[], seed = 1) =>
  new NdArray(Float32Array.from(sample(shape, { seed }).data), shape);
const x = array([24, 2, 3]);
const y = Array.from({ length: 24 }, (_, i) => i % 3);

/** What is tried: each gives numbers, and frees what it makes whether or not it fails. */
const programs: Record<string, () => Promise<Iterable<number>>> = {
  'ops and a read': async () => {
    const out = scope(() => {
      const a = tensor(array([6, 5]));
      return sum(matmul(mul(a, 2), tensor(array([5, 4], 2))), { axes: 0 });
    });
    try {
      return await out.read();
    } finally {
      out.dispose();
    }
  },
  'a captured step, three times': async () => {
    const [a, total] = scope(() => [tensor(array([6, 5])), zeros([6, 5])]);
    try {
      using step = capture(() => add(total, mul(a, 2)), { gpu });
      const all: number[] = [];
      for (let i = 0; i < 3; i++) {
        total!.write(new Float32Array(30).fill(i));
        all.push(...(await step.run().read()));
      }
      return all;
    } finally {
      for (const t of [a!, total!]) t.dispose();
    }
  },
  'training and prediction': async () => {
    using model = Sequential(Flatten(), Linear(6, 5), ReLU(), Dropout(0.3), Linear(5, 3));
    const loss = crossEntropyLoss();
    try {
      const optimizer = sgd({ lr: 0.1, momentum: 0.9 });
      const { loss: losses } = await fit(model, makeDataset(x, y), {
        loss,
        optimizer,
        epochs: 2,
        batchSize: 10,
        seed: 3,
      });
      return [...losses, ...(await model.predict(x)).data];
    } finally {
      loss.dispose();
    }
  },
  certification: async () => {
    using model = Sequential(Flatten(), Linear(6, 3)).init({ seed: 5 });
    using smooth = new Smooth(model, { numClasses: 3, sigma: 0.5 });
    const found = await smooth.certify(x.slice(0, 3), { n0: 10, n: 60, batchSize: 50 });
    return [...found.labels, ...found.radii, ...found.counts.data];
  },
};

describe.each(Object.entries(programs))('%s', (_, program) => {
  test.each(POINTS)('$name', async (point) => {
    const right = await program();
    const { calls } = await inject(gpu.device, point, 0, program);
    const held = tensor([1, 2, 3]);
    // What is made once for a device has been made; sixteen places of each program, spread over it.
    const places = new Set(Array.from({ length: 16 }, (_, i) => 1 + Math.floor((i * calls) / 16)));
    for (const at of calls ? places : []) {
      await gpu.sync();
      const before = gpu.memory().live;
      let isOver = false;
      const bystander = (async () => {
        while (!isOver) expect([...(await held.read())]).toEqual([1, 2, 3]);
      })().then(
        () => null,
        (error: Error) => error,
      );
      const { outcome } = await inject(gpu.device, point, at, program);
      isOver = true;
      // A call of the bystander may be the one that failed, which then is its own failure.
      const own = await bystander;
      const what = `call ${at} of ${calls}`;
      if (own && outcome.status === 'rejected') expect.fail(`${what}: both failed, the bystander with ${own.message}`);
      if (outcome.status === 'fulfilled') expect([...outcome.value], what).toEqual([...right]);
      else expect(String(outcome.reason), what).toMatch(/\S/);
      expect(gpu.memory().live, `${what}: live bytes`).toBe(before);
      expect([...(await program())], `${what}: the next run`).toEqual([...right]);
    }
    held.dispose();
  });
});

test('a failed allocation names what there was no room for, and spoils nothing else', async () => {
  const held = tensor([1, 2, 3]);
  const [point] = POINTS.filter((p) => p.name === 'createBuffer gives an invalid buffer');
  gpu.trim();
  const { outcome } = await inject(gpu.device, point!, 1, async () => {
    const t = zeros([31, 7]);
    return t.read().finally(() => t.dispose());
  });
  expect(outcome.status).toBe('rejected');
  const { reason } = outcome as PromiseRejectedResult;
  expect(reason).toBeInstanceOf(GpuError);
  expect(reason.message).toMatch(
    /^no device memory for a tensor of shape \[31,7\] \(f32\), 868 bytes, beside \d+ live bytes \(the largest tensors, in bytes: /,
  );
  expect(reason.message).toMatch(/shape \[31,7\] \(f32\): 868[,)].*; use smaller batches, or dispose of tensors: /);
  expect([...(await held.read())]).toEqual([1, 2, 3]);
  held.dispose();
});
