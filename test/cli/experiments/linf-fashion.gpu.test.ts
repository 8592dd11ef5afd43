import { expect, test } from 'vitest';
import { linfFashion, type LinfFashionRun } from '../../../src/cli/experiments/linf-fashion.ts';
import type { JobContext } from '../../../src/cli/job.ts';
import { glyphs } from '../../support/glyphs.ts';

test.each([false, true])('the job on a few glyphs, full %s', async (full) => {
  const [train, held] = [glyphs(200, 1), glyphs(60, 2)];
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
  const [run, ...others] = (await linfFashion.job(
    { seeds: 1, full, ramp: 'auto', images: 200, epochs: 3, attacked: 20 } as never,
    context,
  )) as LinfFashionRun[];
  expect(others).toEqual([]);
  expect(lines.length).toBe(1);
  expect(run).toMatchObject({ seed: 0, protocol: full ? 'full' : 'quick', attacked: 20, violations: 0 });
  expect(run!.accuracy).toBeGreaterThanOrEqual(run!.certified);
  expect(run!.pgd).toBeGreaterThanOrEqual(run!.certifiedOfAttacked);
});
