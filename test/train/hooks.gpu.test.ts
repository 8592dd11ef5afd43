import { describe, expect, test } from 'vitest';
import { NdArray } from 'evenkeel';
import { cals, crossEntropyLoss, type Loss } from 'evenkeel/losses';
import { calibrationError } from 'evenkeel/metrics';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import {
  earlyStopping,
  evaluate,
  fit,
  keepState,
  modelCheckpoint,
  type FitOptions,
  type History,
  type Hook,
} from 'evenkeel/train';
import { held, SETTINGS, tail } from '../support/training-settings.ts';

const net = (): Sequential => Sequential(Linear(16, 24), ReLU(), Linear(24, 4)).init({ seed: 2 });

/** A run of 3 epochs of 4 steps; what it throws has the history. */
async function run(more: Partial<FitOptions> = {}, model = net()) {
  const loss = more.loss ?? crossEntropyLoss();
  const losses: number[] = [];
  const result = await fit(model, tail, {
    loss,
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    epochs: 3,
    batchSize: 16,
    onStep: (r) => void losses.push(r.loss),
    ...more,
  }).then(
    (history) => ({ history, error: null }),
    (error: Error & { history: History }) => ({ history: error.history, error }),
  );
  const state = await model.stateDict();
  model.dispose();
  (loss as Loss).dispose();
  return { ...result, losses, state };
}

/** A hook that writes down its moments. */
function recording(name: string, into: string[], isLast = false): Hook {
  const note = (moment: string, step: number): void => void into.push(`${name}.${moment} ${step}`);
  return {
    isLast,
    start: (at) => note('start', at.step),
    epochStart: (at) => note('epochStart', at.step),
    beforeStep: (at) => note('beforeStep', at.step),
    afterStep: async (at) => note('afterStep', at.step),
    epochEnd: (at) => note('epochEnd', at.step),
    end: (at, { error }) => note(error ? `end, ${(error as Error).message}` : 'end', at.step),
  };
}

test('hooks are called at their moments in order, the last ones after all others', async () => {
  const seen: string[] = [];
  await run({ epochs: 2, batchSize: 32, hooks: [recording('z', seen, true), recording('a', seen)] });
  const both = (moment: string): string[] => [`a.${moment}`, `z.${moment}`];
  expect(seen).toEqual(
    [
      'start 0',
      ...['epochStart 0', 'beforeStep 0', 'afterStep 0', 'beforeStep 1', 'afterStep 1', 'epochEnd 1'],
      ...['epochStart 2', 'beforeStep 2', 'afterStep 2', 'beforeStep 3', 'afterStep 3', 'epochEnd 3'],
      'end 4',
    ].flatMap(both),
  );
});

test('hooks that look on, wait and read change nothing', async () => {
  const plain = await run();
  const looking: Hook = {
    beforeStep: async (_, { model }) => void (await model.predict(held.x)),
    afterStep: (_, { model }) => void model.predict(held.x),
    epochEnd: async (_, { save }) => void save,
  };
  const looked = await run({ hooks: [looking], validation: held });
  expect([looked.losses, looked.state]).toEqual([plain.losses, plain.state]);
});

test('a hook sets the rate, the order and the end of a run', async () => {
  const rates: number[] = [];
  const lossRead: number[] = [];
  const order = Array.from({ length: 64 }, (_, i) => 63 - i);
  const { history, losses } = await run({
    hooks: [
      {
        epochStart: (_, run) => run.setOrder(order),
        beforeStep: (at, run) => void (run.lr /= at.step + 1),
        afterStep: (at, run) => void (at.step === 5 && run.stop('enough')),
        lossRead: (report) => void (rates.push(report.lr), lossRead.push(report.loss)),
      },
    ],
  });
  expect(rates).toEqual([0.1, 0.05, 0.1 / 3, 0.025, 0.02, 0.1 / 6]);
  expect(losses).toEqual(lossRead);
  expect(history.stopped).toBe('enough');
  expect(history.loss).toHaveLength(1);
  const whole = await run({ hooks: [{ epochStart: (_, run) => run.setOrder(order) }] });
  expect(losses[0]).toBe(whole.losses[0]);
});

