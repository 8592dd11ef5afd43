import { describe, expect, test } from 'vitest';
import { tensor } from 'evenkeel';
import { clipGradNorm, clipGradValue, sgd } from 'evenkeel/optim';
import { poison } from '../support/check-op.ts';
import '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { U } from '../support/tolerance.ts';

/** Clips gradients by norm; the gradients and the norm. */
async function byNorm(
  gradients: ArrayLike<number>,
  maxNorm: number,
  normType: number,
): Promise<{ grads: Float32Array; norm: number }> {
  poison([gradients.length * 4]);
  const [grads, values] = [tensor(gradients), tensor(new Float32Array(gradients.length))];
  const state = clipGradNorm(sgd({ lr: 0 }), { maxNorm, normType }).for({ values, grads });
  state.step();
  const out = { grads: await grads.read(), norm: await state.totalNorm.item() };
  for (const t of [state, grads, values]) t.dispose();
  return out;
}

const norms: Record<number, (g: readonly number[]) => number> = {
  1: (g) => g.reduce((t, v) => t + Math.abs(v), 0),
  2: (g) => Math.sqrt(g.reduce((t, v) => t + v * v, 0)),
  [Infinity]: (g) => g.reduce((t, v) => Math.max(t, Math.abs(v)), 0),
};

describe.each([1, 2, Infinity])('clipGradNorm of order %d', (type) => {
  test.each([4, 32, 124, 256, 1028, 66_000, 1_000_000])('%d elements as the f64 norm', async (size) => {
    const g = Array.from(sample([size], { seed: size }).data);
    const want = norms[type]!(g);
    const { grads, norm } = await byNorm(g, want / 3, type);
    // A part folds sqrt(quads) terms, and the parts are as many; plus the lanes, the square and the root.
    const bound = type === Infinity ? 0 : (2 * Math.sqrt(size / 4) + 8) * U;
    expect(Math.abs(norm - want)).toBeLessThanOrEqual(bound * want);
    const factor = want / 3 / (want + 1e-6);
    const off = g.findIndex(
      (v, i) => Math.abs(grads[i]! - v * factor) > (bound + 8 * U) * Math.abs(v * factor) + 1e-38,
    );
    expect(off).toBe(-1);
  });

  test('a smaller norm leaves the gradients bit for bit', async () => {
    const g = Float32Array.from(sample([257 * 4], { seed: 9 }).data);
    expect((await byNorm(g, 1e9, type)).grads).toEqual(g);
  });

  test('zeros stay zeros, and so does a NaN: it makes every gradient NaN', async () => {
    expect((await byNorm([0, 0, 0, 0], 1, type)).grads).toEqual(new Float32Array(4));
    const { grads } = await byNorm([1, NaN, -2, 0, 5, 0, 0, 3], 1, type);
    expect(grads.every(Number.isNaN)).toBe(true);
  });
});

test('clipGradValue: limits, inside, and NaN', async () => {
  const [grads, values] = [tensor([0.5, -0.5, 0.7, -3e38, NaN, 0, 0.3, -0.2]), tensor(new Float32Array(8))];
  const state = clipGradValue(sgd({ lr: 0 }), { clipValue: 0.5 }).for({ values, grads });
  state.step();
  expect(await grads.read()).toEqual(Float32Array.from([0.5, -0.5, 0.5, -0.5, NaN, 0, 0.3, -0.2]));
  for (const t of [state, grads, values]) t.dispose();
});

test('wrappers add up: value first, then norm', async () => {
  const [grads, values] = [tensor([10, -10, 0.1, 0]), tensor(new Float32Array(4))];
  const optimizer = clipGradValue(clipGradNorm(sgd({ lr: 1 }), { maxNorm: 1 }), { clipValue: 1 });
  expect([optimizer.name, optimizer.lr]).toEqual(['sgd', 1]);
  const state = optimizer.for({ values, grads });
  state.lr = 1;
  state.step();
  const norm = Math.sqrt(2.01) + 1e-6;
  const got = await values.read();
  [-1 / norm, 1 / norm, -0.1 / norm, 0].forEach((w, i) => expect(Math.abs(got[i]! - w)).toBeLessThan(1e-6));
  for (const t of [state, grads, values]) t.dispose();
});
