import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DisposedError, NdArray } from 'evenkeel';
import {
  ABSTAIN,
  certifyAtRadius,
  certifyInputSpecific,
  certifyStaged,
  ensemble,
  Smooth,
  type Certificates,
} from 'evenkeel/certify';
import { Flatten, Linear, linfDistMlp, Sequential, type LinfDistNet } from 'evenkeel/nn';
import { hostNormal, key } from 'evenkeel/random';
import { binomialCdf, clopperPearsonLower, normalCdf, normalQuantile } from 'evenkeel/stats';
import cases from '../golden/smoothing.json';
import { batchOf, certifyOne, each, predictOne } from '../support/certify.ts';

const certifiers = { certifyAtRadius, certifyStaged, certifyInputSpecific };

const FEATURES = 48;
const SIGMA = 0.5;
const a = hostNormal(1, FEATURES, key(3));
const b = 0.3;
const length = Math.hypot(...a);
let model: Sequential;

/** f(x) = 1 where a.x + b > 0: its smoothed version is known in closed form. */
beforeAll(() => {
  model = Sequential(Flatten(), Linear(FEATURES, 2)).init();
  const weight = new Float32Array(2 * FEATURES);
  weight.set(a, FEATURES);
  model.loadStateDict(
    new Map([
      ['1.weight', { shape: [2, FEATURES], data: weight }],
      ['1.bias', { shape: [2], data: Float32Array.of(0, b) }],
    ]),
  );
});
afterAll(() => model.dispose());

/** The point whose signed distance to the plane is `distance`. */
function at(distance: number): NdArray<Float32Array> {
  const t = (distance - b / length) / length;
  return new NdArray(
    Float32Array.from(a, (v) => v * t),
    [3, 4, 4],
  );
}

describe('a linear classifier has the closed form radius |a.x + b| / |a|', () => {
  const n = 20_000;
  test.each([0.05, 0.2, 0.45, 0.8, 1.1])('distance %f', async (distance) => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 1 });
    for (const side of [1, -1]) {
      const { label, radius, counts, pLower } = await certifyOne(smooth, at(side * distance), {
        n0: 5000,
        n,
        index: side + 1,
        batchSize: 5000,
      });
      const p = normalCdf(distance / SIGMA);
      const hits = counts[side > 0 ? 1 : 0]!;
      expect(counts[0]! + counts[1]!).toBe(n);
      // Within 5 standard errors of the true probability.
      expect(Math.abs(hits / n - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / n));
      expect(pLower).toBe(clopperPearsonLower(hits, n, 0.001));
      if (pLower < 0.5) {
        expect([label, radius]).toEqual([ABSTAIN, 0]);
        continue;
      }
      expect(label).toBe(side > 0 ? 1 : 0);
      expect(radius).toBeLessThanOrEqual(distance);
      expect(radius).toBeLessThanOrEqual(SIGMA * normalQuantile(pLower));
      // The bound costs about 3.1 standard errors of p; allow 9 in all.
      const loosest = normalQuantile(Math.max(0.5, p - 9 * Math.sqrt((p * (1 - p)) / n) - 9 / n));
      expect(radius).toBeGreaterThan(SIGMA * loosest);
    }
  });
});

test('certificates of many points are wrong no more often than alpha allows', async () => {
  // At a point whose true radius is r, a certificate above r is a violation. alpha = 0.05 so that violations can be
  // seen.
  const [points, alpha, distance] = [300, 0.05, 0.35];
  using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 9 });
  let violations = 0;
  for (let i = 0; i < points; i++) {
    const { radius } = await certifyOne(smooth, at(distance), { n0: 10, n: 400, alpha, index: i, batchSize: 400 });
    if (radius > distance) violations++;
  }
  // P[Bin(300, 0.05) > limit] < 1e-4.
  let limit = 0;
  while (1 - binomialCdf(limit, points, alpha) > 1e-4) limit++;
  expect(violations).toBeLessThanOrEqual(limit);
  // And the bound is not idle: some chance of a violation exists, so a few are seen.
  expect(violations).toBeGreaterThan(0);
});

