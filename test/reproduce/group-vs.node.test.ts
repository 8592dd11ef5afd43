import { expect, test } from 'vitest';
import { groupVsExperiment, judge, type GroupRun } from '../../examples/reproduce/group-vs.ts';

const runs = (values: Record<string, readonly [number, number, number]>): GroupRun[] =>
  Object.entries(values).flatMap(([method, [balancedError, worstError, opportunity]]) =>
    [-0.01, 0.01].map((by, seed) => ({
      dataset: 'Gaussian groups',
      seed,
      method,
      balancedError: balancedError + by,
      worstError: worstError + by,
      opportunity: opportunity + by,
    })),
  );
const good = { CE: [0.24, 0.44, 0.39], 'group VS': [0.21, 0.33, 0.22], 'group DRO': [0.22, 0.39, 0.32] } as const;

test('holds when group VS leads by the margins and DRO does not lead', () => {
  const { holds, table } = judge(runs(good));
  expect(holds).toBe(true);
  expect(table.rows[0]!.slice(1)).toEqual([
    'error over the groups',
    'CE 24.00 ± 1.41',
    'group VS 21.00 ± 1.41',
    '-3.00 ± 0.00',
    '<= -2',
    'yes',
  ]);
  expect(table.rows.length).toBe(6);
});

test('does not hold below a margin, behind DRO, or without runs', () => {
  expect(judge(runs({ ...good, CE: [0.225, 0.44, 0.39] })).holds).toBe(false);
  expect(judge(runs({ ...good, CE: [0.24, 0.36, 0.39] })).holds).toBe(false);
  expect(judge(runs({ ...good, 'group DRO': [0.22, 0.39, 0.2] })).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('states its protocol, and needs no data', () => {
  expect(groupVsExperiment.protocol({ seeds: 2 })).toMatch(
    /200 dimensions.*60 training rows.*8 of each other.*nothing searched.*3 problems a seed.*2 seeds/,
  );
  expect(groupVsExperiment.datasets({})).toEqual([]);
});
