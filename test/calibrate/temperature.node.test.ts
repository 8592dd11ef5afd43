import { describe, expect, test } from 'vitest';
import cases from '../golden/calibration.json';
import { temperatureScaling } from '../../src/calibrate/temperature-scaling.ts';
import { softmaxRows } from '../../src/calibrate/temperature.ts';
import { argmaxRows, calibrationError, nll } from '../../src/metrics/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { testRandom } from '../support/fuzz.ts';
import { casesOf, dense, flat, relativeError, toNumber } from '../support/golden.ts';

describe('fitTemperature', () => {
  test.each(casesOf(cases, 'temperatureScaling'))('golden $name', ({ options, inputs, outputs }) => {
    const logits = dense(inputs.logits);
    const labels = flat(inputs.labels);
    const fit = temperatureScaling().fit(logits, labels);
    const want = (key: string) => toNumber(outputs[key]);
    expect(fit.converged).toBe(true);
    expect(relativeError(fit.temperature, want('nllOptimalT'))).toBeLessThan(1e-9);
    expect(fit.nllBefore).toBeCloseTo(want('nllBefore'), 12);
    expect(fit.nllAfter).toBeCloseTo(want('nllAfter'), 12);
    const numBins = options.eceBins as number;
    expect(calibrationError(softmaxRows(logits), labels, { numBins: numBins })).toBeCloseTo(want('eceBefore'), 12);
    expect(calibrationError(softmaxRows(logits, fit.temperature), labels, { numBins: numBins })).toBeCloseTo(
      want('eceAfter'),
      8,
    );
  });

  test('properties: scales with the logits, keeps the argmax, mean target logit matches the expected one', () => {
    const random = testRandom(5);
    for (let round = 0; round < 20; round++) {
      const classes = 2 + random(6);
      const logits = Array.from({ length: 60 }, () =>
        Array.from({ length: classes }, () => (random(2001) - 1000) / 250),
      );
      // Half of the labels at the largest logit: neither separable nor worse than chance.
      const labels = logits.map((row, r) => (r % 2 ? row.indexOf(Math.max(...row)) : random(classes)));
      const fit = temperatureScaling().fit(logits, labels);
      expect(fit.nllAfter).toBeLessThanOrEqual(fit.nllBefore);
      expect(fit.converged).toBe(true);
      const scaled = temperatureScaling().fit(
        logits.map((row) => row.map((z) => z / 2 + 7)),
        labels,
      );
      expect(relativeError(scaled.temperature, fit.temperature / 2)).toBeLessThan(1e-9);
      const probs = softmaxRows(logits, fit.temperature);
      expect(nll(probs, labels)).toBeCloseTo(fit.nllAfter, 12);
      expect(argmaxRows(probs)).toEqual(argmaxRows(logits));
      const residual = logits.reduce(
        (sum, row, r) =>
          sum + row[labels[r]!]! - row.reduce((mean, z, c) => mean + z * probs.data[r * classes + c]!, 0),
        0,
      );
      expect(Math.abs(residual)).toBeLessThan(1e-9);
    }
  });

  test('recovers the temperature of labels drawn in proportion to softmax(z / 3)', () => {
    // Each row is repeated with every label, in numbers proportional to its probability.
    const row = [0, 3 * Math.log(2), 3 * Math.log(5)]; // probabilities 1/8, 2/8, 5/8 at T = 3
    const labels = [0, 1, 1, 2, 2, 2, 2, 2];
    expect(
      relativeError(
        temperatureScaling().fit(
          labels.map(() => row),
          labels,
        ).temperature,
        3,
      ),
    ).toBeLessThan(1e-12);
  });

  test('the search follows the scale of the logits', () => {
    // p = 3/4 where 100 / T = log 3.
    const wide = [
      [100, 0],
      [100, 0],
      [100, 0],
      [100, 0],
    ];
    const fit = temperatureScaling().fit(wide, [0, 0, 1, 0]);
    expect(fit.temperature).toBeCloseTo(100 / Math.log(3), 10);
    expect(fit.nllAfter).toBeCloseTo(-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25), 12);
    expect(fit.converged).toBe(true);
    // Cosines of a head whose scale, 30, is in the loss.
    const random = testRandom(8);
    const cosines = Array.from({ length: 500 }, () => Array.from({ length: 4 }, () => (random(2001) - 1000) / 1000));
    const truth = softmaxRows(cosines, 1 / 30).data;
    const drawn = cosines.map((_, r) => {
      let u = random(1e6) / 1e6;
      const c = [0, 1, 2, 3].findIndex((k) => (u -= truth[r * 4 + k]!) < 0);
      return c < 0 ? 3 : c;
    });
    const cold = temperatureScaling().fit(cosines, drawn);
    expect(Math.abs(30 * cold.temperature - 1)).toBeLessThan(0.3);
    expect(cold.converged).toBe(true);
    for (const scale of [1e-300, 1e-12, 1e-3, 1e5, 1e12, 1e300]) {
      const scaled = temperatureScaling().fit(
        cosines.map((row) => row.map((z) => z * scale)),
        drawn,
      );
      expect(relativeError(scaled.temperature, scale * cold.temperature)).toBeLessThan(1e-9);
      expect(scaled.nllAfter).toBeCloseTo(cold.nllAfter, 12);
      expect(scaled.converged).toBe(true);
    }
  });

  test(
    'converged is false only where no temperature is best: the end ' + 'of the search, in units of the largest gap',
    () => {
      // Separable: the NLL falls for ever as T falls.
      const separable = temperatureScaling().fit(
        [
          [1, 0],
          [0, 1],
        ],
        [0, 1],
      );
      expect(separable.temperature).toBeCloseTo(0.05, 15);
      expect(separable.converged).toBe(false);
      expect(
        temperatureScaling().fit(
          [
            [1e-3, 0],
            [0, 1e-3],
          ],
          [0, 1],
        ).temperature,
      ).toBeCloseTo(5e-5, 15);
      // No better than chance: it falls as T grows.
      const wrong = temperatureScaling().fit(
        [
          [9, 0],
          [0, 9],
        ],
        [1, 0],
      );
      expect(wrong.temperature).toBeCloseTo(180, 12);
      expect(wrong).toMatchObject({ converged: false });
      // Equal logits: nothing to gain, T stays 1.
      expect(
        temperatureScaling().fit(
          [
            [2, 2, 2],
            [5, 5, 5],
          ],
          [0, 2],
        ),
      ).toMatchObject({ temperature: 1, nllBefore: Math.log(3), nllAfter: Math.log(3), converged: true });
      const extreme = temperatureScaling().fit(
        [
          [1e4, 0],
          [0, 1e4],
          [1e4, -1e4],
        ],
        [0, 1, 1],
      );
      expect(extreme.temperature).toBeCloseTo(4e5, 6);
      expect(Number.isFinite(extreme.nllAfter)).toBe(true);
      // Saturated and separable: the NLL is 0 at every T, and T stays 1.
      expect(temperatureScaling().fit([[1e5, 0]], [0])).toMatchObject({
        temperature: 1,
        nllBefore: 0,
        nllAfter: 0,
        converged: false,
      });
      expect(() => temperatureScaling().fit([[3], [4]], [0, 0])).toThrow(
        'temperatureScaling: scores has 1 classes, expected at least 2',
      );
      const huge = temperatureScaling().fit(
        [
          [5e307, -5e307],
          [-5e307, 5e307],
          [5e307, -5e307],
        ],
        [0, 1, 1],
      );
      expect(huge).toMatchObject({ converged: true, temperature: expect.closeTo(1e308 / Math.log(2), -298) });
    },
  );

  test('one wrong row, however near, and there is a minimum', () => {
    for (const gap of [1, 1e-3, 1e-6]) {
      const fit = temperatureScaling().fit(
        [
          [1, 0],
          [0, 1],
          [gap, 0],
        ],
        [0, 1, 1],
      );
      expect(fit.converged).toBe(true);
      // NLL log(1 + e^-b) 2 + log(1 + e^(gap b)) at b = 1 / T: its slope is 0.
      const b = 1 / fit.temperature;
      expect(Math.abs(-2 / (1 + Math.exp(b)) + gap / (1 + Math.exp(-gap * b)))).toBeLessThan(1e-12);
    }
  });
});