test('the same seed and index give the same counts, whatever the batch size', async () => {
  using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
  const options = { n0: 64, n: 1000, index: 3 };
  const one = await certifyOne(smooth, at(0.2), { ...options, batchSize: 1000 });
  const two = await certifyOne(smooth, at(0.2), { ...options, batchSize: 170 });
  expect(two.counts).toEqual(one.counts);
  const other = await certifyOne(smooth, at(0.2), { ...options, index: 4 });
  expect(other.counts).not.toEqual(one.counts);
  using again = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
  expect((await certifyOne(again, at(0.2), options)).counts).toEqual(one.counts);
});

describe('several inputs', () => {
  const distances = [0.05, -0.3, 0.7, -0.1, 0.02];
  const options = { n0: 30, n: 500 };
  const several = new NdArray(Float32Array.from(distances.flatMap((d) => Array.from(at(d).data))), [
    distances.length,
    3,
    4,
    4,
  ]);

  test('each has its own certificate, whatever the batch size', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
    const alone = [];
    for (const [i, d] of distances.entries()) alone.push(await certifyOne(smooth, at(d), { ...options, index: 7 * i }));
    for (const batchSize of [37, 500, 1000, 10_000]) {
      const indices = distances.map((_, i) => 7 * i);
      expect(each(await smooth.certify(several, { ...options, batchSize, indices }))).toEqual(alone);
    }
    // A single input after several uses their room.
    expect(await certifyOne(smooth, at(distances[1]!), { ...options, index: 7 })).toEqual(alone[1]);
    expect(each(await smooth.certify(several, options))[3]).toEqual(
      await certifyOne(smooth, at(distances[3]!), { ...options, index: 3 }),
    );
  });

  test('calls that overlap give what they give one after the other', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
    const calls = (): Promise<unknown>[] => [
      certifyOne(smooth, at(0.1), { ...options, batchSize: 20 }),
      smooth.certify(several, options),
      certifyOne(smooth, at(0.2), { ...options, n: 9 }).catch((e: Error) => e.message),
      certifyOne(smooth, at(0.3), { ...options, signal: AbortSignal.abort(new Error('stop')) }).catch(
        (e: Error) => e.message,
      ),
      smooth.count(batchOf(at(0.1)), { n: 77 }),
      predictOne(smooth, at(0.4), { n: 100 }),
    ];
    const together = await Promise.all(calls());
    const apart = [];
    for (const [i] of together.entries()) apart.push((await Promise.all(calls()))[i]);
    expect(together).toEqual(apart);
    expect(together[3]).toBe('stop');
  });

  test('count takes copies by number, so that a later call goes on where one was', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
    const x = batchOf(at(0.1));
    const count = async (n: number, first: number) => (await smooth.count(x, { n, first, indices: [2] })).data;
    const counts = await count(500, 30);
    expect(counts).toEqual((await certifyOne(smooth, at(0.1), { ...options, index: 2 })).counts);
    const parts = [await count(100, 30), await count(1, 130), await count(399, 131)];
    expect([0, 1].map((c) => parts.reduce((sum, p) => sum + p[c]!, 0))).toEqual(Array.from(counts));
    // Of several inputs at once, each has its own.
    const all = await smooth.count(several, { n: 50, indices: [9, 2, 5, 7, 8] });
    expect(all.shape).toEqual([5, 2]);
    expect(all.at(1).data).toEqual((await smooth.count(batchOf(at(distances[1]!)), { n: 50, indices: [2] })).data);
  });

  test.each([
    ['certifyAtRadius', { radius: 0.1, maxSamples: 300, batchSize: 60 }],
    ['certifyStaged', { radius: 0.1, stages: [80, 200] }],
    ['certifyInputSpecific', { decline: 0.1, maxSamples: 300, steps: 5 }],
  ] as const)('%s of several inputs gives each what it gets alone, by its number', async (name, own) => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
    const run = (x: NdArray, indices: number[], first = 0) =>
      (certifiers[name] as (s: Smooth, x: NdArray, o: object) => Promise<Certificates>)(smooth, x, {
        ...own,
        n0: 40,
        indices,
        first,
      });
    const together = each(await run(several, [3, 1, 4, 15, 9]));
    for (const [i, index] of [3, 1, 4, 15, 9].entries())
      expect(together[i]).toEqual(each(await run(several.slice(i, i + 1), [index]))[0]);
    expect(together.some(({ label }) => label !== ABSTAIN)).toBe(true);
    expect(together.some(({ label }) => label === ABSTAIN)).toBe(true);
    for (const { label, radius } of together) expect(radius > 0).toBe(label !== ABSTAIN);
    // Copies from another number on are others.
    expect(each(await run(several, [3, 1, 4, 15, 9], 5000))).not.toEqual(together);
    await expect(run(several, [1])).rejects.toThrow(`${name}: 1 indices for 5 inputs, expected one each`);
  });

  test('no buffer is left behind', async () => {
    const { currentGpu } = await import('evenkeel');
    const before = currentGpu().memory().live;
    {
      using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA });
      await certifyOne(smooth, at(0.1), options);
      await smooth.certify(several, options);
    }
    expect(currentGpu().memory().live).toBe(before);
  });
});

