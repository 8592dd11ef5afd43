import { describe, expect, test } from 'vitest';
import {
  betaCalibration,
  histogramBinning,
  isotonicRegression,
  matrixScaling,
  plattScaling,
  temperatureScaling,
  vectorScaling,
  softmaxRows,
  type WeightOptions,
} from 'evenkeel/calibrate';
import { brierScore, calibrationError, nll } from 'evenkeel/metrics';
import { testRandom } from '../support/fuzz.ts';
import { calibrators } from '../support/calibrators.ts';

const classes = 3;

/** Logits and labels of softmax of a z + b, rows of class c kept in a share of `keep`[c]. */
function data(rows: number, seed: number, keep = [1, 0.5, 0.2]) {
  const random = testRandom(seed);
  const logits: number[][] = [];
  const labels: number[] = [];
  while (logits.length < rows) {
    const z = Array.from({ length: classes }, () => (random(2001) - 1000) / 250);
    const p = softmaxRows([z.map((v, c) => (0.4 + 0.15 * c) * v + 0.3 * c)]).data;
    let u = random(1e6) / 1e6;
    const y = Math.max(
      0,
      [0, 1, 2].findIndex((c) => (u -= p[c]!) < 0),
    );
    if (random(1000) >= 1000 * keep[y]!) continue;
    logits.push(z);
    labels.push(y);
  }
  return { logits, labels };
}

const { logits, labels } = data(60, 4);
const counts = [0, 1, 2].map((c) => labels.filter((y) => y === c).length);
const random = testRandom(77);
const odd = labels.map(() => random(5) / 2);
const cases: [string, WeightOptions, number[]][] = [
  ['none', {}, labels.map(() => 1)],
  ['balanced', { prior: 'balanced' }, labels.map((y) => 1 / counts[y]!)],
  ['a list', { prior: [1, 5, 2] }, labels.map((y) => [1, 5, 2][y]! / counts[y]!)],
  ['sampleWeight', { sampleWeight: odd }, odd],
];

/** -sum_r w_r log softmax(z_r)_y / sum w, in another form than the library's. */
function weightedNll(z: (r: number) => number[], w: readonly number[]): number {
  let [sum, total] = [0, 0];
  labels.forEach((y, r) => {
    const row = z(r);
    sum += w[r]! * Math.log(row.reduce((s, v) => s + Math.exp(v - row[y]!), 0));
    total += w[r]!;
  });
  return sum / total;
}

/**
 * Largest slope of f at x along an axis, by central differences: 0 at the minimum of a convex function. An axis at a
 * bound of 0 may rise.
 */
function slope(f: (x: number[]) => number, x: number[], bounded = 0): number {
  return x.reduce((most, v, i) => {
    const at = (t: number): number => f(x.map((u, j) => (i === j ? u + t : u)));
    const d = (at(1e-5) - at(-1e-5)) / 2e-5;
    return Math.max(most, i < bounded && v === 0 ? -d : Math.abs(d));
  }, 0);
}

