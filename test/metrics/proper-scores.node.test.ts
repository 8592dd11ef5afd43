import { describe, expect, test } from 'vitest';
import { softmaxRows } from '../../src/calibrate/temperature.ts';
import {
  aurc,
  bootstrapInterval,
  brierDecomposition,
  brierScore,
  calibrationError,
  ksError,
  riskCoverage,
  accuracy,
} from '../../src/metrics/index.ts';
import { testRandom } from '../support/fuzz.ts';

/** Rows with a few repeated probabilities, so that bins and ties both occur. */
function draw(seed: number, rows: number, classes: number): { probs: number[][]; labels: number[] } {
  const random = testRandom(seed);
  const logits = Array.from({ length: rows }, () => Array.from({ length: classes }, () => random(4)));
  const p = softmaxRows(logits);
  return { probs: logits.map((_, r) => Array.from(p.at(r).data)), labels: logits.map(() => random(classes)) };
}

describe('Brier score', () => {
  test('values', () => {
    expect(
      brierScore(
        [
          [1, 0],
          [0, 1],
        ],
        [0, 1],
      ),
    ).toBe(0);
    expect(brierScore([[1, 0]], [1])).toBe(2);
    expect(brierScore([[0.7, 0.2, 0.1]], [1])).toBeCloseTo(0.49 + 0.64 + 0.01, 14);
  });
  test('the parts add up for any bins; with a bin for each distinct value nothing is hidden', () => {
    for (const [seed, classes] of [
      [1, 2],
      [2, 3],
      [3, 5],
    ] as const) {
      const { probs, labels } = draw(seed, 60, classes);
      for (const options of [
        {},
        { numBins: 1 },
        { numBins: 4, binning: 'mass' as const },
        { numBins: 60, binning: 'mass' as const },
      ]) {
        const { score, reliability, resolution, uncertainty, withinBin } = brierDecomposition(probs, labels, options);
        expect(score).toBeCloseTo(brierScore(probs, labels), 12);
        expect(reliability - resolution + uncertainty + withinBin).toBeCloseTo(score, 12);
        expect(Math.min(reliability, resolution, uncertainty)).toBeGreaterThanOrEqual(0);
        if (options.numBins === 60) expect(Math.abs(withinBin)).toBeLessThan(1e-13);
        if (options.numBins === 1) expect(resolution).toBeCloseTo(0, 14);
      }
    }
  });
  test('predicting the frequencies of the labels leaves the uncertainty', () => {
    const labels = [0, 0, 1, 2];
    const got = brierDecomposition(
      labels.map(() => [0.5, 0.25, 0.25]),
      labels,
    );
    expect(got.uncertainty).toBeCloseTo(0.25 + 2 * (3 / 16), 14);
    for (const part of [got.reliability, got.resolution, got.withinBin]) expect(part).toBeCloseTo(0, 14);
  });
});

describe('Kolmogorov-Smirnov error', () => {
  test('values', () => {
    // Sorted by confidence: .6 wrong, .8 right, .9 right; running sums -.6, -.4, -.3.
    expect(
      ksError(
        [
          [0.8, 0.2],
          [0.4, 0.6],
          [0.9, 0.1],
        ],
        [0, 0, 0],
      ),
    ).toBeCloseTo(0.6 / 3, 14);
    expect(
      ksError(
        [
          [1, 0],
          [0, 1],
        ],
        [0, 1],
      ),
    ).toBe(0);
    // Equal confidences go together: 4 of 5 right at .8.
    expect(
      ksError(
        [
          [0.8, 0.2],
          [0.8, 0.2],
          [0.8, 0.2],
          [0.8, 0.2],
          [0.8, 0.2],
        ],
        [1, 0, 0, 0, 0],
      ),
    ).toBeCloseTo(0, 14);
  });
  test('no order of the rows matters; at least the overall gap, at most 1', () => {
    for (let seed = 1; seed < 6; seed++) {
      const { probs, labels } = draw(seed, 50, 3);
      const error = ksError(probs, labels);
      expect(ksError([...probs].reverse(), [...labels].reverse())).toBeCloseTo(error, 13);
      expect(error).toBeGreaterThanOrEqual(calibrationError(probs, labels, { numBins: 1 }) - 1e-14);
      expect(error).toBeLessThanOrEqual(1);
    }
  });
});

