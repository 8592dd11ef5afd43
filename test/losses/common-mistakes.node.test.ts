// Common mistakes of long-tailed learning, as far as host code can make them; the others are in
// common-mistakes.gpu.test.ts.
import { expect, test } from 'vitest';
import { longTail, makeDataset } from '../../src/data/index.ts';
import { cdbTau } from '../../src/losses/long-tail/cdb.ts';
import { classStatistics } from '../../src/stats/class-statistics.ts';
import { ladc, nearestMeans } from '../../src/stats/feature-calibration.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';

test('the dynamic exponent of CDB keeps its factor 2 and its -1', () => {
  const accuracy = [0.9, 0.8, 0.7, 0.6];
  expect(cdbTau(accuracy)).toBeCloseTo(1.23332678, 8);
  const ratio = 0.9 / 0.61;
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  for (const wrong of [sigmoid(ratio - 1), 2 * sigmoid(ratio), sigmoid(ratio)])
    expect(Math.abs(cdbTau(accuracy) - wrong)).toBeGreaterThan(0.3);
  expect(cdbTau(accuracy, { dynamic: 'cifar' })).toBeCloseTo(sigmoid(ratio), 14);
  // Classes that are equally hard leave the difficulties almost as they are.
  expect(Math.abs(cdbTau([0.5, 0.5]) - 1)).toBeLessThan(0.01);
});

test('alpha of a calibrated covariance lies on the diagonal alone', () => {
  const width = 3;
  const rows = Float32Array.from({ length: 20 * width }, (_, i) => Math.sin(1 + i * i));
  const statistics = classStatistics(
    { data: rows, shape: [20, width] },
    Array.from({ length: 20 }, (_, r) => Number(r > 14)),
    2,
  );
  const of = (alpha: number): Float64Array => ladc(statistics, { head: [0], tail: [1], m: 1, alpha }).covariances;
  const [without, ridged] = [of(0), of(0.21)];
  ridged.forEach((v, i) => expect(v - without[i]!).toBeCloseTo(i % (width + 1) === 0 ? 0.21 : 0, 12));
  // Free Lunch does add it everywhere, and says so; its jitter does not.
  const lent = (options: object): Float64Array =>
    nearestMeans(statistics, { data: rows.slice(0, width), shape: [1, width] }, { k: 1, alpha: 0, ...options })
      .covariances;
  lent({ alpha: 0.21 }).forEach((v, i) => expect(v - lent({})[i]!).toBeCloseTo(0.21, 12));
  lent({ jitter: 0.21 }).forEach((v, i) => expect(v - lent({})[i]!).toBeCloseTo(i % (width + 1) === 0 ? 0.21 : 0, 12));
});

test('a long tail has no labels for images that do not exist', () => {
  // As in MNIST, a class holds fewer images than the average that the profile starts from: 21.
  const labels = [...new Array<number>(20).fill(0), ...new Array<number>(5).fill(1), ...new Array<number>(40).fill(2)];
  const images = Float32Array.from(labels, (c, i) => 100 * c + i);
  const tail = longTail(makeDataset(new NdArray(images, [65, 1]), labels), { imbFactor: 1 });
  expect(tail.classCounts).toEqual([20, 5, 21]);
  expect([tail.x.shape[0], tail.y.length]).toEqual([46, 46]);
  Array.from(tail.x.data).forEach((image, i) => expect(labels[image - 100 * tail.y[i]!]).toBe(tail.y[i]));
});
