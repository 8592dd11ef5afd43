import { describe, expect, test } from 'vitest';
import { softmaxRows } from '../../src/calibrate/temperature.ts';
import {
  aurc,
  brierDecomposition,
  brierScore,
  calibrationError,
  classwiseCalibrationError,
  confidenceAuroc,
  ksError,
  nll,
  overconfidence,
  perClassCalibrationError,
  reliabilityDiagram,
  riskCoverage,
  type Labels,
  type WeightOptions,
} from '../../src/metrics/index.ts';
import { testRandom } from '../support/fuzz.ts';

const random = testRandom(21);
const [rows, classes] = [60, 4];
const logits = Array.from({ length: rows }, () => Array.from({ length: classes }, () => random(41) / 8));
const probs = logits.map((row) => Array.from(softmaxRows([row]).data));
const labels = logits.map((row) => (random(3) ? row.indexOf(Math.max(...row)) : random(classes)));
const times = labels.map(() => random(4));
const repeated = times.flatMap((n, r) => new Array<number>(n).fill(r));

type Metric = (probs: number[][], labels: Labels, options?: WeightOptions) => unknown;
const bin = { numBins: 7 } as const;
const metrics: Record<string, Metric> = {
  ECE: (p, y, w) => calibrationError(p, y, { ...bin, ...w }),
  'l2 error': (p, y, w) => calibrationError(p, y, { ...bin, norm: 'l2', ...w }),
  'largest gap': (p, y, w) => calibrationError(p, y, { ...bin, norm: 'max', ...w }),
  'mean gap': (p, y, w) => calibrationError(p, y, { ...bin, norm: 'mean', ...w }),
  'adaptive ECE': (p, y, w) => calibrationError(p, y, { ...bin, binning: 'mass', ...w }),
  'of each class': (p, y, w) => perClassCalibrationError(p, y, { ...bin, ...w }),
  classwise: (p, y, w) => classwiseCalibrationError(p, y, { ...bin, ...w }),
  'classwise by labels': (p, y, w) => classwiseCalibrationError(p, y, { ...bin, average: 'labels', ...w }),
  diagram: (p, y, w) =>
    reliabilityDiagram(p, y, { ...bin, ...w }).map(({ lo, hi, confidence, accuracy }) => ({
      lo,
      hi,
      confidence,
      accuracy,
    })),
  'diagram of a class by mass': (p, y, w) =>
    reliabilityDiagram(p, y, { ...bin, binning: 'mass', classIndex: 1, ...w }).map(({ confidence, accuracy }) => ({
      confidence,
      accuracy,
    })),
  KS: ksError,
  Brier: brierScore,
  'parts of Brier': (p, y, w) => brierDecomposition(p, y, { ...bin, ...w }),
  NLL: nll,
  overconfidence,
  AUROC: confidenceAuroc,
};
const others: Record<string, Metric> = {
  AURC: aurc,
  'risk and coverage': riskCoverage,
  'debiased l2': (p, y, w) => calibrationError(p, y, { ...bin, norm: 'l2', debias: true, ...w }),
};
const near = (value: unknown): unknown =>
  typeof value === 'number'
    ? Number.isNaN(value)
      ? NaN
      : expect.closeTo(value, 11)
    : ArrayBuffer.isView(value) || Array.isArray(value)
      ? Array.from(value as ArrayLike<unknown>, near)
      : Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, near(v)]));
const plain = (value: unknown): unknown =>
  typeof value === 'number'
    ? value
    : ArrayBuffer.isView(value) || Array.isArray(value)
      ? Array.from(value as unknown as ArrayLike<unknown>, plain)
      : Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, plain(v)]));

describe.each(Object.entries(metrics))('%s', (_name, metric) => {
  test('a weight of n is n rows', () => {
    expect(plain(metric(probs, labels, { sampleWeight: times }))).toEqual(
      near(
        metric(
          repeated.map((r) => probs[r]!),
          repeated.map((r) => labels[r]!),
        ),
      ),
    );
  });
});

