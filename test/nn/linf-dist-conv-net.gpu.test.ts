import { expect, test } from 'vitest';
import { currentGpu, NdArray, tensor, type Tensor } from 'evenkeel';
import { evaluateRobustness, pgd, type AttackedModel } from 'evenkeel/attack';
import { certifyMargin } from 'evenkeel/certify';
import { makeDataset } from 'evenkeel/data';
import { linfMargin } from 'evenkeel/objectives';
import { linfDistConvNet, type LinfDistNet } from 'evenkeel/nn';
import { lpDecayAdamW } from 'evenkeel/optim';
import { hostUniform, key } from 'evenkeel/random';
import { fit } from 'evenkeel/train';
import { boundsOf } from '../support/certify.ts';
import { staircase } from '../support/staircase.ts';

const [H, W] = [5, 6];
const small = (p = Infinity): LinfDistNet =>
  linfDistConvNet([2, H, W], { channels: [{ out: 3 }, { out: 4, stride: 2 }], hidden: [6], numClasses: 3, p });

/** Distances of the patches of an image (channels, h, w) to filters (out, channels, 3, 3), padding 1, in f64. */
function convolved(
  x: number[],
  [c, h, w]: number[],
  filters: ArrayLike<number>,
  out: number,
  stride: number,
  p: number,
): number[] {
  const [oh, ow] = [h!, w!].map((n) => Math.floor((n - 1) / stride) + 1) as [number, number];
  return Array.from({ length: out * oh * ow }, (_, i) => {
    const [o, r, s] = [Math.floor(i / (oh * ow)), Math.floor(i / ow) % oh, i % ow];
    const terms: number[] = [];
    for (let k = 0; k < c! * 9; k++) {
      const [ch, y, z] = [Math.floor(k / 9), r * stride + (Math.floor(k / 3) % 3) - 1, s * stride + (k % 3) - 1];
      const v = y < 0 || z < 0 || y >= h! || z >= w! ? 0 : x[(ch * h! + y) * w! + z]!;
      terms.push(Math.abs(v - filters[o * c! * 9 + k]!));
    }
    return length(terms, p);
  });
}
const length = (terms: number[], p: number): number => {
  const most = Math.max(...terms);
  return p === Infinity ? most : most * terms.reduce((sum, t) => sum + (t / most) ** p, 0) ** (1 / p);
};

test.each([8, 20, Infinity])('outputs are those of f64 at p = %d', async (p) => {
  using net = small(p).init({ seed: 3 });
  const state = await net.stateDict();
  expect([...state.keys()].filter((n) => n.endsWith('weight'))).toEqual([
    'dist1.weight',
    'dist2.weight',
    'dist3.weight',
    'dist4.weight',
  ]);
  for (const i of [1, 2, 3]) state.get(`shift${i}.running_mean`)!.data.fill(0.5 * i);
  net.loadStateDict(state);
  const x = hostUniform(4, 2 * H * W, key(5));
  const got = (await net.logits(new NdArray(x, [4, 2, H, W]))).data;
  const of = (name: string): Float32Array => state.get(name)!.data as Float32Array;
  for (let i = 0; i < 4; i++) {
    let y = convolved(
      Array.from(x.subarray(i * 2 * H * W, (i + 1) * 2 * H * W)),
      [2, H, W],
      of('dist1.weight'),
      3,
      1,
      p,
    ).map((v) => v - 0.5);
    y = convolved(y, [3, H, W], of('dist2.weight'), 4, 2, p).map((v) => v - 1);
    for (const [layer, out, shift] of [
      ['dist3.weight', 6, 1.5],
      ['dist4.weight', 3, 0],
    ] as const) {
      const before = y;
      y = Array.from(
        { length: out },
        (_, o) =>
          length(
            before.map((v, k) => Math.abs(v - of(layer)[o * before.length + k]!)),
            p,
          ) - shift,
      );
    }
    y.forEach((v, j) => expect(Math.abs(got[3 * i + j]! + v)).toBeLessThan(2e-5 * Math.abs(v)));
  }
});

