import { expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import { squareAttack, squareShare, type AttackedModel, type SquareOptions } from 'evenkeel/attack';
import { Conv2d, Flatten, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { abs, cast, greater, mul, reshape, sub, sum } from 'evenkeel/ops';
import { hostUniform, key } from 'evenkeel/random';
import { gpu } from '../support/gpu.ts';
import { linearNet } from '../support/linear-net.ts';

test('the schedule of the shares', () => {
  const plain = (q: number): number => 0.8 / squareShare(q, { queries: 5000, rescale: false });
  expect([1, 10, 11, 50, 51, 200, 201, 500, 501, 1000, 1001, 2000, 2001, 4000, 4001, 5000].map(plain)).toEqual([
    1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128,
  ]);
  // Half as many queries: each stage is half as long.
  expect([5, 6, 25, 26, 100, 101, 4001].map((q) => 0.8 / squareShare(q, { queries: 5000 }))).toEqual([
    1, 2, 2, 4, 4, 8, 512,
  ]);
});

const SHAPE = [6, 2, 5, 7];
const X = hostUniform(6, 70, key(1));
function net() {
  return Sequential(Conv2d(2, 4, 3), ReLU(), Flatten(), Linear(60, 4)).init({ seed: 3 });
}
/** Margins of points, and the labels that the net gives to X. */
async function outputs(model: AttackedModel, points: Float32Array, shape = SHAPE): Promise<number[][]> {
  const made = scope(() => model.forward(tensor(points, { shape })).detach());
  const z = Array.from(await made.read());
  made.dispose();
  return Array.from({ length: shape[0]! }, (_, i) =>
    z.slice((i * z.length) / shape[0]!, ((i + 1) * z.length) / shape[0]!),
  );
}
const marginOf = (z: number[], y: number): number => z[y]! - Math.max(...z.filter((_, j) => j !== y));
async function attacked(
  model: AttackedModel,
  labels: number[],
  options: SquareOptions,
  shape = SHAPE,
  points: ArrayLike<number> = X,
): Promise<Float32Array> {
  const [x, y] = [tensor(points, { shape }), tensor(labels, { dtype: 'i32' })];
  const found = await squareAttack(model, x, y, options);
  const values = await found.read();
  for (const t of [x, y, found]) t.dispose();
  return values;
}

test(
  'points in the ball and the box, margins never above those of x, more queries never raise them, seeds ' + 'repeat',
  async () => {
    using model = net();
    const clean = await outputs(model, X);
    const labels = clean.map((z) => z.indexOf(Math.max(...z)));
    const eps = 0.06;
    // Without stretching, a longer run begins with the shorter one.
    const runs = await Promise.all(
      [1, 20, 150].map((queries) => attacked(model, labels, { eps, queries, rescale: false, seed: 1 })),
    );
    const margins = await Promise.all(
      runs.map(async (r) => (await outputs(model, r)).map((z, i) => marginOf(z, labels[i]!))),
    );
    let before = clean.map((z, i) => marginOf(z, labels[i]!));
    for (const now of margins) {
      now.forEach((m, i) => expect(m).toBeLessThanOrEqual(before[i]! + 1e-6));
      before = now;
    }
    expect(before.reduce((a, b) => a + b)).toBeLessThan(margins[0]!.reduce((a, b) => a + b));
    runs[2]!.forEach((v, i) => {
      expect(Math.abs(v - X[i]!)).toBeLessThanOrEqual(eps + 1e-6);
      expect(v >= 0 && v <= 1).toBe(true);
    });
    expect(await attacked(model, labels, { eps, queries: 150, rescale: false, seed: 1 })).toEqual(runs[2]);
    expect(await attacked(model, labels, { eps, queries: 150, rescale: false, seed: 2 })).not.toEqual(runs[2]);
  },
);

test('the first point is stripes: one sign a column and channel', async () => {
  // A score that likes every change, so that the stripes are kept: |x - 0.5| summed, against a constant.
  const model: AttackedModel = {
    forward: (x) =>
      mul(reshape(sum(abs(sub(x, 0.5)), { axes: [1, 2, 3] }), [6, 1]), tensor([-1, 0], { shape: [1, 2] })),
  };
  const grey = new Float32Array(70 * 6).fill(0.5);
  const got = await attacked(model, [0, 0, 0, 0, 0, 0], { eps: 0.25, queries: 1 }, SHAPE, grey);
  const column = (n: number, c: number, w: number): number[] =>
    Array.from({ length: 5 }, (_, h) => got[((n * 2 + c) * 5 + h) * 7 + w]!);
  let plus = 0;
  for (let n = 0; n < 6; n++) {
    for (let c = 0; c < 2; c++) {
      for (let w = 0; w < 7; w++) {
        const values = column(n, c, w);
        expect(new Set(values).size).toBe(1);
        expect([0.25, 0.75]).toContain(values[0]);
        plus += Number(values[0] === 0.75);
      }
    }
  }
  expect(plus).toBeGreaterThan(20);
  expect(plus).toBeLessThan(64);
});

test(
  'a linear classifier: reaches the exact answer of the ' + 'l-infinity margin, in intervals of a flat input',
  async () => {
    const w = [1, -2, 0.5, 0.25, 1, -1];
    using model = linearNet(w);
    const n = 40;
    const x = hostUniform(n, 6, key(5), { low: -1, high: 1 });
    const scores = (await outputs(model, x, [n, 6])).map((z) => z[0]! - z[1]!);
    const labels = scores.map((s) => Number(s <= 0));
    const eps = 0.2;
    const got = await attacked(model, labels, { eps, clip: null, queries: 400 }, [n, 6], x);
    const broken = (await outputs(model, got, [n, 6])).map((z, i) => Number(z[0]! - z[1]! <= 0) !== labels[i]!);
    const radii = scores.map((s) => Math.abs(s) / w.reduce((t, v) => t + Math.abs(v), 0));
    radii.forEach((r, i) => expect(broken[i], `sample ${i}, radius ${r}`).toBe(r < eps));
    expect(radii.filter((r) => r < eps).length).toBeGreaterThan(8);
  },
);

test('needs no gradient: a model of steps; ends when all samples are broken; errors', async () => {
  const steps: AttackedModel = {
    forward: (x) =>
      sub(
        tensor([3.5, 0], { shape: [1, 2] }),
        mul(sum(cast(greater(x, 0.55), 'f32'), { axes: 1, keepDim: true }), tensor([1, 0], { shape: [1, 2] })),
      ),
  };
  const grey = new Float32Array(60).fill(0.5);
  const { counters } = gpu;
  const before = counters.submits;
  const got = await attacked(steps, new Array(6).fill(0), { eps: 0.1, queries: 100_000 }, [6, 10], grey);
  expect(counters.submits - before).toBeLessThan(1000);
  for (let i = 0; i < 6; i++)
    expect(got.subarray(10 * i, 10 * i + 10).filter((v) => v > 0.55).length).toBeGreaterThanOrEqual(4);
  using model = net();
  const [x, y] = [tensor(X, { shape: SHAPE }), tensor(new Int32Array(6), { dtype: 'i32' })];
  await expect(squareAttack(model, x, y, { eps: -0.1 })).rejects.toThrow(
    'squareAttack: eps is -0.1, expected a finite number >= 0',
  );
  await expect(squareAttack(model, x, y, { eps: 0.1, queries: 0 })).rejects.toThrow(
    'squareAttack: queries is 0, expected a positive integer',
  );
  await expect(squareAttack(model, x, y, { eps: 0.1, pInit: 0 })).rejects.toThrow(
    'squareAttack: pInit is 0, expected 0 < pInit <= 1',
  );
  await expect(squareAttack(model, x, y, { eps: 0.1, clip: [2, 3] })).rejects.toThrow(
    `squareAttack: x is ${X[0]} in row 0, outside the box [2,3]; give clip in the units of the model's input`,
  );
  await expect(squareAttack(model, x, y, { eps: 0.1, signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow(
    'stop',
  );
  for (const t of [x, y] as Tensor[]) t.dispose();
});
