import { expect, test } from 'vitest';
import { groupVsExperiment, type GroupRun } from '../../examples/reproduce/group-vs.ts';
import { contextOf, stopped } from './context.ts';

test('a short run measures every method on the same problems', async () => {
  const context = contextOf([]);
  const runs = (await groupVsExperiment.job({ seeds: 1, steps: 40 } as never, context)) as GroupRun[];
  expect(runs.map((run) => run.method)).toEqual(['CE', 'group VS', 'group DRO', 'group VS + DRO']);
  expect(context.lines.length).toBe(4);
  for (const { balancedError, worstError, opportunity } of runs) {
    expect(balancedError).toBeGreaterThan(0.05);
    expect(worstError).toBeGreaterThanOrEqual(balancedError);
    expect(opportunity).toBeLessThan(1);
  }
  const [ce, vs] = runs as [GroupRun, GroupRun];
  expect(vs.worstError).toBeLessThan(ce.worstError);
});

test('stops when it is told to', async () => {
  await expect(groupVsExperiment.job({ seeds: 1, steps: 3 } as never, stopped)).rejects.toThrow('stop');
});