test("the authors' shape: filters, strides and names", () => {
  const net = linfDistConvNet([1, 28, 28], { numClasses: 10 });
  const weights = net.layers.filter((layer) => layer.specs.weight).map((layer) => layer.specs.weight!.shape);
  expect(weights).toEqual([
    [32, 1, 3, 3],
    [32, 32, 3, 3],
    [64, 32, 3, 3],
    [64, 64, 3, 3],
    [64, 64, 3, 3],
    [512, 64 * 14 * 14],
    [10, 512],
  ]);
  expect(() => linfDistConvNet([1, 0, 28], { numClasses: 10 })).toThrow(
    'linfDistConvNet: height is 0, expected a positive integer',
  );
  expect(() => linfDistConvNet([1, 28, 28], { numClasses: 10, channels: [{ out: 0 }] })).toThrow(
    'LinfDistConv2d: outChannels is 0, expected a positive integer',
  );
});

test('fits from p = 8 to infinity, certifies, and no attack reaches inside a certificate', async () => {
  // A bright half of the image tells the class: left, right, or none.
  const count = 192;
  const noise = hostUniform(1, count * H * W, key(9));
  const y = Int32Array.from({ length: count }, (_, i) => i % 3);
  const x = new NdArray(
    noise.map((v, i) => 0.3 * v + 0.7 * Number(y[Math.floor(i / (H * W))] === (i % W < W / 2 ? 0 : 1))),
    [count, 1, H, W],
  );
  using net = linfDistConvNet([1, H, W], {
    channels: [{ out: 6 }, { out: 8, stride: 2 }],
    hidden: [],
    numClasses: 3,
    p: 8,
    identity: 0,
  }).init({ seed: 1 });
  const loss = linfMargin({ epsTrain: 0.2, lambda: 0.1, scale: () => net.scale });
  const schedule = staircase(net, loss, { pStartEpoch: 2, pEndEpoch: 20 });
  await fit(net, makeDataset(x, y, { numClasses: 3 }), {
    loss,
    schedule,
    optimizer: lpDecayAdamW({ power: net.power, lr: 0.03 }),
    epochs: 24,
    batchSize: 32,
    seed: 2,
  });
  loss.dispose();
  expect(net.power.value).toBe(Infinity);

  const before = currentGpu().memory().live;
  const { labels, radii } = await certifyMargin(net, x, { batchSize: 50 });
  const eps = 0.1;
  const byMargin = radii.map((r, i) => Number(r > eps && labels[i] === y[i]));
  expect(byMargin.reduce((a, b) => a + b) / count).toBeGreaterThan(0.8);
  const free = await boundsOf(net, x, { labels: y, eps, clip: null, batchSize: 50 });
  const { certified } = await boundsOf(net, x, { labels: y, eps, batchSize: 50 });
  free.margins.forEach((m, i) => {
    // Without the pixel box intervals say what the margin says, but for their rounding, or a little more: the zeros of
    // the padding do not move.
    if (labels[i] === y[i]) expect(m).toBeGreaterThan(2 * (radii[i]! - eps) - 5e-4);
    if (free.certified[i]) expect(certified[i]).toBe(true);
  });
  const attack = {
    name: 'pgd',
    run: (model: AttackedModel, on: Tensor, of: Tensor<'i32'>, { seed }: { seed: number }) =>
      pgd(model, on, of, { eps, steps: 5, restarts: 4, seed }),
  };
  const report = await evaluateRobustness(net, x, y, { eps, attacks: [attack], certified });
  expect(report.cleanAccuracy).toBeGreaterThanOrEqual(report.robustAccuracy);
  expect(report.robustAccuracy).toBeGreaterThanOrEqual(report.certifiedAccuracy!);
  byMargin.forEach((is, i) => {
    if (is) expect(report.images[i]!.brokenBy).toBeNull();
  });
  // Beyond the radii an attack does break images.
  const [on, of] = [tensor(x), tensor(labels, { dtype: 'i32' })];
  const found = await pgd(net, on, of, { eps: 0.6, steps: 20, restarts: 2 });
  const moved = await net.logits(new NdArray(await found.read(), x.shape));
  const fell = Array.from(labels).filter((label, i) =>
    Array.from(moved.data.subarray(3 * i, 3 * i + 3)).some((v, _, row) => v > row[label]!),
  );
  expect(fell.length).toBeGreaterThan(0);
  for (const t of [on, of, found]) t.dispose();
  expect(currentGpu().memory().live).toBe(before);
});