describe('risk and coverage', () => {
  test('values', () => {
    const {
      risk,
      coverage,
      aurc: area,
      eAurc,
    } = riskCoverage(
      [
        [0.9, 0.1],
        [0.6, 0.4],
        [0.7, 0.3],
        [0.8, 0.2],
      ],
      [0, 0, 1, 1],
    );
    expect(Array.from(coverage)).toEqual([0.25, 0.5, 0.75, 1]);
    [0, 0.5, 2 / 3, 0.5].forEach((want, i) => expect(risk[i]).toBeCloseTo(want, 14));
    expect(area).toBeCloseTo((0.5 + 2 / 3 + 0.5) / 4, 14);
    expect(eAurc).toBeCloseTo((0.5 + 2 / 3 + 0.5 - (1 / 3 + 2 / 4)) / 4, 14);
  });
  test('wrong rows last is the best order; all right is 0, all wrong 1', () => {
    expect(
      riskCoverage(
        [
          [0.9, 0.1],
          [0.8, 0.2],
          [0.6, 0.4],
        ],
        [0, 0, 1],
      ).eAurc,
    ).toBeCloseTo(0, 15);
    expect(
      aurc(
        [
          [0.9, 0.1],
          [0.8, 0.2],
        ],
        [0, 0],
      ),
    ).toBe(0);
    expect(
      aurc(
        [
          [0.9, 0.1],
          [0.8, 0.2],
        ],
        [1, 1],
      ),
    ).toBe(1);
  });
  test('equal confidences count as in random order; the last risk is the error', () => {
    expect(
      Array.from(
        riskCoverage(
          [
            [0.8, 0.2],
            [0.8, 0.2],
          ],
          [1, 0],
        ).risk,
      ),
    ).toEqual([0.5, 0.5]);
    const { probs, labels } = draw(9, 70, 4);
    const { aurc: area, risk } = riskCoverage(probs, labels);
    expect(aurc([...probs].reverse(), [...labels].reverse())).toBeCloseTo(area, 13);
    expect(risk.at(-1)).toBeCloseTo(1 - accuracy(probs, labels), 14);
  });
});

describe('bootstrap', () => {
  test('the same seed, the same interval; 95 % of an accuracy is its normal interval', () => {
    const labels = Array.from({ length: 400 }, (_, i) => Number(i % 5 === 0));
    const probs = labels.map(() => [0.9, 0.1]);
    const found = bootstrapInterval(accuracy, probs, labels, { resamples: 2000, seed: 3 });
    expect(found).toEqual(bootstrapInterval(accuracy, probs, labels, { resamples: 2000, seed: 3 }));
    expect(found).not.toEqual(bootstrapInterval(accuracy, probs, labels, { resamples: 2000, seed: 4 }));
    expect(found.value).toBe(0.8);
    // 1.96 sqrt(.8 .2 / 400) = .0392; the quantiles of 2000 draws are off by about .002.
    for (const [end, sign] of [
      [found.low, -1],
      [found.high, 1],
    ] as const)
      expect(Math.abs(end - (0.8 + sign * 0.0392))).toBeLessThan(0.006);
    const basic = bootstrapInterval(accuracy, probs, labels, { resamples: 2000, seed: 3, method: 'basic' });
    expect(basic.low).toBeCloseTo(1.6 - found.high, 14);
    expect(basic.high).toBeCloseTo(1.6 - found.low, 14);
  });
  test('a wider level is a wider interval, and any metric will do', () => {
    const { probs, labels } = draw(4, 80, 3);
    const [narrow, wide] = [0.5, 0.99].map((level) =>
      bootstrapInterval((p, y) => calibrationError(p, y, { numBins: 5 }), probs, labels, { level, resamples: 200 }),
    );
    expect(narrow!.value).toBe(calibrationError(probs, labels, { numBins: 5 }));
    expect(wide!.low).toBeLessThan(narrow!.low);
    expect(wide!.high).toBeGreaterThan(narrow!.high);
  });
});

const one = [[0.5, 0.5]];
test.each([
  [
    () => brierScore([[2, -1]], [0]),
    'brierScore: probs is 2 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)',
  ],
  [() => brierDecomposition(one, [0], { numBins: 0 }), 'brierDecomposition: numBins is 0, expected a positive integer'],
  [() => ksError([[0.5, 0.4]], [0]), 'ksError: probs sum to 0.9 in row 0, expected 1 (apply softmax to logits first)'],
  [() => ksError(one, [2]), 'ksError: labels[0] is 2, expected an integer in 0..1'],
  [() => aurc([], []), 'aurc: probs has shape [0,0], expected at least one row and one class'],
  [() => riskCoverage([[NaN, 1]], [0]), 'riskCoverage: probs is NaN at row 0, class 0'],
  [() => bootstrapInterval(accuracy, one, [0], { level: 1 }), 'bootstrapInterval: level is 1, expected 0 < level < 1'],
  [
    () => bootstrapInterval(accuracy, one, [0], { resamples: 1 }),
    'bootstrapInterval: resamples is 1, expected an integer >= 2',
  ],
  [
    () => bootstrapInterval(accuracy, one, [0], { method: 'bca' as never }),
    "bootstrapInterval: method is 'bca', expected 'percentile' or 'basic'",
  ],
  [
    () => bootstrapInterval(() => NaN, one, [0]),
    'bootstrapInterval: the metric is NaN on resample 0, expected a number for every choice of rows',
  ],
  [() => bootstrapInterval(accuracy, one, [0, 1]), 'bootstrapInterval: labels has 2 entries, expected 1, one per row'],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
