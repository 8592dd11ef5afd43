import { describe, expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import { apgd, apgdCheckpoints, pgd, type ApgdOptions, type AttackedModel } from 'evenkeel/attack';
import { Linear, Sequential, Tanh } from 'evenkeel/nn';
import { hostNormal, hostUniform, key, splitKey } from 'evenkeel/random';
import { apgdReference, type Slope } from '../reference/apgd.ts';

const [FEATURES, HIDDEN, CLASSES] = [6, 8, 5];
const W1 = hostUniform(HIDDEN, FEATURES, key(1), { low: -2, high: 2 });
const W2 = hostUniform(CLASSES, HIDDEN, key(2), { low: -2, high: 2 });
const row = (w: Float32Array, i: number, n: number): number[] => Array.from(w.subarray(i * n, (i + 1) * n));
const inner = (a: readonly number[], b: readonly number[]): number => a.reduce((t, v, i) => t + v * b[i]!, 0);

function net(): Sequential {
  const model = Sequential(Linear(FEATURES, HIDDEN), Tanh(), Linear(HIDDEN, CLASSES)).init({ seed: 0 });
  const zeros = (n: number) => ({ data: new Float32Array(n), shape: [n] });
  return model.loadStateDict(
    new Map(
      Object.entries({
        '0.weight': { data: W1, shape: [HIDDEN, FEATURES] },
        '0.bias': zeros(HIDDEN),
        '2.weight': { data: W2, shape: [CLASSES, HIDDEN] },
        '2.bias': zeros(CLASSES),
      }),
    ),
  );
}

/** Cross-entropy of the net in f64. */
const entropyAt =
  (label: number): Slope =>
  (x) => {
    const h = Array.from({ length: HIDDEN }, (_, i) => Math.tanh(inner(row(W1, i, FEATURES), x)));
    const z = Array.from({ length: CLASSES }, (_, c) => inner(row(W2, c, HIDDEN), h));
    const total = z.reduce((t, v) => t + Math.exp(v), 0);
    const dz = z.map((v, c) => Math.exp(v) / total - Number(c === label));
    const dh = h.map((v, i) => (1 - v * v) * dz.reduce((t, d, c) => t + d * W2[c * HIDDEN + i]!, 0));
    return {
      loss: Math.log(total) - z[label]!,
      fooled: z.some((v) => v > z[label]!),
      slope: x.map((_, f) => dh.reduce((t, d, i) => t + d * W1[i * FEATURES + f]!, 0)),
    };
  };

const N = 12;
const POINTS = hostUniform(N, FEATURES, key(3));
const LABELS = Array.from({ length: N }, (_, i) => {
  const losses = Array.from({ length: CLASSES }, (_, c) => entropyAt(c)(row(POINTS, i, FEATURES)).loss);
  return losses.indexOf(Math.min(...losses));
});

async function attacked(
  options: ApgdOptions,
  model: AttackedModel | null = null,
  run: typeof apgd | typeof pgd = apgd,
): Promise<Float32Array> {
  using own = net();
  const [x, y] = [tensor(POINTS, { shape: [N, FEATURES] }), tensor(LABELS, { dtype: 'i32' })];
  const found = await run(model ?? own, x, y, options as never);
  const values = await found.read();
  for (const t of [x, y, found]) t.dispose();
  return values;
}
const losses = (points: Float32Array): number[] =>
  LABELS.map((label, i) => entropyAt(label)(row(points, i, FEATURES)).loss);

test('checkpoints', () => {
  expect(apgdCheckpoints(100)).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
  expect(apgdCheckpoints(100, 'code')).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
  expect(apgdCheckpoints(20)).toEqual([5, 9, 12, 14, 16, 18, 19, 20]);
  expect(apgdCheckpoints(20, 'code')).toEqual([4, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
});

test.each([
  ['linf', 'paper', 0.3],
  ['linf', 'code', 0.15],
  ['l2', 'paper', 0.5],
  ['l2', 'code', 0.3],
] as const)('%s by the %s: the f64 reference, from the same start', async (norm, rule, eps) => {
  const steps = 25;
  const from = splitKey(splitKey(key(4), 102), 0);
  const starts = norm === 'linf' ? hostUniform(N, FEATURES, from, { low: -1, high: 1 }) : hostNormal(N, FEATURES, from);
  const found = await attacked({ eps, norm, rule, steps, seed: 4 });
  const got = losses(found);
  LABELS.forEach((label, i) => {
    const x = row(POINTS, i, FEATURES);
    const direction = row(starts, i, FEATURES);
    const scale = norm === 'linf' ? Math.max(...direction.map(Math.abs)) : Math.hypot(...direction);
    const start = direction.map((v, f) => Math.min(1, Math.max(0, x[f]! + (eps * v) / scale)));
    const want = apgdReference(entropyAt(label), { x, start, eps, norm, clip: [0, 1], steps, rule });
    expect(
      Math.abs(got[i]! - want.bestLoss),
      `sample ${i}: loss ${got[i]}, expected ${want.bestLoss}`,
    ).toBeLessThanOrEqual(2e-5 * Math.max(1, want.bestLoss));
  });
});

describe('what it promises', () => {
  test.each(['ce', 'dlr', 'ce-targeted', 'dlr-targeted'] as const)(
    '%s: points in the ball and the box, seeds repeat',
    async (loss) => {
      for (const norm of ['linf', 'l2'] as const) {
        const [a, b] = [
          await attacked({ eps: 0.2, norm, loss, steps: 12, seed: 2 }),
          await attacked({ eps: 0.2, norm, loss, steps: 12, seed: 2 }),
        ];
        expect(a).toEqual(b);
        LABELS.forEach((_, i) => {
          const d = row(a, i, FEATURES).map((v, f) => v - POINTS[i * FEATURES + f]!);
          expect(norm === 'l2' ? Math.hypot(...d) : Math.max(...d.map(Math.abs))).toBeLessThanOrEqual(0.2 + 1e-6);
        });
        expect(a.every((v) => v >= 0 && v <= 1)).toBe(true);
      }
    },
  );

  test('loss never below that of x, more restarts never lower it, a radius of 0 changes nothing', async () => {
    const clean = losses(POINTS);
    const one = losses(await attacked({ eps: 0.2, steps: 10 }));
    const three = losses(await attacked({ eps: 0.2, steps: 10, restarts: 3 }));
    // A misclassified point is kept even below a larger loss, but here both agree up to f32.
    clean.forEach((v, i) => {
      expect(one[i]!).toBeGreaterThanOrEqual(v - 1e-6);
      expect(three[i]!).toBeGreaterThanOrEqual(one[i]! - 1e-6);
    });
    expect(await attacked({ eps: 0 })).toEqual(POINTS);
  });

  test('no weaker than PGD on average, with as many steps; a longer run no weaker than a short one', async () => {
    const mean = (v: number[]): number => v.reduce((a, b) => a + b) / v.length;
    for (const norm of ['linf', 'l2'] as const) {
      const own = mean(losses(await attacked({ eps: 0.25, norm, steps: 30 })));
      expect(own).toBeGreaterThanOrEqual(
        mean(losses(await attacked({ eps: 0.25, norm, steps: 30 }, null, pgd))) - 1e-4,
      );
      expect(own).toBeGreaterThanOrEqual(mean(losses(await attacked({ eps: 0.25, norm, steps: 5 }))) - 1e-4);
    }
  });

  test('a linear classifier breaks exactly where its margin allows', async () => {
    // Two outputs of three decide: |w_y - w_j|_1 eps (l2: length times eps) against the margin, without the box.
    const w = Float32Array.from([1, -2, 0.5, 0, 1, 1, -1, 1, 0, 0.5, 2, -1, 0, 0, 1, -1, -1, 0.5]);
    using model = Sequential(Linear(6, 3)).init({ seed: 0 });
    model.loadStateDict(
      new Map(
        Object.entries({ '0.weight': { data: w, shape: [3, 6] }, '0.bias': { data: new Float32Array(3), shape: [3] } }),
      ),
    );
    for (const norm of ['linf', 'l2'] as const) {
      for (const loss of ['ce', 'ce-targeted'] as const) {
        const x = hostUniform(60, 6, key(9), { low: -1, high: 1 });
        const z = (p: readonly number[]): number[] => [0, 1, 2].map((c) => inner(row(w, c, 6), p));
        const top = (p: readonly number[]): number => z(p).indexOf(Math.max(...z(p)));
        const labels = Array.from({ length: 60 }, (_, i) => top(row(x, i, 6)));
        const eps = 0.2;
        const [points, y] = [tensor(x, { shape: [60, 6] }), tensor(labels, { dtype: 'i32' })];
        const found = await apgd(model, points, y, { eps, norm, loss, clip: null, steps: 40 });
        const got = await found.read();
        let broken = 0;
        labels.forEach((label, i) => {
          const p = row(x, i, 6);
          const radius = Math.min(
            ...[0, 1, 2]
              .filter((c) => c !== label)
              .map((c) => {
                const d = row(w, label, 6).map((v, f) => v - w[c * 6 + f]!);
                return (
                  (z(p)[label]! - z(p)[c]!) /
                  (norm === 'linf' ? d.reduce((t, v) => t + Math.abs(v), 0) : Math.hypot(...d))
                );
              }),
          );
          if (Math.abs(radius - eps) > 1e-3)
            expect(top(row(got, i, 6)) !== label, `${norm} ${loss}, sample ${i}, radius ${radius}`).toBe(radius < eps);
          broken += Number(radius < eps);
        });
        expect(broken).toBeGreaterThan(10);
        expect(broken).toBeLessThan(50);
        for (const t of [points, y, found]) t.dispose();
      }
    }
  });

  test('nothing is read back but the labels and flags; errors', async () => {
    using model = net();
    const [x, y] = [tensor(POINTS, { shape: [N, FEATURES] }), tensor(LABELS, { dtype: 'i32' })];
    const before = x.gpu.counters.reads;
    (await apgd(model, x, y, { eps: 0.1, steps: 9 })).dispose();
    expect(x.gpu.counters.reads).toBe(before + 2);
    await expect(apgd(model, x, y, { eps: 0.1, clip: [-2, -1] })).rejects.toThrow(
      `apgd: x is ${POINTS[0]} in row 0, outside the box [-2,-1]; give clip in the units of the model's input`,
    );
    await expect(apgd(model, x, y, { eps: -1 })).rejects.toThrow('apgd: eps is -1, expected a finite number >= 0');
    await expect(apgd(model, x, y, { eps: 1, clip: [1, 0] })).rejects.toThrow(
      'apgd: clip is [1,0], expected two finite numbers, the lower one first',
    );
    await expect(apgd(model, x, y, { eps: 1, steps: 0 })).rejects.toThrow(
      'apgd: steps is 0, expected a positive integer',
    );
    await expect(apgd(model, x, y, { eps: 1, loss: 'ce-targeted', targetRanks: [5] })).rejects.toThrow(
      'apgd: targetRanks has 5, expected integers in 1..4 for 5 classes',
    );
    await expect(apgd(model, x, y, { eps: 1, signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    const few = scope(() => tensor([0, 1], { dtype: 'i32' }));
    await expect(apgd(model, x, few, { eps: 1 })).rejects.toThrow('apgd: labels has shape [2], expected [12]');
    for (const t of [x, y, few] as Tensor[]) t.dispose();
  });
});