test('validation: the scores of each epoch, with metrics of your own, in the history and the report', async () => {
  const reports: unknown[] = [];
  const evaluated: unknown[] = [];
  const model = net();
  const ece = (p: Parameters<typeof calibrationError>[0], y: ArrayLike<number>): number => calibrationError(p, y);
  const { history } = await run(
    {
      validation: held,
      metrics: { ece },
      onEpoch: async (report) => {
        reports.push(report.validation);
        const { accuracy, balancedAccuracy, scores } = await evaluate(model, held, { metrics: { ece } });
        evaluated.push({ accuracy, balancedAccuracy, ece: scores.ece });
      },
    },
    model,
  );
  expect(history.validation).toHaveLength(3);
  expect(reports).toEqual(history.validation);
  expect(history.validation!.map(({ nll, ...rest }) => (expect(nll).toBeGreaterThan(0), rest))).toEqual(evaluated);
});

describe('earlyStopping', () => {
  /** Scores of the epochs, whatever the model does. */
  const scripted = (scores: number[]) => ({ validation: held, metrics: { score: () => scores.shift()! } });

  test('ends the run, puts the best weights back and says why', async () => {
    const states: Awaited<ReturnType<Sequential['stateDict']>>[] = [];
    const model = net();
    const { history, state } = await run(
      {
        ...scripted([1, 3, 2, 3, 9]),
        epochs: 5,
        hooks: [earlyStopping({ monitor: 'score', patience: 2 })],
        onEpoch: async () => void states.push(await model.stateDict()),
      },
      model,
    );
    expect(history.loss).toHaveLength(4);
    expect(history.best).toEqual({ epoch: 1, score: 3 });
    expect(history.stopped).toBe('score was best, 3, in epoch 1');
    expect(state).toEqual(states[1]);
    expect(state).not.toEqual(states[3]);
  });

  test('smaller is better for nll, by minDelta; without restoreBest the last weights stay', async () => {
    const hook = earlyStopping({ monitor: 'score', mode: 'min', minDelta: 0.5, patience: 1, restoreBest: false });
    const plain = await run({ epochs: 2 });
    const { history, state } = await run({ ...scripted([3, 2.6, 1]), epochs: 3, hooks: [hook] });
    expect(history.best).toEqual({ epoch: 0, score: 3 });
    expect(hook.best!.weights.length).toBeGreaterThan(0);
    expect(state).toEqual(plain.state);
  });

  test('its best weights and scores go through a checkpoint', async () => {
    const files: Uint8Array[] = [];
    const hooks = (): Hook[] => [
      earlyStopping({ monitor: 'score', patience: 3 }),
      modelCheckpoint({ save: (bytes) => void files.push(bytes) }),
    ];
    const whole = await run({ ...scripted([5, 1, 2]), hooks: hooks() });
    const resumed = await run({ ...scripted([2]), hooks: hooks(), resume: files[1]! });
    expect(resumed.state).toEqual(whole.state);
    expect(resumed.history.validation).toEqual(whole.history.validation);
    expect(resumed.history.best).toEqual({ epoch: 0, score: 5 });
  });
});

test('cals.hook renews the multipliers as its onEpoch does, and a checkpoint keeps those of a loss inside another', async () => {
  const recorded = SETTINGS.cals!();
  const [one, other] = [cals({ numClasses: 4, margin: 2 }), cals({ numClasses: 4, margin: 2 })];
  const [a, b] = [net(), net()];
  const by = await run({ loss: one, onEpoch: one.onEpoch(a, held) }, a);
  const files: Uint8Array[] = [];
  const hooked = await run(
    {
      loss: other,
      hooks: [other.hook(held), keepState(other), modelCheckpoint({ save: (bytes) => void files.push(bytes) })],
    },
    b,
  );
  expect(hooked.losses).toEqual(by.losses);
  expect(Array.from(other.lambda)).toEqual(Array.from(one.lambda));
  expect(files).toHaveLength(3);
  recorded.dispose();
});

