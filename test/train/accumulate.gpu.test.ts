import { describe, expect, test } from 'vitest';
import { NdArray } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { defineLoss, type Loss } from 'evenkeel/losses';
import { BatchNorm, Dropout, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { crossEntropy, oneHot, square, sub, sum } from 'evenkeel/ops';
import { adam, clipGradNorm, cosineLr, ema, loadState, sam, saveState, sgd, type Optimizer } from 'evenkeel/optim';
import { fit, TrainingStep, type FitOptions, type StepReport } from 'evenkeel/train';
import { expectSameBits } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { clusters } from '../support/synthetic.ts';

const data = clusters({ n: 300, seed: 1 });
const net = () => Sequential(Linear(16, 32), ReLU(), Dropout(0.2), Linear(32, 10)).init({ seed: 3 });

async function run(options: Partial<FitOptions>, model = net(), on = data) {
  const reports: StepReport[] = [];
  const history = await fit(model, on, {
    loss: crossEntropy,
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    epochs: 3,
    seed: 5,
    onStep: (r) => void reports.push(r),
    ...options,
  });
  const weights = await model.arena.values.read();
  model.dispose();
  return { history, reports, weights };
}

describe('a step of several batches is that of one batch of all their rows', () => {
  test('bit for bit for a sum, where arithmetic is exact', async () => {
    // Weights, inputs and rate are small multiples of powers of 2: every sum below fits into 24 bits, in any order.
    const x = new NdArray(
      Float32Array.from({ length: 30 * 4 }, (_, i) => ((i * 7) % 5) - 2),
      [30, 4],
    );
    const exact = makeDataset(
      x,
      Array.from({ length: 30 }, (_, i) => (i * 5) % 3),
    );
    const trained = async (options: Partial<FitOptions>): Promise<Float32Array> => {
      const loss: Loss = defineLoss({
        name: 'squares',
        values: (logits, labels) => sum(square(sub(logits, oneHot(labels, 3))), { axes: 1 }),
        reduction: 'sum',
      });
      const model = Sequential(Linear(4, 3)).init({ seed: 0 });
      const { size } = model.arena.values;
      model.arena.values.write(Float32Array.from({ length: size }, (_, i) => (i % 64 < 15 ? ((i % 5) - 2) / 4 : 0)));
      const { weights, history } = await run(
        { loss, optimizer: sgd({ lr: 1 / 512 }), epochs: 1, ...options },
        model,
        exact,
      );
      expect(history.steps).toBe(3);
      loss.dispose();
      return weights;
    };
    // 12, 12 and 6 rows; in batches of 4, the last step has one of 4 and one of 2.
    const whole = await trained({ batchSize: 12 });
    expectSameBits(await trained({ batchSize: 4, accumulate: 3 }), whole, 'batches of 4');
    expectSameBits(await trained({ batchSize: 1, accumulate: 12 }), whole, 'batches of 1');
    expect(await trained({ batchSize: 12, seed: 6 })).not.toEqual(whole);
  });

  const optimizers: [string, Optimizer][] = [
    ['sgd', sgd({ lr: 0.1, momentum: 0.9 })],
    ['adam, clipped', clipGradNorm(adam({ lr: 0.01 }), { maxNorm: 0.5 })],
  ];
  test.each(optimizers)('%s: a mean, with noise, dropout and a partial last step', async (_, optimizer) => {
    const options = { optimizer, inputNoise: 0.2, schedule: cosineLr() };
    const whole = await run({ ...options, batchSize: 120 });
    // Steps of 120, 120 and 60 rows.
    for (const [batchSize, accumulate] of [
      [40, 3],
      [24, 5],
    ]) {
      const parts = await run({ ...options, batchSize: batchSize!, accumulate: accumulate! });
      expect(parts.history.steps).toBe(9);
      expect(parts.reports.map(({ step, epoch, lr }) => [step, epoch, lr])).toEqual(
        whole.reports.map(({ step, epoch, lr }) => [step, epoch, lr]),
      );
      parts.reports.forEach(({ loss }, i) =>
        expect(Math.abs(loss - whole.reports[i]!.loss), `step ${i}`).toBeLessThan(2e-4),
      );
      parts.weights.forEach((w, i) => expect(Math.abs(w - whole.weights[i]!)).toBeLessThan(2e-3));
    }
    const other = await run({ ...options, batchSize: 40 });
    expect(other.history.steps).toBe(24);
    expect(other.reports[0]!.loss).not.toBeCloseTo(whole.reports[0]!.loss, 3);
  });

  test('sam looks at its second point with all batches', async () => {
    const plain = () => Sequential(Linear(16, 32), ReLU(), Linear(32, 10)).init({ seed: 3 });
    const optimizer = sam({ base: sgd({ lr: 0.1, momentum: 0.9 }), rho: 0.2 });
    const whole = await run({ optimizer, batchSize: 120 }, plain());
    const parts = await run({ optimizer, batchSize: 40, accumulate: 3 }, plain());
    parts.weights.forEach((w, i) => expect(Math.abs(w - whole.weights[i]!)).toBeLessThan(1e-3));
    const base = await run({ batchSize: 120 }, plain());
    expect(Math.max(...base.weights.map((w, i) => Math.abs(w - whole.weights[i]!)))).toBeGreaterThan(5e-3);
  });
});

test('one batch is bit for bit the run without the option', async () => {
  const [without, one] = [await run({ batchSize: 64 }), await run({ batchSize: 64, accumulate: 1 })];
  expectSameBits(one.weights, without.weights, 'weights');
  expect(one.reports.map((r) => r.loss)).toEqual(without.reports.map((r) => r.loss));
});

test('the same run twice gives the same bits', async () => {
  const options = { batchSize: 50, accumulate: 4, inputNoise: 0.1 };
  expectSameBits((await run(options)).weights, (await run(options)).weights, 'weights');
});

test('a step is one submit and one update: each further batch costs its passes alone', () => {
  const dispatches = (accumulate: number, optimizer: Optimizer): number => {
    using model = net();
    using step = new TrainingStep(model, data, { loss: crossEntropy, optimizer, batchSize: 10, accumulate });
    step.setOrder(Uint32Array.from({ length: 300 }, (_, i) => i));
    step.run(0, 0.1);
    const { submits } = gpu.counters;
    step.run(1, 0.1);
    expect(gpu.counters.submits - submits).toBe(1);
    return step.dispatches;
  };
  const base = sgd({ lr: 0.1, momentum: 0.9 });
  const counts = [1, 2, 3, 4].map((n) => dispatches(n, base));
  const [one, two, three, four] = counts as [number, number, number, number];
  expect(four - three).toBe(three - two);
  // The passes, two dispatches for the share of the batch, and one for each parameter that is added to.
  expect(three - two).toBeLessThanOrEqual(one - 1 + 2 + 4);
  const clipped = clipGradNorm(base, { maxNorm: 1 });
  for (const [i, n] of [1, 3].entries()) expect(dispatches(n, clipped) - counts[2 * i]!).toBe(2);
});

test('a run that was stopped between steps, saved and restored goes on bit by bit; averages count steps', async () => {
  const options = {
    batchSize: 25,
    accumulate: 5,
    optimizer: adam({ lr: 0.01 }),
    loss: crossEntropy,
    seed: 5,
    epochs: 4,
  };
  const plain = () => Sequential(Linear(16, 32), ReLU(), Linear(32, 10)).init({ seed: 3 });
  using whole = plain();
  using average = ema({ decay: 0.9 }).for(whole);
  await fit(whole, data, { ...options, weightAverage: average });
  // 125, 125 and 50 rows an epoch.
  expect(average.progress.step).toBe(12);

  using first = plain();
  using firstAverage = ema({ decay: 0.9 }).for(first);
  using state = options.optimizer.for(first);
  const stop = new AbortController();
  const files: Uint8Array[] = [];
  const running = fit(first, data, {
    ...options,
    weightAverage: firstAverage,
    state,
    signal: stop.signal,
    onEpoch: async ({ epoch }) => {
      if (epoch !== 1) return;
      files.push(await first.save(), await saveState(state), await saveState(firstAverage));
      stop.abort(new Error('enough'));
    },
  });
  await expect(running).rejects.toThrow('enough');
  expect(state.progress.step).toBe(6);

  using second = plain();
  using secondAverage = ema({ decay: 0.9 }).for(second);
  using restored = options.optimizer.for(second);
  second.load(files[0]!);
  loadState(restored, files[1]!);
  loadState(secondAverage, files[2]!);
  await fit(second, data, { ...options, weightAverage: secondAverage, state: restored, startEpoch: 2 });
  expectSameBits(await second.arena.values.read(), await whole.arena.values.read(), 'weights');
  expectSameBits(await secondAverage.slots.average!.read(), await average.slots.average!.read(), 'average');
});

test('an abort while the batches of a step are under way takes effect after it: what is saved is whole', async () => {
  const options = { batchSize: 10, accumulate: 5, loss: crossEntropy, optimizer: sgd({ lr: 0.1 }), epochs: 2 };
  const plain = () => Sequential(Linear(16, 10)).init({ seed: 3 });
  using model = plain();
  using state = options.optimizer.for(model);
  const stop = new AbortController();
  const onStep = ({ step }: StepReport): void => void (step === 2 && stop.abort(new Error('enough')));
  await expect(fit(model, data, { ...options, state, onStep, signal: stop.signal })).rejects.toThrow('enough');
  const steps = state.progress.step;
  expect(steps).toBeGreaterThanOrEqual(2);
  expect(steps).toBeLessThan(12);
  // The same number of steps by hand.
  using other = plain();
  using twin = new TrainingStep(other, data, options);
  const reached = await model.arena.values.read();
  const { epochOrder } = await import('../../src/data/sampler.ts');
  for (let i = 0; i < steps; i++) {
    const epoch = Math.floor(i / 6);
    if (i % 6 === 0) twin.setOrder(epochOrder(undefined, data, { epoch, epochs: 2, seed: 0 }));
    twin.run(i % 6, 0.1);
  }
  expectSameBits(await other.arena.values.read(), reached, 'weights');
});

test('dropLast leaves out a smaller last batch, not a step of fewer batches', async () => {
  const part = makeDataset(new NdArray(data.x.data.slice(0, 21 * 16), [21, 16]), data.y.slice(0, 21), {
    numClasses: 10,
  });
  const norm = () => Sequential(Linear(16, 4), BatchNorm(4), Linear(4, 10)).init({ seed: 1 });
  const options = { batchSize: 4, accumulate: 2, epochs: 2 };
  // Batches of 4, 4 | 4, 4 | 4, and one row left.
  const { history, reports } = await run({ ...options, dropLast: true }, norm(), part);
  expect([history.steps, reports.length]).toEqual([6, 6]);
  const model = norm();
  await expect(fit(model, part, { loss: crossEntropy, optimizer: sgd({ lr: 0.1 }), ...options })).rejects.toThrow(
    /^fit: the last batch of an epoch has 1 row: .*; pass dropLast: true, or another batchSize$/,
  );
  model.dispose();
});

test.each([0, 1.5, NaN])('accumulate %s is refused', async (accumulate) => {
  const model = net();
  await expect(
    fit(model, data, { loss: crossEntropy, optimizer: sgd({ lr: 0.1 }), epochs: 1, accumulate }),
  ).rejects.toThrow(`fit: accumulate is ${accumulate}, expected a positive integer`);
  model.dispose();
});
