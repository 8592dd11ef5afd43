import { beforeEach, expect, test } from 'vitest';
import { backward, capture, requireGrad, type Tensor } from 'evenkeel';
import { add, conv2d, linear, lpDistance, matmul, mul, sum } from 'evenkeel/ops';
import { expectSameBits, readAll, takeGrad, upload } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';

const postponed = (): number => [...gpu.pipelines.values()].filter(({ pipeline }) => pipeline.isPostponed).length;
const random = (shape: readonly number[], seed: number): Tensor => upload(sample(shape, { seed, low: -1, high: 1 }));

// Each test begins with nothing compiled.
beforeEach(() => gpu.pipelines.clear());

const STEPS: [string, number[][], (...x: Tensor[]) => Tensor][] = [
  [
    'matmul',
    [
      [128, 96],
      [96, 256],
    ],
    (a, b) => matmul(a, b),
  ],
  [
    'matmul TN',
    [
      [96, 128],
      [96, 256],
    ],
    (a, b) => matmul(a, b, { transposeA: true }),
  ],
  [
    'matmul NT, ragged',
    [
      [130, 97],
      [201, 97],
    ],
    (a, b) => matmul(a, b, { transposeB: true }),
  ],
  [
    'matmul, batched',
    [
      [3, 64, 40],
      [3, 40, 128],
    ],
    (a, b) => matmul(a, b),
  ],
  ['linear', [[128, 64], [256, 64], [256]], (x, w, b) => linear(x, w, b)],
  ['conv2d', [[8, 8, 14, 14], [32, 8, 3, 3], [32]], (x, w, b) => conv2d(x, w, b, { padding: 1 })],
  ['conv2d, strided', [[8, 6, 15, 15], [24, 6, 3, 3], [24]], (x, w, b) => conv2d(x, w, b, { stride: 2 })],
  [
    'l_inf distance',
    [
      [128, 64],
      [256, 64],
    ],
    (x, w) => lpDistance(x, w),
  ],
  [
    'l_8 distance',
    [
      [128, 64],
      [256, 64],
    ],
    (x, w) => lpDistance(x, w, null, { p: 8 }),
  ],
];

test.each(STEPS)('%s: small and large blocks give the same bits, forward and backward', async (_name, shapes, run) => {
  const once = (): Promise<Float32Array[]> =>
    readAll(() => {
      const x = shapes.map((shape, i) => requireGrad(random(shape, i + 1)));
      const y = run(...x);
      backward(sum(mul(y, random(y.shape, 9))));
      return [y, ...x.map(takeGrad)];
    });
  const quick = await once();
  expect(postponed()).toBeGreaterThan(0);
  await gpu.settle();
  expect(postponed()).toBe(0);
  (await once()).forEach((values, i) => expectSameBits(values, quick[i]!, `result ${i}`));
});

test('a captured step goes over to large blocks by itself, with the same result', async () => {
  const [a, b] = [random([126, 256], 1), random([126, 512], 2)];
  const step = capture(() => add(matmul(a, b, { transposeA: true }), 1));
  const before = new Float32Array(await step.value.read());
  expect(postponed()).toBe(1);
  for (let runs = 0; postponed() > 0; runs++) {
    expect(runs, 'runs before it goes over').toBeLessThan(1000);
    step.run();
    await gpu.sync();
  }
  expectSameBits(await step.run().read(), before, 'after');
  step.dispose();
  for (const t of [a, b]) t.dispose();
});

test('numbers of a profile are those of the block that ran', async () => {
  const [a, b] = [random([128, 127], 1), random([384, 127], 2)];
  const run = async (op: () => Tensor): Promise<string> => {
    const { name, variant } = (await gpu.profile(() => op().dispose())).kernels[0]!;
    return `${name};${variant};`;
  };
  const [distance, product] = [() => lpDistance(a, b), () => matmul(a, b, { transposeB: true })];
  expect(await run(distance)).toMatch(/^lp-distance\.forwardLargest;.*BLOCK_M=4;/);
  expect(await run(product)).toMatch(/^matmul\.quick;/);
  await gpu.settle();
  expect(await run(distance)).toMatch(/^lp-distance\.forwardLargest;.*BLOCK_M=16;/);
  expect(await run(product)).toMatch(/^matmul\.forward;.*BLOCK_M=16;/);
  for (const t of [a, b]) t.dispose();
});
