import { describe, expect, test } from 'vitest';
import { tensor, type Tensor } from 'evenkeel';
import { adam, multiStep, sgd, type Optimizer } from 'evenkeel/optim';
import file from '../golden/optimizers.json';
import { poison } from '../support/check-op.ts';
import { flat, type GoldenCase } from '../support/golden.ts';
import { planned } from '../support/golden-op.ts';

const other = 'an optimiser of a later release';
const schedule = 'a schedule of a later release';
const clip = 'gradient clipping comes with adversarial training';
const later = {
  'sgd-maximize': 'a loss is negated instead',
  'adam-amsgrad': 'amsgrad is not offered',
  adamw: other,
  rmsprop: other,
  adagrad: other,
  lrStep: schedule,
  lrCosine: schedule,
  lrExponential: schedule,
  lrCosineWarmRestarts: schedule,
  lrLinear: schedule,
  lrWarmupCosine: schedule,
  lrPolynomial: schedule,
  lrOneCycle: schedule,
  lrStepFinishedEpoch: schedule,
  clipGradNorm: clip,
  clipGradValue: clip,
  ema: 'weight averages of a later release',
  swa: 'weight averages of a later release',
  swaLr: schedule,
};
const cases = planned({ file, later });
const traces = cases.filter((c) => c.op === 'sgd' || c.op === 'adam');

interface Options {
  lr: number;
  momentum?: number;
  dampening?: number;
  nesterov?: boolean;
  weight_decay?: number;
  betas?: [number, number];
  eps?: number;
}

function optimizerOf(c: GoldenCase): Optimizer {
  const { weight_decay: weightDecay, ...rest } = c.options as unknown as Options;
  return c.op === 'sgd' ? sgd({ ...rest, weightDecay }) : adam({ ...rest, weightDecay });
}

/** The parameters after each step, with gradients from the host; the arena is padded to whole vectors of four. */
async function trace(optimizer: Optimizer, start: number[], gradients: number[][], rate = (_step: number): number => optimizer.lr): Promise<number[][]> {
  const padded = (v: number[]): Float32Array => Float32Array.from({ length: Math.ceil(v.length / 4) * 4 }, (_, i) => v[i] ?? 0);
  poison([start.length * 4]);
  const values = tensor(padded(start));
  const grads = tensor(padded(start));
  const state = optimizer.attach({ values, grads });
  const out: number[][] = [];
  for (const [i, g] of gradients.entries()) {
    grads.write(padded(g));
    state.prepare(i + 1, rate(i));
    state.update();
    const now = await values.read();
    expect(Array.from(now.slice(start.length)), 'padding').toEqual(new Array(now.length - start.length).fill(0));
    out.push(Array.from(now.slice(0, start.length)));
  }
  state.dispose();
  for (const t of [values, grads] as Tensor[]) t.dispose();
  return out;
}

test('7 sgd and 5 adam traces and one schedule of the 45 cases run', () => {
  expect([traces.filter((c) => c.op === 'sgd').length, traces.filter((c) => c.op === 'adam').length, cases.length, file.length]).toEqual([7, 5, 13, 45]);
});

test.each(traces)('$name, 30 steps as PyTorch', async (c) => {
  const start = flat(c.inputs.param);
  const all = flat(c.inputs.grads);
  const gradients = Array.from({ length: 30 }, (_, i) => all.slice(i * start.length, (i + 1) * start.length));
  const want = flat(c.outputs.trace);
  const got = (await trace(optimizerOf(c), start, gradients)).flat();
  // Each of 30 steps rounds the parameter and its moments once or twice; the values are of order 1.
  got.forEach((v, i) => expect(Math.abs(v - want[i]!), `step ${Math.floor(i / start.length)}`).toBeLessThanOrEqual(1e-5 * Math.abs(want[i]!) + 2e-6));
});

test('lr-multistep', () => {
  const [c] = cases.filter((v) => v.op === 'lrMultiStep');
  const { baseLr, milestones, gamma } = c!.options as { baseLr: number; milestones: number[]; gamma: number };
  const { lr } = multiStep({ milestones, gamma });
  flat(c!.outputs.lr).forEach((want, epoch) => expect(Math.abs(baseLr * lr!({ epoch, epochs: 40, step: 0, stepsPerEpoch: 1 }) - want)).toBeLessThan(1e-15));
});

describe('sgd', () => {
  test('follows the rate of each step', async () => {
    const got = await trace(sgd({ lr: 1 }), [1], [[1], [1], [1]], (i) => [0.5, 0.25, 0][i]!);
    expect(got).toEqual([[0.5], [0.25], [0.25]]);
  });
  test('minimises a parabola', async () => {
    const values = tensor([4, -3, 2, 1]);
    const grads = tensor([4, -3, 2, 1]);
    const state = sgd({ lr: 0.1, momentum: 0.9 }).attach({ values, grads });
    for (let i = 1; i <= 200; i++) {
      grads.write(await values.read());
      state.prepare(i, 0.1);
      state.update();
    }
    for (const v of await values.read()) expect(Math.abs(v)).toBeLessThan(1e-3);
    for (const t of [state, values, grads]) t.dispose();
  });
  test('slots can be saved and put back: the run goes on bit by bit', async () => {
    const gradients = [[0.3, -0.2, 0.7, 0.1], [0.5, 0.4, -0.9, 0.2], [-0.1, 0.8, 0.6, 0.3]];
    const run = async (interrupt: boolean): Promise<Float32Array> => {
      const values = tensor([1, 2, 3, 4]);
      const grads = tensor([0, 0, 0, 0]);
      let state = sgd({ lr: 0.1, momentum: 0.9 }).attach({ values, grads });
      for (const [i, g] of gradients.entries()) {
        if (interrupt && i === 2) {
          const saved = await state.slots.momentum!.read();
          state.dispose();
          state = sgd({ lr: 0.1, momentum: 0.9 }).attach({ values, grads });
          state.slots.momentum!.write(saved);
        }
        grads.write(g);
        state.prepare(i + 1, 0.1);
        state.update();
      }
      const out = await values.read();
      for (const t of [state, values, grads]) t.dispose();
      return out;
    };
    expect(await run(true)).toEqual(await run(false));
  });
});

test('errors', () => {
  expect(() => sgd({ lr: -1 })).toThrow('sgd: lr is -1, expected a number of at least 0');
  expect(() => sgd({ lr: NaN })).toThrow('sgd: lr is NaN, expected a number of at least 0');
  expect(() => sgd({ lr: 1, nesterov: true })).toThrow('sgd: nesterov needs momentum > 0 and dampening 0, got 0 and 0');
  expect(() => sgd({ lr: 1, nesterov: true, momentum: 0.9, dampening: 0.1 })).toThrow('sgd: nesterov needs momentum > 0 and dampening 0, got 0.9 and 0.1');
  expect(() => adam({ betas: [0.9, 1] })).toThrow('adam: betas[1] is 1, expected a number of at least 0 and below 1');
  expect(() => adam({ eps: -1 })).toThrow('adam: eps is -1, expected a number of at least 0');
});
