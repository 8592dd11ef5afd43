import { expect, test } from 'vitest';
import { backward, requireGrad, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { readAll, takeGrad, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { bitsByTile } from '../support/tuning.ts';

const random = (shape: readonly number[], seed: number): Tensor => upload(sample(shape, { seed, low: -1, high: 1 }));

const WORK: [string, number[][], (...x: Tensor[]) => Tensor][] = [
  ['3x3', [[4, 6, 11, 13], [40, 6, 3, 3], [40]], (x, w, b) => ops.conv2d(x, w, b, { padding: 1 })],
  ['5x5, stride 2', [[3, 5, 15, 15], [20, 5, 5, 5], [20]], (x, w, b) => ops.conv2d(x, w, b, { stride: 2 })],
  ['in groups', [[2, 8, 9, 9], [32, 4, 3, 3], [32]], (x, w, b) => ops.conv2d(x, w, b, { groups: 2, dilation: 2 })],
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
