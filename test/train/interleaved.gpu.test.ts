import { describe, expect, test } from 'vitest';
import { apgd, evaluateRobustness, pgd, squareAttack } from 'evenkeel/attack';
import { certifyBounds, certifyDataset, Smooth, smoothedPredictions } from 'evenkeel/certify';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss, type Loss } from 'evenkeel/losses';
import { mixup, mixed } from 'evenkeel/objectives';
import { BatchNorm, Dropout, Linear, ReLU, Sequential, splitClassifier } from 'evenkeel/nn';
import * as ops from 'evenkeel/ops';
import { drw, ema, sgd } from 'evenkeel/optim';
import { crt, evaluate, featuresOf, fit, lws, susceptibility, type FitOptions } from 'evenkeel/train';
import { hostNormal } from '../../src/random/random.ts';
import { key } from '../../src/random/key.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { gpu } from '../support/gpu.ts';
import { certifyOne } from '../support/certify.ts';

const WIDTH = 6;
const CLASSES = 3;
const data = makeDataset(
  new NdArray(
    hostNormal(50, WIDTH, key(1)).map((v) => Math.min(1, Math.max(0, 0.5 + 0.2 * v))),
    [50, WIDTH],
  ),
  Array.from({ length: 50 }, (_, i) => i % CLASSES),
);
const few = { x: new NdArray(data.x.data.slice(0, 4 * WIDTH), [4, WIDTH]), y: data.y.slice(0, 4) };
const net = () => Sequential(Linear(WIDTH, 8), BatchNorm(8), ReLU(), Dropout(0.3), Linear(8, CLASSES));

type Call = (model: Sequential) => Promise<unknown>;

async function onDevice(run: (x: Tensor, y: Tensor<'i32'>) => Promise<Tensor>): Promise<Float32Array> {
  const [x, y] = [tensor(few.x), tensor(few.y, { dtype: 'i32' })];
  try {
    const points = await run(x, y);
    const values = await points.read();
    points.dispose();
    return values;
  } finally {
    x.dispose();
    y.dispose();
  }
}

async function smoothed<T>(model: Sequential, run: (smooth: Smooth) => Promise<T>): Promise<T> {
  const smooth = new Smooth(model, { numClasses: CLASSES, sigma: 0.2 });
  try {
    return await run(smooth);
  } finally {
    smooth.dispose();
  }
}

const calls: Record<string, Call> = {
  predict: (model) => model.predict(data.x, { batchSize: 7 }),
  'overlapping predicts': (model) => Promise.all([model.predict(data.x), model.logits(few.x), model.predict(few.x)]),
  evaluate: (model) => evaluate(model, data),
  stateDict: (model) => model.stateDict(),
  'certify, twice at once': (model) =>
    smoothed(model, (smooth) =>
      Promise.all([0, 1].map((i) => certifyOne(smooth, few.x.at(i), { n0: 40, n: 80, batchSize: 8, index: i }))),
    ),
  certifyDataset: (model) =>
    smoothed(model, async (smooth) => {
      const rows = [];
      for await (const { row } of certifyDataset(smooth, few, { n0: 20, n: 40, batchSize: 10, concurrency: 1 }))
        rows.push({ ...row, seconds: 0 });
      return rows;
    }),
  smoothedPredictions: async (model) => {
    const shares = await smoothedPredictions(model, few.x, { numClasses: CLASSES, sigma: 0.2, n: 20 });
    const values = await shares.read();
    shares.dispose();
    return values;
  },
  certifyBounds: (model) => certifyBounds(model, few.x, { labels: few.y, eps: 0.01, batchSize: 1 }),
  pgd: (model) => onDevice((x, y) => pgd(model, x, y, { eps: 0.1, steps: 20 })),
  apgd: (model) => onDevice((x, y) => apgd(model, x, y, { eps: 0.1, steps: 20 })),
  squareAttack: (model) => onDevice((x, y) => squareAttack(model, x, y, { eps: 0.1, queries: 60 })),
  evaluateRobustness: (model) =>
    evaluateRobustness(model, few.x, few.y, { eps: 0.1, batchSize: 2, attacks: ['pgd'], steps: 10 }),
  'susceptibility probe': async (model) => {
    const { before, after } = await susceptibility(data, { optimizer: sgd({ lr: 0.1 }), batchSize: 20 }).measure(
      model,
      { lr: 0.1 },
    );
    return { before, after };
  },
  'heads on its features': async (model) => {
    const { backbone, classifier } = splitClassifier(model);
    const options = { epochs: 1, batchSize: 10 };
    const features = featuresOf(backbone, data);
    const head = await lws(
      makeDataset(new NdArray(data.x.data.slice(0, 8 * 20), [20, 8]), data.y.slice(0, 20)),
      classifier,
      options,
    );
    const fresh = await crt(await features, options);
    const states = [await head.stateDict(), await fresh.stateDict()];
    head.dispose();
    fresh.dispose();
    return states;
  },
};

