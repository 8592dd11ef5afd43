import { expect, test } from 'vitest';
import { alphaFlips, type AlphaFlipsRun } from '../../../src/cli/experiments/alpha-flips.ts';
import type { JobContext } from '../../../src/cli/job.ts';
import { glyphs } from '../../support/glyphs.ts';

test('the job on a few glyphs: forty classifiers side by side, which repeat', async () => {
  const [train, held] = [glyphs(300, 1), glyphs(100, 2)];
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
    emit: () => {},
    save: () => {},
  };
  const run = async () =>
    (await alphaFlips.job({ seeds: 1, perClass: 24, epochs: 20 } as never, context)) as AlphaFlipsRun[];
  const runs = await run();
  expect(runs.length).toBe(40);
  // Two glyphs without flips are told apart by every alpha.
  for (const { flips, accuracy } of runs) expect(accuracy).toBeGreaterThanOrEqual(flips === 0 ? 0.9 : 0);
  expect(await run()).toEqual(runs);
});
