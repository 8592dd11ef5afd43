import { expect, test } from 'vitest';
import {
  logitclipNoise,
  type LogitClipNoiseOptions,
  type LogitClipNoiseRun,
} from '../../examples/reproduce/logitclip-noise.ts';
import { glyphContext } from './context.ts';

test('the job on a few glyphs with every loss of the full protocol', async () => {
  const context = await glyphContext(120, 40);
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
