import { describe, expect, test } from 'vitest';
import cases from '../golden/calibration.json';
import { softmaxRows } from '../../src/calibrate/temperature.ts';
import { accuracy, calibrationError, nll, reliabilityDiagram } from '../../src/metrics/index.ts';
import { testRandom } from '../support/fuzz.ts';
import { casesOf, dense, flat, toNumber } from '../support/golden.ts';

/** Three-class rows with the given confidence for class 0; `correct` chooses the label. */
const rowsOf = (confidence: number[], classes = 5) => confidence.map((p) => [p, ...new Array<number>(classes - 1).fill((1 - p) / (classes - 1))]);
const labelsOf = (correct: number[]) => correct.map((hit) => (hit ? 0 : 1));

describe('golden values', () => {
  test.each(casesOf(cases, 'calibrationMetrics'))('$name', ({ options, inputs, outputs }) => {
    const nBins = options.bins as number;
    const probs = softmaxRows(dense(inputs.logits));
    const labels = flat(inputs.labels);
    const want = (key: string) => toNumber(outputs[key]);
    expect(calibrationError(probs, labels, { nBins })).toBeCloseTo(want('ece'), 12);
    expect(calibrationError(probs, labels, { nBins, norm: 'l2' })).toBeCloseTo(want('l2Error'), 12);
    expect(calibrationError(probs, labels, { nBins, norm: 'max' })).toBeCloseTo(want('mce'), 12);
    expect(accuracy(probs, labels)).toBeCloseTo(want('accuracy'), 14);
    expect(nll(probs, labels)).toBeCloseTo(want('nll'), 12);
    const bins = reliabilityDiagram(probs, labels, { nBins });
    expect(bins.map(({ count }) => count)).toEqual(flat(outputs.binCounts));
    // The reference stores 0 for the means of an empty bin.
    flat(outputs.binConfidence).forEach((value, i) => expect(bins[i]!.count ? bins[i]!.confidence : 0).toBeCloseTo(value, 12));
    flat(outputs.binAccuracy).forEach((value, i) => expect(bins[i]!.count ? bins[i]!.accuracy : 0).toBeCloseTo(value, 12));
  });
  test.each(casesOf(cases, 'calibrationBinEdges'))('$name: confidences on edges belong to the lower bin', ({ options, inputs, outputs }) => {
    const nBins = options.bins as number;
    const probs = rowsOf(flat(inputs.confidence));
    const labels = labelsOf(flat(inputs.correct));
    expect(calibrationError(probs, labels, { nBins })).toBeCloseTo(toNumber(outputs.rightClosedEce), 12);
    expect(calibrationError(probs, labels, { nBins, norm: 'max' })).toBeCloseTo(toNumber(outputs.rightClosedMce), 12);
    expect(reliabilityDiagram(probs, labels, { nBins }).map(({ count }) => count)).toEqual(flat(outputs.rightClosedCounts));
  });
});

describe('values by hand', () => {
  test('constant confidence 0.8, 60 % correct', () => {
    expect(calibrationError(rowsOf(new Array<number>(10).fill(0.8)), labelsOf([1, 1, 1, 1, 1, 1, 0, 0, 0, 0]))).toBeCloseTo(0.2, 14);
  });
  test('seven confidences at 15, 10 and 5 bins', () => {
    const probs = rowsOf([0.95, 0.9, 0.8, 0.65, 0.6, 0.55, 0.35]);
    const labels = labelsOf([1, 1, 0, 1, 0, 1, 0]);
    expect(calibrationError(probs, labels)).toBeCloseTo(0.257143, 6);
    expect(calibrationError(probs, labels, { nBins: 10 })).toBeCloseTo(0.257143, 6);
    expect(calibrationError(probs, labels, { nBins: 5 })).toBeCloseTo(0.157143, 6);
  });
  test('perfect predictions and uniform rows are calibrated; every row is counted', () => {
    expect(calibrationError([[1, 0], [0, 1]], [0, 1])).toBe(0);
    expect(calibrationError([[0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]], [0, 1, 2, 3])).toBe(0);
    const bins = reliabilityDiagram([[1 + 5e-7, -5e-7], [1, 0]], [0, 1], { nBins: 3 });
    expect(bins[2]).toEqual({ lo: 2 / 3, hi: 1, count: 2, confidence: 1, accuracy: 0.5 });
    expect(bins[0]).toEqual({ lo: 0, hi: 1 / 3, count: 0, confidence: NaN, accuracy: NaN });
  });
});

