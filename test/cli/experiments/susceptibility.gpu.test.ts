import { expect, test } from 'vitest';
import { susceptibilityExperiment, type SusceptibilityRun } from '../../../src/cli/experiments/susceptibility.ts';
import type { JobContext } from '../../../src/cli/job.ts';
import { glyphs } from '../../support/glyphs.ts';

test('the job on a few glyphs, with and without --full', async () => {
  const [train, held] = [glyphs(240, 1), glyphs(40, 2)];
  const lines: string[] = [];
  const context: JobContext = {
    adapter: { name: 'test', kind: 'software' },
    datasets: [
      {
        name: 'glyphs',
        trainImages: train.images,
        trainLabels: train.labels,
        testImages: held.images,
        testLabels: held.labels,
      },
    ],
    signal: new AbortController().signal,
    emit: (event) => event.type === 'line' && lines.push(event.text),
    save: () => {},
  };
  const run = async (full: boolean) =>
    (await susceptibilityExperiment.job(
      { seeds: 1, full, images: 120, epochs: 2 } as never,
      context,
    )) as SusceptibilityRun[];
  const runs = await run(false);
  expect(runs.map(({ net }) => net)).toEqual(['H512, 5e-3', 'H512, 1e-3', 'H512, 0', 'H64, 0']);
  expect(lines.length).toBe(4);
  for (const { seed, protocol, zeta, memorized, trainAccuracy, testAccuracy } of runs) {
    expect([seed, protocol]).toEqual([0, 'own']);
    expect(Number.isFinite(zeta)).toBe(true);
    for (const share of [memorized, trainAccuracy, testAccuracy]) expect(share >= 0 && share <= 1).toBe(true);
  }
  // The sizes given are those of --full here, and runs repeat.
  const again = await run(true);
  expect(again.map(({ zeta }) => zeta)).toEqual(runs.map(({ zeta }) => zeta));
});
