import { describe, expect, test } from 'vitest';
import { backward, grad, NdArray, scope, tensor, type Tensor } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss, mae, type Loss } from 'evenkeel/losses';
import { splitAccuracy } from 'evenkeel/metrics';
import { BatchNorm, Dropout, Linear, ReLU, Sequential, Tanh, type Layer } from 'evenkeel/nn';
import { crossEntropy as fused } from 'evenkeel/ops';
import { adam, cosineLr, lambdaLr, sam, saveState, sgd, type Optimizer } from 'evenkeel/optim';
import { fit, susceptibility, susceptibilityCurve, type ProbeSource, type SusceptibilityOptions } from 'evenkeel/train';
import goldenFile from '../golden/susceptibility.json';
import { casesOf, dense, flat, type GoldenCase } from '../support/golden.ts';
import { gpu } from '../support/gpu.ts';
import { clusters } from '../support/synthetic.ts';

const close = (got: readonly number[], want: readonly number[], what: string): void => {
  expect(got.length, what).toBe(want.length);
  got.forEach((v, i) =>
    expect(Math.abs(v - want[i]!), `${what} ${i}: ${v}, expected ${want[i]}`).toBeLessThanOrEqual(
      1e-5 * Math.max(1, Math.abs(want[i]!)),
    ),
  );
};

interface Case {
  dims: number[];
  activation: 'none' | 'tanh' | 'relu';
  lr: number;
  momentum: number;
  weightDecay: number;
  epochs: number;
}

const optionsOf = (c: GoldenCase): Case => c.options as unknown as Case;

function modelOf(c: GoldenCase): Sequential {
  const { dims, activation } = optionsOf(c);
  const layers: Layer[] = dims
    .slice(1)
    .flatMap((out, i): Layer[] => [
      Linear(dims[i]!, out),
      ...(i < dims.length - 2 ? [activation === 'tanh' ? Tanh() : ReLU()] : []),
    ]);
  const parameters = c.inputs.parameters as Record<string, unknown>;
  const state = new Map(
    Object.keys(parameters).map((name) => [`${2 * Number(name.at(-1))}.${name.slice(0, -1)}`, dense(parameters[name])]),
  );
  return Sequential(...layers)
    .init({ seed: 0 })
    .loadStateDict(state);
}

/** Batch `at` of a golden tensor (batches, rows, ...). */
function batch(value: unknown, at: number): NdArray<Float32Array> {
  const { data, shape } = dense(value);
  const size = data.length / shape[0]!;
  return new NdArray(Float32Array.from(data.slice(at * size, (at + 1) * size)), shape.slice(1));
}

const probeOf =
  (c: GoldenCase): ProbeSource =>
  (epoch) => ({ x: batch(c.inputs.probeX, epoch), y: batch(c.inputs.probeLabels, epoch).data });
const all = (c: GoldenCase) => {
  const { data, shape } = dense(c.inputs.trainX);
  return makeDataset(
    new NdArray(Float32Array.from(data), [shape[0]! * shape[1]!, ...shape.slice(2)]),
    flat(c.inputs.trainLabels),
    { numClasses: optionsOf(c).dims.at(-1)! },
  );
};