const options = (): FitOptions => ({
  loss: crossEntropyLoss(),
  optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
  epochs: 5,
  batchSize: 10,
  inputNoise: 0.1,
  seed: 3,
});

async function trained(
  more: Partial<FitOptions> = {},
  model = net(),
): Promise<{ losses: number[]; state: Awaited<ReturnType<Sequential['stateDict']>>; model: Sequential }> {
  const losses: number[] = [];
  const own = options();
  const onStep: FitOptions['onStep'] = (report) => {
    losses.push(report.loss);
    more.onStep?.(report);
  };
  await fit(model, data, { ...own, ...more, onStep }).finally(() => (own.loss as Loss).dispose());
  return { losses, state: await model.stateDict(), model };
}

let alone: Promise<Awaited<ReturnType<typeof trained>>> | null = null;
/** The run with nothing beside it. */
const reference = (): Promise<Awaited<ReturnType<typeof trained>>> =>
  (alone ??= trained().then((run) => {
    run.model.dispose();
    return run;
  }));

describe('beside fit: the run and the call are those of each alone, bit for bit', () => {
  test.each(Object.keys(calls))('%s', async (name) => {
    const call = calls[name]!;
    const { losses, state } = await reference();
    const model = net();
    const seen: { state: ReturnType<Sequential['stateDict']>; result: Promise<unknown> }[] = [];
    const look = (): void => {
      if (model.isInitialized) seen.push({ state: model.stateDict(), result: call(model) });
    };
    // Between steps, out of a task of its own, and in onEpoch, which does not await it.
    const beside = await trained(
      {
        onStep: ({ step }) => {
          if (step === 3) look();
          if (step === 7) setTimeout(look);
        },
        onEpoch: ({ epoch }) => (epoch === 3 ? look() : undefined),
      },
      model,
    );
    expect(beside.losses).toEqual(losses);
    expect(beside.state).toEqual(state);
    expect(seen.length).toBe(3);
    const results = await Promise.all(seen.map(({ result }) => result));
    using fresh = net().init({ seed: 9 });
    for (const [i, { state: then }] of seen.entries()) {
      fresh.loadStateDict(await then);
      expect(await call(fresh), `call ${i}`).toEqual(results[i]);
    }
    model.dispose();
  });

  test('a fit of a second model, with the same loss', async () => {
    const { losses, state } = await reference();
    const loss = crossEntropyLoss();
    const other = net().init({ seed: 8 });
    const [a, b] = await Promise.all([trained({ loss }), trained({ loss, seed: 4 }, other)]);
    expect([a.losses, a.state]).toEqual([losses, state]);
    const b2 = await trained({ seed: 4 }, net().init({ seed: 8 }));
    expect([b.losses, b.state]).toEqual([b2.losses, b2.state]);
    for (const t of [a.model, b.model, b2.model, loss]) t.dispose();
  });

  test(
    'labels outside the classes that others meet are not of the ' + 'run, and those of the run are not lost',
    async () => {
      const { losses, state } = await reference();
      const bad = (): void => {
        const [z, y] = [tensor(new Float32Array(6), { shape: [2, 3] }), tensor([7, 1], { dtype: 'i32' })];
        scope(() => void ops.crossEntropy(z, y));
        z.dispose();
        y.dispose();
      };
      await ops.takeInvalidLabels(gpu);
      bad();
      const run = await trained({ onStep: bad });
      expect([run.losses, run.state]).toEqual([losses, state]);
      expect(await ops.takeInvalidLabels(gpu)).toBe(1 + losses.length);
      run.model.dispose();

      // The device alone sees labels that the loss makes up; the caller's count does not take them away.
      const own = crossEntropyLoss();
      const wrong = Object.assign((z: Tensor, y: Tensor<'i32'>) => own(z, ops.add(y, 2)), {
        setClassWeight: () => {},
        dispose: () => {},
      }) as unknown as FitOptions['loss'];
      const model = net();
      const counts: Promise<number>[] = [];
      await expect(
        trained({ loss: wrong!, onStep: () => void counts.push(ops.takeInvalidLabels(gpu)) }, model),
      ).rejects.toThrow('labels lie outside the classes of the model');
      expect(new Set(await Promise.all(counts))).toEqual(new Set([0]));
      for (const t of [model, own]) t.dispose();
    },
  );
});

