import { expect, test } from 'vitest';
import { certifyCost, type CertifyCostRun } from '../../examples/reproduce/certify-cost.ts';
import { contextOf } from './context.ts';

test('a short run: fewer copies than the fixed number, nothing wrong', async () => {
  const context = contextOf([]);
  const runs = (await certifyCost.job(
    { seeds: 1, classifiers: 12, fixed: 2000 } as never,
    context,
  )) as CertifyCostRun[];
  expect(runs.map(({ radius, method }) => `${radius} ${method}`)).toEqual(
    [0.5, 1, 2].flatMap((radius) => ['fixed', 'sequence', 'staged'].map((method) => `${radius} ${method}`)),
  );
  expect(context.lines.length).toBe(3);
  for (const { radius, method, robust, certified, wrong, samples } of runs) {
    expect(wrong).toBe(0);
    expect(robust).toBe({ 0.5: 10, 1: 8, 2: 4 }[radius]!);
    expect(certified).toBeLessThanOrEqual(robust);
    expect(certified).toBeGreaterThanOrEqual(robust - 2);
    if (method === 'sequence') expect(samples).toBeLessThan(1200);
  }
});