describe('a model that changes after a first certificate', () => {
  const x = (): NdArray<Float32Array> => new NdArray(Float32Array.from(hostNormal(1, 6, key(8))), [6]);
  const certificate = async (smooth: Smooth) => certifyOne(smooth, x(), { n0: 50, n: 2000 });

  test.each<[string, (net: LinfDistNet) => Promise<void> | void]>([
    ['another power', (net) => net.power.set(Infinity)],
    ['another power of the same kernels', (net) => net.power.set(5)],
    ['fresh weights', (net) => void net.init({ seed: 9 })],
    [
      'loaded weights',
      async (net) => {
        using other = linfDistMlp([6, 5, 3]).init({ seed: 4 });
        net.load(await other.save());
      },
    ],
    ['written weights', (net) => net.parameters.forEach((p) => p.write(hostNormal(1, p.size, key(2))))],
  ])('%s: the next is that of a new Smooth', async (_, change) => {
    using net = linfDistMlp([6, 5, 3]).init({ seed: 1 });
    net.power.set(3);
    using smooth = new Smooth(net, { numClasses: 3, sigma: SIGMA });
    const before = await certificate(smooth);
    await change(net);
    const after = await certificate(smooth);
    using fresh = new Smooth(net, { numClasses: 3, sigma: SIGMA });
    expect(after).toEqual(await certificate(fresh));
    expect([...after.counts]).not.toEqual([...before.counts]);
  });

  test('another power in the middle of a call, or of a hold, is refused', async () => {
    using net = linfDistMlp([6, 5, 3]).init({ seed: 1 });
    for (const [before, after] of [
      [3, 5],
      [3, Infinity],
    ] as const) {
      net.power.set(before);
      using smooth = new Smooth(net, { numClasses: 3, sigma: SIGMA });
      const first = await certificate(smooth);
      const message = `Smooth: p of a distance layer changed from ${before} to ${after}`;
      const under = certificate(smooth);
      net.power.set(after);
      await expect(under).rejects.toThrow(message);
      net.power.set(before);
      const held = smooth.hold();
      net.power.set(after);
      await expect(certificate(smooth)).rejects.toThrow(message);
      held.release();
      expect(await certificate(smooth)).not.toEqual(first);
      net.power.set(before);
      expect(await certificate(smooth)).toEqual(first);
      using both = new Smooth(ensemble([net, net]), { numClasses: 3, sigma: SIGMA });
      const mean = certificate(both);
      net.power.set(after);
      await expect(mean).rejects.toThrow('Smooth: p of a distance layer changed');
    }
  });

  test('freed: an error', async () => {
    const net = linfDistMlp([6, 5, 3]).init({ seed: 1 });
    using smooth = new Smooth(net, { numClasses: 3, sigma: SIGMA });
    await certificate(smooth);
    net.dispose();
    await expect(certificate(smooth)).rejects.toBeInstanceOf(DisposedError);
  });
});

describe('predict', () => {
  test('answers far from the boundary and abstains on it', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA });
    expect(await predictOne(smooth, at(0.5), { n: 1000 })).toBe(1);
    expect(await predictOne(smooth, at(-0.5), { n: 1000 })).toBe(0);
    expect(await predictOne(smooth, at(0), { n: 1000 })).toBe(ABSTAIN);
    // Ten unanimous copies are not enough at alpha = 0.001, eleven are.
    expect(await predictOne(smooth, at(3), { n: 10 })).toBe(ABSTAIN);
    expect(await predictOne(smooth, at(3), { n: 11 })).toBe(1);
  });
});

