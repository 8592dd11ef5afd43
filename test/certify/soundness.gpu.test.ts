import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NdArray, tensor, type Tensor } from 'evenkeel';
import { evaluateRobustness, pgd, type AttackedModel } from 'evenkeel/attack';
import { ABSTAIN, certifyMargin, Smooth } from 'evenkeel/certify';
import { Linear, linfDistMlp, Sequential, type LinfDistNet } from 'evenkeel/nn';
import { add, mul } from 'evenkeel/ops';
import { hostNormal, hostUniform, key } from 'evenkeel/random';
import { certifiedRadius } from 'evenkeel/stats';
import { eventLimit } from '../../examples/reproduce/lib/statistics.ts';
import { certifyOne, boundsOf } from '../support/certify.ts';

const rowOf = (of: NdArray, i: number): number[] => Array.from(of.at(i).data as Float32Array);
const classOf = (row: readonly number[]): number => row.indexOf(Math.max(...row));

/** What an attack sees that moves item i by u radius_i: one ball of radius 1 for all. */
function scaledAround(model: Sequential, x: Tensor, radii: Tensor): AttackedModel {
  return { forward: (u) => model.forward(add(x, mul(u, radii))) };
}

/** The classes after PGD with 100 restarts, each item in its own ball of radius factor * radii[i]. */
async function attacked(
  model: Sequential,
  x: NdArray,
  labels: ArrayLike<number>,
  radii: ArrayLike<number>,
  norm: 'l2' | 'linf',
  factor: number,
): Promise<number[]> {
  const at = tensor(x);
  const y = tensor(Array.from(labels), { dtype: 'i32' });
  const r = tensor(
    Float32Array.from(radii, (v) => v * factor),
    { shape: [x.length, 1] },
  );
  const zero = tensor(new Float32Array(at.size), { shape: at.shape });
  const u = await pgd(scaledAround(model, at, r), zero, y, {
    eps: 1,
    norm,
    clip: null,
    steps: 4,
    stepSize: norm === 'l2' ? 4 : 0.25,
    restarts: 100,
    seed: 2,
  });
  const moved = await u.read();
  const width = at.size / x.length;
  const points = x.data.map((v, i) =>
    Math.fround(v + Math.fround(moved[i]! * Math.fround(radii[Math.floor(i / width)]! * factor))),
  );
  for (const t of [at, y, r, zero, u]) t.dispose();
  const logits = await model.logits(new NdArray(Float32Array.from(points), x.shape));
  return Array.from({ length: x.length }, (_, i) => classOf(rowOf(logits, i)));
}

describe('smoothed linear classifiers', () => {
  const FEATURES = 8;
  const SIGMA = 0.5;
  let model: Sequential;
  beforeAll(() => void (model = Sequential(Linear(FEATURES, 2)).init()));
  afterAll(() => model.dispose());

  /** f(x) = 1 where w.x + b > 0, in the weights that the captured steps read. */
  function become(w: ArrayLike<number>, b: number): void {
    model.parameters.get('0.weight')!.write(Float32Array.from([...Array.from(w, () => 0), ...Array.from(w)]));
    model.parameters.get('0.bias')!.write(Float32Array.of(0, b));
  }
  /** w.x + b over |w|: the true radius, on the side of class 1 if positive. */
  const distanceOf = (w: ArrayLike<number>, b: number, x: ArrayLike<number>): number =>
    Array.from(w).reduce((sum, v, k) => sum + v * x[k]!, b) / Math.hypot(...Array.from(w));

  test('2,000 of them: wrong no more often than alpha allows, while shares without a bound are', async () => {
    const [count, n, alpha] = [2000, 200, 0.05];
    const draws = hostNormal(count, 2 * FEATURES + 2, key(31));
    using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 32 });
    let [violations, naive, certified] = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      const row = draws.subarray(i * (2 * FEATURES + 2), (i + 1) * (2 * FEATURES + 2));
      const [w, b] = [row.subarray(0, FEATURES), row[2 * FEATURES]!];
      // Moved along w so that the distances are spread over the radii that n can certify.
      const from = row.subarray(FEATURES, 2 * FEATURES);
      const shift = (SIGMA * row[2 * FEATURES + 1]! - distanceOf(w, b, from)) / Math.hypot(...w);
      const x = Float32Array.from(from, (v, k) => v + shift * w[k]!);
      become(w, b);
      const distance = distanceOf(w, b, x);
      const { label, radius, counts } = await certifyOne(smooth, new NdArray(x, [FEATURES]), {
        n0: 20,
        n,
        alpha,
        index: i,
      });
      const truth = (of: number): number => (of === Number(distance > 0) ? Math.abs(distance) : 0);
      if (label !== ABSTAIN) {
        certified++;
        violations += Number(radius > truth(label));
      }
      const most = counts[1]! > counts[0]! ? 1 : 0;
      naive += Number(certifiedRadius(Math.min(counts[most]!, n - 0.5) / n, SIGMA) > truth(most));
    }
    expect(violations).toBeLessThanOrEqual(eventLimit(count, alpha));
    expect(certified).toBeGreaterThan(1000);
    expect(violations).toBeGreaterThan(0);
    expect(naive).toBeGreaterThan(eventLimit(count, 0.4));
  });

  test(
    'PGD with 100 restarts flips nothing inside certified balls, ' + 'and all a little beyond the true radius',
    async () => {
      const count = 40;
      const [w, b] = [hostNormal(1, FEATURES, key(41)), 0.2];
      become(w, b);
      const x = new NdArray(hostNormal(count, FEATURES, key(42)), [count, FEATURES]);
      using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed: 43 });
      const found = [];
      for (let i = 0; i < count; i++)
        found.push(await certifyOne(smooth, x.at(i) as NdArray, { n: 2000, index: i, batchSize: 2000 }));
      const distances = Array.from({ length: count }, (_, i) => distanceOf(w, b, rowOf(x, i)));
      const labels = distances.map((d) => Number(d > 0));
      // The smoothed classifier decides as the linear one does: P[w.(x + noise) + b > 0] > 1/2 where w.x + b > 0.
      const inside = await attacked(
        model,
        x,
        labels,
        found.map((c) => c.radius),
        'l2',
        1,
      );
      expect(inside).toEqual(labels);
      found.forEach((c, i) => expect(c.label === ABSTAIN || c.label === labels[i]).toBe(true));
      expect(found.filter((c) => c.radius > 0.2).length).toBeGreaterThan(20);
      const beyond = await attacked(model, x, labels, distances.map(Math.abs), 'l2', 1.02);
      expect(beyond).toEqual(labels.map((y) => 1 - y));
    },
  );
});

