import { expect, test } from 'vitest';
import { smoothMixFashion, smoothMixMnist, type SmoothMixRun } from '../../examples/reproduce/smoothmix.ts';
import { glyphContext } from './context.ts';

test.each([false, true])('the job on a few glyphs, full %s', async (full) => {
  const experiment = full ? smoothMixMnist : smoothMixFashion;
  const context = await glyphContext(60, 8);
  const runs = (await experiment.job(
    { seeds: 1, full, images: full ? 8 : 60, epochs: full ? 1 : 3, certified: full ? 1 : 8, n: 50 } as never,
    context,
  )) as SmoothMixRun[];
  expect(runs.map((r) => [r.method, r.n])).toEqual([
    ['gaussian', 50],
    ['consistency', 50],
    ['smoothmix', 50],
  ]);
  expect(experiment.judge(runs as never).table.rows.length).toBe(3);
  expect(context.lines.length).toBe(3);
  for (const { acr, accuracyAt } of runs) {
    expect(acr).toBeGreaterThanOrEqual(0);
    // n = 50 cannot certify beyond 1.13 sigma.
    expect(acr).toBeLessThan(1.2);
    expect(accuracyAt.length).toBe(4);
    expect(accuracyAt).toEqual([...accuracyAt].sort((a, b) => b - a));
  }
});
