import { describe, expect, test } from 'vitest';
import { tensor } from 'evenkeel';
import {
  adagrad,
  adam,
  adamW,
  clipGradNorm,
  clipGradValue,
  cosineLr,
  cosineWarmRestartsLr,
  ema,
  exponentialLr,
  linearLr,
  multiStepLr,
  oneCycleLr,
  polynomialLr,
  rmsprop,
  sgd,
  stepLr,
  swa,
  swaLr,
  cosineWarmupLr,
  type Moment,
  type Optimizer,
  type Schedule,
  type WeightAverage,
} from 'evenkeel/optim';
import file from '../golden/optimizers.json';
import { poison } from '../support/check-op.ts';
import { flat, type GoldenCase } from '../support/golden.ts';
import '../support/gpu.ts';

const cases = file as unknown as GoldenCase[];
const of = (...ops: string[]): GoldenCase[] => cases.filter((c) => ops.includes(c.op!));

/** Options of a golden case under our names. */
function camel(options: object): Record<string, never> {
  return Object.fromEntries(
    Object.entries(options).map(([k, v]) => [k.replace(/_(\w)/g, (_, c: string) => c.toUpperCase()), v]),
  ) as Record<string, never>;
}

const rules = { sgd, adam, adamw: adamW, rmsprop, adagrad } as unknown as Record<
  string,
  (options: object) => Optimizer
>;
const averages: Record<string, (options: object) => WeightAverage> = { ema, swa: () => swa({ by: 'step' }) };
const schedules = {
  lrStep: stepLr,
  lrMultiStep: multiStepLr,
  lrCosine: cosineLr,
  lrExponential: exponentialLr,
  lrCosineWarmRestarts: cosineWarmRestartsLr,
  lrLinear: linearLr,
  lrWarmupCosine: ({ startFactor, warmupSteps, totalSteps }: Record<string, number>) =>
    cosineWarmupLr({ startFactor, warmup: warmupSteps!, total: totalSteps }),
  lrPolynomial: polynomialLr,
  lrOneCycle: oneCycleLr,
  lrStepFinishedEpoch: (options: Parameters<typeof stepLr>[0]) => stepLr({ ...options, lag: 1 }),
  swaLr,
} as unknown as Record<string, (options: object) => Schedule>;

const padded = (v: number[]): Float32Array =>
  Float32Array.from({ length: Math.ceil(v.length / 4) * 4 }, (_, i) => v[i] ?? 0);
const rowsOf = (v: unknown, count: number): number[][] => {
  const all = flat(v);
  const size = all.length / count;
  return Array.from({ length: count }, (_, i) => all.slice(i * size, (i + 1) * size));
};

test('all 45 cases run: 24 traces of optimisers, 13 of rates, 6 of clipping, 2 of averages', () => {
  const counts = [
    of(...Object.keys(rules)),
    of(...Object.keys(schedules)),
    of('clipGradNorm', 'clipGradValue'),
    of(...Object.keys(averages)),
  ].map((c) => c.length);
  expect(counts.reduce((a, b) => a + b)).toBe(cases.length);
  expect([cases.length, ...counts]).toEqual([45, 24, 13, 6, 2]);
});

test.each(of(...Object.keys(rules)))('$name, 30 steps as PyTorch', async (c) => {
  const optimizer = rules[c.op!]!(camel(c.options));
  const start = flat(c.inputs.param);
  const want = rowsOf(c.outputs.trace, 30);
  poison([start.length * 4]);
  const [values, grads] = [tensor(padded(start)), tensor(padded(start))];
  const state = optimizer.for({ values, grads });
  for (const [i, g] of rowsOf(c.inputs.grads, 30).entries()) {
    grads.write(padded(g));
    state.step();
    const now = Array.from(await values.read());
    // Each of 30 steps rounds the parameter and its moments once or twice; the values are of order 1.
    want[i]!.forEach((w, k) =>
      expect(Math.abs(now[k]! - w), `step ${i}, element ${k}`).toBeLessThanOrEqual(1e-5 * Math.abs(w) + 2e-6),
    );
    expect(now.slice(start.length), 'padding').toEqual(new Array(now.length - start.length).fill(0));
  }
  for (const t of [state, values, grads]) t.dispose();
});

