import { expect, test } from 'vitest';
import { backward, capture, init, requireGrad, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { readAll, takeGrad, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { bitsByTile } from '../support/tuning.ts';

const random = (shape: readonly number[], seed: number): Tensor => upload(sample(shape, { seed, low: -1, high: 1 }));

const WORK: [string, number[][], (...x: Tensor[]) => Tensor][] = [
  ['3x3', [[4, 6, 11, 13], [64, 6, 3, 3], [64]], (x, w, b) => ops.conv2d(x, w, b, { padding: 1 })],
  ['5x5, stride 2', [[3, 5, 15, 15], [20, 5, 5, 5], [20]], (x, w, b) => ops.conv2d(x, w, b, { stride: 2 })],
  ['in groups', [[2, 8, 9, 9], [64, 4, 3, 3], [64]], (x, w, b) => ops.conv2d(x, w, b, { groups: 2, dilation: 2 })],
  ['1x1', [[2, 20, 7, 7], [72, 20, 1, 1], [72]], (x, w, b) => ops.conv2d(x, w, b)],
];

test.each(WORK)(
  'every tile of a convolution gives the bits of processors, gradients too: %s',
  async (_, shapes, run) => {
    const { software, hardware } = await bitsByTile(() =>
      readAll(() => {
        const x = shapes.map((shape, i) => requireGrad(random(shape, i + 1)));
        const y = run(...x);
        backward(ops.sum(ops.mul(y, random(y.shape, 9))));
        return [y, ...x.map(takeGrad)];
      }),
    );
    expect(hardware.size).toBeGreaterThan(1);
    for (const [place, bits] of hardware) expect(bits, `tile ${place}`).toEqual(software);
  },
);

test('a step of a product and a convolution finds its tiles on the device, and its bits stay', async () => {
  const own = await init({ tuning: 'hardware' });
  try {
    const filled = (...shape: number[]): Tensor => {
      const { data } = sample(shape, { seed: shape.length, low: -1, high: 1 });
      return tensor(Float32Array.from(data), { shape, gpu: own });
    };
    const [a, b, x, w] = [filled(96, 64), filled(64, 80), filled(4, 6, 12, 12), filled(32, 6, 3, 3)];
    const step = capture(() => [ops.matmul(a, b), ops.conv2d(x, w, null, { padding: 1 })] as const);
    const read = async (): Promise<ArrayLike<number>[]> => Promise.all(step.value.map((t) => t.read()));
    const before = await read();
    const report = await own.tune(() => step.run());
    expect(report.map(({ key, reason }) => `${key}: ${reason}`)).toEqual([
      'product NN k64 128x128x1: measured',
      'convolution 3x3/1x1 32x1024x1: measured',
    ]);
    expect(own.choices.undecided).toBe(0);
    step.run();
    expect(await read()).toEqual(before);
    expect(Object.values(own.tuned().choices)).toEqual(report.map(({ name }) => name));
    step.dispose();
  } finally {
    own.destroy();
  }
});
