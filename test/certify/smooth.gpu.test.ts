import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DisposedError, NdArray } from 'evenkeel';
import { ABSTAIN, Smooth } from 'evenkeel/certify';
import { flatten, linear, linfDistMlp, sequential, type LinfDistNet, type Sequential } from 'evenkeel/nn';
import { hostNormal, key } from 'evenkeel/random';
import { binomialCdf, clopperPearsonLower, normalCdf, normalQuantile } from 'evenkeel/stats';
import cases from '../golden/smoothing.json';

const FEATURES = 48;
const SIGMA = 0.5;
const a = hostNormal(1, FEATURES, key(3));
const b = 0.3;
const length = Math.hypot(...a);
let model: Sequential;

/** f(x) = 1 where a.x + b > 0: its smoothed version is known in closed form. */
beforeAll(() => {
  model = sequential(flatten(), linear(FEATURES, 2)).init();
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
      const { label, radius, counts, pLower } = await smooth.certify(at(side * distance), {
        n0: 5000,
        n,
        stream: side + 1,
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
    const { radius } = await smooth.certify(at(distance), { n0: 10, n: 400, alpha, stream: i, batchSize: 400 });
    if (radius > distance) violations++;
  }
  // P[Bin(300, 0.05) > limit] < 1e-4.
  let limit = 0;
  while (1 - binomialCdf(limit, points, alpha) > 1e-4) limit++;
  expect(violations).toBeLessThanOrEqual(limit);
  // And the bound is not idle: some chance of a violation exists, so a few are seen.
  expect(violations).toBeGreaterThan(0);
});

test('the same seed and stream give the same counts, whatever the batch size', async () => {
  using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
  const options = { n0: 64, n: 1000, stream: 3 };
  const one = await smooth.certify(at(0.2), { ...options, batchSize: 1000 });
  const two = await smooth.certify(at(0.2), { ...options, batchSize: 170 });
  expect(two.counts).toEqual(one.counts);
  const other = await smooth.certify(at(0.2), { ...options, stream: 4 });
  expect(other.counts).not.toEqual(one.counts);
  using again = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
  expect((await again.certify(at(0.2), options)).counts).toEqual(one.counts);
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

  test('certifyMany gives each its own certificate, whatever the batch size', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
    const alone = [];
    for (const [i, d] of distances.entries()) alone.push(await smooth.certify(at(d), { ...options, stream: 7 * i }));
    for (const batchSize of [37, 500, 1000, 10_000]) {
      expect(
        await smooth.certifyMany(several, { ...options, batchSize, streams: distances.map((_, i) => 7 * i) }),
      ).toEqual(alone);
    }
    // A single input after several uses their room.
    expect(await smooth.certify(at(distances[1]!), { ...options, stream: 7 })).toEqual(alone[1]);
    expect((await smooth.certifyMany(several, options))[3]).toEqual(
      await smooth.certify(at(distances[3]!), { ...options, stream: 3 }),
    );
  });

  test('calls that overlap give what they give one after the other', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
    const calls = (): Promise<unknown>[] => [
      smooth.certify(at(0.1), { ...options, batchSize: 20 }),
      smooth.certifyMany(several, options),
      smooth.certify(at(0.2), { ...options, n: 9 }).catch((e: Error) => e.message),
      smooth
        .certify(at(0.3), { ...options, signal: AbortSignal.abort(new Error('stop')) })
        .catch((e: Error) => e.message),
      smooth.count(at(0.1), 77),
      smooth.predict(at(0.4), { n: 100 }),
    ];
    const together = await Promise.all(calls());
    const apart = [];
    for (const [i] of together.entries()) apart.push((await Promise.all(calls()))[i]);
    expect(together).toEqual(apart);
    expect(together[3]).toBe('stop');
  });

  test('count takes copies by number; draws goes on where it was', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 4 });
    const x = at(0.1);
    const counts = await smooth.count(x, 500, { first: 30, stream: 2 });
    expect(counts).toEqual((await smooth.certify(x, { ...options, stream: 2 })).counts);
    const draw = smooth.draws(x, { first: 30, stream: 2 });
    const parts = [await draw(100), await draw(1), await draw(399)];
    expect([0, 1].map((c) => parts.reduce((sum, p) => sum + p[c]!, 0))).toEqual(Array.from(counts));
  });

  test('no buffer is left behind', async () => {
    const { currentGpu } = await import('evenkeel');
    const before = currentGpu().memory().live;
    {
      using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA });
      await smooth.certify(at(0.1), options);
      await smooth.certifyMany(several, options);
    }
    expect(currentGpu().memory().live).toBe(before);
  });
});

