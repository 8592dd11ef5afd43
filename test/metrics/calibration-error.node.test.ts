import { describe, expect, test } from 'vitest';
import cases from '../golden/calibration.json';
import { softmaxRows } from '../../src/calibrate/temperature.ts';
import {
  accuracy,
  brierDecomposition,
  brierScore,
  calibrationError,
  classwiseCalibrationError,
  nll,
  perClassCalibrationError,
  reliabilityDiagram,
} from '../../src/metrics/index.ts';
import { testRandom } from '../support/fuzz.ts';
import { casesOf, dense, flat, toNumber } from '../support/golden.ts';

/** Three-class rows with the given confidence for class 0; `correct` chooses the label. */
const rowsOf = (confidence: number[], classes = 5) =>
  confidence.map((p) => [p, ...new Array<number>(classes - 1).fill((1 - p) / (classes - 1))]);
const labelsOf = (correct: number[]) => correct.map((hit) => (hit ? 0 : 1));

describe('golden values', () => {
  test.each(casesOf(cases, 'calibrationMetrics'))('$name', ({ options, inputs, outputs }) => {
    const numBins = options.bins as number;
    const probs = softmaxRows(dense(inputs.logits));
    const labels = flat(inputs.labels);
    const want = (key: string) => toNumber(outputs[key]);
    expect(calibrationError(probs, labels, { numBins: numBins })).toBeCloseTo(want('ece'), 12);
    expect(calibrationError(probs, labels, { numBins: numBins, norm: 'l2' })).toBeCloseTo(want('l2Error'), 12);
    expect(calibrationError(probs, labels, { numBins: numBins, norm: 'max' })).toBeCloseTo(want('mce'), 12);
    expect(calibrationError(probs, labels, { numBins: numBins, norm: 'mean' })).toBeCloseTo(
      want('averageCalibrationError'),
      12,
    );
    expect(calibrationError(probs, labels, { numBins: numBins, binning: 'mass', compat: 'released-code' })).toBeCloseTo(
      want('adaptiveEce'),
      12,
    );
    const edges = reliabilityDiagram(probs, labels, { numBins: numBins, binning: 'mass', compat: 'released-code' });
    flat(outputs.adaptiveEdges).forEach((edge, i) => expect(edges[i]?.lo ?? edges.at(-1)!.hi).toBeCloseTo(edge, 12));
    expect(classwiseCalibrationError(probs, labels, { numBins: numBins, compat: 'released-code' })).toBeCloseTo(
      want('classwiseEce'),
      12,
    );
    expect(brierScore(probs, labels)).toBeCloseTo(want('brier'), 12);
    // Other code, the same bins where no confidence lies on an edge.
    for (const key of ['eceDict', 'priorLtEce', 'torchmetricsEce'])
      expect(calibrationError(probs, labels, { numBins: numBins })).toBeCloseTo(want(key), 12);
    expect(accuracy(probs, labels)).toBeCloseTo(want('accuracy'), 14);
    expect(nll(probs, labels)).toBeCloseTo(want('nll'), 12);
    const bins = reliabilityDiagram(probs, labels, { numBins: numBins });
    expect(bins.map(({ count }) => count)).toEqual(flat(outputs.binCounts));
    // The reference stores 0 for the means of an empty bin.
    flat(outputs.binConfidence).forEach((value, i) =>
      expect(bins[i]!.count ? bins[i]!.confidence : 0).toBeCloseTo(value, 12),
    );
    flat(outputs.binAccuracy).forEach((value, i) =>
      expect(bins[i]!.count ? bins[i]!.accuracy : 0).toBeCloseTo(value, 12),
    );
  });
  test.each(casesOf(cases, 'calibrationBinEdges'))(
    '$name: confidences on edges belong to the lower bin',
    ({ options, inputs, outputs }) => {
      const numBins = options.bins as number;
      const probs = rowsOf(flat(inputs.confidence));
      const labels = labelsOf(flat(inputs.correct));
      expect(calibrationError(probs, labels, { numBins: numBins })).toBeCloseTo(toNumber(outputs.rightClosedEce), 12);
      expect(calibrationError(probs, labels, { numBins: numBins, norm: 'max' })).toBeCloseTo(
        toNumber(outputs.rightClosedMce),
        12,
      );
      expect(reliabilityDiagram(probs, labels, { numBins: numBins }).map(({ count }) => count)).toEqual(
        flat(outputs.rightClosedCounts),
      );
    },
  );
});

