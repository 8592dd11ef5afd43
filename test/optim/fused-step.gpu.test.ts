import { describe, expect, test } from 'vitest';
import { capture, scope, tensor, type Tensor } from 'evenkeel';
import {
  adam,
  adamW,
  clipGradNorm,
  clipGradValue,
  ema,
  lamb,
  rmsprop,
  sgd,
  swa,
  type AveragedWeights,
  type Optimizer,
  type OptimizerState,
} from 'evenkeel/optim';
import { Arena } from '../../src/nn/arena.ts';
import { expectSameBits } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';

/** Two parameters with gaps between them. */
const arenaOf = (): Arena =>
  new Arena(
    gpu,
    new Map(
      ['a', 'b'].map((name, i) => [
        name,
        { shape: [5, 9], data: Float32Array.from(sample([45], { seed: i + 1 }).data) },
      ]),
    ),
  );

/** Gradients of step t: zeros in the gaps, and values that no rule may lose. */
function gradients({ grads, parameters }: Arena, t: number, special: readonly number[]): void {
  const g = new Float32Array(grads.size);
  for (const { offset, size } of parameters.values())
    sample([size], { seed: t, low: -3, high: 3 }).data.forEach((v, i) => (g[offset + i] = special[i] ?? v));
  grads.write(g);
}

interface Parts {
  state: OptimizerState;
  average: AveragedWeights;
  arena: Arena;
}

const clipped = (base: Optimizer): Optimizer => clipGradNorm(base, { maxNorm: 1 });
const both = ({ state, average }: Parts): void => (state.step(), average.step());
const withZero = (parts: Parts): void => (both(parts), parts.state.zeroGrad());

/** What is recorded, its dispatches eagerly and captured, and the kernels of a captured run. */
const cases: [name: string, optimizer: Optimizer, step: (parts: Parts) => void, [number, number], string[]][] = [
  ['sgd with momentum', sgd({ lr: 0.1, momentum: 0.9 }), ({ state }) => state.step(), [1, 1], ['sgd']],
  ['its average', sgd({ lr: 0.1, momentum: 0.9 }), both, [2, 1], ['sgd+ema']],
  ['adamW, clipped, averaged', clipped(adamW()), both, [5, 3], ['clipGradNorm+adamW+ema']],
  [
    'the same with amsgrad, and gradients set to zero',
    clipped(adamW({ amsgrad: true })),
    withZero,
    [5, 3],
    ['clipGradNorm+adamW+ema+clear'],
  ],
  [
    'centred rmsprop with momentum, clipped by value',
    clipGradValue(rmsprop({ centered: true, momentum: 0.9 }), { clipValue: 0.5 }),
    withZero,
    [3, 1],
    ['clipGradValue+rmsprop+ema+clear'],
  ],
  ['lamb, whose norms lie between its parts', lamb(), both, [7, 6], ['lamb', 'lamb+ema']],
];

describe.each(cases)('%s', (_, optimizer, step, [eager, captured], kernels) => {
  const make = (): Parts => {
    const arena = arenaOf();
    return { arena, state: optimizer.for(arena), average: ema({ decay: 0.9 }).for(arena) };
  };
  const free = ({ arena, state, average }: Parts): void => [state, average, arena].forEach((t) => t.dispose());
  const arrays = ({ arena, state, average }: Parts): Tensor[] => [
    arena.values,
    arena.grads,
    ...Object.values(state.slots),
    average.slots.average!,
  ];

  test(`takes ${eager} dispatches, ${captured} in a captured step`, async () => {
    const parts = make();
    const { dispatches } = gpu.counters;
    step(parts);
    await gpu.sync();
    expect(gpu.counters.dispatches - dispatches).toBe(eager);
    using run = capture(() => step(parts));
    expect(run.dispatches).toBe(captured);
    const { kernels: found } = await gpu.profile(() => run.run());
    const names = found.map(({ name }) => name).filter((name) => name.startsWith('elementwise.'));
    expect(names.sort()).toEqual(kernels.map((name) => `elementwise.${name}`));
    free(parts);
  });

  test.each([
    ['finite', []],
    ['NaN, infinite, -0 and subnormal', [NaN, -0, 1e-42, Infinity, -1e-40]],
  ])('captured and eager agree bit by bit, frozen parameters too: %s gradients', async (_, special) => {
    const results: Float32Array[][] = [];
    for (const isCaptured of [false, true]) {
      const parts = make();
      parts.arena.parameters.get('b')!.requiresGrad = false;
      gradients(parts.arena, 1, special);
      const run = isCaptured ? capture(() => step(parts)) : null;
      if (!run) scope(() => step(parts));
      for (let t = 2; t <= 4; t++) {
        gradients(parts.arena, t, special);
        parts.state.lr = 0.1 / t;
        if (run) run.run();
        else scope(() => step(parts));
      }
      results.push(await Promise.all(arrays(parts).map((t) => t.read())));
      run?.dispose();
      free(parts);
    }
    const [eagerly, inOne] = results as [Float32Array[], Float32Array[]];
    inOne.forEach((values, k) => expectSameBits(values, eagerly[k]!, `array ${k}`));
  });
});

test('an average that leaves out a step leaves its memory, and the model takes its own bits', async () => {
  const arena = arenaOf();
  const [state, average] = [adam({ lr: 0.1 }).for(arena), swa({ from: 0, by: 'epoch' }).for(arena)];
  using run = capture(() => {
    average.prepare({ epoch: 0, step: 1, stepsPerEpoch: 2 } as Parameters<typeof average.prepare>[0]);
    state.step();
    average.step();
  });
  const copied = await average.slots.average!.read();
  expectSameBits(copied, await arena.values.read(), 'the first weights');
  average.prepare({ epoch: 1, step: 0, stepsPerEpoch: 2 } as Parameters<typeof average.prepare>[0]);
  gradients(arena, 1, []);
  run.run();
  expectSameBits(await average.slots.average!.read(), copied, 'weight 0');
  expect(await arena.values.read()).not.toEqual(copied);
  for (const t of [state, average, arena]) t.dispose();
});

test('an arena with more slots than one binding holds keeps them apart', async () => {
  const run = async (): Promise<Float32Array[]> => {
    const [values, grads] = [tensor(new Float32Array(64).fill(1)), tensor(sample([64], { seed: 1 }).data)];
    const state = clipped(adamW({ amsgrad: true })).for({ values, grads });
    const average = ema().for({ values, grads });
    using step = capture(() => (state.step(), average.step()));
    const out = await Promise.all([values, ...Object.values(state.slots), average.slots.average!].map((t) => t.read()));
    out.push(Float32Array.of(step.dispatches));
    for (const t of [state, average, values, grads]) t.dispose();
    return out;
  };
  const together = await run();
  const limits = Object.create(gpu.device.limits, {
    maxStorageBufferBindingSize: { value: 512 },
  }) as GPUSupportedLimits;
  Object.defineProperty(gpu.device, 'limits', { value: limits, configurable: true });
  try {
    const apart = await run();
    expect([together.pop()![0], apart.pop()![0]]).toEqual([3, 4]);
    apart.forEach((values, k) => expectSameBits(values, together[k]!, `array ${k}`));
  } finally {
    delete (gpu.device as { limits?: unknown }).limits;
  }
});
