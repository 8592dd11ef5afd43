import { expect, test } from 'vitest';
import { judge, ladcFeatures, type FeatureRun } from '../../examples/reproduce/ladc-features.ts';

const runs = (values: Record<string, number>): FeatureRun[] =>
  Object.entries(values).flatMap(([method, value]) =>
    [-0.01, 0.01].map((by, seed) => ({
      seed,
      method: method as FeatureRun['method'],
      head: 0.9,
      tail: 0.5,
      balancedAccuracy: value + by,
    })),
  );
const good = {
  ce: 0.62,
  'free-lunch-2': 0.66,
  oversampling: 0.76,
  'logit-adjustment': 0.84,
  'covariance-transfer': 0.86,
  'free-lunch-1': 0.855,
};

test('holds for the order and the values of the reference; the last two may tie', () => {
  const { holds, table } = judge(runs(good));
  expect(holds).toBe(true);
  expect(table.rows[0]).toEqual(['CE', '90.00 ± 0.00', '50.00 ± 0.00', '62.00 ± 1.41', '62.6', 'yes']);
});

test('does not hold out of order, far from the reference, or without runs', () => {
  expect(judge(runs({ ...good, 'logit-adjustment': 0.862 })).holds).toBe(false);
  expect(judge(runs({ ...good, ce: 0.59 })).holds).toBe(false);
  expect(judge(runs({ ...good, 'free-lunch-1': 0.845 })).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('states its protocol, and needs no data', () => {
  expect(ladcFeatures.protocol({ seeds: 3 })).toMatch(
    /20 features; three head classes of 300 rows.*7 problems a seed, 3 seeds/,
  );
  expect(ladcFeatures.datasets({})).toEqual([]);
});
