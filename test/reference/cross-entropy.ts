import { accumulator, addTerm, type Dense } from './dense.ts';

/** Per-class and per-sample adjustments; see src/ops/cross-entropy.ts. */
export interface Adjustments {
  scale?: readonly number[];
  shift?: readonly number[];
  margin?: readonly number[];
  weight?: readonly number[];
  s?: number;
  sampleWeight?: readonly number[];
  labelSmoothing?: number;
  ignoreIndex?: number;
  reduction?: 'mean' | 'weightedMean' | 'sum' | 'none';
}

/** Values of the rows, the reduced loss and the gradient of the loss (of the plain sum of values with 'none'). */
export interface CrossEntropy {
  values: Float64Array;
  loss: number;
  gradient: Required<Dense>;
  /** Largest magnitude of an adjusted logit, and of a difference of two in one row. */
  magnitude: number;
  range: number;
}

/** Cross-entropy of s (scale z + shift - margin [c = y]), with `dy` a factor of each row's value in the gradient. */
export function crossEntropy(
  z: Dense,
  labels: readonly number[],
  options: Adjustments,
  dy?: readonly number[],
): CrossEntropy {
  const classes = z.shape.at(-1)!;
  const { s = 1, labelSmoothing: eps = 0, ignoreIndex = -100, reduction = 'mean' } = options;
  const of = (list: readonly number[] | undefined, c: number, plain: number): number => list?.[c] ?? plain;
  const values = new Float64Array(labels.length);
  const gradient = accumulator(z.shape);
  let [weights, counted, magnitude, range] = [0, 0, 0, 0];
  const weightOf = (row: number): number => of(options.weight, labels[row]!, 1) * of(options.sampleWeight, row, 1);
  labels.forEach((y, row) => {
    if (y === ignoreIndex) return;
    weights += weightOf(row);
    counted++;
  });
  const divisor = { none: 1, sum: 1, mean: counted, weightedMean: weights }[reduction];
  labels.forEach((y, row) => {
    if (y === ignoreIndex) return;
    const a = Array.from(
      { length: classes },
      (_, c) =>
        s *
        (of(options.scale, c, 1) * z.data[row * classes + c]! +
          of(options.shift, c, 0) -
          (c === y ? of(options.margin, c, 0) : 0)),
    );
    const m = Math.max(...a);
    magnitude = Math.max(magnitude, ...a.map(Math.abs));
    range = Math.max(range, m - Math.min(...a));
    const lse = m + Math.log(a.reduce((t, v) => t + Math.exp(v - m), 0));
    const w = (c: number): number => of(options.weight, c, 1);
    const own = of(options.sampleWeight, row, 1);
    values[row] =
      own * ((1 - eps) * w(y) * (lse - a[y]!) + (eps / classes) * a.reduce((t, v, c) => t + w(c) * (lse - v), 0));
    const total = Array.from({ length: classes }, (_, c) => w(c)).reduce((t, v) => t + v, 0);
    const factor = (own * s * of(dy, row, 1)) / divisor;
    a.forEach((v, c) => {
      const p = Math.exp(v - lse);
      const g = factor * of(options.scale, c, 1);
      const at = row * classes + c;
      addTerm(gradient, at, g * (1 - eps) * w(y) * p);
      if (c === y) addTerm(gradient, at, -g * (1 - eps) * w(y));
      addTerm(gradient, at, (g * eps * p * total) / classes);
      addTerm(gradient, at, (-g * eps * w(c)) / classes);
    });
  });
  return { values, loss: values.reduce((t, v) => t + v, 0) / divisor, gradient, magnitude, range };
}