describe('golden outcomes of CERTIFY for given counts', () => {
  type Case = {
    name: string;
    op: string;
    options: { n: number; alpha: number; sigma: number };
    inputs: Record<string, { shape: number[]; data: number[] }>;
    outputs: Record<string, { data: number[] }>;
  };
  const golden = (cases as unknown as Case[]).filter((c) => c.op === 'certify');
  test('there are seven', () => expect(golden).toHaveLength(7));
  test.each(golden.map((c) => [c.name, c] as const))('%s', async (_, { options, inputs, outputs }) => {
    const classes = inputs.countsSelection!.shape[1]!;
    const rows = inputs.countsSelection!.shape[0]!;
    for (let r = 0; r < rows; r++) {
      const selection = inputs.countsSelection!.data.slice(r * classes, (r + 1) * classes);
      const estimation = inputs.countsEstimation!.data.slice(r * classes, (r + 1) * classes);
      const chosen = selection.indexOf(Math.max(...selection));
      const p = clopperPearsonLower(estimation[chosen]!, options.n, options.alpha);
      const radius = p < 0.5 ? 0 : options.sigma * normalQuantile(p);
      expect(p < 0.5 ? ABSTAIN : chosen).toBe(outputs.prediction!.data[r]);
      expect(Math.abs(radius - outputs.radius!.data[r]!)).toBeLessThan(1e-9);
    }
  });
});

describe('bad input', () => {
  test.each([
    [{ numClasses: 2, sigma: 0 }, 'Smooth: sigma is 0, expected a finite number > 0'],
    [{ numClasses: 2, sigma: -1 }, 'Smooth: sigma is -1, expected a finite number > 0'],
    [{ numClasses: 1, sigma: 1 }, 'Smooth: numClasses is 1, expected an integer >= 2'],
  ])('%o', (options, message) => {
    expect(() => new Smooth(model, options)).toThrow(message);
  });

  test.each([
    [{ n: 9 }, 'Smooth.certify: n is 9, expected an integer of at least 10'],
    [{ n0: 0 }, 'Smooth.certify: n0 is 0, expected a positive integer'],
    [{ alpha: 1 }, 'Smooth.certify: alpha is 1, expected 0 < alpha < 1'],
    [{ batchSize: 0 }, 'Smooth.certify: batchSize is 0, expected a positive integer'],
  ])('%o', async (options, message) => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: 1 });
    await expect(certifyOne(smooth, at(1), options)).rejects.toThrow(message);
  });

  test('inputs and streams', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: 1 });
    const two = new NdArray(new Float32Array(2 * FEATURES), [2, 3, 4, 4]);
    await expect(smooth.certify(two, { n: 10, indices: [1] })).rejects.toThrow(
      'Smooth.certify: 1 indices for 2 inputs, expected one each',
    );
    await expect(certifyOne(smooth, at(1), { n: 10, index: -1 })).rejects.toThrow(
      'Smooth.certify: indices[0] is -1, expected an integer in 0..4294967295',
    );
    await expect(smooth.certify(two, { n: 2 ** 31 })).rejects.toThrow(
      'Smooth.certify: 2147483648 copies of 2 inputs from copy 100 on, expected fewer than 2^32 in all',
    );
    await expect(certifyOne(smooth, new NdArray(new Float32Array(48).fill(NaN), [3, 4, 4]), { n: 10 })).rejects.toThrow(
      'Smooth.certify: x has values that are not finite',
    );
    await expect(smooth.certify(new NdArray(new Float32Array(0), [0, 3, 4, 4]), { n: 10 })).rejects.toThrow(
      'Smooth.certify: x has shape [0,3,4,4], expected (inputs, ...features) with at least one input',
    );
  });

  test('a model with another number of classes', async () => {
    using smooth = new Smooth(model, { numClasses: 3, sigma: 1 });
    await expect(certifyOne(smooth, at(1), { n: 100 })).rejects.toThrow(
      'Smooth: the model gives shape [100,2], expected (batch, 3)',
    );
  });

  test('an abort', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: 1 });
    await expect(certifyOne(smooth, at(1), { n: 100, signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow(
      'stop',
    );
  });
});
