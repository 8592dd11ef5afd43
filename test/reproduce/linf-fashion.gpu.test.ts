import { expect, test } from 'vitest';
import { linfFashion, type LinfFashionRun } from '../../examples/reproduce/linf-fashion.ts';
import { glyphContext } from './context.ts';

test.each([false, true])('the job on a few glyphs, full %s', async (full) => {
  const context = await glyphContext(200, 60);
  const [run, ...others] = (await linfFashion.job(
    { seeds: 1, full, ramp: 'auto', images: 200, epochs: 3, attacked: 20 } as never,
    context,
  )) as LinfFashionRun[];
  expect(others).toEqual([]);
  expect(context.lines.length).toBe(1);
  expect(run).toMatchObject({ seed: 0, protocol: full ? 'full' : 'quick', attacked: 20, violations: 0 });
  expect(run!.accuracy).toBeGreaterThanOrEqual(run!.certified);
  expect(run!.pgd).toBeGreaterThanOrEqual(run!.certifiedOfAttacked);
});
