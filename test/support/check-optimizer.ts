import { expect } from 'vitest';
import { backward, capture, scope, tensor, type Captured, type Tensor } from 'evenkeel';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { add, matmul, mul, square, softplus, sub, sum } from 'evenkeel/ops';
import { loadState, saveState, type Optimizer, type OptimizerState } from 'evenkeel/optim';
import { Arena } from '../../src/nn/arena.ts';
import { expectSameBits, poison } from './check-op.ts';
import { gpu } from './gpu.ts';
import { sample } from './sample.ts';

/** An optimiser, and what it should do. */
export interface OptimizerCase {
  make: () => Optimizer;
  /** With a rate that converges within 300 steps, and no weight decay. */
  converging: () => Optimizer;
  /** With as much weight decay and momentum as it has: frozen parameters must stay all the same. */
  decaying: () => Optimizer;
  /** Dispatches of one captured update, whatever the number of parameters. */
  dispatches: number;
  /** It ascends: targets are negated. */
  maximizes?: boolean;
}

/** A convex function of named parameters, with its minimum. */
interface Target {
  name: string;
  start: Record<string, { shape: number[]; value: (i: number) => number }>;
  optimum: Record<string, (i: number) => number>;
  loss: (p: Record<string, Tensor>) => Tensor;
}

const ramp = (n: number, f: (i: number) => number): Tensor => tensor(Float32Array.from({ length: n }, (_, i) => f(i)));
const distance = (x: Tensor, to: number): Tensor => sum(square(sub(x, to)));
const sign = (i: number): number => (i % 2 ? -1 : 1);
// Rows of a well-conditioned 5 x 3 matrix.
const A = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0.5, -0.5, 0.5, 0.3, 0.6, -0.3];
const solution = (i: number): number => [1, -0.5, 0.25, 0.75, -1, 0.5][i]!;

/** The four targets: a parabola, an elongated bowl, a matrix equation, and tensors of mixed shape. */
export const targets: readonly Target[] = [
  {
    name: 'parabola',
    start: { x: { shape: [3], value: (i) => [-1, 4, 1][i]! } },
    optimum: { x: sign },
    loss: ({ x }) => sum(square(sub(x!, ramp(3, sign)))),
  },
  {
    name: 'bowl',
    start: { x: { shape: [31], value: (i) => Math.cos(i) * 2 } },
    optimum: { x: (i) => Math.sin(i) },
    loss: ({ x }) =>
      sum(
        mul(
          ramp(31, (i) => 0.5 + i / 10),
          square(sub(x!, ramp(31, Math.sin))),
        ),
      ),
  },
  {
    name: 'matrix',
    start: { w: { shape: [3, 2], value: () => 0.1 } },
    optimum: { w: solution },
    loss: ({ w }) => {
      const a = tensor(A, { shape: [5, 3] });
      return sum(
        square(
          sub(
            matmul(a, w!),
            matmul(
              a,
              tensor(
                Array.from({ length: 6 }, (_, i) => solution(i)),
                { shape: [3, 2] },
              ),
            ),
          ),
        ),
      );
    },
  },
  {
    name: 'mixed',
    start: {
      a: { shape: [257], value: () => 0 },
      b: { shape: [2, 3], value: (i) => i / 3 },
      c: { shape: [], value: () => 1 },
    },
    optimum: { a: () => 1, b: () => -0.5, c: () => 0 },
    // softplus(c) - c / 2 is least at 0.
    loss: ({ a, b, c }) => add(add(distance(a!, 1), distance(b!, -0.5)), sub(softplus(mul(c!, 2)), c!)),
  },
];

function arenaOf({ start }: Target): Arena {
  return new Arena(
    gpu,
    new Map(
      Object.entries(start).map(([name, { shape, value }]) => {
        const size = shape.reduce((n, d) => n * d, 1);
        return [name, { shape, data: Float32Array.from({ length: size }, (_, i) => value(i)) }];
      }),
    ),
  );
}

/** One step on a target: gradients, then the update, which may ask for the gradients again. */
function stepOn(target: Target, arena: Arena, state: OptimizerState, maximizes = false): void {
  const gradients = (): void => {
    const loss = target.loss(Object.fromEntries(arena.parameters));
    backward(maximizes ? sub(0, loss) : loss);
  };
  gradients();
  state.step(gradients);
}

async function expectConverges({ converging, maximizes }: OptimizerCase, target: Target): Promise<void> {
  const optimizer = converging();
  const arena = arenaOf(target);
  const state = optimizer.for(arena);
  const steps = 300;
  const step = capture(() => stepOn(target, arena, state, maximizes));
  for (let t = 2; t <= steps; t++) {
    state.lr = optimizer.lr * (1 - (t - 1) / steps);
    step.run();
  }
  for (const [name, p] of arena.parameters) {
    Array.from(await p.read()).forEach((v, i) =>
      expect(Math.abs(v - target.optimum[name]!(i)), `${target.name}: ${name}[${i}] is ${v}`).toBeLessThan(3e-2),
    );
  }
  for (const t of [step, state, arena]) t.dispose();
}

const network = (): Sequential => Sequential(Linear(5, 33), ReLU(), Linear(33, 3));

