import { expect, test } from 'vitest';
import { backward, requireGrad, scope, type Tensor, type Tuning } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { tuningFor } from '../../src/gpu/tuning/index.ts';
import { expectSameBits, readAll, takeGrad, upload } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { withTuning } from '../support/tuning.ts';

const hardware = (): Tuning => tuningFor(gpu.adapter, gpu.device.features, 'hardware');

/** The tuning of GPUs with its candidates turned round by `by`, so that another is the default; counts them. */
function turned(by: number): { tuning: Tuning; most: () => number } {
  const own = hardware();
  let most = 0;
  const turn = <T>(list: readonly T[]): readonly T[] => {
    most = Math.max(most, list.length);
    return list.length === 0 ? list : [...list.slice(by % list.length), ...list.slice(0, by % list.length)];
  };
  return {
    tuning: {
      ...own,
      tilesFor: (...product) => turn(own.tilesFor(...product)),
      convolutionTiles: (...product) => turn(own.convolutionTiles(...product)),
    },
    most: () => most,
  };
}

const random = (shape: readonly number[], seed: number): Tensor => upload(sample(shape, { seed, low: -1, high: 1 }));

const WORK: [string, number[][], (...x: Tensor[]) => Tensor][] = [
  ...[
    [128, 96, 72],
    [65, 70, 33],
    [300, 40, 5],
    [3, 130, 97],
    [16, 520, 12],
    [130, 1030, 65],
  ].map(([m, k, n]): [string, number[][], (...x: Tensor[]) => Tensor] => [
    `linear ${m} x ${k} x ${n}`,
    [[m!, k!], [n!, k!], [n!]],
    (x, w, b) => ops.linear(x, w, b, { activation: 'relu' }),
  ]),
  [
    'batched product',
    [
      [3, 70, 40],
      [3, 40, 66],
    ],
    (a, b) => ops.matmul(a, b),
  ],
  [
    'l_inf distance',
    [
      [70, 50],
      [66, 50],
    ],
    (x, w) => ops.lpDistance(x, w),
  ],
  [
    'l_8 distance',
    [
      [70, 50],
      [66, 50],
    ],
    (x, w) => ops.lpDistance(x, w, null, { p: 8 }),
  ],
  [
    'l_3 distance',
    [
      [70, 50],
      [66, 50],
    ],
    (x, w) => ops.lpDistance(x, w, null, { p: 3 }),
  ],
  ['conv 3x3', [[4, 6, 11, 13], [40, 6, 3, 3], [40]], (x, w, b) => ops.conv2d(x, w, b, { padding: 1 })],
  ['conv 5x5, stride 2', [[3, 5, 15, 15], [20, 5, 5, 5], [20]], (x, w, b) => ops.conv2d(x, w, b, { stride: 2 })],
  ['conv in groups', [[2, 8, 9, 9], [32, 4, 3, 3], [32]], (x, w, b) => ops.conv2d(x, w, b, { groups: 2, dilation: 2 })],
];

/** The bits of the result and of all gradients. */
async function bitsOf(tuning: Tuning, shapes: readonly number[][], run: (...x: Tensor[]) => Tensor) {
  let found: Tensor[] = [];
  await withTuning(tuning, async () => {
    found = scope(() => {
      const x = shapes.map((shape, i) => requireGrad(random(shape, i + 1)));
      const y = run(...x);
      backward(ops.sum(ops.mul(y, random(y.shape, 9))));
      return [y, ...x.map(takeGrad)];
    });
  });
  return readAll(found);
}

test.each(WORK)('every candidate gives the same bits: %s', async (_, shapes, run) => {
  const first = turned(0);
  const want = await bitsOf(first.tuning, shapes, run);
  expect(first.most()).toBeGreaterThan(1);
  for (let by = 1; by < first.most(); by++) expectSameBits(await bitsOf(turned(by).tuning, shapes, run), want);
});