describe('golden', () => {
  const cases = casesOf(goldenFile, 'susceptibility');
  test('all cases run', () => expect([cases.length, goldenFile.length]).toEqual([5, 5]));

  test.each(cases)('$name inside fit', async (c) => {
    const { lr, momentum, weightDecay, epochs } = optionsOf(c);
    const out = c.outputs as Record<string, number[]>;
    const model = modelOf(c);
    const loss = crossEntropyLoss();
    const { probe, loss: losses } = await fit(model, all(c), {
      loss,
      optimizer: sgd({ lr, momentum, weightDecay }),
      schedule: lambdaLr(({ epoch }) => out.lrPerEpoch![epoch]!),
      sampler: ({ y }) => Uint32Array.from(y, (_, i) => i),
      batchSize: 6,
      epochs,
      probe: susceptibility(probeOf(c)),
    });
    close(losses, out.trainLoss!, 'training loss');
    close(
      probe!.map((r) => r.before),
      out.probeLossBefore!,
      'before',
    );
    close(
      probe!.map((r) => r.after),
      out.probeLossAfter!,
      'after',
    );
    // A drop is a difference of two such losses: its error is relative to them.
    close(
      probe!.map((r) => r.drop),
      flat(out.drop),
      'drop',
    );
    close(
      probe!.map((r) => r.zeta),
      flat(out.zeta),
      'zeta',
    );
    expect(susceptibilityCurve(probe!)).toEqual(probe!.map((r) => expect.closeTo(r.zeta, 14)));
    close(susceptibilityCurve(probe!, { rule: 'plotted' }), out.zetaPlotted!, 'zeta as plotted');
    // Without a rate nothing moves: exactly no drop.
    if (lr === 0) expect(probe!.map((r) => r.drop)).toEqual(new Array(epochs).fill(0));
    const final = c.outputs.finalParameters as Record<string, unknown>;
    const state = await model.stateDict();
    for (const name in final)
      close(Array.from(state.get(`${2 * Number(name.at(-1))}.${name.slice(0, -1)}`)!.data), flat(final[name]), name);
    for (const t of [model, loss]) t.dispose();
  });

  test.each(cases)('$name step by step, with the split accuracy', async (c) => {
    const { lr, momentum, weightDecay, epochs, dims } = optionsOf(c);
    const out = c.outputs as Record<string, number[]>;
    const model = modelOf(c);
    const state = sgd({ lr, momentum, weightDecay }).for(model);
    const probe = susceptibility(probeOf(c));
    for (let epoch = 0; epoch < epochs; epoch++) {
      const rate = out.lrPerEpoch![epoch]!;
      await probe.measure(model, { state, lr: rate });
      const logits: number[] = [];
      for (let i = 0; i < 2; i++) {
        const { values } = scope(() => {
          const z = model.forward(tensor(batch(c.inputs.trainX, i)));
          backward(fused(z, batch(c.inputs.trainLabels, i).data));
          state.lr = rate;
          state.step();
          return { values: z.read() };
        });
        logits.push(...(await values));
      }
      const scores = { data: logits, shape: [12, dims.at(-1)!] };
      const { clean, noisy } = splitAccuracy(scores, flat(c.inputs.trainLabels), flat(c.inputs.trainCleanLabels));
      close(
        [100 * clean!, 100 * noisy!],
        [out.trainAccClean![epoch]!, out.trainAccNoisy![epoch]!],
        `accuracy in epoch ${epoch}`,
      );
    }
    close(
      probe.results.map((r) => r.drop),
      flat(out.drop),
      'drop',
    );
    expect(probe.results.map((r) => r.epoch)).toEqual(Array.from({ length: epochs }, (_, e) => e));
    for (const t of [model, state]) t.dispose();
  });
});

const data = clusters({ n: 160, classes: 4, features: 12, seed: 1 });
const held = clusters({ n: 90, classes: 4, features: 12, seed: 2 });
const net = (): Sequential => Sequential(Linear(12, 16), BatchNorm(16), ReLU(), Dropout(0.3), Linear(16, 4));

