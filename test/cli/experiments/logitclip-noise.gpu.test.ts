import { expect, test } from 'vitest';
import { experiments } from '../../../src/cli/experiments/index.ts';
import { judge, logitclipNoise, type LogitClipNoiseRun } from '../../../src/cli/experiments/logitclip-noise.ts';
import type { JobContext } from '../../../src/cli/job.ts';
import { glyphs } from '../../support/glyphs.ts';

/** Two seeds of the three methods at 40 % flips. */
function runs(accuracy: Readonly<Record<string, number>>, images = 8000): LogitClipNoiseRun[] {
  return [0, 1].flatMap((seed) => Object.entries(accuracy).map(([method, a]) => ({ dataset: `d, 40 % flips, ${images} images`, seed, method, accuracy: a + seed / 100 })));
}

test('holds when tau = 1 gains and tau = 5 is near, on either side', () => {
  expect(judge(runs({ CE: 0.8, 'CE, clip 1': 0.815, 'CE, clip 5': 0.805 })).holds).toBe(true);
  expect(judge(runs({ CE: 0.8, 'CE, clip 1': 0.805, 'CE, clip 5': 0.8 })).holds).toBe(false);
  expect(judge(runs({ CE: 0.8, 'CE, clip 1': 0.82, 'CE, clip 5': 0.81 })).holds).toBe(false);
  expect(judge(runs({ CE: 0.8, 'CE, clip 1': 0.82, 'CE, clip 5': 0.79 })).holds).toBe(false);
});

test('the full run gives each mean less that of the table', () => {
  const { result } = judge(runs({ CE: 0.8401, 'CE, clip 1': 0.8578, 'CE, clip 5': 0.8428 }, 20_000));
  expect((result as { lessTable: Record<string, number> }).lessTable.CE).toBeCloseTo(0.5, 6);
});

test('protocol', () => {
  expect(logitclipNoise.protocol({ seeds: 3, full: false } as never)).toMatch(/reduced to the first 8000 training images; exactly 40 %.*30 epochs.*3 seeds/);
  expect(logitclipNoise.protocol({ seeds: 1, full: true } as never)).toMatch(/first 20000 training images; exactly 20 and 40 %.*1 seed\./);
  expect(experiments).toContain(logitclipNoise);
});

test('the job on glyphs, every loss of the full run', async () => {
  const [train, held] = [glyphs(240, 1), glyphs(40, 2)];
  const context: JobContext = {
    adapter: { name: 'test', kind: 'software' },
    datasets: [{ name: 'glyphs', trainImages: train.images, trainLabels: train.labels, testImages: held.images, testLabels: held.labels }],
    signal: new AbortController().signal,
    emit: () => {},
    save: () => {},
  };
  const { methods } = logitclipNoise.options({ seeds: 1, full: true } as never) as { methods: readonly string[] };
  const done = (await logitclipNoise.job({ seeds: 1, images: 240, rates: [0.4], methods, epochs: 1 } as never, context)) as LogitClipNoiseRun[];
  expect(done.map(({ method }) => method)).toEqual(methods);
  for (const { accuracy } of done) expect(accuracy >= 0 && accuracy <= 1).toBe(true);
});
