import { describe, expect, test } from 'vitest';
import { tensor } from 'evenkeel';
import {
  adagrad,
  adam,
  adamW,
  clipGradNorm,
  clipGradValue,
  lamb,
  rmsprop,
  sam,
  sgd,
  type Optimizer,
} from 'evenkeel/optim';
import { Arena } from '../../src/nn/arena.ts';
import { optimizerChecks, type OptimizerCase } from '../support/check-optimizer.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';

const cases: Record<string, OptimizerCase> = {
  sgd: {
    make: () => sgd({ lr: 0.01, weightDecay: 0.01 }),
    converging: () => sgd({ lr: 0.1 }),
    decaying: () => sgd({ lr: 0.1, weightDecay: 0.1 }),
    dispatches: 1,
  },
  'sgd with momentum': {
    make: () => sgd({ lr: 0.01, momentum: 0.9, weightDecay: 0.01, nesterov: true }),
    converging: () => sgd({ lr: 0.02, momentum: 0.9 }),
    decaying: () => sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.1 }),
    dispatches: 1,
  },
  'sgd that ascends': {
    make: () => sgd({ lr: 1e-4, momentum: 0.9, dampening: 0.3, maximize: true }),
    converging: () => sgd({ lr: 0.02, momentum: 0.9, maximize: true }),
    decaying: () => sgd({ lr: 0.1, maximize: true, weightDecay: 0.1 }),
    dispatches: 1,
    maximizes: true,
  },
  adam: {
    make: () => adam({ lr: 0.01, weightDecay: 0.01 }),
    converging: () => adam({ lr: 0.1 }),
    decaying: () => adam({ lr: 0.1, weightDecay: 0.1 }),
    dispatches: 1,
  },
  'adam with amsgrad': {
    make: () => adam({ lr: 0.01, amsgrad: true }),
    converging: () => adam({ lr: 0.15, amsgrad: true, maximize: true }),
    decaying: () => adam({ lr: 0.1, amsgrad: true, weightDecay: 0.1, maximize: true }),
    dispatches: 1,
    maximizes: true,
  },
  adamW: {
    make: () => adamW({ lr: 0.01 }),
    converging: () => adamW({ lr: 0.1, weightDecay: 0 }),
    decaying: () => adamW({ lr: 0.1, weightDecay: 0.1 }),
    dispatches: 1,
  },
  rmsprop: {
    make: () => rmsprop(),
    converging: () => rmsprop({ lr: 0.05 }),
    decaying: () => rmsprop({ weightDecay: 0.1 }),
    dispatches: 1,
  },
  'rmsprop, centred': {
    make: () => rmsprop({ centered: true }),
    converging: () => rmsprop({ lr: 0.05, centered: true }),
    decaying: () => rmsprop({ weightDecay: 0.1, centered: true }),
    dispatches: 1,
  },
  'rmsprop with momentum': {
    make: () => rmsprop({ momentum: 0.9, lr: 1e-3 }),
    converging: () => rmsprop({ lr: 0.01, momentum: 0.8, alpha: 0.95 }),
    decaying: () => rmsprop({ weightDecay: 0.1, momentum: 0.9 }),
    dispatches: 1,
  },
  'rmsprop, centred with momentum': {
    make: () => rmsprop({ centered: true, momentum: 0.5 }),
    converging: () => rmsprop({ lr: 0.02, momentum: 0.5, centered: true, maximize: true }),
    decaying: () => rmsprop({ weightDecay: 0.1, momentum: 0.9, centered: true, maximize: true }),
    dispatches: 1,
    maximizes: true,
  },
  adagrad: {
    make: () => adagrad({ lr: 0.05, lrDecay: 0.01, initialAccumulatorValue: 0.1 }),
    converging: () => adagrad({ lr: 1 }),
    decaying: () => adagrad({ weightDecay: 0.1, initialAccumulatorValue: 0.5 }),
    dispatches: 1,
  },
  lamb: {
    make: () => lamb({ lr: 0.01, weightDecay: 0.01 }),
    converging: () => lamb({ lr: 0.05 }),
    decaying: () => lamb({ lr: 0.1, weightDecay: 0.1 }),
    dispatches: 6,
  },
  clipGradNorm: {
    make: () => clipGradNorm(sgd({ lr: 0.1, momentum: 0.9 }), { maxNorm: 1 }),
    converging: () => clipGradNorm(sgd({ lr: 0.1 }), { maxNorm: 10 }),
    decaying: () => clipGradNorm(sgd({ lr: 0.1, weightDecay: 0.1 }), { maxNorm: 1 }),
    dispatches: 3,
  },
  clipGradValue: {
    make: () => clipGradValue(adam(), { clipValue: 0.1 }),
    converging: () => clipGradValue(sgd({ lr: 0.1 }), { clipValue: 0.5 }),
    decaying: () => clipGradValue(sgd({ lr: 0.1, weightDecay: 0.1 }), { clipValue: 0.1 }),
    dispatches: 1,
  },
  sam: {
    make: () => sam({ base: sgd({ lr: 0.01, momentum: 0.9 }) }),
    converging: () => sam({ base: sgd({ lr: 0.1 }) }),
    decaying: () => sam({ base: sgd({ lr: 0.1, weightDecay: 0.1, momentum: 0.9 }) }),
    dispatches: 4,
  },
  'sam, adaptive, clipped': {
    make: () => sam({ base: clipGradNorm(adamW(), { maxNorm: 1 }), adaptive: true, rho: 0.5 }),
    converging: () => sam({ base: clipGradNorm(adam({ lr: 0.1 }), { maxNorm: 100 }), adaptive: true, rho: 0.05 }),
    decaying: () => sam({ base: clipGradNorm(adamW({ weightDecay: 0.1 }), { maxNorm: 1 }), adaptive: true }),
    dispatches: 6,
  },
};