describe('the run goes on as if nothing had been', () => {
  const rules: [string, () => Optimizer, SusceptibilityOptions][] = [
    ['momentum', () => sgd({ lr: 0.1, momentum: 0.9, weightDecay: 1e-3 }), {}],
    ['adam', () => adam({ lr: 0.01, weightDecay: 1e-3 }), { probeLabels: 'fixed', masks: 'same' }],
    ['sam', () => sam({ base: sgd({ lr: 0.1, momentum: 0.9 }) }), { probeLabels: 'given' }],
    ['a probe every three steps', () => sgd({ lr: 0.1, momentum: 0.9 }), { everySteps: 3 }],
    ['an optimiser of its own', () => adam({ lr: 0.01, amsgrad: true }), { optimizer: sgd({ lr: 0.5 }) }],
  ];
  test.each(rules)('50 steps with batch norm and dropout: %s', async (_, rule, options) => {
    const run = async (probed: boolean) => {
      const model = net().init({ seed: 3 });
      const loss = crossEntropyLoss();
      const optimizer = rule();
      const state = optimizer.for(model);
      const probe = susceptibility(held, { batchSize: 32, ...options });
      const seen: number[] = [];
      const history = await fit(model, data, {
        loss,
        optimizer,
        state,
        schedule: cosineLr({ by: 'step' }),
        epochs: 10,
        batchSize: 32,
        inputNoise: 0.1,
        seed: 4,
        onStep: (r) => void seen.push(r.loss),
        ...(probed && { probe }),
      });
      // The model's own stream of dropout goes on too.
      const next = await scope(() => ({ y: model.forward(tensor(held.x), { training: true }).read() })).y;
      const found = {
        seen,
        next,
        parameters: await model.stateDict(),
        arena: await model.arena.values.read(),
        saved: await saveState(state),
        step: state.progress.step,
      };
      for (const t of [model, loss, state]) t.dispose();
      return { found, history };
    };
    const [without, with_] = [await run(false), await run(true)];
    expect(with_.found).toEqual(without.found);
    expect(with_.found.step).toBe(50);
    expect(without.history.probe).toBe(undefined);
    expect(with_.history.probe).toHaveLength(options.everySteps ? 17 : 10);
    expect(new Set(with_.history.probe!.map((r) => r.drop)).size).toBe(with_.history.probe!.length);
    expect(with_.history.probe!.map((r) => r.epoch)).toEqual(with_.history.probe!.map((_, i) => i));
  });

  test('gradients, mode and running statistics after one probe; a refused batch changes nothing', async () => {
    const model = net().init({ seed: 3 });
    const state = sgd({ lr: 0.1, momentum: 0.9 }).for(model);
    await susceptibility(held).measure(model, { state, lr: 0.1 });
    expect([...model.parameters.values()].map((p) => p.grad)).toEqual(new Array(6).fill(null));
    scope(() => backward(fused(model.forward(tensor(data.x), { training: true }), data.y)));
    state.step();
    const all = () =>
      Promise.all(
        [model.arena.values, model.arena.grads, ...model.namedBuffers.values(), ...Object.values(state.slots)].map(
          (t) => (t as Tensor).read(),
        ),
      );
    const [before, grads] = [await all(), [...model.parameters.values()].map((p) => p.grad)];
    const { live } = gpu.memory();
    await susceptibility(held).measure(model, { state, lr: 0.1 });
    const wide: ProbeSource = () => ({ x: held.x, y: Array.from(held.y, () => 4) });
    await expect(susceptibility(wide).measure(model, { state, lr: 0.1 })).rejects.toThrow(
      'crossEntropy: labels[0] is 4, expected an integer in 0..3',
    );
    await expect(susceptibility(wide, { optimizer: adam() }).measure(model, { lr: 0.1 })).rejects.toThrow(
      'crossEntropy: labels[0] is 4',
    );
    // After the first layer has run, too: its statistics come back.
    const failing = {
      ...ReLU(),
      forward: () => {
        throw new Error('no');
      },
    } as Layer;
    Object.assign(model.layers[3]!, { forward: failing.forward });
    await expect(susceptibility(held).measure(model, { state, lr: 0.1 })).rejects.toThrow('no');
    expect(await all()).toEqual(before);
    expect([...model.parameters.values()].map((p) => p.grad)).toEqual(grads);
    expect(state.progress.step).toBe(1);
    expect(gpu.memory().live).toBe(live);
    for (const t of [model, state]) t.dispose();
  });
});