describe('values by hand', () => {
  test('constant confidence 0.8, 60 % correct', () => {
    expect(
      calibrationError(rowsOf(new Array<number>(10).fill(0.8)), labelsOf([1, 1, 1, 1, 1, 1, 0, 0, 0, 0])),
    ).toBeCloseTo(0.2, 14);
  });
  test('seven confidences at 15, 10 and 5 bins', () => {
    const probs = rowsOf([0.95, 0.9, 0.8, 0.65, 0.6, 0.55, 0.35]);
    const labels = labelsOf([1, 1, 0, 1, 0, 1, 0]);
    expect(calibrationError(probs, labels)).toBeCloseTo(0.257143, 6);
    expect(calibrationError(probs, labels, { numBins: 10 })).toBeCloseTo(0.257143, 6);
    expect(calibrationError(probs, labels, { numBins: 5 })).toBeCloseTo(0.157143, 6);
  });
  test('perfect predictions and uniform rows are calibrated; every row is counted', () => {
    expect(
      calibrationError(
        [
          [1, 0],
          [0, 1],
        ],
        [0, 1],
      ),
    ).toBe(0);
    expect(
      calibrationError(
        [
          [0.25, 0.25, 0.25, 0.25],
          [0.25, 0.25, 0.25, 0.25],
          [0.25, 0.25, 0.25, 0.25],
          [0.25, 0.25, 0.25, 0.25],
        ],
        [0, 1, 2, 3],
      ),
    ).toBe(0);
    const bins = reliabilityDiagram(
      [
        [1 + 5e-7, -5e-7],
        [1, 0],
      ],
      [0, 1],
      { numBins: 3 },
    );
    expect(bins[2]).toEqual({ lo: 2 / 3, hi: 1, count: 2, confidence: 1, accuracy: 0.5 });
    expect(bins[0]).toEqual({ lo: 0, hi: 1 / 3, count: 0, confidence: NaN, accuracy: NaN });
  });
});

describe('bins of equal mass', () => {
  const seven = rowsOf([0.95, 0.9, 0.8, 0.65, 0.6, 0.55, 0.35]);
  const labels = labelsOf([1, 1, 0, 1, 0, 1, 0]);
  test('the smallest confidence is counted; the released code drops it', () => {
    expect(calibrationError(seven, labels, { numBins: 5, binning: 'mass', compat: 'released-code' })).toBeCloseTo(
      0.235714,
      6,
    );
    const bins = reliabilityDiagram(seven, labels, { numBins: 5, binning: 'mass' });
    expect(bins.map(({ count }) => count)).toEqual([2, 1, 2, 1, 1]);
    expect([bins[0]!.lo, bins[4]!.hi]).toEqual([0.35, 0.95]);
    // (|.45 - .5| 2 + |.6 - 0| + |.725 - .5| 2 + |.9 - 1| + |.95 - 1|) / 7
    expect(calibrationError(seven, labels, { numBins: 5, binning: 'mass' })).toBeCloseTo(
      (0.1 + 0.6 + 0.45 + 0.1 + 0.05) / 7,
      12,
    );
  });
  test('equal confidences share a bin, so that bins may be fewer, and none is empty', () => {
    const tied = rowsOf([0.4, 0.4, 0.4, 0.4, 0.9]);
    const bins = reliabilityDiagram(tied, labelsOf([1, 0, 0, 0, 1]), { numBins: 5, binning: 'mass' });
    expect(bins.map(({ lo, hi, count, accuracy }) => [lo, hi, count, accuracy])).toEqual([
      [0.4, 0.4, 4, 0.25],
      [0.4, 0.9, 1, 1],
    ]);
    // All confidences equal: the released code, whose bins are then all empty, says 0.
    const equal = rowsOf([0.8, 0.8, 0.8, 0.8, 0.8]);
    const hits = labelsOf([1, 1, 1, 0, 0]);
    expect(calibrationError(equal, hits, { binning: 'mass' })).toBeCloseTo(0.2, 12);
    expect(calibrationError(equal, hits, { binning: 'mass', compat: 'released-code' })).toBe(0);
    expect(calibrationError([[0.7, 0.3]], [1], { binning: 'mass' })).toBeCloseTo(0.7, 14);
  });
});

