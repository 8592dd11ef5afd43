import { expect, test } from 'vitest';
import { NdArray, scope, tensor } from 'evenkeel';
import { certifyMargin, intervalBounds } from 'evenkeel/certify';
import { makeDataset } from 'evenkeel/data';
import { linfMargin } from 'evenkeel/objectives';
import { linfDistMlp, recomputeMeans, SortDistLinear, sortNet, Sequential, DistancePower } from 'evenkeel/nn';
import { adam } from 'evenkeel/optim';
import { hostNormal, hostUniform, key } from 'evenkeel/random';
import { fit } from 'evenkeel/train';
import { boundsOf } from '../support/certify.ts';
import { staircase } from '../support/staircase.ts';

const x = hostUniform(64, 12, key(4));
const input = new NdArray(x, [64, 12]);

test('evaluation at infinity is the sorted sum, 1-Lipschitz for any weights; at a finite p the distance', async () => {
  using net = sortNet([12, 20, 20, 5], { keep: 0.6 }).init({ seed: 3 });
  const noise = hostNormal(64, 12, key(5));
  const eps = 0.05;
  const [a, b] = [
    await net.logits(input),
    await net.logits(
      new NdArray(
        x.map((v, i) => v + eps * Math.sign(noise[i]!)),
        [64, 12],
      ),
    ),
  ];
  a.data.forEach((v, i) => expect(Math.abs(v - b.data[i]!)).toBeLessThanOrEqual(eps + 1e-5));

  using plain = linfDistMlp([12, 20, 20, 5]).init({ seed: 3 });
  plain.loadStateDict(await net.stateDict());
  expect((await plain.logits(input)).data).not.toEqual(a.data);
  for (const p of [8, 9]) {
    net.power.set(p);
    plain.power.set(p);
    expect((await net.logits(input)).data).toEqual((await plain.logits(input)).data);
  }
});

test('training keeps a share q of the inputs, the same for a group of samples', async () => {
  const power = new DistancePower();
  power.set(Infinity);
  const layer = SortDistLinear(400, 3, { power, keep: 0.7, group: 4 });
  using net = Sequential(layer).init({ seed: 1 });
  // With weights of zero and inputs of their own size a distance names the largest input that was kept.
  net.arena.values.write(new Float32Array(net.arena.values.size));
  const ramp = Float32Array.from({ length: 10 * 400 }, (_, i) => (i % 400) + 1);
  const kept = async (): Promise<number[]> => {
    const y = scope(() => net.forward(tensor(ramp, { shape: [10, 400] }), { training: true }));
    const values = Array.from(await y.read());
    y.dispose();
    return values;
  };
  const counts: number[] = [];
  for (let t = 0; t < 200; t++) {
    const y = await kept();
    for (const first of [0, 12, 24]) {
      const rows = y.slice(first, first === 24 ? 30 : first + 12);
      expect(new Set(rows).size).toBe(1);
      counts.push(400 - rows[0]!);
    }
  }
  // Inputs missed before the first that is kept are geometric: mean .3 / .7, variance .3 / .49.
  const mean = counts.reduce((a, b) => a + b) / counts.length;
  expect(Math.abs(mean - 0.3 / 0.7)).toBeLessThan(4 * Math.sqrt(0.3 / 0.49 / counts.length));
  power.dispose();
});

test('certificates hold: margins and bounds agree, and no corner inside them changes the class', async () => {
  using net = sortNet([12, 30, 30, 5], { keep: 0.75, terms: 6 }).init({ seed: 6 });
  const { labels, radii } = await certifyMargin(net, input);
  expect(radii.some((r) => r > 0.05)).toBe(true);
  const eps = 0.03;
  const { certified } = await boundsOf(net, input, { labels, eps, clip: null });
  // Without a pixel box both say the same but for rounding.
  radii.forEach((r, i) => {
    if (Math.abs(r - eps) > 1e-3) expect(Boolean(certified[i]), `image ${i}, radius ${r}`).toBe(r > eps);
  });
  for (let t = 0; t < 20; t++) {
    const noise = hostNormal(64, 12, key(20 + t));
    const moved = await net.logits(
      new NdArray(
        x.map((v, i) => v + 0.999 * radii[Math.floor(i / 12)]! * Math.sign(noise[i]!)),
        [64, 12],
      ),
    );
    radii.forEach((r, i) => {
      const row = moved.data.subarray(i * 5, i * 5 + 5);
      if (r > 0) expect(row.indexOf(Math.max(...row))).toBe(labels[i]);
    });
  }
});

test('recomputed means are those of the evaluated layers', async () => {
  using net = sortNet([12, 20, 5], { keep: 0.6 }).init({ seed: 3 });
  recomputeMeans(net, input, { batchSize: 24 });
  using first = linfDistMlp([12, 20]).init({ seed: 0 });
  const state = await net.stateDict();
  first.parameters.get('dist1.weight')!.write(state.get('dist1.weight')!.data as Float32Array);
  const y = (await first.logits(input)).data;
  const got = state.get('shift1.running_mean')!.data;
  for (let o = 0; o < 20; o++) {
    const mean = -Array.from({ length: 64 }, (_, i) => y[i * 20 + o]!).reduce((a, b) => a + b) / 64;
    expect(got[o]).toBeCloseTo(mean, 5);
  }
  expect(() => recomputeMeans(net, new NdArray(new Float32Array(0), [0, 12]))).toThrow(
    'recomputeMeans: x has shape [0,12], expected at least one item',
  );
});

test('fits, from p = 8 to infinity', async () => {
  // Two classes, told apart by every input.
  const labels = Int32Array.from({ length: 256 }, (_, i) => i % 2);
  const noise = hostUniform(256, 12, key(9));
  const points = new NdArray(
    noise.map((v, i) => 0.4 * v + 0.6 * labels[Math.floor(i / 12)]!),
    [256, 12],
  );
  const data = makeDataset(points, labels, { numClasses: 2 });
  using net = sortNet([12, 32, 2], { p: 8, keep: 0.8, group: 16, terms: 4, identity: 0 }).init({ seed: 1 });
  const loss = linfMargin({ epsTrain: 0.2, scale: () => net.scale });
  const schedule = staircase(net, loss, { pStartEpoch: 1, pEndEpoch: 28 });
  await fit(net, data, {
    loss,
    schedule,
    optimizer: adam({ lr: 0.03, betas: [0.9, 0.99], eps: 1e-10 }),
    epochs: 30,
    batchSize: 32,
    seed: 1,
  });
  expect(net.power.value).toBe(Infinity);
  recomputeMeans(net, points);
  const { labels: predicted, radii } = await certifyMargin(net, points);
  const certified = radii.filter((r, i) => predicted[i] === labels[i] && r > 0.1).length / 256;
  expect(certified).toBeGreaterThan(0.9);
  loss.dispose();
});

test('errors', () => {
  expect(() => sortNet([3])).toThrow('sortNet: got 1 sizes, expected at least the inputs and the outputs');
  expect(() => SortDistLinear(3, 2, { keep: 0 })).toThrow('SortDistLinear: keep is 0, expected 0 < keep <= 1');
  expect(() => SortDistLinear(3, 2, { terms: 20 })).toThrow(
    'SortDistLinear: terms is 20, expected an integer in 1..16',
  );
  using net = sortNet([3, 4, 2], { p: 8 }).init();
  scope(() => {
    const box = tensor([0, 0, 0], { shape: [1, 3] });
    expect(() => intervalBounds(net, { lower: box, upper: box })).toThrow(
      'intervalBounds: LinfDistLinear has p 8, expected Infinity',
    );
  });
});