describe('whatever ends a run, the history is not lost, and every hook gets its end', () => {
  const breaking = (moment: string, what: unknown): Hook => ({
    [moment]: (at: { epoch: number }) => {
      if (at.epoch === 1) throw what;
    },
  });
  test.each(['epochStart', 'beforeStep', 'afterStep', 'epochEnd'])('a hook that throws in %s', async (moment) => {
    const seen: string[] = [];
    const { error, history } = await run({
      hooks: [breaking(moment, new Error('broken')), recording('a', seen)],
    });
    expect(error!.message).toBe('broken');
    expect(history.loss).toHaveLength(moment === 'epochEnd' ? 2 : 1);
    expect(seen.at(-1)).toMatch(/^a\.end, broken/);
  });

  test('what is no error is the cause of one; a reason of two runs has the history of each', async () => {
    const text = await run({ hooks: [breaking('beforeStep', 'a word')] });
    expect(text.error!.message).toBe('a word');
    expect(text.error!.cause).toBe('a word');
    expect(text.history.loss).toHaveLength(1);
    const stop = new AbortController();
    const aborting = { signal: stop.signal, hooks: [{ epochEnd: () => stop.abort(new Error('both')) }] };
    const [one, two] = await Promise.all([run(aborting), run(aborting)]);
    expect([one.error!.message, two.error!.message]).toEqual(['both', 'both']);
    expect(one.history).not.toBe(two.history);
    expect([one.history.loss.length, two.history.loss.length]).toEqual([1, 1]);
  });

  test('an end that throws does not keep others from theirs', async () => {
    const seen: string[] = [];
    const throws: Hook = {
      end() {
        throw new Error('at the end');
      },
    };
    const { error, history } = await run({ hooks: [throws, recording('a', seen)] });
    expect(error!.message).toBe('at the end');
    expect(history.loss).toHaveLength(3);
    expect(seen.at(-1)).toBe('a.end 12');
  });
});

describe('bad options', () => {
  const labels = (y: number[]) => ({ x: new NdArray(new Float32Array(16 * y.length), [y.length, 16]), y });
  const cases: [string, Partial<FitOptions>, string][] = [
    ['labels outside', { validation: labels([0, 4]) }, 'fit: validation: y[1] is 4, expected an integer in 0..3'],
    ['no samples', { validation: labels([]) }, 'fit: validation is empty, expected x and y of at least one sample'],
    [
      'another shape',
      { validation: { x: new NdArray(new Float32Array(4), [1, 4]), y: [0] } },
      'fit: validation has samples of shape [4], expected [16], as the training data',
    ],
    [
      'too few labels',
      { validation: { x: held.x, y: [0] } },
      'fit: validation has 1 labels, expected 20, one per sample',
    ],
    ['metrics alone', { metrics: {} }, 'fit: got metrics and no validation, expected data to score the model on'],
    ['hooks', { hooks: earlyStopping() as never }, 'fit: hooks is [object Object], expected a list'],
    ['no hook', { hooks: [null as never] }, 'fit: hooks[0] is null, expected an object such as earlyStopping()'],
    [
      'a misspelt moment',
      { hooks: [{ onEpochEnd() {} } as never] },
      "fit: hooks[0] has 'onEpochEnd' and no function of a hook, did you mean 'epochEnd'?",
    ],
    ['no function', { hooks: [{ end: 1 as never }] }, 'fit: end of hooks[0] is 1, expected a function'],
    ['half a state', { hooks: [{ state: () => 1 }] }, 'fit: hooks[0] has one of state and setState, expected both'],
    [
      'a score that nobody has',
      { hooks: [earlyStopping()] },
      "earlyStopping: monitor 'nll' is no score of this run, expected one of loss; nll and others need " +
        'fit({ validation })',
    ],
    [
      'a rate that is no number',
      { hooks: [{ beforeStep: (_, run) => void (run.lr = NaN) }] },
      'sgd: lr is NaN, expected a finite number >= 0',
    ],
    [
      'an order with other samples',
      { hooks: [{ epochStart: (_, run) => run.setOrder([0, 1]) }] },
      'fit: setOrder gave 2 indices, expected 64',
    ],
  ];
  test.each(cases)('%s', async (_, more, message) => {
    const { error } = await run(more);
    expect(error!.message).toContain(message);
  });
});
