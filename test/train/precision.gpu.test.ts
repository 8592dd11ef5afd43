import { longTail } from 'evenkeel/data';
import { intervalBounds } from 'evenkeel/certify';
import { ldam } from 'evenkeel/losses';
import { balancedAccuracy } from 'evenkeel/metrics';
import { Conv2d, CosineLinear, Flatten, Linear, linfDistMlp, ReLU, Residual, Sequential } from 'evenkeel/nn';
import { conv2d, crossEntropy, linear, mul, sqrt, sum } from 'evenkeel/ops';
import {
  adam,
  clipGradNorm,
  drw,
  ema,
  gradScaler,
  loadState,
  lpDecayAdamW,
  multiStepLr,
  sam,
  saveState,
  sgd,
  type AveragedWeights,
  type LossScale,
  type Optimizer,
  type OptimizerState,
} from 'evenkeel/optim';
import { fit, type FitOptions } from 'evenkeel/train';
import { backward, capture, scope, tensor, type Tensor } from 'evenkeel';
import { softmaxRows } from 'evenkeel/calibrate';
import { describe, expect, test } from 'vitest';
import { network, tuningOf } from '../../examples/reproduce/ldam-drw.ts';
import { loadImages } from '../../src/cli/images.ts';
import { glyphFiles } from '../reproduce/context.ts';
import { expectSameBits, readAll } from '../support/check-op.ts';
import { clusters } from '../support/synthetic.ts';
import { gpu } from '../support/gpu.ts';

const data = clusters({ n: 120, seed: 1 });
const net = () => Sequential(Linear(16, 24), ReLU(), Linear(24, 10)).init({ seed: 3 });

async function run(options: Partial<FitOptions> = {}, model = net()) {
  const history = await fit(model, data, {
    loss: crossEntropy,
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    epochs: 3,
    batchSize: 40,
    seed: 5,
    ...options,
  });
  const weights = await model.arena.values.read();
  model.dispose();
  return { history, weights };
}

