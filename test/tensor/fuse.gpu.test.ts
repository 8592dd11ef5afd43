import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  backward,
  capture,
  empty,
  noGrad,
  prepare,
  requireGrad,
  scope,
  tensor,
  type Captured,
  type Tensor,
} from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { Conv2d, lenet, resnet20, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { fusedPlan } from '../../src/gpu/replay.ts';
import { copyOver } from '../../src/tensor/copy.ts';
import { broadcastShapes } from '../../src/tensor/shape.ts';
import { AnomalyWatch } from '../../src/tensor/anomaly.ts';
import { expectSameBits } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { asTuned } from '../support/tuning.ts';

const { add, exp, greater, mul, relu, sigmoid, square, sub, sum, tanh, where } = ops;

const input = (shape: readonly number[], seed = 1): Tensor =>
  tensor(sample(shape, { seed, low: -2, high: 2 }).data, { shape });

const nine = (x: Tensor, b: Tensor): Tensor => sub(mul(tanh(add(mul(x, 0.5), b)), sigmoid(x)), exp(mul(square(x), -1)));

/** Captures `step`, expects the bits of the eager results, in a second run too, and returns it. */
async function expectSame(step: () => Tensor[], what = 'value'): Promise<Captured<Tensor[]>> {
  const eager = scope(() => noGrad(step));
  const captured = capture(() => noGrad(step));
  captured.run();
  for (let i = 0; i < eager.length; i++)
    expectSameBits(await captured.value[i]!.read(), await eager[i]!.read(), `${what} ${i}`);
  for (const t of eager) t.dispose();
  return captured;
}

/** Names and counts of the kernels of one run. */
async function kernelsOf(step: Captured<unknown>): Promise<Record<string, number>> {
  const { kernels } = await gpu.profile(() => step.run());
  return Object.fromEntries(kernels.map(({ name, count }) => [name, count]));
}

describe('a captured step', () => {
  test.each([
    [64, 40],
    [5, 7],
    [1, 1],
  ])('a chain of nine over %i x %i is one kernel of its own name, and only its result has memory', async (r, c) => {
    const [x, b] = [input([r, c]), input([c], 2)];
    const step = await expectSame(() => [nine(x, b)]);
    expect(step.dispatches).toBe(1);
    expect(step.bytes).toBe(Math.ceil((4 * r * c) / 256) * 256);
    expect(await kernelsOf(step)).toEqual({ 'elementwise.mul+add+tanh+sigmoid+mul+square+mul+exp+sub': 1 });
    for (const t of [step, x, b]) t.dispose();
  });

  test('chains of one form share a pipeline, whatever their shape and numbers', async () => {
    const made: number[] = [];
    for (const [r, c, by] of [
      [8, 12, 3],
      [20, 4, 5],
      [6, 8, -1],
    ] as const) {
      const [x, b] = [input([r, c]), input([c], 2)];
      const step = await expectSame(() => [tanh(add(mul(x, by), b))]);
      made.push(gpu.pipelines.size);
      for (const t of [step, x, b]) t.dispose();
    }
    expect(new Set(made).size).toBe(1);
  });

  test('a result that is wanted besides is written by the same kernel', async () => {
    const x = input([6, 8]);
    const step = await expectSame(() => {
      const y = tanh(x);
      const z = mul(y, 3);
      const s = add(z, y);
      return [y, sum(z), s];
    });
    // tanh, mul and add; the sum, of 48 elements.
    expect(step.dispatches).toBe(2);
    for (const t of [step, x]) t.dispose();
  });

  test('what lies between keeps its place', async () => {
    const x = input([8]);
    const [a, b] = [tensor([1, 2, 3, 4, 5, 6, 7, 8]), tensor(new Float32Array(8))];
    // y reads `a` before it is overwritten, z after.
    const step = capture(() => {
      const y = mul(a, 2);
      copyOver(x, a);
      const z = add(y, a);
      copyOver(z, b);
      return add(z, b);
    });
    const expected = [1, 2, 3, 4, 5, 6, 7, 8].map((v, i) =>
      Math.fround(2 * v + Math.fround(sample([8], { seed: 1, low: -2, high: 2 }).data[i]!)),
    );
    expect(Array.from(await b.read())).toEqual(expected);
    expect(Array.from(await step.value.read())).toEqual(expected.map((v) => 2 * v));
    for (const t of [step, x, a, b]) t.dispose();
  });

  test('an operand that repeats is no chain: its producer has another size', async () => {
    const [x, b] = [input([6, 8]), input([8], 2)];
    const step = await expectSame(() => [add(x, tanh(mul(b, 2)))]);
    expect(await kernelsOf(step)).toEqual({ 'elementwise.mul+tanh': 1, 'elementwise.add': 1 });
    for (const t of [step, x, b]) t.dispose();
  });

  test('at most 8 buffers and 32 ops a kernel', async () => {
    const parts = Array.from({ length: 12 }, (_, i) => input([4, 8], i));
    const step = await expectSame(() => [parts.reduce((y, p) => add(y, p))]);
    expect(step.dispatches).toBe(2);
    const x = input([16]);
    const long = await expectSame(() => {
      let y = x;
      for (let i = 0; i < 70; i++) y = tanh(y);
      return [y];
    });
    expect(long.dispatches).toBe(3);
    for (const t of [step, long, x, ...parts]) t.dispose();
  });

  test('integers, truth values and bits', async () => {
    const [x, n] = [input([4, 6]), tensor([1, -2, 3, 7, -5, 0], { dtype: 'i32' })];
    const step = await expectSame(() => {
      const isLarge = greater(x, 0.5);
      const y = where(isLarge, x, mul(x, NaN));
      const k = add(mul(n, 3), ops.cast(y, 'i32')) as unknown as Tensor;
      return [y, k, ops.cast(ops.logicalNot(isLarge), 'f32')];
    });
    expect(step.dispatches).toBe(2);
    for (const t of [step, x, n]) t.dispose();
  });

  test('special values pass from op to op as through memory', async () => {
    const values = [NaN, Infinity, -Infinity, -0, 0, 1e-45, -1e-40, 3e38];
    const [x, y] = [tensor(values), tensor([...values].reverse())];
    const step = await expectSame(() => [
      ops.maximum(relu(sub(x, y)), mul(x, y)),
      ops.minimum(sub(mul(x, 0), mul(y, 1)), ops.abs(y)),
      ops.cast(ops.isFinite(add(mul(x, y), y)), 'f32'),
    ]);
    for (const t of [step, x, y]) t.dispose();
  });

  test('prepare compiles what capture runs', async () => {
    const x = input([4, 4]);
    const step = (): Tensor => ops.sin(ops.cos(ops.sin(mul(x, 7))));
    await prepare(step);
    const { size } = gpu.pipelines;
    const captured = capture(step);
    expect(captured.dispatches).toBe(1);
    expect(gpu.pipelines.size).toBe(size);
    for (const t of [captured, x]) t.dispose();
  });

  test('anomalies are told by the op, each of a chain', async () => {
    using watch = new AnomalyWatch(gpu);
    const x = tensor([1, 2]);
    const step = capture(() => watch.run(() => relu(ops.log(sub(x, 1)))));
    await expect(watch.check()).rejects.toThrow(
      'log gave an infinity in its result of shape [2]; the 1 results before',
    );
    x.write([2, 3]);
    step.run();
    await watch.check();
    for (const t of [step, x]) t.dispose();
  });

  test('the gradient of a chain', async () => {
    const [x, b] = [requireGrad(input([12, 8])), requireGrad(input([8], 2))];
    const step = (): Tensor[] => {
      const y = sum(nine(x, b));
      backward(y);
      const out = [y, x.grad!, b.grad!];
      x.grad = b.grad = null;
      return out;
    };
    const eager = scope(step);
    const captured = capture(step);
    let unfused = gpu.counters.dispatches;
    const other = scope(step);
    await gpu.sync();
    unfused = gpu.counters.dispatches - unfused;
    expect(captured.dispatches).toBeLessThan(unfused / 3);
    for (let i = 0; i < 3; i++) expectSameBits(await captured.value[i]!.read(), await eager[i]!.read(), `output ${i}`);
    for (const t of [captured, x, b, ...eager, ...other]) t.dispose();
  });
});

/** Random chains with broadcasting: each step picks earlier values. */
const UNARY = ['tanh', 'sigmoid', 'square', 'neg', 'relu', 'exp', 'softplus', 'abs', 'sin', 'gelu'] as const;
const BINARY = ['add', 'sub', 'mul', 'maximum', 'minimum'] as const;

test('random chains: captured and eager agree bit for bit', () =>
  fc.assert(
    fc.asyncProperty(
      fc.record({
        rows: fc.constantFrom(1, 2, 3, 8),
        columns: fc.constantFrom(1, 3, 4, 8, 12),
        leaves: fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 5 }),
        steps: fc.array(fc.tuple(fc.nat(20), fc.nat(100), fc.nat(100)), { minLength: 1, maxLength: 24 }),
        outputs: fc.array(fc.nat(100), { minLength: 1, maxLength: 4 }),
      }),
      async ({ rows, columns, leaves, steps, outputs }) => {
        const inputs = leaves.map(([r, c], i) => input([r ? rows : 1, c ? columns : 1], i));
        const step = await expectSame(() => {
          const values = [...inputs];
          for (const [kind, a, b] of steps) {
            const x = values[a % values.length]!;
            if (kind < 10) values.push(ops[UNARY[kind]!](tanh(x)));
            else {
              const fits = values.filter((v) => broadcastShapes(v.shape, x.shape));
              values.push(ops[BINARY[kind % 5]!](x, fits[b % fits.length]!));
            }
          }
          const made = values.slice(inputs.length);
          return [...new Set(outputs.map((n) => made[n % made.length]!))];
        });
        for (const t of [step, ...inputs]) t.dispose();
      },
    ),
    { numRuns: 40, seed: 2026 },
  ));

