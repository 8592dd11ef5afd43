import { describe, expect, test } from 'vitest';
import { classStatistics, covarianceOf, deviationsOf, meanOf } from '../../src/stats/class-statistics.ts';
import { logisticRegression } from '../../src/stats/logistic-regression.ts';
import ladc from '../golden/ladc.json';
import { casesOf, dense, flat } from '../support/golden.ts';
import { testRandom } from '../support/fuzz.ts';

const [golden] = casesOf(ladc, 'classStatistics');

test('class-statistics of the golden file, in full and as diagonals', () => {
  const features = dense(golden!.inputs.features);
  const full = classStatistics(features, flat(golden!.inputs.labels), 5);
  flat(golden!.outputs.means).forEach((v, i) => expect(full.means[i]).toBeCloseTo(v, 12));
  flat(golden!.outputs.covariances).forEach((v, i) => expect(full.covariances[i]).toBeCloseTo(v, 12));
  const diagonal = classStatistics(features, flat(golden!.inputs.labels), 5, { covariance: 'diagonal' });
  for (let c = 0; c < 5; c++) {
    expect(Array.from(covarianceOf(diagonal, c))).toEqual([0, 5, 10, 15].map((i) => covarianceOf(full, c)[i]));
    expect(deviationsOf(diagonal, c)).toEqual(deviationsOf(full, c));
    expect(meanOf(diagonal, c)).toEqual(meanOf(full, c));
  }
});

test('classes with one row or none have zeros, and counts that say so', () => {
  const s = classStatistics({ data: [1, 2, 3, 4], shape: [2, 2] }, [0, 2], 3);
  expect(s.counts).toEqual([1, 0, 1]);
  expect(Array.from(s.means)).toEqual([1, 2, 0, 0, 3, 4]);
  expect(s.covariances.every((v) => v === 0)).toBe(true);
});

test('errors', () => {
  const x = { data: [1, 2], shape: [2, 1] };
  expect(() => classStatistics(x, [0], 2)).toThrow('classStatistics: labels has 1 entries, expected 2, one per row');
  expect(() => classStatistics(x, [0, 2], 2)).toThrow('classStatistics: labels[1] is 2, expected an integer in 0..1');
  expect(() => classStatistics({ data: [1, NaN], shape: [2, 1] }, [0, 0], 1)).toThrow(
    'classStatistics: x is NaN in row 1, expected finite numbers',
  );
  expect(() => classStatistics({ data: [1], shape: [1] }, [0], 1)).toThrow(
    'classStatistics: x has shape [1] and 1 values, expected (rows, width)',
  );
  expect(() => classStatistics(x, [0, 0], 0)).toThrow('classStatistics: classes is 0, expected a positive integer');
  expect(() => classStatistics(x, [0, 0], 1, { covariance: 'none' as 'full' })).toThrow(
    "classStatistics: covariance is 'none', expected 'full' or 'diagonal'",
  );
  expect(() => logisticRegression(x, [0, 0], 1, { l2: -1 })).toThrow(
    'logisticRegression: l2 is -1, expected a finite number >= 0',
  );
  expect(() => logisticRegression(x, [0, 0], 1, { sampleWeight: [1] })).toThrow(
    'logisticRegression: sampleWeight has 1 entries, expected 2',
  );
  expect(() => logisticRegression(x, [0, 0], 1, { sampleWeight: [1, -1] })).toThrow(
    'logisticRegression: sampleWeight[1] is -1, expected a finite number >= 0',
  );
  expect(() => logisticRegression({ data: [], shape: [0, 1] }, [], 1)).toThrow(
    'logisticRegression: x has 0 rows, expected at least 1',
  );
});

describe('logistic regression', () => {
  const random = testRandom(3);
  const rows = 120;
  const data = Array.from({ length: rows * 3 }, () => (random(2001) - 1000) / 500);
  const labels = Array.from({ length: rows }, (_, r) =>
    data[3 * r]! + (random(2001) - 1000) / 1000 > 0.4 ? 2 : random(2),
  );
  const x = { data, shape: [rows, 3] };

  test('is a stationary point of the penalised likelihood', () => {
    const { weight, bias, converged } = logisticRegression(x, labels, 3, { l2: 0.7, tolerance: 1e-6 });
    expect(converged).toBe(true);
    const gradient = Array.from(weight, (w) => 0.7 * w);
    const free = [0, 0, 0];
    for (let r = 0; r < rows; r++) {
      const z = [0, 1, 2].map(
        (c) => bias[c]! + [0, 1, 2].reduce((sum, i) => sum + weight[3 * c + i]! * data[3 * r + i]!, 0),
      );
      const total = z.reduce((sum, v) => sum + Math.exp(v), 0);
      z.forEach((v, c) => {
        const g = Math.exp(v) / total - Number(labels[r] === c);
        free[c]! += g;
        for (let i = 0; i < 3; i++) gradient[3 * c + i]! += g * data[3 * r + i]!;
      });
    }
    for (const g of [...gradient, ...free]) expect(Math.abs(g)).toBeLessThan(2e-6);
    // The penalty leaves no common part in the weights.
    for (let i = 0; i < 3; i++) expect(weight[i]! + weight[3 + i]! + weight[6 + i]!).toBeCloseTo(0, 6);
  });

  test('a weight of 2 is a row twice', () => {
    const twice = logisticRegression(
      { data: [...data, ...data.slice(0, 30)], shape: [rows + 10, 3] },
      [...labels, ...labels.slice(0, 10)],
      3,
      { tolerance: 1e-8 },
    );
    const weighted = logisticRegression(x, labels, 3, {
      sampleWeight: labels.map((_, r) => (r < 10 ? 2 : 1)),
      tolerance: 1e-8,
    });
    weighted.weight.forEach((v, i) => expect(v).toBeCloseTo(twice.weight[i]!, 6));
  });
});