describe('class by class', () => {
  const probs = [
    [0.7, 0.2, 0.1],
    [0.6, 0.4, 0],
    [0.1, 0.8, 0.1],
  ];
  test('every class counts, a probability of 0 too; the released code leaves both out', () => {
    const each = perClassCalibrationError(probs, [0, 1, 1], { numBins: 1 });
    [1.4 / 3 - 1 / 3, 2 / 3 - 1.4 / 3, 0.2 / 3].forEach((want, c) => expect(each[c]).toBeCloseTo(want, 12));
    expect(classwiseCalibrationError(probs, [0, 1, 1], { numBins: 1 })).toBeCloseTo(
      (each[0]! + each[1]! + each[2]!) / 3,
      14,
    );
    expect(classwiseCalibrationError(probs, [0, 1, 1], { numBins: 1, average: 'labels' })).toBeCloseTo(
      (each[0]! + 2 * each[1]!) / 3,
      14,
    );
    expect(classwiseCalibrationError(probs, [0, 1, 1], { numBins: 1, compat: 'released-code' })).toBeCloseTo(
      (each[0]! + each[1]!) / 2,
      14,
    );
    expect(reliabilityDiagram(probs, [0, 1, 2], { numBins: 1, classIndex: 2 })[0]).toEqual({
      lo: 0,
      hi: 1,
      count: 3,
      confidence: expect.closeTo(0.2 / 3, 14),
      accuracy: 1 / 3,
    });
    expect(reliabilityDiagram(probs, [0, 1, 2], { numBins: 1, classIndex: 2, compat: 'released-code' })[0]!.count).toBe(
      2,
    );
  });
});

test('labels drawn from the probabilities themselves: above 0, and falling with the root of the rows', () => {
  const random = testRandom(8);
  const unit = (): number => random(1_000_000) / 1_000_000;
  const errorOf = (rows: number, binning: 'width' | 'mass'): number => {
    const confidence = Array.from({ length: rows }, () => 0.5 + unit() / 2);
    return calibrationError(
      rowsOf(confidence, 2),
      confidence.map((p) => (unit() < p ? 0 : 1)),
      { binning },
    );
  };
  for (const binning of ['width', 'mass'] as const) {
    const [few, many] = [errorOf(500, binning), errorOf(50_000, binning)];
    expect(few).toBeGreaterThan(0.01);
    expect(few).toBeLessThan(2 * Math.sqrt(15 / 500));
    expect(many).toBeLessThan(few / 3);
    expect(many).toBeGreaterThan(0);
  }
});

