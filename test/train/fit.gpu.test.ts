import { describe, expect, test } from 'vitest';
import { NdArray, NonFiniteError, requireGrad, tensor, type Tensor } from 'evenkeel';
import { isFinite, mul, reshape, where } from 'evenkeel/ops';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss, ldam, type Loss } from 'evenkeel/losses';
import { BatchNorm, Conv2d, CosineLinear, Flatten, Linear, ReLU, Sequential } from 'evenkeel/nn';
import {
  adagrad,
  adam,
  type Optimizer,
  type ParameterArena,
  clipGradNorm,
  cosineLr,
  lambdaLr,
  drw,
  ema,
  loadState,
  multiStepLr,
  oneCycleLr,
  saveState,
  sgd,
  warmupLr,
} from 'evenkeel/optim';
import { evaluate, fit, type FitOptions, type StepReport } from 'evenkeel/train';
import { clusters } from '../support/synthetic.ts';

const net = () => Sequential(Linear(16, 32), ReLU(), Linear(32, 10));
const data = clusters({ n: 1000, seed: 1 });
const held = clusters({ n: 500, seed: 2 });

async function run(options: Partial<FitOptions> = {}, model = net()) {
  const loss = (options.loss ?? crossEntropyLoss()) as Loss;
  const reports: StepReport[] = [];
  const history = await fit(model, data, {
    loss,
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    epochs: 3,
    onStep: (r) => void reports.push(r),
    ...options,
  });
  const weights = await model.stateDict();
  const score = await evaluate(model, held);
  model.dispose();
  loss.dispose();
  return { history, reports, weights, score };
}

