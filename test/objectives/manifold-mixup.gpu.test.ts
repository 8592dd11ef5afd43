import { expect, test } from 'vitest';
import { crossEntropyLoss, type Objective } from 'evenkeel/losses';
import { manifoldMixup, mixed, mixup, type ManifoldMixupOptions } from 'evenkeel/objectives';
import { Linear, ReLU, Sequential, type Layer } from 'evenkeel/nn';
import { drw, sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { clusters } from '../support/synthetic.ts';
import { keep } from '../support/keep.ts';

const data = clusters({ n: 200, classes: 4, seed: 1 });
const straight = (): Layer[] => [Linear(16, 8), Linear(8, 4)];
const bent = (): Layer[] => [Linear(16, 8), ReLU(), Linear(8, 4)];

async function train(
  objective: Objective,
  layers = straight(),
  seed = 2,
  epochs = 2,
): Promise<{ losses: number[]; weights: number[] }> {
  const model = keep(Sequential(...layers));
  const losses: number[] = [];
  await fit(model, data, {
    objective: keep(objective),
    optimizer: sgd({ lr: 0.1 }),
    epochs,
    batchSize: 50,
    seed,
    onStep: ({ loss }) => void losses.push(loss),
  });
  return { losses, weights: [...(await model.stateDict()).values()].flatMap((p) => Array.from(p.data)) };
}
const manifold = (options: ManifoldMixupOptions): Objective => manifoldMixup(crossEntropyLoss(), options);

test('at the input it is mixup, bit by bit; behind a linear layer the same but for rounding', async () => {
  for (const perSample of [false, true]) {
    const want = await train(mixed(mixup({ alpha: 2, perSample }), crossEntropyLoss()));
    expect(await train(manifold({ layers: [0], perSample }))).toEqual(want);
    for (const layers of [[1], [0, 1]])
      (await train(manifold({ layers, perSample }))).weights.forEach((w, i) =>
        expect(Math.abs(w - want.weights[i]!)).toBeLessThan(2e-5),
      );
  }
});

test('behind a relu it is something else, and the depth is drawn anew in each step', async () => {
  const first = async (layers: readonly number[], seed: number): Promise<number> =>
    (await train(manifold({ layers }), bent(), seed, 1)).losses[0]!;
  const depths: number[] = [];
  for (let seed = 0; seed < 12; seed++) {
    const [input, hidden, either] = [await first([0], seed), await first([2], seed), await first([0, 2], seed)];
    expect(Math.abs(input - hidden)).toBeGreaterThan(1e-5);
    expect([input, hidden]).toContain(either);
    depths.push(either === input ? 0 : 2);
  }
  expect(new Set(depths)).toEqual(new Set([0, 2]));
  // In one run, too: a step at a time, from the same weights, it is one or the other.
  expect(await train(manifold({ layers: [0, 2] }), bent())).toEqual(await train(manifold({ layers: [0, 2] }), bent()));
});

test('class weights of schedules reach the loss', async () => {
  const model = keep(Sequential(...bent()));
  const tail = { ...data, classCounts: [1000, 100, 10, 1] };
  const run = async (from: number): Promise<number> =>
    (
      await fit(model, tail, {
        objective: keep(manifold({ layers: [2] })),
        optimizer: sgd({ lr: 0 }),
        schedule: drw({ from }),
        epochs: 1,
        batchSize: 200,
      })
    ).loss[0]!;
  expect(Math.abs((await run(0)) - (await run(1)))).toBeGreaterThan(0.01);
});

test('errors', async () => {
  const loss = keep(crossEntropyLoss());
  expect(() => manifoldMixup(loss, { layers: [] })).toThrow(
    new RangeError('manifoldMixup: layers has 0 entries, expected at least 1'),
  );
  expect(() => manifoldMixup(loss, { layers: [0, 1.5] })).toThrow(
    new RangeError('manifoldMixup: layers[1] is 1.5, expected an integer >= 0'),
  );
  expect(() => manifoldMixup(loss, { layers: [0], alpha: 0 })).toThrow(
    new RangeError('manifoldMixup: alpha is 0, expected a finite number > 0'),
  );
  await expect(train(manifold({ layers: [0, 2] }))).rejects.toThrow(
    'manifoldMixup: layers has 2, the model has 2 layers, expected depths in 0..1',
  );
});