test('properties on random rows: order, duplication, l1 <= l2 <= max <= 1, one bin, edges', () => {
  const random = testRandom(4);
  for (let round = 0; round < 30; round++) {
    const classes = 2 + random(5);
    const logits = Array.from({ length: 40 }, () => Array.from({ length: classes }, () => random(1000) / 100));
    const labels = logits.map(() => random(classes));
    const probs = softmaxRows(logits);
    const rows = labels.map((_, r) => Array.from(probs.at(r).data));
    const numBins = 1 + random(20);
    const error = calibrationError(probs, labels, { numBins: numBins });
    const [l2, max] = [
      calibrationError(probs, labels, { numBins: numBins, norm: 'l2' }),
      calibrationError(probs, labels, { numBins: numBins, norm: 'max' }),
    ];
    expect(calibrationError([...rows].reverse(), [...labels].reverse(), { numBins: numBins })).toBeCloseTo(error, 13);
    expect(calibrationError([...rows, ...rows], [...labels, ...labels], { numBins: numBins })).toBeCloseTo(error, 13);
    expect(error).toBeLessThanOrEqual(l2 + 1e-14);
    expect(l2).toBeLessThanOrEqual(max + 1e-14);
    expect(max).toBeLessThanOrEqual(1);
    const mass = reliabilityDiagram(probs, labels, { numBins: numBins, binning: 'mass' });
    expect(mass.every(({ count }) => count > 0)).toBe(true);
    expect(mass.reduce((sum, { count }) => sum + count, 0)).toBe(40);
    expect(
      calibrationError([...rows].reverse(), [...labels].reverse(), { numBins: numBins, binning: 'mass' }),
    ).toBeCloseTo(calibrationError(probs, labels, { numBins: numBins, binning: 'mass' }), 13);
    // The overall gap is a lower bound for every binning.
    const gap = calibrationError(probs, labels, { numBins: 1 });
    expect(error).toBeGreaterThanOrEqual(gap - 1e-14);
    expect(calibrationError(probs, labels, { numBins: numBins, binning: 'mass' })).toBeGreaterThanOrEqual(gap - 1e-14);
    const mean = rows.reduce((sum, row) => sum + Math.max(...row), 0) / rows.length;
    expect(calibrationError(probs, labels, { numBins: 1 })).toBeCloseTo(Math.abs(accuracy(probs, labels) - mean), 13);
    const bins = reliabilityDiagram(probs, labels, { numBins: numBins });
    expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(40);
    expect([bins[0]!.lo, bins[numBins - 1]!.hi]).toEqual([0, 1]);
    for (const { lo, hi, count, confidence } of bins)
      if (count) expect(confidence > lo - 1e-15 && confidence <= hi + 1e-15).toBe(true);
  }
  // Confidences that are edges themselves: i / numBins lies in bin i - 1 for every number of bins.
  for (let numBins = 2; numBins <= 60; numBins++) {
    for (let i = Math.ceil(numBins / 2) + 1; i <= numBins; i++) {
      expect(reliabilityDiagram([[i / numBins, 1 - i / numBins]], [0], { numBins: numBins })[i - 1]!.count).toBe(1);
    }
  }
});

test.each([
  [
    () => calibrationError([[2.5, -1.5]], [0]),
    'calibrationError: probs is 2.5 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)',
  ],
  [
    () =>
      calibrationError(
        [
          [0.5, 0.5],
          [0.9, 0.2],
        ],
        [0, 0],
      ),
    'calibrationError: probs sum to 1.1 in row 1, expected 1 (apply softmax to logits first)',
  ],
  [() => calibrationError([[0.5, NaN]], [0]), 'calibrationError: probs is NaN at row 0, class 1'],
  [
    () => calibrationError([[0.5, 0.5]], [0], { numBins: 0 }),
    'calibrationError: numBins is 0, expected a positive integer',
  ],
  [
    () => calibrationError([[0.5, 0.5]], [0], { norm: 'l3' as never }),
    "calibrationError: norm is 'l3', expected 'l1', 'l2', 'max' or 'mean'",
  ],
  [
    () => calibrationError([[0.5, 0.5]], [0], { binning: 'size' as never }),
    "calibrationError: binning is 'size', expected 'width' or 'mass'",
  ],
  [
    () => calibrationError([[0.5, 0.5]], [0], { compat: 'x' as never }),
    "calibrationError: compat is 'x', expected 'released-code'",
  ],
  [
    () => classwiseCalibrationError([[0.5, 0.5]], [0], { average: 'x' as never }),
    "classwiseCalibrationError: average is 'x', expected 'classes' or 'labels'",
  ],
  [
    () => classwiseCalibrationError([[5, -4]], [0]),
    'classwiseCalibrationError: probs is 5 at row 0, class 0, expected probabilities in 0..1 (apply softmax ' +
      'to logits first)',
  ],
  [
    () => reliabilityDiagram([[0.5, 0.5]], [0], { classIndex: 2 }),
    'reliabilityDiagram: classIndex is 2, expected an integer in 0..1',
  ],
  [() => calibrationError([[0.5, 0.5]], []), 'calibrationError: labels has 0 entries, expected 1, one per row'],
  [() => reliabilityDiagram([[0.5, 0.5]], [2]), 'reliabilityDiagram: labels[0] is 2, expected an integer in 0..1'],
  [
    () => reliabilityDiagram([[0.5, 0.5]], [0], { numBins: 1.5 }),
    'reliabilityDiagram: numBins is 1.5, expected a positive integer',
  ],
  [
    () => reliabilityDiagram([], []),
    'reliabilityDiagram: probs has shape [0,0], expected at least one row and one class',
  ],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});

