import { expect, test } from 'vitest';
import { grad, requireGrad, tensor } from 'evenkeel';
import { crossEntropyLoss, type Objective } from 'evenkeel/losses';
import { BatchNorm, Dropout, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { add, concat, mean, mul, sum } from 'evenkeel/ops';
import { drw, sam, sgd, type Moment } from 'evenkeel/optim';
import { normal } from 'evenkeel/random';
import { fit, type FitOptions } from 'evenkeel/train';
import { clusters } from '../support/synthetic.ts';

const data = clusters({ n: 300, seed: 1 });

async function run(options: Partial<FitOptions>) {
  const model = Sequential(Linear(16, 32), BatchNorm(32), ReLU(), Dropout(0.2), Linear(32, 10));
  const losses: number[] = [];
  await fit(model, data, {
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    epochs: 2,
    seed: 3,
    onStep: (r) => void losses.push(r.loss),
    ...options,
  });
  const weights = [...(await model.stateDict()).values()].map((p) => Array.from(p.data));
  model.dispose();
  return { losses, weights };
}

const plain =
  (loss: ReturnType<typeof crossEntropyLoss>): Objective =>
  ({ x, y, forward }) =>
    loss(forward(x), y);

test.each([
  ['sgd', sgd({ lr: 0.1 })],
  ['sam', sam({ base: sgd({ lr: 0.1 }) })],
])('plain cross-entropy as an objective trains bit by bit as the loss: %s', async (_, optimizer) => {
  const loss = crossEntropyLoss();
  const options = { optimizer, inputNoise: 0.2 };
  const a = await run({ ...options, loss });
  expect(await run({ ...options, objective: plain(loss) })).toEqual(a);
  loss.dispose();
});

test('`at` and `prepare` follow the run, random numbers change', async () => {
  const moments: Moment[] = [];
  const own = tensor([0]);
  const values =
    (pick: (inputs: Parameters<Objective>[0]) => ReturnType<Objective>): Objective =>
    (inputs) =>
      add(pick(inputs), mul(mean(inputs.forward(inputs.x)), 0));
  const epochs = await run({ batchSize: 100, objective: values(({ at }) => add(mul(at.epoch, 100), at.step)) });
  expect(epochs.losses).toEqual([0, 1, 2, 103, 104, 105]);
  const written = Object.assign(
    values(() => sum(own)),
    { prepare: (at: Moment) => (moments.push(at), own.write([at.step * 2])) },
  );
  expect((await run({ batchSize: 100, objective: written as Objective })).losses).toEqual([0, 2, 4, 6, 8, 10]);
  expect(moments[4]).toEqual({ epoch: 1, epochs: 2, step: 4, stepsPerEpoch: 3 });
  const noise = await run({
    batchSize: 100,
    objective: values(({ x, random: { key, first } }) => mean(normal(x.shape, key, { first }))),
  });
  expect(new Set(noise.losses).size).toBe(6);
  own.dispose();
});

test(
  'an attack through evaluate leaves running statistics and parameter gradients alone; more rows than the ' +
    'batch are allowed',
  async () => {
    const loss = crossEntropyLoss();
    const a = await run({ loss });
    // The attack adds nothing to the loss: bit-equal training shows that it has no side effects.
    const attacked = await run({
      objective: ({ x, y, forward, evaluate }) => {
        const point = requireGrad(x.detach());
        const [g] = grad(loss(evaluate(point), y), [point]);
        return add(loss(forward(x), y), mul(sum(g!), 0));
      },
    });
    expect(attacked).toEqual(a);
    const doubled = await run({ objective: ({ x, y, forward }) => loss(forward(concat([x, x])), concat([y, y])) });
    expect(doubled.losses.at(-1)!).toBeLessThan(doubled.losses[0]!);
    loss.dispose();
  },
);

test('errors', async () => {
  const loss = crossEntropyLoss();
  const objective = plain(loss);
  await expect(run({ loss, objective })).rejects.toThrow('fit: got a loss and an objective, expected one of them');
  await expect(run({})).rejects.toThrow('fit: loss is missing, expected for example crossEntropyLoss()');
  await expect(run({ objective, schedule: drw({ from: 1 }) })).rejects.toThrow(
    'fit: the schedule sets class weights, which this objective does not take, expected a loss',
  );
  loss.dispose();
});
