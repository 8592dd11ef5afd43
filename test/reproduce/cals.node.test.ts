import { describe, expect, test } from 'vitest';
import { calsExperiment, judge, type CalsRun } from '../../examples/reproduce/cals.ts';

const run = (
  method: CalsRun['method'],
  seed: number,
  ece: number,
  temperature: number,
  more: Partial<CalsRun> = {},
): CalsRun => ({
  dataset: 'd',
  seed,
  method,
  protocol: 'quick',
  accuracy: 0.85,
  nll: 0.4,
  ece,
  adaptiveEce: ece,
  classwiseEce: 0.01,
  temperature,
  eceScaled: 0.01,
  seconds: 1,
  ...more,
});

describe('cals', () => {
  const good = [
    run('ce', 0, 0.03, 1.2),
    run('cals-10', 0, 0.015, 1.05),
    run('ce', 1, 0.02, 1.1),
    run('cals-10', 1, 0.015, 0.99),
  ];

  test('holds when ECE falls, the accuracy stays and the temperature is about 1', () => {
    const { holds, table, result } = judge(good);
    expect(holds).toBe(true);
    expect(table.rows.map((row) => row.slice(1, 4))).toEqual([
      ['ECE', 'ce 2.50 ± 0.71', 'cals-10 1.50 ± 0.00'],
      ['accuracy', 'ce 85.00 ± 0.00', 'cals-10 85.00 ± 0.00'],
      ['temperature', 'ce 1.150', 'cals-10 1.020'],
    ]);
    expect(result.temperature).toMatchObject({ holds: true });
  });

  test.each([
    ['a higher ECE', [run('ce', 0, 0.01, 1.2), run('cals-10', 0, 0.015, 1)]],
    ['lost accuracy', [run('ce', 0, 0.03, 1.2), run('cals-10', 0, 0.015, 1, { accuracy: 0.84 })]],
    ['a temperature off 1', [run('ce', 0, 0.03, 1.2), run('cals-10', 0, 0.015, 1.12)]],
    ['a temperature no nearer than that of cross-entropy', [run('ce', 0, 0.03, 1.03), run('cals-10', 0, 0.015, 0.96)]],
    ['nothing run', []],
  ])('does not hold with %s', (_what, runs) => expect(judge(runs).holds).toBe(false));

  test('at the protocol of the table every ECE is compared with it', () => {
    const full = (ours: number): CalsRun[] => [
      run('ce', 0, 0.0185, 1.12, { protocol: 'full' }),
      run('cals-10', 0, ours, 1, { protocol: 'full' }),
    ];
    expect(judge(full(0.0147)).holds).toBe(true);
    const { holds, result } = judge(full(0.0149));
    expect(holds).toBe(false);
    expect(result).toMatchObject({ 'table: ce': { holds: true }, 'table: cals-10': { holds: false, table: 0.01 } });
    expect(judge([...full(0.0149), run('ce', 1, 0.0185, 1.12)]).holds).toBe(true);
  });

  test('states its protocol', () => {
    expect(calsExperiment.protocol({ seeds: 3, full: false, losses: [], epochs: null })).toMatch(
      /^784-64-10 with relu on 5000 training images.*40 epochs.*2500 other training images.*seeds 100 and 101.*3 seeds\.$/,
    );
    expect(calsExperiment.protocol({ seeds: 1, full: true, losses: [], epochs: null })).toMatch(
      /^784-256-10 with relu on 20000 training images.*This is the protocol of the table.*1 seed\.$/,
    );
    expect(calsExperiment.options({ seeds: 2, full: false, losses: [], epochs: 3 })).toEqual({
      images: 5000,
      validation: 2500,
      hidden: 64,
      epochs: 3,
      seeds: 2,
      losses: ['ce', 'cals-10'],
    });
    expect(calsExperiment.options({ seeds: 1, full: true, losses: [], epochs: null })).toMatchObject({
      images: 20_000,
      losses: { length: 9 },
    });
    expect(calsExperiment.options({ seeds: 1, full: true, losses: ['ce'], epochs: null })).toMatchObject({
      losses: ['ce'],
    });
  });
});
