import { expect, test } from 'vitest';
import { certifyLinear, judge, type CertifyLinearRun } from '../../../src/cli/experiments/certify-linear.ts';

test('a short run: radii as expected, below the true ones', async () => {
  const lines: unknown[] = [];
  const signal = new AbortController().signal;
  const runs = (await certifyLinear.job(
    { seeds: 2, classifiers: 30, samples: [200] } as never,
    { emit: (event: unknown) => void lines.push(event), signal } as never,
  )) as CertifyLinearRun[];
  expect(runs.map(({ seed, n, certificates }) => [seed, n, certificates])).toEqual([
    [0, 200, 30],
    [1, 200, 30],
  ]);
  expect(lines.length).toBe(2);
  expect(judge(runs).holds).toBe(true);
  for (const { tightness, abstained } of runs) {
    expect(tightness).toBeGreaterThan(0.5);
    expect(tightness).toBeLessThan(1);
    expect(abstained).toBeLessThan(15);
  }
});

test('stops when it is told to', async () => {
  const signal = AbortSignal.abort(new Error('stop'));
  await expect(
    certifyLinear.job({ seeds: 1, classifiers: 1 } as never, { emit: () => {}, signal } as never),
  ).rejects.toThrow('stop');
});
