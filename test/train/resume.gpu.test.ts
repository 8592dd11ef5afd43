import { beforeAll, describe, expect, test } from 'vitest';
import { DeviceLostError, init, NdArray, type Gpu } from 'evenkeel';
import { makeDataset, random32, randomBelow, subset, type Dataset } from 'evenkeel/data';
import type { LossFunction } from 'evenkeel/losses';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { crossEntropy } from 'evenkeel/ops';
import { adam, sgd } from 'evenkeel/optim';
import { earlyStopping, fit, modelCheckpoint, type FitOptions, type History, type Hook } from 'evenkeel/train';
import { gpu } from '../support/gpu.ts';
import { SETTINGS, tail, type Setting } from '../support/training-settings.ts';

/** Epochs of a run, of four steps each where batches are 16. */
const EPOCHS = 3;

/** What a run ends with; of one that broke off, what it rejected with. */
interface Outcome {
  losses: number[];
  history: History | null;
  error: unknown;
  files: Map<number, Uint8Array>;
  weights: [string, Float32Array][];
  average: Float32Array | null;
}

/** A run of a setting. `spoilt` starts from weights that are not those of its seed: what is resumed replaces them. */
async function run(
  make: () => Setting,
  more: Partial<FitOptions> = {},
  { spoilt = false, hooks = [] as Hook[] } = {},
): Promise<Outcome> {
  const { model, data, options, dispose } = make();
  const losses: number[] = [];
  const files = new Map<number, Uint8Array>();
  if (spoilt) for (const p of model.parameters.values()) p.write(new Float32Array(p.size).fill(0.25));
  let error: unknown = null;
  const history = await fit(model, data, {
    ...options,
    epochs: EPOCHS,
    ...more,
    hooks: [...hooks, modelCheckpoint({ by: 'step', save: (bytes, { steps }) => void files.set(steps, bytes) })],
    onStep: ({ loss }) => void losses.push(loss),
  }).catch((reason: unknown) => {
    error = reason;
    return null;
  });
  const weights = Array.from(await model.stateDict(), ([name, p]): [string, Float32Array] => [name, p.data]);
  const { weightAverage } = options;
  const average = weightAverage ? ((await weightAverage.slots.average!.read()) as Float32Array) : null;
  dispose();
  return { losses, history, error, files, weights, average };
}

/** A signal that a hook aborts after `step`, from 0. */
function stopping(step: number): { signal: AbortSignal; hook: Hook } {
  const stop = new AbortController();
  const hook: Hook = { afterStep: (at) => void (at.step === step && stop.abort(new Error('stopped'))) };
  return { signal: stop.signal, hook };
}

const throwing = (step: number): Hook => ({
  beforeStep(at) {
    if (at.step === step) throw new Error('a hook broke');
  },
});

describe('a run that stops at any step goes on from its checkpoint bit by bit', () => {
  test.each([
    'adamW, groups, oneCycleLr',
    'batch norm, dropout, augmentation',
    'dropout, sam',
    'cdb, cdbSampler',
    'ema, warmupLr, multiStepLr',
    'cals',
    'elr',
    'accumulate',
    'mixed precision',
    'probe by the state of the run',
  ])('%s', async (name) => {
    const make = SETTINGS[name]!;
    const whole = await run(make);
    expect(whole.error).toBe(null);
    const steps = whole.losses.length;
    const random = random32(7, Object.keys(SETTINGS).indexOf(name));
    for (let i = 0; i < 5; i++) {
      const at = 1 + randomBelow(random, steps - 1);
      // One that its signal stops, one that breaks off, and files of the run that goes on.
      const { signal, hook } = stopping(at - 1);
      const broken = await [
        () => run(make, { signal }, { hooks: [hook] }),
        () => run(make, {}, { hooks: [throwing(at)] }),
      ][i]?.();
      if (broken) {
        expect((broken.error as Error).message).toBe(i === 0 ? 'stopped' : 'a hook broke');
        expect((broken.error as { history: History }).history.loss).toEqual(
          whole.history!.loss.slice(0, Math.floor(at / (steps / EPOCHS))),
        );
      }
      const resumed = await run(make, { resume: (broken ?? whole).files.get(at)! }, { spoilt: true });
      expect(resumed.error, `stopped after ${at} of ${steps} steps`).toBe(null);
      expect(resumed.losses, `losses after ${at} of ${steps} steps`).toEqual(whole.losses.slice(at));
      expect(resumed.weights).toEqual(whole.weights);
      expect(resumed.average).toEqual(whole.average);
      expect({ ...resumed.history, seconds: 0, stepsPerSecond: 0 }).toEqual({
        ...whole.history,
        seconds: 0,
        stepsPerSecond: 0,
      });
    }
  });
});

const plainLoss: LossFunction = (logits, labels) => crossEntropy(logits, labels);

/** A run of a small net on a device. */
function small(on: Gpu, more: Partial<FitOptions>): { model: Sequential; losses: number[]; run: Promise<History> } {
  const model = Sequential(Linear(16, 8), ReLU(), Linear(8, 4)).init({ seed: 5, gpu: on });
  const losses: number[] = [];
  const run = fit(model, tail, {
    loss: plainLoss,
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    epochs: EPOCHS,
    batchSize: 16,
    onStep: ({ loss }) => void losses.push(loss),
    ...more,
  });
  return { model, losses, run };
}

