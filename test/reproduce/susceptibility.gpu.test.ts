import { expect, test } from 'vitest';
import { susceptibilityExperiment, type SusceptibilityRun } from '../../examples/reproduce/susceptibility.ts';
import { glyphContext } from './context.ts';

test('the job on a few glyphs, with and without --full', async () => {
  const context = await glyphContext(240, 40);
  const run = async (full: boolean) =>
    (await susceptibilityExperiment.job(
      { seeds: 1, full, images: 120, epochs: 2 } as never,
      context,
    )) as SusceptibilityRun[];
  const runs = await run(false);
  expect(runs.map(({ net }) => net)).toEqual(['H512, 5e-3', 'H512, 1e-3', 'H512, 0', 'H64, 0']);
  expect(context.lines.length).toBe(4);
  for (const { seed, protocol, zeta, memorized, trainAccuracy, testAccuracy } of runs) {
    expect([seed, protocol]).toEqual([0, 'own']);
    expect(Number.isFinite(zeta)).toBe(true);
    for (const share of [memorized, trainAccuracy, testAccuracy]) expect(share >= 0 && share <= 1).toBe(true);
  }
  // The sizes given are those of --full here, and runs repeat.
  const again = await run(true);
  expect(again.map(({ zeta }) => zeta)).toEqual(runs.map(({ zeta }) => zeta));
});
