import { describe, expect, test } from 'vitest';
import { NdArray } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { key } from 'evenkeel/random';
import type { Gaussians } from 'evenkeel/stats';
import { drawGaussians, enrich } from 'evenkeel/train';

const COVARIANCE = [2, 0.6, -0.4, 0.6, 1, 0.3, -0.4, 0.3, 0.5];
const gaussians: Gaussians = {
  width: 3,
  means: Float64Array.of(1, -2, 3, 0, 0, 0),
  covariances: Float64Array.of(...COVARIANCE, 1, 0, 0, 0, 1, 0, 0, 0, 1),
};

describe('drawGaussians', () => {
  test('means and covariances of the draws', async () => {
    const n = 20_000;
    const { x, factorings } = drawGaussians(gaussians, [n, 5], key(1));
    expect(x.shape).toEqual([n + 5, 3]);
    expect(factorings).toEqual([
      { jitter: 0, isDiagonal: false },
      { jitter: 0, isDiagonal: false },
    ]);
    const rows = await x.read();
    x.dispose();
    const mean = [0, 1, 2].map(
      (i) => Array.from({ length: n }, (_, r) => rows[3 * r + i]!).reduce((a, b) => a + b) / n,
    );
    // Five standard errors.
    mean.forEach((m, i) =>
      expect(Math.abs(m - gaussians.means[i]!)).toBeLessThan(5 * Math.sqrt(COVARIANCE[4 * i]! / n)),
    );
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        let sum = 0;
        for (let r = 0; r < n; r++) sum += (rows[3 * r + i]! - mean[i]!) * (rows[3 * r + j]! - mean[j]!);
        const want = COVARIANCE[3 * i + j]!;
        expect(Math.abs(sum / (n - 1) - want)).toBeLessThan(
          5 * Math.sqrt((want ** 2 + COVARIANCE[4 * i]! * COVARIANCE[4 * j]!) / n),
        );
      }
    }
  });

  test('a singular covariance gets jitter, an indefinite one its diagonal, and the result says so', async () => {
    const singular = [1, 1, 1, 1];
    const indefinite = [1, 4, 4, 1];
    const { x, factorings } = drawGaussians(
      { width: 2, means: new Float64Array(4), covariances: Float64Array.of(...singular, ...indefinite) },
      [50, 50],
      key(2),
    );
    expect(factorings).toEqual([
      { jitter: 1e-6, isDiagonal: false },
      { jitter: 0, isDiagonal: true },
    ]);
    const rows = await x.read();
    x.dispose();
    for (let r = 0; r < 50; r++) expect(Math.abs(rows[2 * r]! - rows[2 * r + 1]!)).toBeLessThan(0.02);
    expect(rows.every(Number.isFinite)).toBe(true);
  });

  test('nothing to draw; clipped at 0; the same key, the same draws', async () => {
    const none = drawGaussians(gaussians, [0, 0], key(3));
    expect(none.x.shape).toEqual([0, 3]);
    none.x.dispose();
    const read = async (clip: boolean): Promise<Float32Array> => {
      const { x } = drawGaussians(gaussians, [3, 40], key(3), { nonNegative: clip });
      const rows = (await x.read()) as Float32Array;
      x.dispose();
      return rows;
    };
    const plain = await read(false);
    expect(await read(false)).toEqual(plain);
    expect(await read(true)).toEqual(plain.map((v) => Math.max(0, v)));
    expect(plain.some((v) => v < 0)).toBe(true);
  });

  test('errors', () => {
    expect(() => drawGaussians(gaussians, [1], key(0))).toThrow(
      'drawGaussians: got 1 counts, expected 2, one for each Gaussian',
    );
    expect(() => drawGaussians(gaussians, [1, -1], key(0))).toThrow(
      'drawGaussians: counts[1] is -1, expected an integer >= 0',
    );
    const changed = (list: 'means' | 'covariances', at: number, v: number): Gaussians => ({
      ...gaussians,
      [list]: gaussians[list].map((w, i) => (i === at ? v : w)),
    });
    expect(() => drawGaussians(changed('covariances', 4, -1), [1, 1], key(0))).toThrow(
      'drawGaussians: covariance [1, 1] of Gaussian 0 is -1, expected a finite number >= 0',
    );
    expect(() => drawGaussians(changed('covariances', 17, NaN), [1, 1], key(0))).toThrow(
      'drawGaussians: covariance [2, 2] of Gaussian 1 is NaN, expected a finite number >= 0',
    );
    expect(() => drawGaussians(changed('covariances', 10, Infinity), [1, 1], key(0))).toThrow(
      'drawGaussians: covariance [0, 1] of Gaussian 1 is Infinity, expected a finite number',
    );
    expect(() => drawGaussians(changed('means', 5, NaN), [1, 1], key(0))).toThrow(
      'drawGaussians: mean 2 of Gaussian 1 is NaN, expected a finite number',
    );
    expect(() => drawGaussians({ ...gaussians, covariances: new Float64Array(9) }, [1, 1], key(0))).toThrow(
      'drawGaussians: got 9 entries of covariances, expected 18, 3 x 3 for each Gaussian',
    );
  });
});

describe('enrich', () => {
  const features = makeDataset(
    new NdArray(
      Float32Array.from({ length: 27 }, (_, i) => i),
      [9, 3],
    ),
    [0, 0, 0, 0, 0, 0, 1, 2, 2],
    { numClasses: 3 },
  );
  const three: Gaussians = {
    width: 3,
    means: new Float64Array(9),
    covariances: Float64Array.of(...COVARIANCE, ...COVARIANCE, ...COVARIANCE),
  };

  test('classes have as many samples as the largest, the real ones first', async () => {
    const { data, counts, factorings } = await enrich(features, three, [1, 2, 1]);
    expect(data.classCounts).toEqual([6, 6, 6]);
    expect(counts[1]).toBe(4);
    expect([counts[0], counts[2]].sort()).toEqual([2, 3]);
    expect(factorings.length).toBe(3);
    expect(data.x.data.slice(0, 27)).toEqual(features.x.data);
    expect(Array.from(data.y.slice(0, 9))).toEqual(Array.from(features.y));
  });

  test('a target, which classes above it do not care for', async () => {
    expect((await enrich(features, three, [1, 2, 1], { target: 3, seed: 1 })).data.classCounts).toEqual([6, 3, 3]);
    expect((await enrich(features, three, [1, 2, 1], { target: 0 })).data.classCounts).toEqual([6, 1, 2]);
  });

  test('errors', async () => {
    await expect(enrich(features, gaussians, [1])).rejects.toThrow(
      'drawGaussians: got 1 counts, expected 2, one for each Gaussian',
    );
    await expect(enrich(features, three, [1, 2, 3])).rejects.toThrow(
      'enrich: classes[2] is 3, expected an integer in 0..2',
    );
    await expect(enrich(features, { ...three, width: 9 }, [1])).rejects.toThrow(
      'enrich: features have shape [9,3], expected (n, 9) as the Gaussians',
    );
    await expect(enrich(features, three, [1, 2, 1], { target: 1.5 })).rejects.toThrow(
      'enrich: target is 1.5, expected an integer >= 0',
    );
  });
});