describe('what two runs cannot share is refused in words, and the first goes on', () => {
  test('one model', async () => {
    const { losses, state } = await reference();
    const model = net();
    const refused: string[] = [];
    const again = async (): Promise<void> => {
      await fit(model, data, options()).catch((error: Error) => void refused.push(error.message));
    };
    const run = await trained(
      {
        onStep: ({ step }) => void (step === 5 && again()),
        onEpoch: ({ epoch }) => (epoch === 1 ? again() : undefined),
      },
      model,
    );
    expect(refused).toEqual(new Array(2).fill('fit: fit has the weights of this model; await it before another run'));
    expect([run.losses, run.state]).toEqual([losses, state]);
    // Afterwards it is free.
    await trained({ epochs: 1 }, model);
    model.dispose();
  });

  test('a loss whose class weights a schedule sets, an objective with state, a probe', async () => {
    const loss = crossEntropyLoss();
    const [a, b, c] = [net(), net(), net()];
    const first = trained({ loss, schedule: drw({ from: 1 }) }, a);
    await expect(trained({ loss }, b)).rejects.toThrow(
      'fit: the loss crossEntropyLoss serves another run, whose class weights or state it holds; make one for each run',
    );
    await first;
    await trained({ loss, epochs: 1 }, b);
    const probe = susceptibility(data);
    const second = trained({ probe, epochs: 1 }, c);
    await expect(trained({ probe, epochs: 1 }, a)).rejects.toThrow(
      'fit: the probe serves another run; make one for each run',
    );
    await second;
    for (const t of [a, b, c, loss]) t.dispose();
  });

  test('init while fit runs is refused; a model disposed meanwhile ends the run', async () => {
    const model = net();
    let message = '';
    const run = trained(
      {
        onStep: ({ step }) => {
          if (step === 4) {
            try {
              model.init();
            } catch (error) {
              message = (error as Error).message;
            }
            model.dispose();
          }
        },
      },
      model,
    );
    await expect(run).rejects.toThrow('model: used after dispose');
    expect(message).toBe('model: init while fit is under way; await it first');
  });
});