test('the step of ResNet-20: batch norm, the sum of the paths and relu are one kernel, and its bits are those of eager', async () => {
  const shape = [2, 3, 32, 32];
  const run = async (isCaptured: boolean): Promise<{ values: Float32Array; dispatches: number }> => {
    using model = resnet20().init({ seed: 0 });
    const [x, y] = [input(shape), tensor([3, 5], { dtype: 'i32' })];
    const optimizer = sgd({ lr: 0.1, momentum: 0.9 }).for(model);
    const step = (): void => {
      backward(ops.crossEntropy(model.forward(x, { training: true }), y));
      optimizer.step();
    };
    const before = gpu.counters.dispatches;
    if (!isCaptured) scope(step);
    using captured = isCaptured ? capture(step) : null;
    await gpu.sync();
    const dispatches = gpu.counters.dispatches - before;
    if (captured) {
      const kernels = await kernelsOf(captured);
      expect(kernels['elementwise.batchNorm+add+relu']).toBe(9);
      expect(kernels['elementwise.add+maskPositive']).toBe(8);
    } else scope(step);
    const values = await model.arena.values.read();
    for (const t of [x, y, optimizer]) t.dispose();
    return { values, dispatches };
  };
  const [eager, captured] = [await run(false), await run(true)];
  expectSameBits(captured.values, eager.values, 'parameters');
  expect(captured.dispatches).toBeLessThanOrEqual(eager.dispatches - 26);
});