describe.each(cases)('weights: %s', (_name, options, w) => {
  test('temperature: the minimum of the weighted NLL', () => {
    const f = ([logT]: number[]): number => weightedNll((r) => logits[r]!.map((z) => z / Math.exp(logT!)), w);
    // Golden-section search over log T.
    const g = (Math.sqrt(5) - 1) / 2;
    let [low, high] = [-5, 5];
    for (let i = 0; i < 70; i++) {
      const [p, q] = [high - g * (high - low), low + g * (high - low)];
      if (f([p]) < f([q])) high = q;
      else low = p;
    }
    const fit = temperatureScaling().fit(logits, labels, options);
    expect(fit.nllAfter).toBeCloseTo(f([low]), 12);
    expect(fit.temperature).toBeCloseTo(Math.exp(low), 5);
    expect(fit.nllBefore).toBeCloseTo(f([0]), 12);
    expect(fit.converged).toBe(true);
    expect(1 / fit.state.weight[0]!).toBeCloseTo(fit.temperature, 12);
    // The metrics take the same weights.
    expect(nll(fit.probabilities(logits), labels, options)).toBeCloseTo(fit.nllAfter, 12);
  });
  test('vector and matrix', () => {
    const vector = vectorScaling().fit(logits, labels, options);
    const f = (x: number[]): number => weightedNll((r) => logits[r]!.map((z, c) => x[c]! * z + x[classes + c]!), w);
    expect(slope(f, [...vector.state.weight, ...vector.state.bias])).toBeLessThan(1e-6);
    expect(vector.nllAfter).toBeCloseTo(f([...vector.state.weight, ...vector.state.bias]), 12);
    expect(nll(vector.probabilities(logits), labels, options)).toBeCloseTo(vector.nllAfter, 12);
    const matrix = matrixScaling({ lambda: 0.3, mu: 0.2 }).fit(logits, labels, options);
    const g = (x: number[]): number => {
      const penalty = x.reduce(
        (sum, v, i) => sum + (i >= 9 ? (0.2 / 3) * v * v : i % 4 === 0 ? 0 : (0.3 / 6) * v * v),
        0,
      );
      return (
        penalty +
        weightedNll((r) => [0, 1, 2].map((c) => logits[r]!.reduce((s, z, j) => s + x[3 * c + j]! * z, x[9 + c]!)), w)
      );
    };
    const found = [...matrix.state.weight, ...matrix.state.bias];
    expect(slope(g, found)).toBeLessThan(1e-6);
    expect(matrix.nllBefore).toBeCloseTo(
      weightedNll((r) => logits[r]!, w),
      12,
    );
  });
  test('Platt and beta: logistic regression of each class', () => {
    const total = w.reduce((a, b) => a + b, 0);
    const kept = w.filter((v) => v > 0).length;
    const p = softmaxRows(logits).data;
    const loss = (c: number, score: (p: number) => number, target: (hit: boolean) => number): number =>
      labels.reduce((sum, y, r) => {
        const s = score(p[r * classes + c]!);
        const t = target(y === c);
        return sum + (w[r]! / total) * (t * Math.log1p(Math.exp(-s)) + (1 - t) * Math.log1p(Math.exp(s)));
      }, 0);
    const platt = plattScaling().fit(logits, labels, options).state;
    const beta = betaCalibration().fit(logits, labels, options).state;
    if (platt.kind !== 'platt' || beta.kind !== 'beta') throw new Error('kinds');
    for (let c = 0; c < classes; c++) {
      const positives = (labels.reduce((sum, y, r) => sum + (y === c ? w[r]! : 0), 0) * kept) / total;
      const [high, low] = [(positives + 1) / (positives + 2), 1 / (kept - positives + 2)];
      const f = ([a, b]: number[]): number =>
        loss(
          c,
          (v) => a! * Math.log(v / (1 - v)) + b!,
          (hit) => (hit ? high : low),
        );
      const { a, b } = platt.maps[c]!;
      expect(slope(f, [a, b])).toBeLessThan(1e-6);
      const g = ([a, b, k]: number[]): number => loss(c, (v) => a! * Math.log(v) - b! * Math.log(1 - v) + k!, Number);
      const map = beta.maps[c]!;
      expect(slope(g, [map.a, map.b, map.c], 2)).toBeLessThan(1e-6);
    }
  });
  test('isotonic: max-min of weighted means; histogram: weighted fractions', () => {
    const isotonic = isotonicRegression().fit(logits, labels, options).state;
    const histogram = histogramBinning({ numBins: 4 }).fit(logits, labels, options).state;
    if (isotonic.kind !== 'isotonic' || histogram.kind !== 'histogram') throw new Error('kinds');
    const p = softmaxRows(logits).data;
    const order = [...labels.keys()].filter((r) => w[r]! > 0).sort((r, s) => p[r * classes]! - p[s * classes]!);
    const mean = (from: number, to: number): number => {
      const rows = order.slice(from, to + 1);
      return (
        rows.reduce((sum, r) => sum + w[r]! * Number(labels[r] === 0), 0) / rows.reduce((sum, r) => sum + w[r]!, 0)
      );
    };
    const { x, y } = isotonic.maps[0]!;
    for (const i of [0, 7, 20, 35, order.length - 1]) {
      let best = -Infinity;
      for (let from = 0; from <= i; from++) {
        let least = Infinity;
        for (let to = i; to < order.length; to++) least = Math.min(least, mean(from, to));
        best = Math.max(best, least);
      }
      const place = x.findIndex((v) => v >= p[order[i]! * classes]! - 1e-12);
      expect(y[place]).toBeCloseTo(best, 10);
    }
    for (let b = 0; b < 4; b++) {
      const rows = order.filter((r) => p[r * classes]! > b / 4 && p[r * classes]! <= (b + 1) / 4);
      const wanted =
        rows.reduce((sum, r) => sum + w[r]! * Number(labels[r] === 0), 0) / rows.reduce((sum, r) => sum + w[r]!, 0);
      expect(histogram.maps[0]!.values[b]).toBeCloseTo(wanted, 12);
    }
  });
});