describe('l-infinity-distance nets under PGD with 100 restarts', () => {
  const [N, FEATURES] = [60, 12];
  const x = new NdArray(hostUniform(N, FEATURES, key(51)), [N, FEATURES]);
  let net: LinfDistNet;
  beforeAll(() => void (net = linfDistMlp([FEATURES, 20, 20, 5]).init({ seed: 52 })));
  afterAll(() => net.dispose());

  test('nothing inside half the margin, each image in its own ball; some at three times that', async () => {
    const { labels, radii } = await certifyMargin(net, x);
    expect(radii.filter((r) => r > 0.01).length).toBeGreaterThan(20);
    // 0.999: the points are rounded to f32.
    expect(await attacked(net, x, labels, radii, 'linf', 0.999)).toEqual(Array.from(labels));
    const far = await attacked(net, x, labels, radii, 'linf', 3);
    expect(far.filter((c, i) => c !== labels[i]).length).toBeGreaterThan(3);
  });

  test('clean >= PGD >= certified on every image, by margin and by intervals with the pixel box', async () => {
    const own = await certifyMargin(net, x);
    // Every seventh label is wrong.
    const y = Array.from(own.labels, (label, i) => (label + Number(i % 7 === 0)) % 5);
    const middle = Array.from(own.radii).sort((a, b) => a - b)[N / 2]!;
    for (const eps of [middle / 2, middle, 4 * middle]) {
      const byMargin = y.map((label, i) => label === own.labels[i] && own.radii[i]! > eps);
      const { certified: byBox } = await boundsOf(net, x, { labels: y, eps });
      const { certified: free } = await boundsOf(net, x, { labels: y, eps, clip: null });
      const attack = {
        name: 'pgd',
        run: (model: AttackedModel, at: Tensor, of: Tensor<'i32'>, { seed }: { seed: number }) =>
          pgd(model, at, of, { eps, steps: 4, restarts: 100, seed }),
      };
      const report = await evaluateRobustness(net, x, y, { eps, attacks: [attack], certified: byBox });
      report.images.forEach(({ predicted, label, brokenBy }, i) => {
        const [clean, stands] = [predicted === label, brokenBy === null];
        if (stands) expect(clean).toBe(true);
        if (byMargin[i] || byBox[i] || free[i]) expect(stands, `image ${i} at ${eps}`).toBe(true);
        if (free[i]) expect(byBox[i]).toBe(true);
      });
      expect(report.cleanAccuracy).toBeGreaterThanOrEqual(report.robustAccuracy);
      expect(report.robustAccuracy).toBeGreaterThanOrEqual(report.certifiedAccuracy!);
      if (eps <= middle) expect(byBox.filter(Boolean).length).toBeGreaterThan(N / 4);
    }
  });
});