describe.each(Object.entries({ ...metrics, ...others }))('%s', (_name, metric) => {
  const drop = ({ ...value }: Record<string, unknown>) => (delete value.share, value);
  const bare = (value: unknown): unknown =>
    Array.isArray(value) && typeof value[0] === 'object'
      ? value.map((bin) => drop(bin as Record<string, unknown>))
      : value;
  test('equal weights change no bit, common factors nothing, and rows of weight 0 do not count', () => {
    const value = metric(probs, labels);
    expect(bare(metric(probs, labels, { sampleWeight: new Array<number>(rows).fill(1) }))).toEqual(value);
    const weighted = metric(probs, labels, { sampleWeight: times });
    expect(plain(metric(probs, labels, { sampleWeight: times.map((t) => 1e300 * t) }))).toEqual(near(weighted));
    const odd = probs.concat([[0, 0, 0, 1]]);
    if (metric !== others['risk and coverage'])
      expect(plain(metric(odd, [...labels, 0], { sampleWeight: [...times, 0] }))).toEqual(near(weighted));
  });
  test('a prior is a weight for each class', () => {
    const counts = Array.from({ length: classes }, (_, c) => labels.filter((y) => y === c).length);
    const shares = [1, 2, 3, 4];
    expect(plain(metric(probs, labels, { prior: shares }))).toEqual(
      near(metric(probs, labels, { sampleWeight: labels.map((y) => shares[y]! / counts[y]!) })),
    );
    expect(plain(metric(probs, labels, { prior: 'balanced' }))).toEqual(
      near(metric(probs, labels, { prior: [5, 5, 5, 5] })),
    );
    expect(plain(metric(probs, labels, { prior: counts }))).toEqual(
      near(metric(probs, labels, { sampleWeight: new Array<number>(rows).fill(3) })),
    );
  });
  test.each<[WeightOptions, string]>([
    [{ sampleWeight: [1] }, `sampleWeight has 1 entries, expected ${rows}, one per row`],
    [
      { sampleWeight: labels.map((_, r) => (r === 3 ? -1 : 1)) },
      'sampleWeight[3] is -1, expected a finite number >= 0',
    ],
    [
      { sampleWeight: labels.map((_, r) => (r === 3 ? NaN : 1)) },
      'sampleWeight[3] is NaN, expected a finite number >= 0',
    ],
    [{ sampleWeight: labels.map(() => 0) }, 'sampleWeight is 0 for every row, expected a positive one'],
    [{ prior: [1, 2] }, 'prior has 2 entries, expected 4, one per class'],
    [{ prior: [1, 2, Infinity, 0] }, 'prior[2] is Infinity, expected a finite number >= 0'],
    [{ prior: [0, 0, 0, 0] }, 'prior is 0 for every class, expected a positive one'],
    [{ prior: 'uniform' as 'balanced' }, "prior is uniform, expected 'balanced' or a list of 4 numbers"],
    [{ weights: [1] } as WeightOptions, "unknown option 'weights'"],
  ])('%o is refused', (options, message) => {
    expect(() => metric(probs, labels, options)).toThrow(message);
  });
});

test('a class without rows gets no share of the prior; a prior on none of the rows is refused', () => {
  const p = [
    [0.9, 0.05, 0.05],
    [0.2, 0.5, 0.3],
    [0.6, 0.3, 0.1],
  ];
  expect(calibrationError(p, [0, 1, 1], { prior: 'balanced' })).toBeCloseTo(
    calibrationError(p, [0, 1, 1], { prior: [1, 1, 0] }),
    14,
  );
  expect(() => nll(p, [0, 1, 1], { prior: [0, 0, 1] })).toThrow(
    'nll: prior is 0 for every class that has rows of positive weight, expected a positive one',
  );
  expect(reliabilityDiagram(p, [0, 1, 1], { numBins: 2, prior: [3, 1, 0] })).toMatchObject([
    { share: expect.closeTo(1 / 8, 12), count: 1 },
    { share: expect.closeTo(7 / 8, 12), count: 2 },
  ]);
});

test('a label of probability 0 counts only with a weight', () => {
  expect(
    nll(
      [
        [1, 0],
        [0.5, 0.5],
      ],
      [1, 0],
      { sampleWeight: [0, 1] },
    ),
  ).toBeCloseTo(Math.log(2), 14);
  expect(
    nll(
      [
        [1, 0],
        [0.5, 0.5],
      ],
      [1, 0],
    ),
  ).toBe(Infinity);
});

test('risk and coverage by hand: shares of the weights', () => {
  const {
    coverage,
    risk,
    aurc: area,
    eAurc,
  } = riskCoverage(
    [
      [0.9, 0.1],
      [0.8, 0.2],
      [0.3, 0.7],
    ],
    [0, 1, 1],
    { sampleWeight: [2, 1, 1] },
  );
  expect(Array.from(coverage)).toEqual([0.5, 0.75, 1]);
  expect(Array.from(risk)).toEqual([0, expect.closeTo(1 / 3, 14), 0.25]);
  expect(area).toBeCloseTo(1 / 12 + 1 / 16, 14);
  expect(eAurc).toBeCloseTo(1 / 12, 14);
});
