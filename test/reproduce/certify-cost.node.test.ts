import { expect, test } from 'vitest';
import { certifyCost, judge, type CertifyCostRun } from '../../examples/reproduce/certify-cost.ts';

const runs = (change: Partial<CertifyCostRun> = {}): CertifyCostRun[] =>
  [0.5, 2].flatMap((radius) =>
    ['fixed', 'sequence', 'staged'].map((method) => ({
      seed: 0,
      radius,
      method,
      questions: 100,
      certified: 40,
      robust: 41,
      open: 2,
      wrong: 0,
      samples: method === 'fixed' ? 10_000 : 1000,
      ...(method === 'sequence' ? change : {}),
    })),
  );

test('holds when copies are saved, certificates kept and answers right', () => {
  const { holds, table } = judge(runs());
  expect(holds).toBe(true);
  expect(table.rows[1]).toEqual(['0.5 sigma', 'sequence', '1000', '10.0', '40 of 41', '2', '0', 'yes']);
  expect(table.rows.at(-2)).toEqual(['all', 'sequence', '', '', '', '', '0 of 200 (<= 5)', 'yes']);
});

test('does not hold with too many copies, too few certificates, wrong answers, or without runs', () => {
  expect(judge(runs({ samples: 2001 })).holds).toBe(false);
  expect(judge(runs({ certified: 37 })).holds).toBe(false);
  expect(judge(runs({ wrong: 6 })).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('states its protocol, and needs no data', () => {
  expect(certifyCost.protocol({ seeds: 2 })).toMatch(/100 classifiers.*0\.5, 1, 2 sigma.*10000.*2 seeds/);
  expect(certifyCost.datasets({})).toEqual([]);
});
