import { any, between, checkOptions, integer, oneOf } from '../check/check.ts';
import { key } from '../random/key.ts';
import { hostRandint } from '../random/random.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { toLabels, toRows, type HostLabels, type Matrix } from './matrix.ts';

/** Options of {@link bootstrapInterval}. */
export interface BootstrapOptions {
  /** Coverage asked for, between 0 and 1. Default: 0.95. */
  level?: number;
  /** Default: 1000. */
  resamples?: number;
  /** Default: 0. */
  seed?: number;
  /**
   * 'percentile': quantiles of the resampled values. 'basic': the same mirrored at the value, 2 value - quantile, which
   * also moves against the bias of a metric that grows with noise, such as ECE. Default: 'percentile'.
   */
  method?: 'percentile' | 'basic';
}

/** A metric with its interval. */
export interface ConfidenceInterval {
  /** On the rows as they are. */
  value: number;
  low: number;
  high: number;
}

/**
 * Bootstrap interval of any metric of scores and labels, for example
 * `bootstrapInterval(calibrationError, probs, labels)`: rows are drawn anew with replacement, the metric is computed
 * again, and its quantiles (interpolated) are the interval. Seeded: the same call gives the same numbers. Weights go
 * into the metric: `(p, y) => calibrationError(p, y, { prior: 'balanced' })`. Efron and Tibshirani, 1993. scores:
 * (rows, classes). Throws RangeError on options outside their ranges, and when the metric is NaN on a resample.
 */
export function bootstrapInterval(
  metric: (scores: NdArray<Float64Array>, labels: Int32Array) => number,
  scores: Matrix,
  labels: HostLabels,
  options: BootstrapOptions = {},
): ConfidenceInterval {
  checkOptions('bootstrapInterval', options, {
    level: between(0, 1, '()'),
    resamples: integer(2),
    seed: any,
    method: oneOf('percentile', 'basic'),
  });
  const { level = 0.95, resamples = 1000, seed = 0, method = 'percentile' } = options;
  const { data, rows, classes } = toRows(scores, 'bootstrapInterval: scores');
  const own = toLabels(labels, rows, classes, 'bootstrapInterval: labels');
  const take = (pick: ArrayLike<number> | null): number => {
    const from = (r: number): number => (pick ? pick[r]! : r);
    const x = Float64Array.from(
      { length: rows * classes },
      (_, i) => data[from(Math.floor(i / classes)) * classes + (i % classes)]!,
    );
    return metric(
      new NdArray(x, [rows, classes]),
      Int32Array.from({ length: rows }, (_, r) => own[from(r)]!),
    );
  };
  const value = take(null);
  const root = key(seed);
  const values = Float64Array.from({ length: resamples }, (_, stream) => {
    const again = take(hostRandint(1, rows, root, { high: rows, stream }));
    if (Number.isNaN(again))
      throw new RangeError(
        `bootstrapInterval: the metric is NaN on resample ${stream}, expected a number for every choice of rows`,
      );
    return again;
  }).sort();
  const [low, high] = [(1 - level) / 2, (1 + level) / 2].map((q) => quantile(values, q)) as [number, number];
  return method === 'basic' ? { value, low: 2 * value - high, high: 2 * value - low } : { value, low, high };
}

/** The q-quantile of numbers in rising order, interpolated between neighbours as NumPy does. */
export function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below]! + (at - below) * ((sorted[below + 1] ?? sorted[below]!) - sorted[below]!);
}
