import { expect, test } from 'vitest';
import { averageKExperiment, fiveGaussians, judge, type AverageKRun } from '../../examples/reproduce/average-k.ts';

const exact: AverageKRun[] = [1, 1.5, 2, 2.5, 3].map((k) => ({
  part: 'gaussians',
  k,
  threshold: 0.2,
  averageK: 0.1,
  deviation: 9e-5,
}));
const images = (topK: number, averageK: number): AverageKRun[] =>
  [0, 1].flatMap((seed) =>
    [1, 2, 3].map((k): AverageKRun => ({
      part: 'images',
      seed,
      k,
      topK,
      averageK,
      meanSize: k,
      threshold: 0.1,
      emptyShare: 0,
    })),
  );

test('holds when the error at k = 2 is cut by three and the exact example comes out', () => {
  const { holds, table } = judge([...exact, ...images(0.036, 0.011)]);
  expect(holds).toBe(true);
  expect(table.rows[1]).toEqual(['k = 2', '3.60 ± 0.00', '1.10 ± 0.00', '2.000', '3.27', '>= 3', 'yes']);
});

test('does not hold below the cut, off the exact values, or without runs', () => {
  expect(judge([...exact, ...images(0.036, 0.013)]).holds).toBe(false);
  expect(judge([...exact.slice(1), ...images(0.036, 0.011)]).holds).toBe(false);
  expect(
    judge([...exact.slice(1), { ...exact[0]!, deviation: 2e-4 } as AverageKRun, ...images(0.036, 0.011)]).holds,
  ).toBe(false);
  expect(judge(exact).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('five normal distributions: thresholds, errors and gains of the paper', () => {
  const runs = fiveGaussians(2000);
  expect(runs.map((run) => run.k)).toEqual([1, 1.5, 2, 2.5, 3]);
  for (const { deviation } of runs) expect(deviation).toBeLessThan(3e-4);
});

test('states its protocol', () => {
  const values = { seeds: 3, full: false, images: null, epochs: null };
  expect(averageKExperiment.protocol(values)).toMatch(/784-256-10.*first 8000 training images.*15 epochs.*3 seeds/);
  expect(averageKExperiment.protocol({ ...values, full: true })).toMatch(/first 20000 training images.*40 epochs/);
  expect(averageKExperiment.datasets(values)).toEqual(['fashion-mnist']);
});
