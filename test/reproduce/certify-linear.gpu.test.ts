import { expect, test } from 'vitest';
import { certifyLinear, judge, type CertifyLinearRun } from '../../examples/reproduce/certify-linear.ts';
import { contextOf, stopped } from './context.ts';

test('a short run: radii as expected, below the true ones', async () => {
  const context = contextOf([]);
  const runs = (await certifyLinear.job(
    { seeds: 2, classifiers: 30, samples: [200] } as never,
    context,
  )) as CertifyLinearRun[];
  expect(runs.map(({ seed, n, certificates }) => [seed, n, certificates])).toEqual([
    [0, 200, 30],
    [1, 200, 30],
  ]);
  expect(context.lines.length).toBe(2);
  expect(judge(runs).holds).toBe(true);
  for (const { tightness, abstained } of runs) {
    expect(tightness).toBeGreaterThan(0.5);
    expect(tightness).toBeLessThan(1);
    expect(abstained).toBeLessThan(15);
  }
});

test('stops when it is told to', async () => {
  await expect(certifyLinear.job({ seeds: 1, classifiers: 1 } as never, stopped)).rejects.toThrow('stop');
});