test('learns, and reports each step once and in order', async () => {
  const { history, reports, score } = await run();
  expect(reports.map((r) => r.step)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
  expect(reports.every((r) => r.steps === 24 && r.epoch === Math.floor((r.step - 1) / 8) && r.lr === 0.1)).toBe(true);
  expect(history.loss).toHaveLength(3);
  expect(history.loss[2]).toBeLessThan(history.loss[0]! / 2);
  expect(score.balancedAccuracy).toBeGreaterThan(0.9);
});

test('the same seed gives bit-equal losses and weights, another seed does not', async () => {
  const options = { inputNoise: 0.2, seed: 5 };
  const [a, b, c] = [await run(options), await run(options), await run({ ...options, seed: 6 })];
  expect(b.reports.map((r) => r.loss)).toEqual(a.reports.map((r) => r.loss));
  for (const [name, { data: values }] of a.weights) expect(b.weights.get(name)!.data, name).toEqual(values);
  expect(c.reports[0]!.loss).not.toBe(a.reports[0]!.loss);
});

test('schedules multiply, and class weights follow the epoch', async () => {
  const seen: (number[] | null)[] = [];
  const loss = ldam({ classCounts: data.classCounts, scaleIn: 'head' });
  const set = loss.setClassWeight;
  loss.setClassWeight = (w) => {
    seen.push(w && Array.from(w));
    set(w);
  };
  const model = Sequential(Linear(16, 32), ReLU(), CosineLinear(32, 10, { scale: 30 }));
  const { reports } = await run(
    {
      loss,
      epochs: 4,
      schedule: [warmupLr({ epochs: 2 }), multiStepLr({ milestones: [3], gamma: 0.5 }), drw({ from: 2 })],
    },
    model,
  );
  const rates = [0, 1, 2, 3].map((e) => reports.find((r) => r.epoch === e)!.lr);
  expect(rates[0]).toBeCloseTo(0.05, 12);
  expect(rates[1]).toBeCloseTo(0.1, 12);
  expect(rates[3]).toBeCloseTo(0.05, 12);
  expect(seen.map((w) => w === null)).toEqual([true, true, false, false, true]);
  // Equal counts: equal weights, mean 1.
  seen[2]!.forEach((w) => expect(w).toBeCloseTo(1, 12));
});

test('adam learns too', async () => {
  const { score } = await run({ optimizer: adam({ lr: 0.01 }), epochs: 4 });
  expect(score.balancedAccuracy).toBeGreaterThan(0.9);
});

test('oneCycleLr moves rate and momentum step by step; without a momentum to move it is an error', async () => {
  const schedule = oneCycleLr({ maxLr: 0.2 });
  const { reports, score } = await run({ schedule });
  expect(reports.map((r) => r.lr)).toEqual(
    reports.map((r) => schedule.lr!({ epoch: r.epoch, epochs: 3, step: r.step - 1, stepsPerEpoch: 8 }, 0.1)),
  );
  expect(score.balancedAccuracy).toBeGreaterThan(0.9);
  const still = await run({ schedule: oneCycleLr({ maxLr: 0.2, cycleMomentum: false }) });
  expect(still.reports.map((r) => r.lr)).toEqual(reports.map((r) => r.lr));
  expect(still.reports.at(-1)!.loss).not.toBe(reports.at(-1)!.loss);
  await expect(run({ schedule, optimizer: adagrad() })).rejects.toThrow(
    'fit: the schedule cycles a momentum that adagrad does not have, expected sgd({ momentum: 0.9 }) or ' +
      'cycleMomentum: false',
  );
});

test('a rate that is no number stops the run before the step', async () => {
  const model = net();
  const loss = crossEntropyLoss();
  const running = fit(model, data, {
    loss,
    optimizer: sgd({ lr: 0.1 }),
    epochs: 1,
    schedule: lambdaLr(({ step }) => (step < 3 ? 0.1 : NaN)),
  });
  await expect(running).rejects.toThrow('schedule: the rate in epoch 0, step 3 is NaN, expected a finite number >= 0');
  for (const t of [model, loss]) t.dispose();
});

test('gradients are clipped inside the step: no parameter moves farther than rate times norm', async () => {
  const model = net().init({ seed: 3 });
  const before = await model.arena.values.read();
  const loss = crossEntropyLoss();
  await fit(model, data, { loss, optimizer: clipGradNorm(sgd({ lr: 0.5 }), { maxNorm: 1e-3 }), epochs: 1 });
  const after = await model.arena.values.read();
  const moved = Math.hypot(...after.map((v, i) => v - before[i]!));
  expect(moved).toBeGreaterThan(0);
  expect(moved).toBeLessThanOrEqual(8 * 0.5 * 1e-3 * (1 + 1e-3));
  for (const t of [model, loss]) t.dispose();
});

test('a loss that reaches no parameter leaves them where they are', async () => {
  const model = net().init({ seed: 3 });
  const before = await model.arena.values.read();
  const shift = requireGrad(tensor(0));
  const loss = Object.assign((): Tensor => mul(shift, 2), {
    setClassWeight: () => {},
    dispose: () => {},
  }) as unknown as Loss;
  // Gradients of an older pass.
  model.arena.grads.write(new Float32Array(model.arena.grads.size).fill(1));
  await fit(model, data, { loss, optimizer: sgd({ lr: 1, momentum: 0.9 }), epochs: 1 });
  expect(await model.arena.values.read()).toEqual(before);
  for (const t of [model, shift]) t.dispose();
});

test('a run that was stopped, saved and restored into new objects ends bit by bit as one that was not', async () => {
  const optimizer = adam({ lr: 0.01 });
  const loss = crossEntropyLoss();
  const options = { loss, optimizer, epochs: 4, inputNoise: 0.2, seed: 3, schedule: cosineLr() };
  const averaged = (seed: number) => {
    const model = net().init({ seed });
    return { model, average: ema({ decay: 0.9 }).for(model) };
  };
  const whole = { ...averaged(3), losses: [] as number[] };
  await fit(whole.model, data, {
    ...options,
    weightAverage: whole.average,
    onStep: (r) => void whole.losses.push(r.loss),
  });

  const first = averaged(3);
  const state = optimizer.for(first.model);
  const stop = new AbortController();
  const files: Uint8Array[] = [];
  const running = fit(first.model, data, {
    ...options,
    weightAverage: first.average,
    state,
    signal: stop.signal,
    onEpoch: async ({ epoch }) => {
      if (epoch !== 1) return;
      files.push(await first.model.save(), await saveState(state), await saveState(first.average));
      stop.abort(new Error('enough'));
    },
  });
  await expect(running).rejects.toThrow('enough');
  expect(state.progress.step).toBe(16);

  const second = { ...averaged(9), losses: [] as number[] };
  const restored = optimizer.for(second.model);
  second.model.load(files[0]!);
  loadState(restored, files[1]!);
  loadState(second.average, files[2]!);
  const seen: [number, number, number][] = [];
  const history = await fit(second.model, data, {
    ...options,
    weightAverage: second.average,
    state: restored,
    startEpoch: 2,
    onStep: (r) => void (second.losses.push(r.loss), seen.push([r.step, r.epoch, r.lr])),
  });
  expect(history.loss).toHaveLength(2);
  expect(seen[0]).toEqual([17, 2, 0.01 * 0.5]);
  expect(second.losses).toEqual(whole.losses.slice(16));
  expect(await second.model.arena.values.read()).toEqual(await whole.model.arena.values.read());
  expect(await second.average.slots.average!.read()).toEqual(await whole.average.slots.average!.read());
  for (const t of [
    whole.model,
    whole.average,
    first.model,
    first.average,
    state,
    second.model,
    second.average,
    restored,
    loss,
  ])
    t.dispose();
});

test('an abort stops the run, rejects with its reason and frees everything', async () => {
  const model = net();
  const loss = crossEntropyLoss();
  const stop = new AbortController();
  let steps = 0;
  const running = fit(model, data, {
    loss,
    optimizer: sgd({ lr: 0.1 }),
    epochs: 1000,
    signal: stop.signal,
    onStep: () => {
      if (++steps === 20) stop.abort(new Error('enough'));
    },
  });
  await expect(running).rejects.toThrow('enough');
  expect(steps).toBeLessThan(2000);
  expect([...(await model.stateDict()).values()].every(({ data: d }) => d.every(Number.isFinite))).toBe(true);
  await expect(
    fit(model, data, { loss, optimizer: sgd({ lr: 0.1 }), epochs: 1, signal: AbortSignal.abort(new Error('before')) }),
  ).rejects.toThrow('before');
  model.dispose();
  loss.dispose();
});

test('a loss that is not finite is an error that names the step', async () => {
  const wild = makeDataset(new NdArray(new Float32Array(64 * 16).fill(3e38), [64, 16]), new Int32Array(64), {
    numClasses: 10,
  });
  const model = net();
  const loss = crossEntropyLoss();
  await expect(fit(model, wild, { loss, optimizer: sgd({ lr: 1 }), epochs: 3 })).rejects.toThrow(
    /^fit: the loss of step \d+ is (NaN|-?Infinity); lower the learning rate, or check the inputs$/,
  );
  model.dispose();
  loss.dispose();
});

test('detectAnomaly names the op, and changes nothing in a run that is well', async () => {
  const loss = crossEntropyLoss();
  using model = net();
  const wild = {
    ...data,
    x: new NdArray(
      data.x.data.map((v) => v * 1e38),
      data.x.shape,
    ),
  };
  await expect(fit(model, wild, { loss, optimizer: sgd({ lr: 1 }), epochs: 1, detectAnomaly: true })).rejects.toThrow(
    /^linear gave (a NaN|an infinity) in its result of shape \[128,\d+\]; the \d+ results before it were finite$/,
  );
  loss.dispose();
  const [plain, watched] = [await run(), await run({ detectAnomaly: true })];
  expect(watched.history.loss).toEqual(plain.history.loss);
  expect(watched.weights).toEqual(plain.weights);
});

test('a class without samples gives finite numbers', async () => {
  const rows = Array.from({ length: 1000 }, (_, i) => i).filter((i) => i % 10 !== 9);
  const x = new NdArray(Float32Array.from(rows.flatMap((i) => [...data.x.data.subarray(i * 16, (i + 1) * 16)])), [
    rows.length,
    16,
  ]);
  const missing = makeDataset(
    x,
    Int32Array.from(rows, (i) => i % 10),
    { numClasses: 10 },
  );
  expect(missing.classCounts[9]).toBe(0);
  const model = Sequential(Linear(16, 32), ReLU(), CosineLinear(32, 10));
  const loss = ldam({ classCounts: missing.classCounts });
  const history = await fit(model, missing, {
    loss,
    optimizer: sgd({ lr: 0.01, momentum: 0.9 }),
    schedule: drw({ from: 1 }),
    epochs: 3,
  });
  expect(history.loss.every(Number.isFinite)).toBe(true);
  model.dispose();
  loss.dispose();
});

describe('bad options', () => {
  const good = () => ({ loss: crossEntropyLoss(), optimizer: sgd({ lr: 0.1 }), epochs: 1 });
  const cases: [string, () => Promise<unknown>, string][] = [
    ['epochs', () => fit(net(), data, { ...good(), epochs: 0 }), 'fit: epochs is 0, expected a positive integer'],
    [
      'state',
      () => fit(net(), data, { ...good(), state: { name: 'adam' } as never }),
      'fit: state is that of adam, expected that of the optimizer, sgd',
    ],
    [
      'startEpoch',
      () => fit(net(), data, { ...good(), startEpoch: 1 }),
      'fit: startEpoch is 1, expected an integer of at least 0 and below 1 epochs',
    ],
    [
      'batchSize',
      () => fit(net(), data, { ...good(), batchSize: 1.5 }),
      'fit: batchSize is 1.5, expected a positive integer',
    ],
    [
      'inputNoise',
      () => fit(net(), data, { ...good(), inputNoise: -1 }),
      'fit: inputNoise is -1, expected a finite number >= 0',
    ],
    [
      'loss',
      () => fit(net(), data, { ...good(), loss: undefined as never }),
      'fit: loss is missing, expected for example crossEntropyLoss()',
    ],
    [
      'optimizer',
      () => fit(net(), data, { ...good(), optimizer: undefined as never }),
      'fit: optimizer is missing, expected for example sgd({ lr: 0.1 })',
    ],
  ];
  test.each(cases)('%s', async (_, act, message) => {
    await expect(act()).rejects.toThrow(message);
  });

  test.each<[string, number[], () => Loss, string]>([
    [
      'a layer of the wrong width',
      [15, 10],
      crossEntropyLoss,
      'layer 0 (Linear): linear: x has shape [128,16], weight [10,15] takes 15 features; give the layer 16 inputs',
    ],
    [
      'labels beyond the outputs of the model',
      [16, 9],
      crossEntropyLoss,
      'fit: 100 labels lie outside the classes of the model; does its last layer have one output for each class?',
    ],
    [
      'counts of the wrong length',
      [16, 10],
      () => ldam({ classCounts: [5, 5] }),
      'ldam: logits have shape [128,10], expected 2 classes on the last axis',
    ],
  ])('%s: named, and nothing leaks', async (_, [inputs, outputs], makeLoss, message) => {
    const model = Sequential(Linear(inputs!, outputs!)).init();
    const loss = makeLoss();
    await expect(fit(model, data, { loss, optimizer: sgd({ lr: 0.1 }), epochs: 1 })).rejects.toThrow(message);
    model.dispose();
    loss.dispose();
  });
});

describe('a last batch of one row', () => {
  const bad = 'layer 1 (BatchNorm): batchNorm: x has shape [1,4], expected more than 1 value per channel when training';
  const part = (n: number) =>
    makeDataset(new NdArray(data.x.data.slice(0, n * 16), [n, 16]), data.y.slice(0, n), { numClasses: 10 });
  const withNorm = () => Sequential(Linear(16, 4), BatchNorm(4), Linear(4, 10));
  const attempt = async (n: number, options: Partial<FitOptions>, model = withNorm()) => {
    const loss = crossEntropyLoss();
    const steps: number[] = [];
    model.init({ seed: 1 });
    const before = await model.stateDict();
    try {
      const history = await fit(model, part(n), {
        loss,
        optimizer: sgd({ lr: 0.1 }),
        epochs: 2,
        onStep: ({ step }) => void steps.push(step),
        ...options,
      });
      return { steps, history, message: '', moved: false };
    } catch (error) {
      const now = await model.stateDict();
      return {
        steps,
        message: (error as Error).message,
        moved: [...before].some(([name, { data: d }]) => d.join() !== now.get(name)!.data.join()),
      };
    } finally {
      model.dispose();
      loss.dispose();
    }
  };

  test('is refused before the first step where batch norm cannot train on it', async () => {
    expect(await attempt(21, { batchSize: 10 })).toEqual({
      steps: [],
      moved: false,
      message: `fit: the last batch of an epoch has 1 row: ${bad}; pass dropLast: true, or another batchSize`,
    });
    expect((await attempt(5, { batchSize: 1 })).message).toBe(
      `fit: each batch has 1 row: ${bad}; take a larger batchSize`,
    );
    expect((await attempt(1, {})).message).toBe(`fit: the dataset has 1 row: ${bad}; add more`);
  });

  test('dropLast leaves it out; without batch norm, or over pixels, one row trains', async () => {
    const { steps, history } = await attempt(21, { batchSize: 10, dropLast: true });
    expect(steps).toEqual([1, 2, 3, 4]);
    expect(history!.steps).toBe(4);
    expect((await attempt(9, { batchSize: 10, dropLast: true })).message).toBe(
      'fit: dropLast leaves no batch: 9 samples, batchSize 10',
    );
    expect((await attempt(21, { batchSize: 10 }, Sequential(Linear(16, 10)))).steps).toHaveLength(6);
    const image = Sequential({
      ...{ shape: { ...Flatten(), kind: 'planes', forward: (x: Tensor) => reshape(x, [x.shape[0]!, 1, 4, 4]) } },
      conv: Conv2d(1, 2, 3),
      norm: BatchNorm(2),
      flat: Flatten(),
      head: Linear(8, 10),
    });
    expect((await attempt(21, { batchSize: 10 }, image)).steps).toHaveLength(6);
  });
});

describe('parameters and gradients that are not finite, under a loss that hides it', () => {
  // A loss whose value stays finite whatever the logits are.
  const hiding = (): Loss => {
    const loss = crossEntropyLoss();
    const finite = (l: Tensor): Tensor => mul(where(isFinite(l), l, 0), 0);
    return Object.assign((z: Tensor, y: Tensor<'i32'>) => finite(loss(z, y)), {
      setClassWeight: () => {},
      dispose: () => loss.dispose(),
      reduction: 'mean',
    }) as unknown as Loss;
  };
  test.each([
    ['parameter', 'fit: parameter 0.weight is not finite after step 8'],
    ['gradient', 'fit: the gradient of 2.bias is not finite after step 8'],
  ])('a %s is named after the epoch', async (what, message) => {
    const model = net();
    const inner = sgd({ lr: 0.1 });
    const optimizer: Optimizer = {
      ...inner,
      for: (model) => {
        const state = inner.for(model);
        const { arena } = model as { arena: ParameterArena };
        const name = what === 'parameter' ? '0.weight' : '2.bias';
        return Object.assign(Object.create(state) as typeof state, {
          step: () => {
            state.step();
            const p = arena.parameters!.get(name)!;
            const target = what === 'parameter' ? p : p.home!.grad;
            const nan = tensor(new Float32Array(target.size).fill(NaN));
            target.gpu.recorder.push({
              kind: 'copy',
              from: nan.storage,
              fromOffset: 0,
              to: target.storage,
              toOffset: target.byteOffset,
              bytes: target.byteLength,
            });
          },
        });
      },
    };
    const loss = hiding();
    const running = fit(model, data, { loss, optimizer, epochs: 3 });
    await expect(running).rejects.toThrow(`${message}; lower the learning rate, or check the inputs`);
    await expect(running).rejects.toBeInstanceOf(NonFiniteError);
    model.dispose();
    loss.dispose();
  });
});
