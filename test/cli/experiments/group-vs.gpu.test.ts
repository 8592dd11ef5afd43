import { expect, test } from 'vitest';
import { groupVsExperiment, type GroupRun } from '../../../src/cli/experiments/group-vs.ts';

test('a short run measures every method on the same problems', async () => {
  const lines: unknown[] = [];
  const runs = (await groupVsExperiment.job(
    { seeds: 1, steps: 40 } as never,
    { emit: (event: unknown) => void lines.push(event), signal: new AbortController().signal } as never,
  )) as GroupRun[];
  expect(runs.map((run) => run.method)).toEqual(['CE', 'group VS', 'group DRO', 'group VS + DRO']);
  expect(lines.length).toBe(4);
  for (const { balancedError, worstError, opportunity } of runs) {
    expect(balancedError).toBeGreaterThan(0.05);
    expect(worstError).toBeGreaterThanOrEqual(balancedError);
    expect(opportunity).toBeLessThan(1);
  }
  const [ce, vs] = runs as [GroupRun, GroupRun];
  expect(vs.worstError).toBeLessThan(ce.worstError);
});

test('stops when it is told to', async () => {
  const signal = AbortSignal.abort(new Error('stop'));
  await expect(
    groupVsExperiment.job({ seeds: 1, steps: 3 } as never, { emit: () => {}, signal } as never),
  ).rejects.toThrow('stop');
});