describe('what it measures', () => {
  /** Gradient of the probe's loss and momentum buffer, flat. */
  async function probeAt(lr: number, isFresh: boolean) {
    const model = Sequential(Linear(12, 8), Tanh(), Linear(8, 4)).init({ seed: 5 });
    const state = sgd({ lr, momentum: 0.9 }).for(model);
    const source: ProbeSource = () => ({ x: held.x, y: Array.from(held.y, (_, i) => (i * 7) % 4) });
    state.lr = 0.05;
    scope(() => backward(fused(model.forward(tensor(data.x)), data.y)));
    state.step();
    const { drop } = await susceptibility(source, isFresh ? { optimizer: sgd({ lr }) } : {}).measure(model, {
      state,
      lr,
    });
    const inputs = [...model.parameters.values()];
    const g = await Promise.all(
      scope(() => grad(fused(model.forward(tensor(held.x)), source(0).y), inputs).map((t) => ({ read: t.read() }))).map(
        (t) => t.read,
      ),
    );
    const v = await state.slots.momentum!.read();
    const [squares, inner] = inputs.reduce(
      ([s, i], p, k) => [
        s + g[k]!.reduce((a, b) => a + b * b, 0),
        i + g[k]!.reduce((a, b, j) => a + b * v[p.offset + j]!, 0),
      ],
      [0, 0] as [number, number],
    );
    for (const t of [model, state]) t.dispose();
    return { ratio: drop / lr, squares, inner };
  }

  test.each([
    [true, 0],
    [false, 0.9],
  ])('a small step: r / lr -> |g|^2 + mu <v, g>; fresh: %s', async (isFresh, mu) => {
    const [far, near] = [await probeAt(0.02, isFresh), await probeAt(0.01, isFresh)];
    // The term in lr goes by extrapolation.
    expect(Math.abs((2 * near.ratio - far.ratio) / (near.squares + mu * near.inner) - 1)).toBeLessThan(0.01);
  });

  test('batches and labels: by epoch, from all classes, kept where asked', async () => {
    const model = Sequential(Linear(12, 4)).init({ seed: 0 });
    const measure = async (options: SusceptibilityOptions) => {
      const probe = susceptibility(held, { optimizer: sgd({ lr: 0.1 }), ...options });
      for (let e = 0; e < 3; e++) await probe.measure(model, { lr: 0.1 });
      return probe.results.map((r) => r.before);
    };
    const fresh = await measure({ batchSize: 40 });
    expect(new Set(fresh).size).toBe(3);
    expect(await measure({ batchSize: 40 })).toEqual(fresh);
    expect(await measure({ batchSize: 40, seed: 1 })).not.toEqual(fresh);
    // All inputs at once: only the labels can differ between epochs, but for rounding.
    const whole = async (labels: 'fresh' | 'fixed' | 'given') =>
      Math.max(...(await measure({ batchSize: 90, probeLabels: labels }))) -
      Math.min(...(await measure({ batchSize: 1000, probeLabels: labels })));
    expect(await whole('fixed')).toBeLessThan(1e-5);
    expect(await whole('given')).toBeLessThan(1e-5);
    expect(await whole('fresh')).toBeGreaterThan(1e-3);
    // Another epoch is another batch, whatever came before.
    const late = susceptibility(held, { batchSize: 40, optimizer: sgd({ lr: 0.1 }) });
    expect((await late.measure(model, { lr: 0.1, epoch: 2 })).before).toBe(fresh[2]);
    model.dispose();
  });

  test('the loss of the probe: cross-entropy, or another', async () => {
    const model = Sequential(Linear(12, 4)).init({ seed: 0 });
    const of = (loss?: Loss) =>
      susceptibility(held, { optimizer: sgd({ lr: 0.1 }), seed: 2, ...(loss && { loss }) }).measure(model, { lr: 0.1 });
    const [ce, error, each] = [crossEntropyLoss(), mae(), crossEntropyLoss({ reduction: 'none' })];
    expect(await of(ce)).toEqual(await of());
    const { before, drop } = await of(error);
    // The mean probability of a random label of four.
    expect(Math.abs(before - 0.75)).toBeLessThan(0.1);
    expect(drop).toBeGreaterThan(0);
    await expect(of(each)).rejects.toThrow('susceptibility: the loss has shape [90], expected a scalar');
    for (const t of [model, ce, error, each]) t.dispose();
  });

  test('a run in two parts has the course of one', async () => {
    const course = async (parts: [from: number, to: number][], options: SusceptibilityOptions) => {
      const model = Sequential(Linear(12, 4)).init({ seed: 0 });
      const loss = crossEntropyLoss();
      const optimizer = sgd({ lr: 0.1, momentum: 0.9 });
      const state = optimizer.for(model);
      const probe = susceptibility(held, options);
      for (const [startEpoch, epochs] of parts)
        await fit(model, data, { loss, optimizer, state, startEpoch, epochs, probe });
      for (const t of [model, loss, state]) t.dispose();
      return probe.results;
    };
    for (const options of [{}, { everySteps: 3 }])
      expect(
        await course(
          [
            [0, 2],
            [2, 4],
          ],
          options,
        ),
      ).toEqual(await course([[0, 4]], options));
  });
});

