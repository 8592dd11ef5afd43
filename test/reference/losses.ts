import { accumulator, addTerm, build, count, type Dense } from './dense.ts';

/** A loss of elements: its value, and its derivatives with respect to both arguments. */
export type Elementwise = (x: number, t: number) => readonly [value: number, dx: number, dt: number];

/** How values become one. */
export type Reduction = 'mean' | 'sum' | 'none' | 'batchmean';

/** (x - t)^2. */
export const mse: Elementwise = (x, t) => [(x - t) ** 2, 2 * (x - t), -2 * (x - t)];

/** Parabola below beta, line above. */
export const smoothL1 =
  (beta: number): Elementwise =>
  (x, t) => {
    const d = Math.abs(x - t);
    const slope = d < beta ? (x - t) / beta : Math.sign(x - t);
    return [d < beta ? d ** 2 / (2 * beta) : d - beta / 2, slope, -slope];
  };

/** t (log t - x). */
export const kl: Elementwise = (x, t) => (t > 0 ? [t * (Math.log(t) - x), -t, Math.log(t) + 1 - x] : [0, 0, -x]);

/** e^t (t - x). */
export const klOfLogs: Elementwise = (x, t) => [Math.exp(t) * (t - x), -Math.exp(t), Math.exp(t) * (t - x + 1)];

/** Logistic loss with a factor of the positive term. */
export const logistic =
  (positive: number): Elementwise =>
  (x, t) => {
    const log1pExp = (v: number): number => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));
    const s = 1 / (1 + Math.exp(-x));
    return [
      positive * t * log1pExp(-x) + (1 - t) * log1pExp(x),
      -positive * t * (1 - s) + (1 - t) * s,
      positive * log1pExp(-x) - log1pExp(x),
    ];
  };

const divisor = (shape: readonly number[], reduction: Reduction): number =>
  reduction === 'mean' ? count(shape) : reduction === 'batchmean' ? shape[0]! : 1;

/** The loss of all elements, reduced. */
export function elementwise(f: Elementwise, x: Dense, t: Dense, reduction: Reduction): Dense {
  const values = build(x.shape, (i) => f(x.data[i]!, t.data[i]!)[0]);
  if (reduction === 'none') return values;
  const y = accumulator([]);
  values.data.forEach((v) => addTerm(y, 0, v / divisor(x.shape, reduction)));
  return y;
}

/** Gradients of {@link elementwise} with respect to both arguments. */
export function elementwiseGradient(
  f: Elementwise,
  dy: Dense,
  x: Dense,
  t: Dense,
  reduction: Reduction,
): [Dense, Dense] {
  const factor = (i: number): number =>
    reduction === 'none' ? dy.data[i]! : dy.data[0]! / divisor(x.shape, reduction);
  return [1, 2].map((k) => build(x.shape, (i) => factor(i) * f(x.data[i]!, t.data[i]!)[k]!)) as [Dense, Dense];
}
