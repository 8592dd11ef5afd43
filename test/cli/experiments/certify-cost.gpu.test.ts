import { expect, test } from 'vitest';
import { certifyCost, type CertifyCostRun } from '../../../src/cli/experiments/certify-cost.ts';

test('a short run: fewer copies than the fixed number, nothing wrong', async () => {
  const lines: unknown[] = [];
  const signal = new AbortController().signal;
  const runs = (await certifyCost.job(
    { seeds: 1, classifiers: 12, fixed: 2000 } as never,
    { emit: (event: unknown) => void lines.push(event), signal } as never,
  )) as CertifyCostRun[];
  expect(runs.map(({ radius, method }) => `${radius} ${method}`)).toEqual(
    [0.5, 1, 2].flatMap((radius) => ['fixed', 'sequence', 'staged'].map((method) => `${radius} ${method}`)),
  );
  expect(lines.length).toBe(3);
  for (const { radius, method, robust, certified, wrong, samples } of runs) {
    expect(wrong).toBe(0);
    expect(robust).toBe({ 0.5: 10, 1: 8, 2: 4 }[radius]!);
    expect(certified).toBeLessThanOrEqual(robust);
    expect(certified).toBeGreaterThanOrEqual(robust - 2);
    if (method === 'sequence') expect(samples).toBeLessThan(1200);
  }
});