describe('fit in mixed precision', () => {
  test.each<[string, Partial<FitOptions>]>([
    ['sgd with momentum', {}],
    ['adam, clipped', { optimizer: clipGradNorm(adam({ lr: 0.01 }), { maxNorm: 0.5 }) }],
    ['sam', { optimizer: sam({ base: sgd({ lr: 0.1, momentum: 0.9 }) }) }],
    ['batches that are added up', { batchSize: 10, accumulate: 4 }],
  ])('%s: nearly the weights of f32, and the same bits again', async (_name, options) => {
    const f32 = await run(options);
    const mixed = await run({ ...options, precision: 'mixed' });
    expect(mixed.history.loss.at(-1)!).toBeCloseTo(f32.history.loss.at(-1)!, 2);
    expect(mixed.weights).not.toEqual(f32.weights);
    expectSameBits((await run({ ...options, precision: 'mixed' })).weights, mixed.weights, 'weights');
  });

  test('a run that goes on from saved model, state, average and scale is the same, bit for bit', async () => {
    const optimizer = adam({ lr: 0.01 });
    // 9 steps: the first scale overflows a few times, then grows every second step.
    const start = { initScale: 2 ** 30, growthInterval: 2 };
    const parts = async (saved?: Awaited<ReturnType<typeof save>>, options: Partial<FitOptions> = {}) => {
      const model = net();
      const state = optimizer.for(model);
      const average = ema({ decay: 0.5 }).for(model);
      const scaler = gradScaler(model, saved ? {} : start);
      if (saved) {
        model.load(saved.model);
        loadState(state, saved.state);
        loadState(average, saved.average);
        scaler.load(JSON.parse(saved.scaler));
      }
      await fit(model, data, {
        ...{ loss: crossEntropy, optimizer, state, weightAverage: average, gradScaler: scaler, precision: 'mixed' },
        ...{ epochs: 3, batchSize: 40, seed: 5 },
        ...options,
      });
      const all = await save(model, state, average, scaler);
      for (const t of [scaler, average, state, model]) t.dispose();
      return all;
    };
    const save = async (
      model: ReturnType<typeof net>,
      state: OptimizerState,
      average: AveragedWeights,
      s: LossScale,
    ) => ({
      model: await model.save(),
      state: await saveState(state),
      average: await saveState(average),
      scaler: JSON.stringify(await s.state()),
    });
    const whole = await parts();
    const { skippedSteps, scale } = JSON.parse(whole.scaler);
    expect(skippedSteps).toBeGreaterThan(0);
    expect(scale).toBeLessThan(2 ** 30);
    const half = await parts(undefined, { epochs: 2 });
    expect(half.scaler).not.toBe(whole.scaler);
    expect(await parts(half, { startEpoch: 2 })).toEqual(whole);
  });

  test('what does not go together is refused in a sentence', async () => {
    const model = net();
    const other = net();
    const scaler = gradScaler(other);
    const refused = (options: Partial<FitOptions>): Promise<unknown> => run(options, model);
    const precision = 'mixed';
    await expect(refused({ precision: 'half' as never })).rejects.toThrow(
      "fit: precision is 'half', expected 'f32' or 'mixed'",
    );
    await expect(refused({ precision, detectAnomaly: true })).rejects.toThrow("detectAnomaly with precision 'mixed'");
    await expect(refused({ gradScaler: scaler })).rejects.toThrow("got a gradScaler without precision 'mixed'");
    await expect(refused({ precision, gradScaler: scaler })).rejects.toThrow('gradScaler is that of another model');
    await expect(refused({ precision, gradScaler: gradScaler as never })).rejects.toThrow('bound to no model');
    const distances = linfDistMlp([16, 8, 10], { p: 8 }).init();
    const optimizer = lpDecayAdamW({ lr: 0.01, power: distances.power });
    await expect(run({ precision, optimizer }, distances)).rejects.toThrow('lpDecayAdamW cannot skip a step');
    for (const t of [scaler, other, model, distances]) t.dispose();
  });

  test('gradients that are finite at no scale end the run', async () => {
    const model = Sequential(Linear(16, 10)).init({ seed: 3 });
    const scaler = gradScaler(model, { initScale: 2 ** -14 });
    // 0, with a gradient of infinity times 0.
    const steep = (logits: Tensor): Tensor => sum(sqrt(mul(logits, 0)));
    await expect(
      fit(model, data, {
        ...{ loss: steep, optimizer: sgd({ lr: 0.1 }), epochs: 1 },
        ...{ precision: 'mixed', gradScaler: scaler },
      }),
    ).rejects.toThrow('fit: the gradients are not finite at the least loss scale either');
    for (const t of [scaler, model]) t.dispose();
  });
});

/** A captured step of a loop of one's own. */
function loop(
  optimizer: Optimizer,
  { precision, options }: { precision: 'f32' | 'mixed'; options?: Parameters<typeof gradScaler>[1] | null },
) {
  const model = net();
  const state = optimizer.for(model);
  const scaler = options === null ? null : gradScaler(model, options);
  const x = tensor(data.x);
  const y = tensor(data.y, { dtype: 'i32' });
  const pass = (): void => {
    const value = crossEntropy(model.forward(x, { training: true, precision }), y);
    backward(scaler ? scaler.scale(value) : value);
  };
  const step = capture(() => {
    pass();
    if (scaler) scaler.step(state, pass);
    else state.step(pass);
  });
  const all = (): Promise<Float32Array[]> =>
    Promise.all([model.arena.values, ...Object.values(state.slots)].map((t) => t.read()));
  const dispose = (): void => [step, scaler, state, model, x, y].forEach((t) => t?.dispose());
  return { model, step, scaler: scaler!, all, dispose };
}