describe('rates', () => {
  test.each(of(...Object.keys(schedules)))('$name', (c) => {
    const { baseLr, steps: _, ...options } = c.options as { baseLr: number; steps: number };
    const schedule = schedules[c.op!]!(options);
    const rates = flat(c.outputs.lr);
    const momenta = c.outputs.momentum ? flat(c.outputs.momentum) : null;
    rates.forEach((want, t) => {
      // One step an epoch, so that either unit counts the same.
      const at: Moment = { epoch: t, epochs: rates.length, step: t, stepsPerEpoch: 1 };
      expect(Math.abs(schedule.lr!(at, baseLr) - want), `rate of step ${t}`).toBeLessThan(1e-14);
      if (momenta) expect(Math.abs(schedule.momentum!(at) - momenta[t]!), `momentum of step ${t}`).toBeLessThan(1e-14);
    });
  });
});

/** Gradients after clipping and, where there is one, the norm: read from an update whose rule does nothing. */
async function clipped(
  clip: (base: Optimizer) => Optimizer,
  gradients: number[],
): Promise<{ grads: number[]; norm: number | null }> {
  poison([gradients.length * 4]);
  const grads = tensor(padded(gradients));
  const values = tensor(new Float32Array(grads.size));
  const state = clip(sgd({ lr: 0 })).for({ values, grads }) as ReturnType<Optimizer['for']> & {
    totalNorm?: typeof grads;
  };
  state.step();
  const out = {
    grads: Array.from(await grads.read()).slice(0, gradients.length),
    norm: state.totalNorm ? await state.totalNorm.item() : null,
  };
  for (const t of [state, grads, values]) t.dispose();
  return out;
}

test.each(of('clipGradNorm'))('$name', async (c) => {
  const { maxNorm, normType } = c.options as { maxNorm: number; normType: number | string };
  const got = await clipped(
    (base) => clipGradNorm(base, { maxNorm, normType: Number(normType) }),
    [...flat(c.inputs.gradA), ...flat(c.inputs.gradB)],
  );
  const [want] = flat(c.outputs.totalNorm);
  expect(Math.abs(got.norm! / want! - 1)).toBeLessThan(1e-6);
  [...flat(c.outputs.clippedA), ...flat(c.outputs.clippedB)].forEach((w, i) =>
    expect(Math.abs(got.grads[i]! - w)).toBeLessThanOrEqual(1e-6 * Math.abs(w)),
  );
});

test.each(of('clipGradValue'))('$name', async (c) => {
  const { clipValue } = c.options as { clipValue: number };
  expect((await clipped((base) => clipGradValue(base, { clipValue }), flat(c.inputs.grad))).grads).toEqual(
    flat(c.outputs.clipped).map(Math.fround),
  );
});

test.each(of(...Object.keys(averages)))('$name', async (c) => {
  const want = rowsOf(c.outputs.trace, 12);
  const values = tensor(padded(want[0]!));
  const average = averages[c.op!]!(c.options).for({ values, grads: values });
  for (const [i, p] of rowsOf(c.inputs.params, 12).entries()) {
    values.write(padded(p));
    average.prepare({ epoch: i, epochs: 12, step: i, stepsPerEpoch: 1 });
    average.step();
    const now = await average.slots.average!.read();
    // Each update rounds three times; values are of order 1.
    want[i]!.forEach((w, k) => expect(Math.abs(now[k]! - w), `step ${i}`).toBeLessThanOrEqual(i === 0 ? 0 : 2e-6));
  }
  for (const t of [average, values]) t.dispose();
});