test('errors', async () => {
  const x = new NdArray(new Float32Array(0), [0, 12]);
  expect(() => susceptibility({ x, numClasses: 4 })).toThrow(
    'susceptibility: there are no inputs, expected at least one',
  );
  expect(() => susceptibility(held, { batchSize: 0 })).toThrow(
    'susceptibility: batchSize is 0, expected a positive integer',
  );
  expect(() => susceptibility(held, { loss: 'ce' as never })).toThrow(
    'susceptibility: loss is ce, expected a loss such as crossEntropyLoss()',
  );
  expect(() => susceptibility(held, { everySteps: 0 })).toThrow(
    'susceptibility: everySteps is 0, expected a positive integer',
  );
  expect(() => susceptibility(held, { probeLabels: 'none' as never })).toThrow(
    "susceptibility: probeLabels is 'none', expected 'fresh', 'fixed' or 'given'",
  );
  expect(() => susceptibility(held, { masks: 'none' as never })).toThrow(
    "susceptibility: masks is 'none', expected 'redrawn' or 'same'",
  );
  expect(() => susceptibility(held, { optimizer: 1 as never })).toThrow(
    'susceptibility: optimizer is 1, expected an optimiser such as sgd({ lr: 0.1 })',
  );
  expect(() => susceptibility({ x: held.x, numClasses: 4 }, { probeLabels: 'given' })).toThrow(
    "susceptibility: the inputs have no labels, expected some for labels: 'given'",
  );
  expect(() => susceptibility({ x: held.x, numClasses: 0 })).toThrow(
    'makeDataset: numClasses is 0, expected a positive integer',
  );
  const model = Sequential(Linear(12, 4)).init({ seed: 0 });
  const optimizer = sgd({ lr: 0.1 });
  await expect(susceptibility(() => ({ x, y: [] })).measure(model, { lr: 0.1 })).rejects.toThrow(
    'susceptibility: the batch of epoch 0 has shape [0,12], expected at least one sample',
  );
  await expect(susceptibility(() => ({ x: held.x, y: [0] })).measure(model, { lr: 0.1, epoch: 7 })).rejects.toThrow(
    'susceptibility: the batch of epoch 7 has 1 labels, expected 90, one per sample',
  );
  await expect(susceptibility(held).measure(model, { lr: 0.1 })).rejects.toThrow(
    'susceptibility: got no state of an optimiser, expected that of the run, or the option optimizer',
  );
  await expect(susceptibility(held, { optimizer }).measure(model, { lr: NaN })).rejects.toThrow(
    'susceptibility: lr is NaN, expected a finite number >= 0',
  );
  await expect(
    susceptibility(held, { optimizer, augment: (t) => fused(t, held.y) }).measure(model, { lr: 0.1 }),
  ).rejects.toThrow('susceptibility: augment gave shape [], expected that of the batch, [90,12]');
  await expect(susceptibility(held, { optimizer }).measure(model, { lr: 3e38 })).rejects.toThrow(
    /susceptibility: the loss of the batch of epoch 0 is \d\S+ before the step and \S+ after it; lower the learning rate, or check the inputs/,
  );
  const loss = crossEntropyLoss();
  await expect(fit(model, data, { loss, optimizer, epochs: 1, probe: {} as never })).rejects.toThrow(
    'fit: probe is [object Object], expected for example susceptibility(inputs)',
  );
  for (const t of [model, loss]) t.dispose();
});