describe.each(Object.entries(cases))('%s', (_, c) => {
  test.each(Object.entries(optimizerChecks))('%s', (_name, check) => check(c));
});

/** One update of `[1, ...]` by the gradients given; the values afterwards. */
async function once(optimizer: Optimizer, gradients: number[], start = gradients.map(() => 1)): Promise<number[]> {
  const [values, grads] = [tensor(start), tensor(gradients)];
  const state = optimizer.for({ values, grads });
  state.step();
  const out = Array.from(await values.read());
  for (const t of [state, values, grads]) t.dispose();
  return out;
}

test.each([sgd({ lr: 0.1, momentum: 0.9 }), adam(), adamW(), rmsprop(), adagrad()])(
  '$name: a NaN gradient makes its own parameter NaN and no other',
  async (optimizer) => {
    const got = await once(optimizer, [0.5, NaN, -0.5, 0]);
    expect(got.map(Number.isNaN)).toEqual([false, true, false, false]);
  },
);

test.each([
  ['sgd', sgd],
  ['adam', adam],
  ['adamW', adamW],
  ['rmsprop', rmsprop],
  ['adagrad', adagrad],
  ['lamb', lamb],
] as [string, (o: object) => Optimizer][])(
  '%s: maximize is the step on the negated gradient, bit by bit',
  async (_, make) => {
    const [g, start] = [sample([64], { seed: 1 }).data, Array.from(sample([64], { seed: 2 }).data)];
    const options = { lr: 0.1, weightDecay: 0.01 };
    const up = await once(make({ ...options, maximize: true }), Array.from(g), start);
    expect(up).toEqual(
      await once(
        make(options),
        Array.from(g, (v) => -v),
        start,
      ),
    );
    expect(up).not.toEqual(await once(make(options), Array.from(g), start));
  },
);

test('a momentum that a schedule cycles takes the place of momentum and of the first beta', async () => {
  const momenta = [0.9, 0.5, 0.7];
  const gradients = [1, -0.5, 0.25];
  const run = async (optimizer: Optimizer): Promise<number> => {
    const [values, grads] = [tensor([1, 0, 0, 0]), tensor([0, 0, 0, 0])];
    const state = optimizer.for({ values, grads });
    for (const [i, g] of gradients.entries()) {
      grads.write([g, 0, 0, 0]);
      state.lr = 0.1;
      if (momenta[i] !== undefined) state.momentum = momenta[i];
      state.step();
    }
    const [out] = await values.read();
    for (const t of [state, values, grads]) t.dispose();
    return out!;
  };
  let [p, m] = [1, 0];
  gradients.forEach((g, i) => {
    m = i === 0 ? g : momenta[i]! * m + g;
    p -= 0.1 * m;
  });
  expect(Math.abs((await run(sgd({ lr: 0.1, momentum: 0.1 }))) - p)).toBeLessThan(1e-6);
  [p, m] = [1, 0];
  let v = 0;
  gradients.forEach((g, i) => {
    m = momenta[i]! * m + (1 - momenta[i]!) * g;
    v = 0.999 * v + 0.001 * g * g;
    p -= ((0.1 / (1 - momenta[i]! ** (i + 1))) * m) / (Math.sqrt(v / (1 - 0.999 ** (i + 1))) + 1e-8);
  });
  expect(Math.abs((await run(adam({ betas: [0.1, 0.999] }))) - p)).toBeLessThan(1e-6);
  expect([sgd({ lr: 1 }), adagrad(), rmsprop()].map((o) => o.momentum)).toEqual([undefined, undefined, undefined]);
  expect(
    [sgd({ lr: 1, momentum: 0.8 }), rmsprop({ momentum: 0.7 }), adam(), adamW(), lamb()].map((o) => o.momentum),
  ).toEqual([0.8, 0.7, 0.9, 0.9, 0.9]);
});

