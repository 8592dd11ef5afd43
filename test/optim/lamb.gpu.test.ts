import { expect, test } from 'vitest';
import { lamb } from 'evenkeel/optim';
import { Arena } from '../../src/nn/arena.ts';
import { lambStep, type LambMoments } from '../reference/lamb.ts';
import { poison } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';

// Sizes around vectors of four and blocks of 64; a parameter of zeros, whose ratio is 1; one with gradient zero.
const shapes: [name: string, shape: number[]][] = [
  ['a', [31]],
  ['b', [257, 33]],
  ['c', []],
  ['zeros', [65]],
  ['still', [64]],
  ['d', [2, 3, 4]],
  ['e', [1021]],
];

test.each([0, 0.1])(
  '20 steps as the f64 reference, weight decay %d: a trust ratio for each parameter',
  async (weightDecay) => {
    const options = { lr: 0.02, betas: [0.9, 0.99] as const, eps: 1e-6, weightDecay };
    const values = new Map(
      shapes.map(([name, shape], i) => [
        name,
        sample(shape, { seed: i + 1 }).data.map((v) => (name === 'zeros' ? 0 : v)),
      ]),
    );
    poison([4096, 65536]);
    const arena = new Arena(
      gpu,
      new Map(shapes.map(([name, shape]) => [name, { shape, data: Float32Array.from(values.get(name)!) }])),
    );
    const state = lamb(options).for(arena);
    const want = new Map([...values].map(([name, v]) => [name, Array.from(v)]));
    const moments = new Map(shapes.map(([name]): [string, LambMoments] => [name, { m: [], v: [] }]));
    for (let t = 1; t <= 20; t++) {
      shapes.forEach(([name, shape], i) => {
        const g = sample(shape, { seed: 100 * t + i }).data.map((v) => (name === 'still' ? 0 : v));
        arena.parameters.get(name)!.home!.grad.write(g);
        want.set(name, lambStep(want.get(name)!, Array.from(g), moments.get(name)!, t, options));
      });
      state.step();
    }
    for (const [name, p] of arena.parameters) {
      const got = await p.read();
      // 20 steps, each a few roundings of values of order 1 and a ratio of sums of up to 8,481 squares.
      want
        .get(name)!
        .forEach((w, i) =>
          expect(Math.abs(got[i]! - w), `${name}[${i}]`).toBeLessThanOrEqual(2e-5 * Math.abs(w) + 2e-5),
        );
    }
    if (weightDecay === 0)
      expect(await arena.parameters.get('still')!.read()).toEqual(Float32Array.from(values.get('still')!));
    for (const t of [state, arena]) t.dispose();
  },
);
