import { expect, test } from 'vitest';
import { calsExperiment, type CalsRun } from '../../examples/reproduce/cals.ts';
import { glyphContext } from './context.ts';

const LOSSES = ['ce', 'mbls-10', 'cals-10', 'ls-.05', 'ls-.1', 'focal-3', 'mbls-5', 'mbls-0', 'cals-5'];

test('the job, with every loss of --full, on a few glyphs', async () => {
  const context = await glyphContext(240, 60);
  const runs = (await calsExperiment.job(
    { images: 160, validation: 80, hidden: 6, epochs: 3, seeds: 1, losses: LOSSES } as never,
    context,
  )) as CalsRun[];
  expect(runs.map(({ method }) => method)).toEqual(LOSSES);
  expect(context.lines.length).toBe(9);
  for (const run of runs) {
    expect(run).toMatchObject({ dataset: 'glyphs', seed: 0, protocol: 'own' });
    for (const value of [run.accuracy, run.ece, run.adaptiveEce, run.classwiseEce, run.eceScaled])
      expect(value >= 0 && value <= 1).toBe(true);
    expect(run.nll).toBeGreaterThan(0);
  }
  // Only CALS has multipliers.
  const { lambdaMin, lambdaMax } = runs[8]!;
  expect(runs[0]!.lambdaMax).toBe(undefined);
  expect(lambdaMin).toBeGreaterThanOrEqual(1e-6);
  expect(lambdaMax).toBeGreaterThanOrEqual(lambdaMin!);
});