describe('softmaxRows', () => {
  test('values, shift invariance and extremes', () => {
    const probs = softmaxRows(new NdArray(Float32Array.of(0, Math.log(3), 1000, -1000), [2, 2]));
    expect(probs.shape).toEqual([2, 2]);
    expect(probs.data[0]).toBeCloseTo(0.25, 7);
    expect(Array.from(probs.data.subarray(2))).toEqual([1, 0]);
    expect(softmaxRows([[1, 2, 4]], 0.5)).toEqual(softmaxRows([[101, 102, 104]], 0.5));
    expect(softmaxRows([[1, 2, 4]], 2)).toEqual(softmaxRows([[0.5, 1, 2]]));
  });
});

test.each([
  [
    () => temperatureScaling().fit([[1, Infinity]], [0]),
    'temperatureScaling: scores is Infinity at row 0, class 1, expected finite numbers',
  ],
  [() => temperatureScaling().fit([[1, NaN]], [0]), 'temperatureScaling: scores is NaN at row 0, class 1'],
  [() => temperatureScaling().fit([[1, 2]], [2]), 'temperatureScaling: labels[0] is 2, expected an integer in 0..1'],
  [
    () => temperatureScaling().fit([[1, 2]], [0, 1]),
    'temperatureScaling: labels has 2 entries, expected 1, one per row',
  ],
  [
    () => temperatureScaling().fit([], []),
    'temperatureScaling: scores has shape [0,0], expected at least one row and one class',
  ],
  [() => softmaxRows([[1, 2]], 0), 'softmaxRows: temperature is 0, expected a finite number > 0'],
  [() => softmaxRows([[-Infinity, 2]]), 'softmaxRows: logits is -Infinity at row 0, class 0, expected finite numbers'],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