describe('averages', () => {
  test('evaluation under an average beside fit, in onEpoch and nested, is that of the average', async () => {
    const { losses, state } = await reference();
    const model = net();
    const average = ema({ decay: 0.9 }).for(model.init({ seed: 3 }));
    const refused: string[] = [];
    const seen: unknown[][] = [];
    const run = await trained(
      {
        weightAverage: average,
        onStep: ({ step }) => {
          if (step === 9) void average.during(() => 0).catch((error: Error) => void refused.push(error.message));
          if (step === 10) void model.predict(few.x, { weights: average });
        },
        onEpoch: async ({ epoch }) => {
          if (epoch !== 3) return;
          const expected = await model.predict(few.x, { weights: average });
          const [one, two] = await Promise.all([
            average.during(async () => [
              await model.predict(few.x),
              await average.during(() => model.predict(few.x)),
              await model.predict(few.x, { weights: average }),
            ]),
            average.during(() => model.predict(few.x)),
          ]);
          const trainedOnes = await model.predict(few.x);
          seen.push([expected, ...one, two]);
          expect(trainedOnes.data).not.toEqual(expected.data);
        },
      },
      model,
    );
    expect([run.losses, run.state]).toEqual([losses, state]);
    expect(refused).toEqual([
      'ema: during while fit has the weights of the model; await it, call during in onEpoch, or pass { ' +
        'weights: average } to predict',
    ]);
    for (const p of seen[0]!) expect(p).toEqual(seen[0]![0]);
    // After swap, during() stays with the averaged weights and leaves them.
    const byAverage = await model.predict(few.x, { weights: average });
    average.swap();
    expect(await average.during(() => model.predict(few.x))).toEqual(byAverage);
    expect(await model.predict(few.x)).toEqual(byAverage);
    expect(await model.predict(few.x, { weights: average })).toEqual(byAverage);
    average.swap();
    expect(await model.stateDict()).toEqual(state);
    await average.during(async () => {
      expect(() => average.swap()).toThrow('ema: swap while during() is under way, expected to await that first');
      await expect(fit(model, data, options())).rejects.toThrow(
        'fit: ema.during has the weights of this model; await it before another run',
      );
    });
    using other = net().init();
    await expect(other.predict(few.x, { weights: average })).rejects.toThrow(
      "model.forward: weights has nothing for a parameter 'weight', expected the average or snapshot of this model",
    );
    for (const t of [average, model]) t.dispose();
  });

  test('two averages do not borrow at once; one that onEpoch does not await ends the run', async () => {
    const model = net();
    const [a, b] = [ema({ decay: 0.5 }).for(model), ema({ decay: 0.9 }).for(model)];
    await trained({ weightAverage: a, epochs: 1 }, model);
    await trained({ weightAverage: b, epochs: 1 }, model);
    await a.during(async () => {
      await expect(b.during(() => 0)).rejects.toThrow('ema: during while ema.during has the weights of the model');
      expect(() => b.swap()).toThrow('ema: swap while ema.during has the weights');
    });
    let release = (): void => {};
    let waiting: Promise<unknown> = Promise.resolve();
    const run = trained(
      { onEpoch: () => void (waiting = a.during(() => new Promise<void>((resolve) => (release = resolve)))) },
      model,
    );
    await expect(run).rejects.toThrow('fit: ema.during has the weights of the model, expected onEpoch to await it');
    release();
    await waiting;
    for (const t of [a, b, model]) t.dispose();
  });
});

test('overlapping probes take batches of their own, as probes one after the other', async () => {
  using model = net().init({ seed: 1 });
  const make = () => susceptibility(data, { optimizer: sgd({ lr: 0.1 }), batchSize: 20 });
  const [at, after] = [make(), make()];
  await Promise.all([at.measure(model, { lr: 0.1 }), at.measure(model, { lr: 0.1 })]);
  for (let i = 0; i < 2; i++) await after.measure(model, { lr: 0.1 });
  expect(at.results).toEqual(after.results);
  expect(at.results.map((r) => r.epoch)).toEqual([0, 1]);
});

test('an objective beside predicts', async () => {
  const run = async (beside: boolean) => {
    const loss = crossEntropyLoss();
    const objective = mixed(mixup({ alpha: 1 }), loss);
    const model = net();
    const found = await trained(
      { loss: undefined as never, objective, onStep: () => void (beside && model.predict(few.x)) },
      model,
    );
    for (const t of [model, loss]) t.dispose();
    return [found.losses, found.state];
  };
  expect(await run(true)).toEqual(await run(false));
});
