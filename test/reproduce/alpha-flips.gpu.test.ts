import { expect, test } from 'vitest';
import { alphaFlips, type AlphaFlipsRun } from '../../examples/reproduce/alpha-flips.ts';
import { glyphContext } from './context.ts';

test('the job on a few glyphs: forty classifiers side by side, which repeat', async () => {
  const context = await glyphContext(300, 100);
  const run = async () =>
    (await alphaFlips.job({ seeds: 1, perClass: 24, epochs: 20 } as never, context)) as AlphaFlipsRun[];
  const runs = await run();
  expect(runs.length).toBe(40);
  // Two glyphs without flips are told apart by every alpha.
  for (const { flips, accuracy } of runs) expect(accuracy).toBeGreaterThanOrEqual(flips === 0 ? 0.9 : 0);
  expect(await run()).toEqual(runs);
});