test.each(['software', 'hardware'] as const)(
  'the parts of all weight gradients are added in one dispatch, %s',
  (kind) =>
    asTuned(kind, async () => {
      const twice = Conv2d(5, 5, 3, { padding: 1 });
      const nets = {
        plain: () => Sequential(Conv2d(2, 5, 3), Conv2d(5, 12, 3, { bias: false }), Conv2d(12, 6, 3)),
        tied: () => Sequential(Conv2d(2, 5, 3), twice, twice, Conv2d(5, 6, 3)),
      };
      for (const [name, net] of Object.entries(nets)) {
        using model = net().init({ seed: 3 });
        const [x, optimizer] = [input([8, 2, 20, 20]), sgd({ lr: 1e-3 }).for(model)];
        const step = (): void => {
          backward(sum(square(model.forward(x))));
          optimizer.step();
        };
        const state = async (): Promise<number[]> => [
          ...new Uint32Array((await model.arena.grads.read()).buffer),
          ...new Uint32Array((await model.arena.values.read()).buffer),
        ];
        const start = await model.arena.values.read();
        scope(step);
        const eager = await state();
        model.arena.values.write(start);
        using captured = capture(step);
        expect(await state(), name).toEqual(eager);
        const kernels = Object.entries(await kernelsOf(captured)).filter(([kernel]) => /combine-?weight/i.test(kernel));
        const entry = kind === 'software' ? 'plain' : 'byLanes';
        if (name === 'plain') expect(kernels).toEqual([[`combine-weights.${entry}`, 1]]);
        else expect(kernels.length).toBeGreaterThan(1);
        for (const t of [x, optimizer]) t.dispose();
      }
    }),
);

test.each([
  ['LeNet', lenet, [1, 28, 28], { software: 20, hardware: 22 }],
  ['ResNet-20', resnet20, [3, 32, 32], { software: 161, hardware: 169 }],
] as const)('dispatches of the training step of %s, batch 128', async (_, network, shape, most) => {
  const model = network().init({ seed: 0 });
  const [x, y] = [empty([128, ...shape]), empty([128], { dtype: 'i32' })];
  const optimizer = sgd({ lr: 0.1, momentum: 0.9 }).for(model);
  const counts: Record<string, number> = {};
  for (const kind of ['software', 'hardware'] as const)
    await asTuned(kind, async () => {
      // Recorded, not run.
      const { recording } = gpu.recorder.record('step', () =>
        scope(() => {
          backward(ops.crossEntropy(model.forward(x, { training: true }), y));
          optimizer.step();
        }),
      );
      const { commands } = fusedPlan(gpu, recording, new Set());
      counts[kind] = commands.filter((c) => c.kind === 'dispatch').length;
      recording.release();
    });
  expect(counts).toEqual(most);
  for (const t of [x, y, optimizer, model]) t.dispose();
});