describe('a model that changes after a first certificate', () => {
  const x = (): NdArray<Float32Array> => new NdArray(Float32Array.from(hostNormal(1, 6, key(8))), [6]);
  const certificate = async (smooth: Smooth) => smooth.certify(x(), { n0: 50, n: 2000 });

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
    expect(await smooth.predict(at(0.5), { n: 1000 })).toBe(1);
    expect(await smooth.predict(at(-0.5), { n: 1000 })).toBe(0);
    expect(await smooth.predict(at(0), { n: 1000 })).toBe(ABSTAIN);
    // Ten unanimous copies are not enough at alpha = 0.001, eleven are.
    expect(await smooth.predict(at(3), { n: 10 })).toBe(ABSTAIN);
    expect(await smooth.predict(at(3), { n: 11 })).toBe(1);
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
    [{ numClasses: 2, sigma: 0 }, 'Smooth: sigma is 0, expected a positive number'],
    [{ numClasses: 2, sigma: -1 }, 'Smooth: sigma is -1, expected a positive number'],
    [{ numClasses: 1, sigma: 1 }, 'Smooth: numClasses is 1, expected an integer of at least 2'],
  ])('%o', (options, message) => {
    expect(() => new Smooth(model, options)).toThrow(message);
  });

  test.each([
    [{ n: 9 }, 'Smooth.certify: n is 9, expected an integer of at least 10'],
    [{ n0: 0 }, 'Smooth.certify: n0 is 0, expected an integer of at least 1'],
    [{ alpha: 1 }, 'Smooth.certify: alpha is 1, expected 0 < alpha < 1'],
    [{ batchSize: 0 }, 'Smooth.certify: batchSize is 0, expected an integer of at least 1'],
  ])('%o', async (options, message) => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: 1 });
    await expect(smooth.certify(at(1), options)).rejects.toThrow(message);
  });

  test('inputs and streams', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: 1 });
    const two = new NdArray(new Float32Array(2 * FEATURES), [2, 3, 4, 4]);
    await expect(smooth.certifyMany(two, { n: 10, streams: [1] })).rejects.toThrow(
      'Smooth.certifyMany: 1 streams for 2 inputs, expected one each',
    );
    await expect(smooth.certify(at(1), { n: 10, stream: -1 })).rejects.toThrow(
      'Smooth.certify: stream is -1, expected an integer from 0 to 2^32 - 1',
    );
    await expect(smooth.certifyMany(two, { n: 2 ** 31 })).rejects.toThrow(
      'Smooth.certifyMany: 2147483648 copies of 2 inputs from copy 100 on, expected fewer than 2^32 in all',
    );
    await expect(smooth.certify(new NdArray(new Float32Array(48).fill(NaN), [3, 4, 4]), { n: 10 })).rejects.toThrow(
      'Smooth.certify: x has values that are not finite',
    );
    await expect(smooth.certifyMany(new NdArray(new Float32Array(0), [0, 3, 4, 4]), { n: 10 })).rejects.toThrow(
      'Smooth.certifyMany: x has shape [0,3,4,4], expected (inputs, ...features) with at least one input',
    );
  });

  test('a model with another number of classes', async () => {
    using smooth = new Smooth(model, { numClasses: 3, sigma: 1 });
    await expect(smooth.certify(at(1), { n: 100 })).rejects.toThrow(
      'Smooth: the model gives shape [100,2], expected (batch, 3)',
    );
  });

  test('an abort', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: 1 });
    await expect(smooth.certify(at(1), { n: 100, signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow(
      'stop',
    );
  });
});
