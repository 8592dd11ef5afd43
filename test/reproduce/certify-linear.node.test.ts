import { expect, test } from 'vitest';
import { certifyLinear, judge, type CertifyLinearRun } from '../../examples/reproduce/certify-linear.ts';
import { eventLimit } from '../../examples/reproduce/lib/statistics.ts';
import { certifiedRadius, clopperPearsonLower } from '../../src/stats/index.ts';

const runs = (change: Partial<CertifyLinearRun> = {}): CertifyLinearRun[] =>
  [1000, 10_000].flatMap((n) =>
    [0, 1].map((seed) => ({
      seed,
      n,
      certificates: 200,
      abstained: 20,
      violations: [0, 5],
      radius: 0.7,
      expected: 0.703,
      error: 0.001,
      tightness: 0.9,
      cap: certifiedRadius(clopperPearsonLower(n, n, 0.001), 0.5) / 0.5,
      ...change,
    })),
  );

test('holds with few violations, the expected radius and the largest one', () => {
  const { holds, table, result } = judge(runs());
  expect(holds).toBe(true);
  expect(table.rows.slice(0, 3)).toEqual([
    ['1000', 'violations at alpha 0.001', '0 of 400', '<= 6', 'yes'],
    ['1000', 'violations at alpha 0.05', '10 of 400', '<= 44', 'yes'],
    ['1000', 'mean radius', '0.7000', '0.7030 ± 0.0035', 'yes'],
  ]);
  // The ceilings at n = 1000 are 0.616, 1.232, 2.463; published averages stay below.
  expect(table.rows.filter((row) => row[1]!.includes('ceiling')).map((row) => row[3])).toEqual([
    '<= 0.616',
    '<= 1.232',
    '<= 2.463',
    '<= 0.800',
    '<= 1.599',
    '<= 3.199',
  ]);
  expect(result['1000']).toMatchObject({ certificates: 400, abstained: 40 });
});

test('does not hold with too many violations, another mean, a smaller largest radius, or without runs', () => {
  expect(judge(runs({ violations: [4, 5] })).holds).toBe(false);
  expect(judge(runs({ violations: [0, 23] })).holds).toBe(false);
  expect(judge(runs({ radius: 0.71 })).holds).toBe(false);
  expect(judge(runs({ cap: 2.4 })).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('the limit of events is the exact quantile', () => {
  expect([eventLimit(1, 0.001), eventLimit(2000, 0.001), eventLimit(2000, 0.05)]).toEqual([1, 12, 149]);
});

test('states its protocol, and needs no data', () => {
  expect(certifyLinear.protocol({ seeds: 2 })).toMatch(/200 classifiers.*0 to 3 sigma.*1000 and 10000.*2 seeds/);
  expect(certifyLinear.datasets({})).toEqual([]);
});