const worlds = { tail: data(2000, 5, [1, 0.3, 0.1]), test: data(2000, 6, [1, 1, 1]) };

describe.each(Object.entries(calibrators))('%s', (name, method) => {
  const fit = (z: number[][], y: number[], weights?: WeightOptions) => method().fit(z, y, weights);
  test('equal weights change no bit; a weight of n is n rows; rows of weight 0 do not count', () => {
    const plain = fit(logits, labels).probabilities(logits).data;
    expect(fit(logits, labels, { sampleWeight: labels.map(() => 1) }).probabilities(logits).data).toEqual(plain);
    const times = labels.map((_, r) => r % 3);
    const again = times.flatMap((n, r) => new Array<number>(n).fill(r));
    const [many, one] = [
      fit(
        again.map((r) => logits[r]!),
        again.map((r) => labels[r]!),
      ),
      fit(logits, labels, { sampleWeight: times }),
    ];
    // Platt counts rows in its targets.
    const tolerance = method === plattScaling ? 0.05 : 1e-6;
    many
      .probabilities(logits)
      .data.forEach((v, i) => expect(Math.abs(v - one.probabilities(logits).data[i]!)).toBeLessThan(tolerance));
    const kept = times.flatMap((n, r) => (n ? [r] : []));
    const without = fit(
      kept.map((r) => logits[r]!),
      kept.map((r) => labels[r]!),
      { sampleWeight: kept.map((r) => times[r]!) },
    );
    expect(without.probabilities(logits).data).toEqual(one.probabilities(logits).data);
    expect(without.nllAfter).toBe(one.nllAfter);
  });
  test('fitted on a long tail with a prior it is calibrated where all classes are alike', () => {
    const { tail, test } = worlds;
    const share = [0, 1, 2].map((c) => test.labels.filter((y) => y === c).length);
    const error = (prior?: ArrayLike<number>) =>
      brierScore(
        { data: fit(tail.logits, tail.labels, { prior }).probabilities(test.logits).data, shape: [2000, 3] },
        test.labels,
      );
    // Temperature has no shift for the prior to move; the others have.
    expect(error(share)).toBeLessThan(error() + (method === temperatureScaling ? 0.01 : -0.01));
    expect(
      calibrationError(
        { data: fit(tail.logits, tail.labels, { prior: share }).probabilities(test.logits).data, shape: [2000, 3] },
        test.labels,
      ),
    ).toBeLessThan(method === temperatureScaling ? 0.1 : 0.05);
  });
  test('weights that do not fit are refused', () => {
    expect(() => fit(logits, labels, { prior: [1, 2] })).toThrow(
      `${name}: prior has 2 entries, expected 3, one per class`,
    );
    expect(() => fit(logits, labels, { sampleWeight: labels.map(() => NaN) })).toThrow(
      `${name}: sampleWeight[0] is NaN, expected a finite number >= 0`,
    );
  });
});