describe('confidences on edges, in f32 and f64', () => {
  const eight = [0.6, 0.7, 0.8, 0.9, 0.3, 0.2, 0.4, 0.1].map((p) => [Math.max(p, 1 - p), Math.min(p, 1 - p)]);
  const labels = [0, 1, 0, 1, 0, 1, 0, 1];
  const [f64, f32] = [Float64Array, Float32Array].map((type) => ({ data: type.from(eight.flat()), shape: [8, 2] }));
  test.each([{}, { numBins: 5 }, { numBins: 10 }, { numBins: 20 }, { numBins: 4, binning: 'mass' as const }])(
    'the same bins: %o',
    (options) => {
      const bins = (probs: typeof f64) => reliabilityDiagram(probs!, labels, options).map(({ count }) => count);
      expect(bins(f32)).toEqual(bins(f64));
      expect(calibrationError(f32!, labels, options)).toBeCloseTo(calibrationError(f64!, labels, options), 7);
      expect(classwiseCalibrationError(f32!, labels, options)).toBeCloseTo(
        classwiseCalibrationError(f64!, labels, options),
        7,
      );
      const { reliability } = brierDecomposition(f64!, labels, { numBins: options.numBins, binning: options.binning });
      expect(
        brierDecomposition(f32!, labels, { numBins: options.numBins, binning: options.binning }).reliability,
      ).toBeCloseTo(reliability, 6);
    },
  );
  test.each([5, 10, 15, 20, 25, 100])('every multiple of 1 / %i lies in the bin below it', (numBins) => {
    for (let i = Math.ceil(numBins / 2) + 1; i <= numBins; i++) {
      for (const type of [Float32Array, Float64Array]) {
        const bins = reliabilityDiagram({ data: type.of(i / numBins, 1 - i / numBins), shape: [1, 2] }, [0], {
          numBins: numBins,
        });
        expect(
          bins.findIndex(({ count }) => count > 0),
          `${i} / ${numBins}`,
        ).toBe(i - 1);
      }
    }
  });
  test('the released code in f32: edges of torch.linspace, some of which miss i / numBins', () => {
    const compat = 'released-code' as const;
    const binOf = (p: number, type: typeof Float32Array | typeof Float64Array, numBins: number) =>
      reliabilityDiagram({ data: type.of(p, 1 - p), shape: [1, 2] }, [0], { numBins: numBins, compat }).findIndex(
        ({ count }) => count > 0,
      );
    // Nine fifteenths: 1 - 6 * fround(1 / 15) rounds to .59999996, below the f32 nearest to .6.
    expect(Math.fround(1 - Math.fround(6 * Math.fround(1 / 15)))).toBeLessThan(Math.fround(0.6));
    expect([binOf(0.6, Float32Array, 15), binOf(0.6, Float64Array, 15)]).toEqual([9, 8]);
    // With 10 bins all edges are the nearest f32 numbers.
    for (const p of [0.6, 0.7, 0.8, 0.9, 1]) expect(binOf(p, Float32Array, 10)).toBe(Math.round(10 * p) - 1);
    expect(
      reliabilityDiagram([[0.25, 0.75]], [0], { numBins: 2, compat, classIndex: 0 }).map(({ count }) => count),
    ).toEqual([1, 0]);
    expect(() => calibrationError(f64!, labels, { compat, prior: 'balanced' })).toThrow(
      "calibrationError: compat is 'released-code' with weights, which the released code does not have; leave one out",
    );
  });
});
