import type { Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import * as r from './reduce.ts';
import { cumsum } from './cumsum.ts';
import { build, type Dense } from './dense.ts';
import { logsumexp, logsumexpGradient } from './logsumexp.ts';
import { norm, normGradient } from './norm.ts';
import { normalize, normalizeGradient } from './normalize.ts';
import { prod, prodGradient } from './prod.ts';
import { logSoftmax, logSoftmaxGradient, softmax, softmaxGradient } from './softmax.ts';
import { order, sorted, sortedGradient } from './sort.ts';
import { byRow, standardize, standardizeGradient } from './standardize.ts';
import { std, stdGradient, variance, varianceGradient } from './variance.ts';

/** The largest f32. */
export const MOST = 3.4028234663852886e38;
const TINY = 2 ** -140;

/** Rows with what a computation may pass over, -NaN among them once they are f32; see `alone` for longer ones. */
export const ROWS: readonly (readonly number[])[] = [
  [1, 2, -3, 0.5],
  [NaN, 1, 2, 0],
  [1, 2, NaN, -4],
  [0, 3, 1, NaN],
  [NaN, -1, NaN, 5],
  [NaN, NaN, NaN, NaN],
  [Infinity, 1, 2, -3],
  [1, -3, 2, Infinity],
  [-Infinity, 1, 2, 3],
  [1, 2, 3, -Infinity],
  [Infinity, Infinity, 1, 0],
  [Infinity, -Infinity, 0, 1],
  [-Infinity, -Infinity, 5, -Infinity],
  [-Infinity, -Infinity, -Infinity, -Infinity],
  [Infinity, Infinity, Infinity, Infinity],
  [-Infinity, NaN, Infinity, 0],
  [-0, 0, -0, 0],
  [0, 0, -0, -0],
  [TINY, -TINY, 0, TINY],
  [MOST, 1, -2, 0.25],
  [-MOST, 0.25, 1, 2],
  [MOST, -MOST, 1, 0],
];

/** An op along the last axis of (rows, columns), and what it gives in f64. */
export interface RowRule {
  run: (x: Tensor) => Tensor;
  value: (x: Dense) => Dense;
  gradient?: (dy: Dense, x: Dense) => Dense;
  /** Bound on the relative error. Default: 1e-5. */
  error?: number;
  /** Squares or sums of the largest f32 leave the range on the way. */
  overflows?: boolean;
  /** Squares of subnormals vanish, and with them what a gradient is divided by. */
  vanishes?: boolean;
}

const LAST = { axes: [-1] };
const flat = (y: Dense): Dense => ({ shape: y.shape.slice(0, 1), data: y.data });
const kept = (dy: Dense): Dense => ({ shape: [dy.shape[0]!, 1], data: dy.data });
const list = (values: readonly number[]): Dense => build([values.length], (i) => values[i]!);

/** Every op that reduces or rearranges a row. */
export const rules: Record<string, RowRule> = {
  sum: {
    run: (x) => ops.sum(x, LAST),
    value: (x) => flat(r.sum(x, [1])),
    gradient: (dy, x) => r.sumGradient(dy, x, [1]),
    overflows: true,
  },
  mean: {
    run: (x) => ops.mean(x, LAST),
    value: (x) => flat(r.sum(x, [1], 1 / x.shape[1]!)),
    gradient: (dy, x) => r.sumGradient(dy, x, [1], 1 / x.shape[1]!),
    overflows: true,
  },
  max: {
    run: (x) => ops.max(x, LAST),
    value: (x) => flat(r.extreme(x, [1], 1)),
    gradient: (dy, x) => r.extremeGradient(dy, x, [1], 1),
    error: 0,
  },
  min: {
    run: (x) => ops.min(x, LAST),
    value: (x) => flat(r.extreme(x, [1], -1)),
    gradient: (dy, x) => r.extremeGradient(dy, x, [1], -1),
    error: 0,
  },
  argmax: { run: (x) => ops.cast(ops.argmax(x), 'f32'), value: (x) => list(r.arg(x, 1, 1)), error: 0 },
  argmin: { run: (x) => ops.cast(ops.argmin(x), 'f32'), value: (x) => list(r.arg(x, 1, -1)), error: 0 },
  any: { run: (x) => ops.cast(ops.any(x, LAST), 'f32'), value: (x) => flat(r.truth(x, [1], false)) },
  all: { run: (x) => ops.cast(ops.all(x, LAST), 'f32'), value: (x) => flat(r.truth(x, [1], true)) },
  prod: {
    run: (x) => ops.prod(x, LAST),
    value: (x) => flat(prod(x, [1])),
    gradient: (dy, x) => prodGradient(dy, x, [1]),
    overflows: true,
  },
  cumsum: {
    run: (x) => ops.cumsum(x),
    value: (x) => cumsum(x, 1),
    gradient: (dy) => cumsum(dy, 1, { reverse: true }),
    overflows: true,
  },
  logsumexp: {
    run: (x) => ops.logsumexp(x, LAST),
    value: (x) => flat(logsumexp(x, [1])),
    gradient: (dy, x) => logsumexpGradient(dy, x, [1]),
  },
  softmax: { run: (x) => ops.softmax(x), value: (x) => softmax(x, 1), gradient: (dy, x) => softmaxGradient(dy, x, 1) },
  logSoftmax: {
    run: (x) => ops.logSoftmax(x),
    value: (x) => logSoftmax(x, 1),
    gradient: (dy, x) => logSoftmaxGradient(dy, x, 1),
    overflows: true,
  },
  variance: {
    run: (x) => ops.variance(x, LAST),
    value: (x) => flat(variance(x, [1], 1)),
    gradient: (dy, x) => varianceGradient(dy, x, [1], 1),
    overflows: true,
  },
  std: {
    run: (x) => ops.std(x, LAST),
    value: (x) => flat(std(x, [1], 1)),
    gradient: (dy, x) => stdGradient(kept(dy), x, [1], 1),
    overflows: true,
    vanishes: true,
  },
  ...Object.fromEntries(
    [1, 2, 3, 2.5, Infinity].map((p) => [
      `norm ${p}`,
      {
        run: (x) => ops.norm(x, { p, ...LAST }),
        value: (x) => flat(norm(x, [1], p)),
        gradient: (dy, x) => normGradient(dy, x, [1], p),
        // Sums of powers; of p = 1 and infinity there are none.
        overflows: p > 1 && p < Infinity,
        vanishes: p > 1 && p < Infinity,
      } satisfies RowRule,
    ]),
  ),
  normalize: {
    run: (x) => ops.normalize(x),
    value: (x) => normalize(x, 1e-12),
    gradient: (dy, x) => normalizeGradient(dy, x, 1e-12),
    overflows: true,
  },
  sort: {
    run: (x) => ops.sort(x).values,
    value: (x) => sorted(x, 1, false, x.shape[1]!),
    gradient: (dy, x) => sortedGradient(dy, x, 1, false),
    error: 0,
  },
  'sort, descending': {
    run: (x) => ops.sort(x, { descending: true }).values,
    value: (x) => sorted(x, 1, true, x.shape[1]!),
    gradient: (dy, x) => sortedGradient(dy, x, 1, true),
    error: 0,
  },
  argsort: { run: (x) => ops.cast(ops.argsort(x), 'f32'), value: (x) => order(x, 1, false, x.shape[1]!), error: 0 },
  topk: {
    run: (x) => ops.topk(x, { k: 3 }).values,
    value: (x) => sorted(x, 1, true, 3),
    gradient: (dy, x) => sortedGradient(dy, x, 1, true),
    error: 0,
  },
  layerNorm: {
    run: (x) => ops.layerNorm(x),
    value: (x) => standardize(x, null, null, byRow(x.shape, 1), { eps: 1e-5 }),
    gradient: (dy, x) => standardizeGradient(dy, x, null, null, byRow(x.shape, 1), { eps: 1e-5 })[0],
    error: 1e-4,
    overflows: true,
  },
  meanShift: {
    run: (x) =>
      ops.reshape(
        ops.meanShift(ops.reshape(x, [1, ...x.shape]), ops.mul(ops.mean(x, LAST).detach(), 0), { training: true }),
        x.shape,
      ),
    value: (x) => {
      const mean = r.sum(x, [1], 1 / x.shape[1]!);
      return build(x.shape, (i) => x.data[i]! - mean.data[Math.floor(i / x.shape[1]!)]!);
    },
    error: 1e-4,
    overflows: true,
  },
};
