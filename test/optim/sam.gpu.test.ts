import { expect, test } from 'vitest';
import { backward, capture, requireGrad, scope, tensor } from 'evenkeel';
import { mul, powScalar, sum } from 'evenkeel/ops';
import { sam, sgd } from 'evenkeel/optim';
import { crossEntropyLoss } from 'evenkeel/losses';
import { BatchNorm, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { fit, TrainingStep } from 'evenkeel/train';
import { samStep } from '../reference/sam.ts';
import { Arena } from '../../src/nn/arena.ts';
import { expectSameBits, poison } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { clusters } from '../support/synthetic.ts';

test.each([
  [33, false],
  [33, true],
  [257, false],
  [257, true],
])('15 steps on sum c w^4 of %d weights as the f64 reference, adaptive %s', async (size, adaptive) => {
  const c = sample([size], { seed: 2, low: 0.1, high: 0.5 });
  let want = Array.from(sample([size], { seed: 1 }).data);
  poison([size * 4]);
  const arena = new Arena(gpu, new Map([['w', { shape: [size], data: Float32Array.from(want) }]]));
  const w = arena.parameters.get('w')!;
  const coefficients = tensor(c.data);
  const [lr, rho] = [0.05, 0.3];
  const state = sam({ base: sgd({ lr }), rho, adaptive }).for(arena);
  const gradients = (): void => backward(sum(mul(coefficients, powScalar(w, 4))));
  const step = capture(() => {
    gradients();
    state.step(gradients);
  });
  for (let t = 1; t <= 15; t++) {
    if (t > 1) step.run();
    want = samStep(want, (v) => v.map((e, i) => 4 * c.data[i]! * e ** 3), lr, rho, adaptive);
  }
  const got = await w.read();
  want.forEach((v, i) => expect(Math.abs(got[i]! - v), `weight ${i}`).toBeLessThanOrEqual(2e-5 * Math.abs(v) + 2e-6));
  for (const t of [step, state, arena, coefficients]) t.dispose();
});

test('the weights come back bit for bit: with rate 0 nothing moves', async () => {
  const arena = new Arena(
    gpu,
    new Map([['w', { shape: [257], data: Float32Array.from(sample([257], { seed: 5 }).data) }]]),
  );
  const w = arena.parameters.get('w')!;
  const before = await w.read();
  const state = sam({ base: sgd({ lr: 0 }), rho: 2 }).for(arena);
  const gradients = (): void => scope(() => backward(sum(powScalar(requireGrad(w), 4))));
  gradients();
  state.step(() => {
    gradients();
  });
  expectSameBits(await w.read(), before, 'weights');
  for (const t of [state, arena]) t.dispose();
});

test(
  'fit runs the second pass inside the captured step: one submit, ' + 'and the loss reported is that of the first',
  async () => {
    const data = clusters({ n: 256 });
    const make = () => Sequential(Linear(16, 32), ReLU(), Linear(32, 10));
    const losses = async (rho: number): Promise<number[]> => {
      const [model, loss, seen] = [make(), crossEntropyLoss(), [] as number[]];
      await fit(model, data, {
        loss,
        optimizer: sam({ base: sgd({ lr: 0.1, momentum: 0.9 }), rho }),
        epochs: 4,
        onStep: (r) => void seen.push(r.loss),
      });
      for (const t of [model, loss]) t.dispose();
      return seen;
    };
    const [flat, sharp] = [await losses(0), await losses(0.1)];
    expect(sharp[0]).toBe(flat[0]);
    expect(sharp[7]).not.toBe(flat[7]);
    expect(sharp[7]!).toBeLessThan(0.7 * sharp[0]!);

    const model = make().init({ seed: 0 });
    const loss = crossEntropyLoss();
    const of = (optimizer: ReturnType<typeof sgd>): number => {
      const step = new TrainingStep(model, data, { loss, optimizer, batchSize: 128, inputNoise: 0, seed: 0 });
      step.setOrder(Uint32Array.from({ length: 256 }, (_, i) => i));
      step.run(0, 0.01);
      const { submits } = gpu.counters;
      step.run(1, 0.01);
      expect(gpu.counters.submits - submits).toBe(1);
      const { dispatches } = step;
      step.dispose();
      return dispatches;
    };
    const [once, twice] = [of(sgd({ lr: 0.01 })), of(sam({ base: sgd({ lr: 0.01 }) }))];
    // Batch, update and log run once, the passes between them twice; the ascent takes three dispatches.
    expect(twice).toBe(2 * (once - 3) + 3 + 3);
    for (const t of [model, loss]) t.dispose();
  },
);

test('running statistics are those of the first pass', async () => {
  const data = clusters({ n: 64 });
  const statistics = async (optimizer: ReturnType<typeof sgd>): Promise<Float32Array[]> => {
    const [model, loss] = [Sequential(Linear(16, 8), BatchNorm(8), ReLU(), Linear(8, 10)), crossEntropyLoss()];
    await fit(model, data, { loss, optimizer, epochs: 1 });
    const out = await Promise.all([...model.namedBuffers.values()].map((b) => b.read()));
    for (const t of [model, loss]) t.dispose();
    return out as Float32Array[];
  };
  const [plain, sharp] = [
    await statistics(sgd({ lr: 0.1 })),
    await statistics(sam({ base: sgd({ lr: 0.1 }), rho: 1 })),
  ];
  expect(plain.length).toBe(3);
  expect(sharp).toEqual(plain);
});