test('decays: weight decay applies to the parameters that the filter names', async () => {
  for (const make of [sgd, adamW, rmsprop, adagrad, lamb] as ((o: object) => Optimizer)[]) {
    const arena = new Arena(
      gpu,
      new Map(['0.weight', '0.bias'].map((name) => [name, { shape: [3], data: new Float32Array(3).fill(1) }])),
    );
    const optimizer = make({ lr: 0.1, weightDecay: 0.5, decays: (name: string) => name.endsWith('weight') });
    const state = optimizer.for(arena);
    state.lr = 0.1;
    state.step();
    const [weight, bias] = await Promise.all([...arena.parameters.values()].map((p) => p.read()));
    expect(
      weight!.every((v) => v < 0.99),
      optimizer.name,
    ).toBe(true);
    expect(Array.from(bias!), optimizer.name).toEqual([1, 1, 1]);
    for (const t of [state, arena]) t.dispose();
  }
});

test('more quads than one row of workgroups holds', async () => {
  // 65,536 workgroups of 64 quads; the grid is folded above 65,535.
  const size = 65_536 * 64 * 4;
  const values = tensor(new Float32Array(size).fill(1));
  const grads = tensor(new Float32Array(size).fill(2));
  const state = sgd({ lr: 0.5 }).for({ values, grads });
  state.step();
  const got = await values.read();
  expect(got.findIndex((v) => v !== 0)).toBe(-1);
  for (const t of [state, values, grads]) t.dispose();
});

test('an arena without elements is fine', async () => {
  for (const make of [() => sgd({ lr: 1 }), lamb, () => clipGradNorm(adam(), { maxNorm: 1 })] as (() => Optimizer)[])
    expect(await once(make(), [])).toEqual([]);
});

test('errors', () => {
  expect(() => sgd({ lr: -1 })).toThrow('sgd: lr is -1, expected a finite number >= 0');
  expect(() => sgd({ lr: 1, dampening: NaN })).toThrow('sgd: dampening is NaN, expected a finite number >= 0');
  expect(() => sgd({ lr: NaN })).toThrow('sgd: lr is NaN, expected a finite number >= 0');
  expect(() => sgd({ lr: 1, nesterov: true })).toThrow('sgd: nesterov needs momentum > 0 and dampening 0, got 0 and 0');
  expect(() => sgd({ lr: 1, nesterov: true, momentum: 0.9, dampening: 0.1 })).toThrow(
    'sgd: nesterov needs momentum > 0 and dampening 0, got 0.9 and 0.1',
  );
  expect(() => adam({ betas: [0.9, 1] })).toThrow('adam: betas[1] is 1, expected 0 <= betas[1] < 1');
  expect(() => adam({ eps: -1 })).toThrow('adam: eps is -1, expected a finite number >= 0');
  expect(() => adamW({ weightDecay: -1 })).toThrow('adamW: weightDecay is -1, expected a finite number >= 0');
  expect(() => rmsprop({ alpha: -1 })).toThrow('rmsprop: alpha is -1, expected a finite number >= 0');
  expect(() => adagrad({ lrDecay: -1 })).toThrow('adagrad: lrDecay is -1, expected a finite number >= 0');
  expect(() => lamb({ betas: [1, 0.9] })).toThrow('lamb: betas[0] is 1, expected 0 <= betas[0] < 1');
  expect(() => clipGradNorm(sgd({ lr: 1 }), { maxNorm: -1 })).toThrow(
    'clipGradNorm: maxNorm is -1, expected a finite number >= 0',
  );
  expect(() => clipGradNorm(sgd({ lr: 1 }), { maxNorm: 1, normType: 3 })).toThrow(
    'clipGradNorm: normType is 3, expected 1, 2 or Infinity',
  );
  expect(() => clipGradValue(sgd({ lr: 1 }), { clipValue: NaN })).toThrow(
    'clipGradValue: clipValue is NaN, expected a finite number >= 0',
  );
  expect(() => clipGradNorm(undefined as never, { maxNorm: 1 })).toThrow(
    'clipGradNorm: base is undefined, expected an optimiser such as sgd({ lr: 0.1 })',
  );
  expect(() => sam({ base: sgd({ lr: 1 }), rho: -1 })).toThrow('sam: rho is -1, expected a finite number >= 0');
  const [values, grads, odd] = [tensor([1, 2, 3, 4]), tensor([1, 2, 3]), tensor([1, 2, 3])];
  expect(() => sgd({ lr: 1 }).for({ values, grads })).toThrow(
    'optimiser: the arena has 4 values and 3 gradients, expected equal multiples of 4',
  );
  expect(() => sgd({ lr: 1 }).for({ values: odd, grads })).toThrow(
    'optimiser: the arena has 3 values and 3 gradients, expected equal multiples of 4',
  );
  const state = sam({ base: sgd({ lr: 1 }) }).for({ values, grads: values });
  expect(() => state.step()).toThrow('sam: step needs a closure that repeats forward and backward, got none');
  for (const t of [state, values, grads, odd]) t.dispose();
});
