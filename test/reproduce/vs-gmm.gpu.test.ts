import { expect, test } from 'vitest';
import { tensor } from 'evenkeel';
import { binaryVs } from 'evenkeel/losses';
import { vsGmm, type GmmRun } from '../../examples/reproduce/vs-gmm.ts';
import { logSoftplus } from '../../examples/reproduce/lib/vs-gmm-descent.ts';
import { readAll } from '../support/check-op.ts';
import { contextOf } from './context.ts';

test('the logarithm of a loss is that of binaryVs, and goes on where the loss is 0 in f32', async () => {
  const [f, y] = [
    [0.5, -2, 3, 7],
    [1, 0, 1, 0],
  ];
  const loss = binaryVs({ delta: [1, 0.5], iota: [0.1, 2] });
  const a = f.map((v, i) => (y[i] ? 2 - 0.5 * v : 0.1 + v));
  const [values, logs] = await readAll(() => [
    loss(tensor(f, { shape: [4, 1] }), y, { reduction: 'none' }),
    logSoftplus(tensor([...a, -9.99, -10.01, -500])),
  ]);
  loss.dispose();
  values!.forEach((v, i) => expect(logs![i]).toBeCloseTo(Math.log(v), 5));
  expect(logs![4]).toBeCloseTo(Math.log(Math.log1p(Math.exp(-9.99))), 5);
  expect(logs![5]).toBeCloseTo(-10.01, 3);
  expect(logs![6]).toBe(-500);
});

test('a short run has every method, and early the order of the plain descent', async () => {
  const context = contextOf([]);
  const runs = (await vsGmm.job({ seeds: 1, steps: 101, classSteps: 60 } as never, context)) as GmmRun[];
  const value = (part: string, method: string): number =>
    runs.find((run) => run.part === part && run.method === method)!.value;
  expect(context.lines.length).toBe(4);
  expect(runs.every((run) => Number.isFinite(run.value) && Number.isFinite(run.gap))).toBe(true);
  expect(value('plain', 'CDT at 100')).toBeGreaterThan(value('plain', 'CE at 100'));
  expect(value('plain', 'CE at 100')).toBeGreaterThan(value('plain', 'LA at 100'));
  expect(value('classes', 'LA')).toBeGreaterThan(value('classes', 'CE'));
  expect(value('classes', 'Bayes')).toBeGreaterThan(value('classes', 'LA'));
});