describe('gradScaler', () => {
  test.each<[string, Optimizer]>([
    ['sgd', sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.1 })],
    ['adam', clipGradNorm(adam({ lr: 0.01 }), { maxNorm: 0.5 })],
    ['sam', sam({ base: sgd({ lr: 0.1, momentum: 0.9 }) })],
  ])('%s: a scale is a power of two, and changes no bit where nothing overflows', async (_name, optimizer) => {
    const [scaled, plain] = [
      loop(optimizer, { precision: 'f32' }),
      loop(optimizer, { precision: 'f32', options: null }),
    ];
    for (let i = 0; i < 3; i++) for (const { step } of [scaled, plain]) step.run();
    const want = await plain.all();
    (await scaled.all()).forEach((v, i) => expectSameBits(v, want[i]!, `tensor ${i}`));
    expect(await scaled.scaler.state()).toEqual({ scale: 65_536, goodSteps: 4, skippedSteps: 0 });
    for (const l of [scaled, plain]) l.dispose();
  });

  test.each<[string, Optimizer]>([
    ['sgd', sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.1 })],
    ['adam, clipped', clipGradNorm(adam({ lr: 0.01 }), { maxNorm: 0.5 })],
    ['sam', sam({ base: sgd({ lr: 0.1, momentum: 0.9 }) })],
  ])(
    '%s: an overflow skips the step and halves the scale, until steps go on; then it grows',
    async (_name, optimizer) => {
      const { model, step, scaler, all, dispose } = loop(optimizer, {
        precision: 'mixed',
        options: { initScale: 2 ** 32, growthInterval: 3 },
      });
      // The capture ran it once.
      const before = await all();
      const untouched = net();
      expectSameBits(before[0]!, await untouched.arena.values.read(), 'weights');
      untouched.dispose();
      for (const slot of before.slice(1)) expect(slot.every((v) => v === 0)).toBe(true);
      expect(await scaler.state()).toEqual({ scale: 2 ** 31, goodSteps: 0, skippedSteps: 1 });
      expect((await model.arena.grads.read()).every((v) => v === 0)).toBe(true);
      let skipped = 1;
      for (; (await scaler.state()).goodSteps === 0; skipped++) {
        step.run();
        if ((await scaler.state()).goodSteps === 0) expect(await all()).toEqual(before);
        expect(skipped).toBeLessThan(30);
      }
      const { scale, skippedSteps } = await scaler.state();
      expect(scale).toBe(2 ** (32 - skippedSteps));
      expect(await all()).not.toEqual(before);
      const { reads } = gpu.counters;
      step.run();
      step.run();
      expect(gpu.counters.reads).toBe(reads);
      expect(await scaler.state()).toEqual({ scale: 2 * scale, goodSteps: 0, skippedSteps });
      dispose();
    },
  );

  test('small gradients survive f16 because of the scale', async () => {
    const x = tensor([[2 ** -10]]);
    const model = Sequential(Linear(1, 1, { bias: false })).init();
    const gradient = async (scaler: LossScale | null): Promise<number> => {
      const optimizer = sgd({ lr: 1 }).for(model);
      scope(() => {
        const y = mul(model.forward(x, { training: true, precision: 'mixed' }), 2 ** -30);
        backward(scaler ? scaler.scale(y) : y);
      });
      scaler?.step(optimizer);
      const [g] = await model.arena.grads.read();
      optimizer.dispose();
      return g!;
    };
    const scaler = gradScaler(model);
    expect(await gradient(null)).toBe(0);
    expect(await gradient(scaler)).toBe(2 ** -40);
    for (const t of [scaler, model, x]) t.dispose();
  });

  test('saved through JSON; bad options and states', async () => {
    const model = net();
    const scaler = gradScaler(model);
    const state = { scale: 2 ** -3, goodSteps: 12_345, skippedSteps: 7 };
    expect(await scaler.load(JSON.parse(JSON.stringify(state))).state()).toEqual(state);
    expect(() => scaler.load({ ...state, scale: 3 })).toThrow('gradScaler.load: scale is 3, expected a power of two');
    expect(() => scaler.load({ scale: 1 } as never)).toThrow('gradScaler.load: goodSteps is undefined');
    expect(await scaler.state()).toEqual(state);
    expect(() => gradScaler(model, { initScale: 0 })).toThrow('gradScaler: initScale is 0, expected a power of two');
    expect(() => gradScaler(model, { growthInterval: 0 })).toThrow(
      'gradScaler: growthInterval is 0, expected an integer',
    );
    expect(() => gradScaler(model, { growth: 2 } as never)).toThrow("gradScaler: unknown option 'growth'");
    for (const t of [scaler, model]) t.dispose();
  });
});