test('properties on random rows: order, duplication, l1 <= l2 <= max <= 1, one bin, edges', () => {
  const random = testRandom(4);
  for (let round = 0; round < 30; round++) {
    const classes = 2 + random(5);
    const logits = Array.from({ length: 40 }, () => Array.from({ length: classes }, () => random(1000) / 100));
    const labels = logits.map(() => random(classes));
    const probs = softmaxRows(logits);
    const rows = labels.map((_, r) => Array.from(probs.at(r).data));
    const nBins = 1 + random(20);
    const error = calibrationError(probs, labels, { nBins });
    const [l2, max] = [calibrationError(probs, labels, { nBins, norm: 'l2' }), calibrationError(probs, labels, { nBins, norm: 'max' })];
    expect(calibrationError([...rows].reverse(), [...labels].reverse(), { nBins })).toBeCloseTo(error, 13);
    expect(calibrationError([...rows, ...rows], [...labels, ...labels], { nBins })).toBeCloseTo(error, 13);
    expect(error).toBeLessThanOrEqual(l2 + 1e-14);
    expect(l2).toBeLessThanOrEqual(max + 1e-14);
    expect(max).toBeLessThanOrEqual(1);
    const mean = rows.reduce((sum, row) => sum + Math.max(...row), 0) / rows.length;
    expect(calibrationError(probs, labels, { nBins: 1 })).toBeCloseTo(Math.abs(accuracy(probs, labels) - mean), 13);
    const bins = reliabilityDiagram(probs, labels, { nBins });
    expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(40);
    expect([bins[0]!.lo, bins[nBins - 1]!.hi]).toEqual([0, 1]);
    for (const { lo, hi, count, confidence } of bins) if (count) expect(confidence > lo - 1e-15 && confidence <= hi + 1e-15).toBe(true);
  }
  // Confidences that are edges themselves: i / nBins lies in bin i - 1 for every number of bins.
  for (let nBins = 2; nBins <= 60; nBins++) {
    for (let i = Math.ceil(nBins / 2) + 1; i <= nBins; i++) {
      expect(reliabilityDiagram([[i / nBins, 1 - i / nBins]], [0], { nBins })[i - 1]!.count).toBe(1);
    }
  }
});

test.each([
  [() => calibrationError([[2.5, -1.5]], [0]), 'calibrationError: probs is 2.5 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)'],
  [() => calibrationError([[0.5, 0.5], [0.9, 0.2]], [0, 0]), 'calibrationError: probs sum to 1.1 in row 1, expected 1 (apply softmax to logits first)'],
  [() => calibrationError([[0.5, NaN]], [0]), 'calibrationError: probs is NaN at row 0, class 1'],
  [() => calibrationError([[0.5, 0.5]], [0], { nBins: 0 }), 'calibrationError: nBins is 0, expected an integer >= 1'],
  [() => calibrationError([[0.5, 0.5]], [0], { norm: 'l3' as never }), "calibrationError: norm is l3, expected 'l1', 'l2' or 'max'"],
  [() => calibrationError([[0.5, 0.5]], []), 'calibrationError: labels has 0 entries, expected 1, one per row'],
  [() => reliabilityDiagram([[0.5, 0.5]], [2]), 'reliabilityDiagram: labels[0] is 2, expected an integer in 0..1'],
  [() => reliabilityDiagram([[0.5, 0.5]], [0], { nBins: 1.5 }), 'reliabilityDiagram: nBins is 1.5, expected an integer >= 1'],
  [() => reliabilityDiagram([], []), 'reliabilityDiagram: probs has shape [0,0], expected at least one row and one class'],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
