import { expect, test } from 'vitest';
import { alphaFlips, judge, type AlphaFlipsRun } from '../../../src/cli/experiments/alpha-flips.ts';
import { experiments } from '../../../src/cli/experiments/index.ts';
import type { JobContext } from '../../../src/cli/job.ts';
import { glyphs } from '../../support/glyphs.ts';

const NAMES = ['0.9', '1', '1.5', '2', '3', '4', '7', 'inf'];
const FLIPS = [0, 0.1, 0.2, 0.3, 0.4];

/** Runs whose best exponent at each flip rate is given, and whose alpha = 7 leads alpha = 1 at 40 % by `lead`. */
function runs(best: readonly string[], lead: number): AlphaFlipsRun[] {
  return [0, 1].flatMap((seed) =>
    FLIPS.flatMap((flips, i) =>
      NAMES.map((alpha) => {
        const base = flips === 0.4 && alpha === '7' ? 0.7 + lead : 0.7;
        return { dataset: 'd', seed, flips, alpha, accuracy: alpha === best[i] ? Math.max(0.9, base) : base };
      }),
    ),
  );
}

test('holds when the best alpha rises and alpha = 7 leads', () => {
  expect(judge(runs(['1', '1.5', '2', '2', 'inf'], 0.06)).holds).toBe(true);
  expect(judge(runs(['1', '1.5', '2', '2', 'inf'], 0.04)).holds).toBe(false);
  expect(judge(runs(['1', '2', '1.5', '2', 'inf'], 0.06)).holds).toBe(false);
  expect(judge(runs(['2', '2', '2', '2', '2'], 0.06)).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('protocol', () => {
  expect(alphaFlips.protocol({ seeds: 3, full: false } as never)).toMatch(/T-shirt against shirt.*5000 training images of each class.*3 seeds/);
  expect(alphaFlips.protocol({ seeds: 3, full: true } as never)).toMatch(/10 seeds/);
  expect(experiments).toContain(alphaFlips);
});

test('the job on glyphs of two classes: all cells, and runs repeat', async () => {
  const [train, held] = [glyphs(240, 1), glyphs(80, 2)];
  const context: JobContext = {
    adapter: { name: 'test', kind: 'software' },
    datasets: [{ name: 'glyphs', trainImages: train.images, trainLabels: train.labels, testImages: held.images, testLabels: held.labels }],
    signal: new AbortController().signal,
    emit: () => {},
    save: () => {},
  };
  const run = async () => (await alphaFlips.job({ seeds: 1, perClass: 20, epochs: 20 } as never, context)) as AlphaFlipsRun[];
  const first = await run();
  expect(first.length).toBe(NAMES.length * FLIPS.length);
  expect(await run()).toEqual(first);
  // Without flips logistic regression tells the two classes apart.
  expect(first.find(({ flips, alpha }) => flips === 0 && alpha === '1')!.accuracy).toBeGreaterThan(0.8);
});
