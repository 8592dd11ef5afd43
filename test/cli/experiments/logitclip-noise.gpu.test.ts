import { expect, test } from 'vitest';
import {
  logitclipNoise,
  type LogitClipNoiseOptions,
  type LogitClipNoiseRun,
} from '../../../src/cli/experiments/logitclip-noise.ts';
import type { JobContext } from '../../../src/cli/job.ts';
import { glyphs } from '../../support/glyphs.ts';

test('the job on a few glyphs with every loss of the full protocol', async () => {
  const [train, held] = [glyphs(120, 1), glyphs(40, 2)];
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
  const full = logitclipNoise.options({ seeds: 1, full: true }) as LogitClipNoiseOptions;
  const runs = (await logitclipNoise.job(
    { ...full, rates: [0.4], images: 120, hidden: 16, epochs: 4 } as never,
    context,
  )) as LogitClipNoiseRun[];
  expect(runs.map(({ method }) => method)).toEqual(full.methods);
  for (const { accuracy } of runs) expect(accuracy >= 0 && accuracy <= 1).toBe(true);
  // No probability of a clipped prediction reaches 1/2, below which these two losses have the same gradient.
  const of = (name: string): number => runs.find(({ method }) => method === name)!.accuracy;
  for (const tau of [1, 2]) expect(of(`PHuber-CE 2, clip ${tau}`)).toBe(of(`MAE x 2, clip ${tau}`));
});
