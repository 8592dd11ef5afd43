import { describe, expect, test } from 'vitest';
import { backward, requireGrad, tensor } from 'evenkeel';
import { alphaLoss, clipLogits, crossEntropyLoss, gce, logitClip, mae, type Loss } from 'evenkeel/losses';
import { hostNormal, hostUniform, key } from 'evenkeel/random';
import { CLIP_BOUNDS } from '../support/clip-bounds.ts';
import { readAll, takeGrad } from '../support/check-op.ts';

const K = 10;
const ROWS = 400;

/**
 * Random logits whose scales spread from 0.01 to 100, and the two extremes of the bounds: one class alone up, one alone
 * down.
 */
const logits = (() => {
  const [z, u] = [hostNormal(1, ROWS * K, key(1)), hostUniform(1, ROWS, key(2))];
  const x = Float32Array.from(z, (v, i) => v * 10 ** (4 * u[Math.floor(i / K)]! - 2));
  for (const [row, sign] of [
    [0, 1],
    [1, -1],
  ] as const)
    for (let k = 0; k < K; k++) x[row * K + k] = sign * (k === 0 ? 9 : -1) * 5;
  return x;
})();

/** Losses of each row for label k in all rows, and their gradient. */
async function evaluate(
  loss: Loss,
  label: number,
  x: Float32Array = logits,
): Promise<{ values: Float32Array; grad: Float32Array }> {
  const rows = x.length / K;
  const [values, grad] = await readAll(() => {
    const leaf = requireGrad(tensor(x, { shape: [rows, K] }));
    const labels = new Array<number>(rows).fill(label);
    const each = loss(leaf, labels, { reduction: 'none' });
    backward(loss(leaf, labels, { reduction: 'sum' }));
    return [each, takeGrad(leaf)];
  });
  loss.dispose();
  return { values: (values as Float32Array).map((v) => v + 0), grad: (grad as Float32Array).map((v) => v + 0) };
}

const norm = (row: Float32Array, p: number): number =>
  p === Infinity ? Math.max(...row.map(Math.abs)) : row.reduce((s, v) => s + Math.abs(v) ** p, 0) ** (1 / p);
const rowOf = (x: Float32Array, r: number): Float32Array => x.subarray(r * K, (r + 1) * K);

describe(
  'bounds of clipped cross-entropy: log(1 + (K - 1) exp(-+D)), D = tau (1 + (K - 1)^(-1 / (p - 1)))^((p - 1) / ' + 'p)',
  () => {
    test.each(CLIP_BOUNDS)('p = %f, tau = %f', async (p, tau, low, high) => {
      const d = p === 2 ? tau * Math.sqrt(K / (K - 1)) : 2 * tau;
      expect(Math.log1p((K - 1) * Math.exp(-d))).toBeCloseTo(low, 5);
      expect(Math.log1p((K - 1) * Math.exp(d))).toBeCloseTo(high, 5);
      const { values } = await evaluate(logitClip(crossEntropyLoss(), { tau, p }), 0);
      for (const v of values) expect(v >= low - 2e-5 && v <= high + 2e-5).toBe(true);
      // The extremes of p = 2 are reached: one class up, or down, and the others equal.
      if (p === 2)
        expect([Math.abs(values[0]! - low) < 2e-5, Math.abs(values[1]! - high) < 2e-5]).toEqual([true, true]);
    });

    test.each([
      [0.5, 23.16971],
      [1, 23.685519],
      [2, 26.360242],
      [5, 47.88649],
    ])('summed over classes it is nearly constant: tau = %f', async (tau, high) => {
      const sums = new Float64Array(ROWS);
      for (let k = 0; k < K; k++)
        (await evaluate(logitClip(crossEntropyLoss(), { tau }), k)).values.forEach((v, r) => {
          sums[r]! += v;
        });
      for (const s of sums) expect(s >= K * Math.log(K) - 1e-4 && s <= high + 1e-4).toBe(true);
      expect(Math.abs(sums[0]! - high)).toBeLessThan(1e-4);
    });

    test('tau to 0: log K, and a gradient of the order tau / norm', async () => {
      const { values, grad } = await evaluate(logitClip(crossEntropyLoss(), { tau: 1e-3 }), 3);
      for (const [r, v] of values.entries()) {
        expect(Math.abs(v - Math.log(K))).toBeLessThan(2e-3);
        const n = norm(rowOf(logits, r), 2);
        if (n > 1e-3) expect(norm(rowOf(grad, r), 2)).toBeLessThanOrEqual((1.01 * 1e-3) / n);
      }
    });
  },
);

test.each([1, 2, 3, Infinity])(
  'the largest logit stays the largest; the value is continuous at the threshold: p = %f',
  async (p) => {
    const largest = (x: Float32Array, r: number): number => rowOf(x, r).indexOf(Math.max(...rowOf(x, r)));
    for (const options of [{ p }, { p, compat: 'released-code' as const }]) {
      const [clipped] = await readAll(() => [clipLogits(tensor(logits, { shape: [ROWS, K] }), 1.5, options)]);
      for (let r = 0; r < ROWS; r++) expect(largest(clipped!, r)).toBe(largest(logits, r));
    }
    const z = rowOf(logits, 5).map((v) => v / norm(rowOf(logits, 5), p));
    const at = async (scale: number): Promise<number> =>
      (
        await evaluate(
          logitClip(crossEntropyLoss(), { tau: 2, p }),
          1,
          z.map((v) => v * scale),
        )
      ).values[0]!;
    expect(await at(2 * (1 - 1e-4))).toBeCloseTo(await at(2 * (1 + 1e-4)), 3);
    expect(await at(2 * (1 + 1e-4))).toBeCloseTo(await at(9), 5);
  },
);

describe.each([
  ['cross-entropy', crossEntropyLoss],
  ['gce', () => gce({ q: 0.7 })],
  ['mae', mae],
  ['alpha-loss', () => alphaLoss({ alpha: 2 })],
] as const)('identities with %s', (_, base) => {
  test('tau = infinity is the base loss, value and gradient, but for the sign of zeros', async () => {
    expect(await evaluate(logitClip(base(), { tau: Infinity }), 2)).toEqual(await evaluate(base(), 2));
  });

  test.each([1, 2, 3, Infinity])(
    'clipping twice is clipping once, scale does not count above the norm, the gradient is orthogonal to ' +
      'clipped logits: p = %f',
    async (p) => {
      const tau = 1.5;
      const once = await evaluate(logitClip(base(), { tau, p }), 4);
      const twice = await evaluate(logitClip(logitClip(base(), { tau, p }), { tau, p }), 4);
      const scaled = await evaluate(
        logitClip(base(), { tau, p }),
        4,
        logits.map((v) => 3 * v),
      );
      for (let r = 0; r < ROWS; r++) {
        expect(Math.abs(twice.values[r]! - once.values[r]!)).toBeLessThan(5e-6 * (1 + Math.abs(once.values[r]!)));
        const [z, g] = [rowOf(logits, r), rowOf(once.grad, r)];
        if (norm(z, p) < tau * 1.001) continue;
        expect(Math.abs(scaled.values[r]! - once.values[r]!)).toBeLessThan(5e-6 * (1 + Math.abs(once.values[r]!)));
        const inner = z.reduce((s, v, k) => s + v * g[k]!, 0);
        expect(Math.abs(inner)).toBeLessThan(2e-5 * (norm(z, 2) * norm(g, 2) + 1e-6) + 1e-7 * tau);
      }
    },
  );
});
