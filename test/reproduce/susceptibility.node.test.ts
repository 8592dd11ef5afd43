import { expect, test } from 'vitest';
import { judge, susceptibilityExperiment, type SusceptibilityRun } from '../../examples/reproduce/susceptibility.ts';

const NETS = ['H512, 5e-3', 'H512, 1e-3', 'H512, 0', 'H64, 0'] as const;
const runs = (
  change: Partial<Record<keyof SusceptibilityRun, number[]>> = {},
  protocol: SusceptibilityRun['protocol'] = 'quick',
): SusceptibilityRun[] =>
  [0, 1].flatMap((seed) =>
    NETS.map((net, i): SusceptibilityRun => {
      const of = (name: keyof SusceptibilityRun, values: number[]): number =>
        (seed === 1 && change[name] ? change[name] : values)[i]!;
      return {
        seed,
        net,
        protocol,
        zeta: of('zeta', [0.0394, 0.0589, 0.0688, 0.0605]),
        memorized: of('memorized', [0.03, 0.09, 0.17, 0.09]),
        trainAccuracy: of('trainAccuracy', [0.52, 0.55, 0.6, 0.54]),
        testAccuracy: 0.8,
        seconds: 1,
      };
    }),
  );

test('holds when zeta and memorisation rise together for every seed', () => {
  const { holds, table, result } = judge(runs());
  expect(holds).toBe(true);
  expect(table.rows[1]).toEqual(['H512, 1e-3', '0.0589 ± 0.0000', '9.00 ± 0.00', '55.00 ± 0.00', '80.00 ± 0.00', '4']);
  expect(table.rows.at(-1)).toEqual(['order holds in', '2 of 2 seeds', '2 of 2 seeds', '', '', '']);
  expect(result.nets).toMatchObject({ 'H512, 0': { region: 2 } });
});

test('does not hold when one seed has another order, without a net, or without runs', () => {
  expect(judge(runs({ zeta: [0.04, 0.07, 0.06, 0] })).holds).toBe(false);
  expect(judge(runs({ memorized: [0.04, 0.04, 0.06, 0] })).table.rows.at(-1)![2]).toBe('1 of 2 seeds');
  expect(judge(runs({ memorized: [0.04, 0.04, 0.06, 0] })).holds).toBe(false);
  expect(judge(runs().filter(({ net }) => net !== 'H512, 1e-3')).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('the protocol of the table asks for its values, too', () => {
  expect(judge(runs({}, 'full')).holds).toBe(true);
  const off = [0.05, 0.0589, 0.0688, 0.0605];
  expect(judge(runs({ zeta: off })).holds).toBe(true);
  const { holds, table } = judge(runs({ zeta: off }, 'full'));
  expect(holds).toBe(false);
  expect(table.rows[0]![1]).toMatch(/\(table 0.0394: no\)$/);
});

test('states its protocol', () => {
  const values = { seeds: 3, full: false, images: null, epochs: null };
  expect(susceptibilityExperiment.protocol(values)).toMatch(
    /first 1200 training images.*45 % are wrong.*40 epochs.*next 1200 images.*Fewer images.*3 seeds/,
  );
  expect(susceptibilityExperiment.protocol({ ...values, full: true, seeds: 1 })).toMatch(
    /first 10000 training images.*protocol of the table.*1 seed\./,
  );
  expect(susceptibilityExperiment.datasets(values)).toEqual(['fashion-mnist']);
});