/** Steps `first` to `last` of a small network on one fixed batch, eager or captured; the parameters at the end. */
async function trainNetwork(
  model: Sequential,
  state: OptimizerState,
  lr: number,
  first: number,
  last: number,
  captured = false,
): Promise<void> {
  const x = tensor(sample([7, 5], { seed: 3 }).data, { shape: [7, 5] });
  const y = tensor(sample([7, 3], { seed: 4 }).data, { shape: [7, 3] });
  const once = (): void => {
    const gradients = (): void => backward(sum(square(sub(model.forward(x), y))));
    gradients();
    state.step(gradients);
  };
  let step: Captured<void> | null = null;
  for (let t = first; t <= last; t++) {
    // The rate differs from step to step, as under a schedule.
    state.lr = lr / t;
    if (!captured) scope(once);
    else if (step) step.run();
    else step = capture(once);
  }
  step?.dispose();
  for (const t of [x, y]) t.dispose();
}

/** The same ten steps: eager, captured, and with everything saved, thrown away and restored after five. */
async function expectSameRuns({ make }: OptimizerCase): Promise<void> {
  const { lr } = make();
  const run = async (how: 'eager' | 'captured' | 'restored'): Promise<Float32Array> => {
    poison([4096]);
    let model = network().init({ seed: 1 });
    let state = make().for(model);
    if (how === 'restored') {
      await trainNetwork(model, state, lr, 1, 5);
      const [weights, slots] = [await model.save(), await saveState(state)];
      for (const t of [state, model]) t.dispose();
      model = network().init({ seed: 2 });
      state = make().for(model);
      model.load(weights);
      loadState(state, slots);
      expect(state.progress.step, 'step').toBe(5);
      await trainNetwork(model, state, lr, 6, 10);
    } else await trainNetwork(model, state, lr, 1, 10, how === 'captured');
    const out = await model.arena.values.read();
    for (const t of [state, model]) t.dispose();
    return out;
  };
  const eager = await run('eager');
  expect(eager.every(Number.isFinite), 'finite').toBe(true);
  expectSameBits(await run('captured'), eager, 'captured');
  expectSameBits(await run('restored'), eager, 'saved and restored');
}

/** Frozen parameters, the slots of theirs, and the gaps between parameters stay as they are, bit for bit. */
async function expectFrozenStays({ decaying, maximizes }: OptimizerCase): Promise<void> {
  const target = targets.find((t) => t.name === 'mixed')!;
  const arena = arenaOf(target);
  const b = arena.parameters.get('b')!;
  b.requiresGrad = false;
  const optimizer = decaying();
  const state = optimizer.for(arena);
  const all = [arena.values, ...Object.values(state.slots)];
  const before = await Promise.all(all.map((t) => t.read()));
  for (let t = 1; t <= 3; t++) {
    scope(() => stepOn(target, arena, state, maximizes));
  }
  const after = await Promise.all(all.map((t) => t.read()));
  const trained = [...arena.parameters.values()].filter((p) => p !== b);
  const still = (x: Float32Array): Float32Array =>
    x.filter((_, i) => !trained.some((p) => i >= p.offset && i < p.offset + Math.ceil(p.size / 64) * 64));
  after.forEach((now, k) => expectSameBits(still(now), still(before[k]!), `frozen part of array ${k}`));
  for (const p of trained)
    expect(after[0]!.slice(p.offset, p.offset + p.size), 'trained').not.toEqual(
      before[0]!.slice(p.offset, p.offset + p.size),
    );
  // The padding after a trained parameter keeps the value 0.
  for (const p of trained)
    expect(
      after[0]!.slice(p.offset + p.size, Math.ceil((p.offset + p.size) / 64) * 64).every((v) => v === 0),
      'padding',
    ).toBe(true);
  for (const t of [state, arena]) t.dispose();
}

/** An update takes the promised dispatches and allocates nothing. */
async function expectLean({ make, dispatches }: OptimizerCase): Promise<void> {
  const target = targets.find((t) => t.name === 'mixed')!;
  const arena = arenaOf(target);
  const state = make().for(arena);
  state.lr = 0.01;
  const update = capture(() => state.step(() => {}));
  expect(update.dispatches, 'dispatches').toBe(dispatches);
  update.dispose();
  state.step(() => {});
  await gpu.sync();
  const before = { created: gpu.buffersCreated, live: gpu.memory().live, bindGroups: gpu.counters.bindGroups };
  for (let t = 2; t < 12; t++) {
    state.step(() => {});
  }
  await gpu.sync();
  expect({ created: gpu.buffersCreated, live: gpu.memory().live, bindGroups: gpu.counters.bindGroups }).toEqual(before);
  for (const t of [state, arena]) t.dispose();
}

/** Everything that every optimiser must do. `test/support/gpu.ts` checks that no memory is lost. */
export const optimizerChecks: Readonly<Record<string, (c: OptimizerCase) => Promise<void>>> = {
  'converges on four convex targets to 3e-2': async (c) => {
    for (const target of targets) await expectConverges(c, target);
  },
  'eager, captured, and restored runs are bit-equal': expectSameRuns,
  'frozen parameters stay': expectFrozenStays,
  'takes the promised dispatches and allocates nothing': expectLean,
};