describe('layers', () => {
  test('a pass says it, a layer has the last word, and evaluation is f32', async () => {
    const model = Sequential(
      Residual(Sequential(Conv2d(2, 2, 3, { padding: 1 }))),
      Flatten(),
      Linear(18, 4, { precision: 'f32' }),
      CosineLinear(4, 3),
    ).init({ seed: 1 });
    const x = tensor(
      Float32Array.from({ length: 36 }, (_, i) => Math.sin(i)),
      { shape: [2, 2, 3, 3] },
    );
    const [plain, mixed, evaluated] = await readAll(() => [
      model.forward(x),
      model.forward(x, { precision: 'mixed' }),
      model.forward(x, { training: true }),
    ]);
    expect(evaluated).toEqual(plain);
    mixed!.forEach((v, i) => expect(v).toBeCloseTo(plain![i]!, 2));
    expect(mixed).not.toEqual(plain);
    expect(() => model.forward(x, { precision: 'f16' as never })).toThrow('model.forward: precision is');
    for (const t of [model, x]) t.dispose();
  });

  test('mixed in every pass, as an option of a layer; no bounds are given then', async () => {
    const model = Sequential(
      Conv2d(1, 2, 2, { precision: 'mixed' }),
      Flatten(),
      Linear(8, 3, { precision: 'mixed' }),
    ).init({ seed: 1 });
    const p = Object.fromEntries(model.parameters);
    const x = tensor(
      Float32Array.from({ length: 9 }, (_, i) => Math.sin(i)),
      { shape: [1, 1, 3, 3] },
    );
    const [got, conv, want] = await readAll(() => {
      const hidden = conv2d(x, p['0.weight']!, p['0.bias']!, { precision: 'mixed' });
      return [
        model.forward(x),
        hidden,
        linear(Flatten().forward(hidden), p['2.weight']!, p['2.bias']!, { precision: 'mixed' }),
      ];
    });
    expect(conv!.length).toBe(8);
    expectSameBits(got!, want!, 'logits');
    expect(() => scope(() => intervalBounds(model, { lower: x, upper: x }))).toThrow(
      'intervalBounds: Conv2d multiplies in mixed precision',
    );
    expect(() => Linear(1, 1, { precision: 'half' as never })).toThrow("Linear: precision is 'half'");
    expect(() => Conv2d(1, 1, 1, { precision: 'half' as never })).toThrow("Conv2d: precision is 'half'");
    for (const t of [model, x]) t.dispose();
  });
});

test("LDAM-DRW's balanced accuracy on a long tail is that of f32, within its spread over seeds", async () => {
  const { train, test: balanced } = await loadImages(glyphFiles(2000, 300));
  const tuning = tuningOf('mnist')['ldam-drw'];
  const { lr, weightDecay, s, maxM } = tuning;
  const accuracies = async (precision: 'f32' | 'mixed'): Promise<number[]> => {
    const found: number[] = [];
    for (const seed of [0, 1, 2]) {
      const tail = longTail(train, { imbType: 'exp', imbFactor: 0.01, seed });
      const model = network([784, 32, 16], 10, tuning).init({ seed });
      const own = ldam({ classCounts: tail.classCounts, maxM, scale: s, scaleIn: 'head' });
      await fit(model, tail, {
        loss: own,
        optimizer: sgd({ lr, momentum: 0.9, weightDecay }),
        schedule: [multiStepLr({ milestones: [5], gamma: 0.1 }), drw({ from: 5, beta: 0.9999 })],
        epochs: 8,
        batchSize: 32,
        seed,
        precision,
      });
      found.push(balancedAccuracy(softmaxRows(await model.logits(balanced.x)), balanced.y));
      own.dispose();
      model.dispose();
    }
    return found;
  };
  const [f32, mixed] = [await accuracies('f32'), await accuracies('mixed')];
  const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
  expect(mean(f32)).toBeGreaterThan(0.4);
  expect(mixed).not.toEqual(f32);
  // Of one seed both have the same weights at first, and the same order.
  mixed.forEach((share, i) => expect(Math.abs(share - f32[i]!)).toBeLessThan(0.1));
  expect(Math.abs(mean(mixed) - mean(f32))).toBeLessThan(Math.max(...f32) - Math.min(...f32));
});