test('a run whose device is lost goes on on another one', async () => {
  const whole = small(gpu, {});
  await whole.run;
  const other = await init({ autotune: false });
  let file: Uint8Array | null = null;
  const broken = small(other, {
    hooks: [
      modelCheckpoint({ by: 'step', every: 3, save: (bytes) => void (file = bytes) }),
      { afterStep: (at) => void (at.step === 7 && other.device.destroy()) },
    ],
  });
  await expect(broken.run).rejects.toThrow(DeviceLostError);
  const resumed = small(gpu, { resume: file });
  await resumed.run;
  expect(resumed.losses).toEqual(whole.losses.slice(6));
  expect(await resumed.model.stateDict()).toEqual(await whole.model.stateDict());
  for (const { model } of [whole, broken, resumed]) model.dispose();
  other.destroy();
});

describe('what is not this run is refused by name, and the model stays as it is', () => {
  let file: Uint8Array;
  beforeAll(async () => {
    const { model, run } = small(gpu, { hooks: [modelCheckpoint({ save: (bytes) => void (file ??= bytes) })] });
    await run;
    model.dispose();
  });

  /** What a run with other options rejects with. */
  async function refusal(more: Partial<FitOptions>, data = tail, make?: () => Sequential): Promise<Error> {
    const model = (make?.() ?? Sequential(Linear(16, 8), ReLU(), Linear(8, 4))).init({ seed: 5, gpu });
    const before = await model.stateDict();
    const options: FitOptions = {
      loss: plainLoss,
      optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
      epochs: EPOCHS,
      batchSize: 16,
      resume: file,
      ...more,
    };
    const error: Error = await fit(model, data, options).then(
      () => new Error('nothing was refused'),
      (reason: Error) => reason,
    );
    expect(await model.stateDict()).toEqual(before);
    model.dispose();
    return error;
  }

  const changed = (): Dataset => {
    const [x, y] = [tail.x.data.slice(), tail.y.slice()];
    x[17] = 0.5;
    return makeDataset(new NdArray(x, tail.x.shape), y, { numClasses: 4 });
  };
  const cases: [name: string, () => Promise<Error>, message: string | RegExp][] = [
    ['another seed', () => refusal({ seed: 1 }), 'fit: the checkpoint is of another seed: 0, expected 1'],
    [
      'another batch size',
      () => refusal({ batchSize: 8 }),
      'fit: the checkpoint is of another batchSize: 16, expected 8',
    ],
    [
      'another model',
      () => refusal({}, tail, () => Sequential(Linear(16, 9), ReLU(), Linear(9, 4))),
      'fit: the checkpoint is of another model: Sequential,Linear,ReLU,Linear with 172 trained values, expected ' +
        'Sequential,Linear,ReLU,Linear with 193 trained values',
    ],
    [
      'fewer samples',
      () => refusal({}, subset(tail, [0, 1, 2, 30, 50, 60])),
      /^fit: the checkpoint is of another data set: 64 samples of shape \[16\] in 4 classes, checksum [0-9a-f]{16}, expected 6 samples/,
    ],
    ['other values', () => refusal({}, changed()), 'fit: the checkpoint is of another data set'],
    [
      'another optimizer',
      () => refusal({ optimizer: adam() }),
      'fit: the checkpoint is of another optimizer: sgd, expected adam',
    ],
    [
      'other hooks',
      () => refusal({ hooks: [earlyStopping({ monitor: 'loss' })] }),
      'fit: the checkpoint holds the states [], expected [earlyStopping]',
    ],
    ['startEpoch as well', () => refusal({ startEpoch: 1 }), 'fit: got resume and startEpoch, expected one of them'],
    ['no bytes', () => refusal({ resume: 'run.ckpt' as never }), 'fit: resume is run.ckpt, expected the bytes of a'],
    ['an empty file', () => refusal({ resume: new Uint8Array(0) }), 'fit: the checkpoint is cut or damaged'],
    ['a cut file', () => refusal({ resume: file.slice(0, file.length - 9) }), 'fit: the checkpoint is cut or damaged'],
    ['half a file', () => refusal({ resume: file.slice(0, file.length / 2) }), 'fit: the checkpoint is cut or damaged'],
    [
      'a bit flipped',
      () => refusal({ resume: file.map((b, i) => (i === file.length - 20 ? b ^ 4 : b)) }),
      /^fit: the checkpoint is damaged: \w+ has another checksum$/,
    ],
  ];
  test.each(cases)('%s', async (_, act, message) => expect((await act()).message).toMatch(message));

  test('the weights of a model alone', async () => {
    const model = Sequential(Linear(16, 8), ReLU(), Linear(8, 4)).init({ gpu });
    const weights = await model.save();
    model.dispose();
    expect((await refusal({ resume: weights })).message).toBe(
      "fit: resume has the format 'pt', expected 'evenkeel checkpoint 1'",
    );
  });
});
