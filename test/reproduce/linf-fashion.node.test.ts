import { expect, test } from 'vitest';
import { judge, linfFashion, type LinfFashionRun } from '../../examples/reproduce/linf-fashion.ts';

const run = (
  seed: number,
  certified: number,
  violations = 0,
  protocol: 'quick' | 'full' = 'quick',
): LinfFashionRun => ({
  seed,
  protocol,
  accuracy: 0.72,
  certified,
  attacked: 1000,
  pgd: 0.68,
  certifiedOfAttacked: 0.65,
  violations,
  seconds: 1,
});

test('holds when the mean reaches the bar of its protocol and nothing certified fell', () => {
  expect(judge([run(0, 0.62), run(1, 0.59)]).holds).toBe(true);
  expect(judge([run(0, 0.62), run(1, 0.57)]).holds).toBe(false);
  expect(judge([run(0, 0.66, 1)]).holds).toBe(false);
  expect(judge([run(0, 0.66, 0, 'full')]).holds).toBe(false);
  expect(judge([run(0, 0.71, 0, 'full')]).holds).toBe(true);
  expect(judge([]).holds).toBe(false);
  expect(judge([run(0, 0.62), run(1, 0.64)]).table.rows[0]).toEqual([
    '72.00 ± 0.00',
    '63.00 ± 1.41',
    '>= 60',
    '68.00 ± 0.00',
    '65.00 ± 0.00',
    '0',
    'yes',
  ]);
});

test('states its protocol, quick and full', () => {
  const flags = { seeds: 3, full: false, ramp: 'auto', images: null, epochs: null, attacked: 1000 } as const;
  expect(linfFashion.protocol(flags)).toMatch(
    /784-64-10 on the first 20000 training images for 15 epochs, batches of 128.*in powers of two.*3 seeds/,
  );
  expect(linfFashion.protocol({ ...flags, full: true, seeds: 1 })).toMatch(
    /784-128-128-10 on the first 60000 training images for 30 epochs, batches of 256.*exponentially.*1 seed\./,
  );
  expect(linfFashion.datasets(flags)).toEqual(['fashion-mnist']);
});
