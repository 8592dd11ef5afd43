import { expect, test } from 'vitest';
import { backward, empty, NdArray, requireGrad, tensor } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss } from 'evenkeel/losses';
import { BatchNorm, Conv2d, Dropout, Flatten, Linear, ReLU, Sequential } from 'evenkeel/nn';
import * as ops from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { asTuned } from '../support/tuning.ts';
import { gpu } from '../support/gpu.ts';
import { launchesOf } from '../support/launches.ts';
import { TABLE } from '../support/op-table.ts';
import { sample } from '../support/sample.ts';

/** Invocations that share an instruction on AMD's cards; those of NVIDIA and Apple have 32. */
const WAVE = 64;

/** Entries whose workgroups would leave lanes of a wave idle. */
const narrow = (): string[] =>
  [...gpu.pipelines].filter(([, { workgroup }]) => workgroup.reduce((a, b) => a * b, 1) < WAVE).map(([key]) => key);

test('every kernel that a GPU gets has workgroups of at least 64 invocations', () =>
  asTuned('hardware', async () => {
    // Kernels are recorded, not compiled: those of a large product take a second each.
    for (const row of TABLE) {
      const dtype = row.dtypes.split(' ')[0] as 'f32' | 'i32';
      using x = tensor(
        Array.from({ length: 24 }, (_, i) => (dtype === 'f32' ? 0.1 + i / 30 : i % 5)),
        { shape: [4, 6], dtype },
      );
      launchesOf(() => row.sample(x));
    }
    const product = (a: readonly number[], b: readonly number[], run: (typeof ops)['matmul']): void =>
      void launchesOf(() => {
        const [x, y] = [requireGrad(empty(a)), requireGrad(empty(b))];
        backward(ops.sum(run(x, y)));
      });
    for (const [m, k, n] of [
      [1, 700, 5],
      [128, 784, 256],
      [512, 64, 512],
      [600, 64, 1000],
      [1024, 16, 1024],
    ] as const) {
      product([m, k], [k, n], ops.matmul);
      product([m, k], [n, k], (x, w) => ops.linear(x, w, null));
    }
    product([128, 64], [512, 64], (x, w) => ops.lpDistance(x, w, null, { p: Infinity }));
    product([128, 64], [512, 64], (x, w) => ops.lpDistance(x, w, null, { p: 8 }));
    for (const shape of [
      [8, 3, 32, 32],
      [32, 16, 16, 16],
    ] as const)
      product(shape, [32, shape[1], 3, 3], (x, w) => ops.conv2d(x, w, null, { padding: 1 }));

    product([2, 16, 9, 9], [16, 1, 3, 3], (x, w) => ops.conv2d(x, w, null, { groups: 16 }));

    const loss = crossEntropyLoss();
    const model = Sequential(Conv2d(1, 4, 3), BatchNorm(4), ReLU(), Flatten(), Dropout(0.2), Linear(144, 3));
    await fit(
      model,
      makeDataset(
        new NdArray(Float32Array.from(sample([24, 1, 8, 8]).data), [24, 1, 8, 8]),
        Array.from({ length: 24 }, (_, i) => i % 3),
      ),
      {
        loss,
        optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
        epochs: 1,
        batchSize: 8,
      },
    );
    model.dispose();
    loss.dispose();
    expect(gpu.pipelines.size).toBeGreaterThan(100);
    expect(narrow()).toEqual([]);
  }));
