import type { Dense } from '../reference/dense.ts';

/** Unit roundoff of f32. */
export const U = 2 ** -24;

/** What a bound may depend on: one element of a result. */
export interface Place {
  /** The reference value. */
  want: number;
  /** The sum of the absolute values of its terms; |want| where the reference gives none. */
  sum: number;
  /** Flat position. */
  i: number;
  inputs: readonly Dense[];
  /** The incoming gradient, when the element is one of a gradient. */
  dy?: Dense;
}

/** The largest |gpu - reference| that the class of an op allows. */
export type Tolerance = (at: Place) => number;

/** One unit in the last place of an f32 near `x`, at least the smallest normal number: flushing to zero is allowed. */
export function ulp(x: number): number {
  const e = x === 0 ? -126 : Math.max(-126, Math.floor(Math.log2(Math.abs(x))));
  return Math.max(2 ** (e - 23), 2 ** -126);
}

/** Copies, comparisons, selections. */
export const exact: Tolerance = () => 0;

/** `n` units in the last place: 1 for one sum or product, 2.5 for a division, 5 for a square root. */
export const ulps =
  (n: number): Tolerance =>
  ({ want }) =>
    n * ulp(want);

/** A sum of n terms in any order, each the result of operations that lose `perTerm` u: (n + 3 + perTerm) u S. */
export const summed =
  (n: number, perTerm = 0): Tolerance =>
  ({ sum }) =>
    (n + 3 + perTerm) * U * sum + 2 ** -126;

/** A product of matrices or a convolution with K terms: (K + 4) u S. */
export const products =
  (terms: number): Tolerance =>
  ({ sum }) =>
    (terms + 4) * U * sum + 2 ** -126;

/** WGSL's bound for exp(x): 3 + 2 |x| ULP. */
export const expError = (x: number): number => (3 + 2 * Math.abs(x)) * ulp(Math.exp(x));

/** WGSL's bound for log(x): 3 ULP, absolute 2^-21 in [0.5, 2]. */
export const logError = (x: number): number => (x >= 0.5 && x <= 2 ? 2 ** -21 : 3 * ulp(Math.log(x)));

/** WGSL's bound for pow(x, p) = exp2(p log2 x): the error of the exponent, then that of exp2. */
export function powError(x: number, p: number): number {
  const t = p * Math.log2(Math.abs(x));
  const ofLog = Math.abs(x) >= 0.5 && Math.abs(x) <= 2 ? 2 ** -21 : 3 * ulp(Math.log2(Math.abs(x)));
  const y = Math.abs(x) ** p;
  return Math.LN2 * (Math.abs(p) * ofLog + ulp(t)) * y + (3 + 2 * Math.abs(t)) * ulp(y);
}

/** Relative error of softmax over n elements that lie within `range`: (2 (3 + 2 range) + n + 8) u. */
export const softmaxRelative = (range: number, n: number): number => (2 * (3 + 2 * range) + n + 8) * U;

/** Softmax probabilities. */
export const probabilities =
  (range: number, n: number): Tolerance =>
  ({ sum }) =>
    softmaxRelative(range, n) * sum + 2 ** -126;

/** Log-softmax and cross-entropy: 1e-5 max(1, range), times a factor such as a weight. */
export const logForm =
  (range: number, factor = 1): Tolerance =>
  () =>
    1e-5 * Math.max(1, range) * factor;

/** |gpu - reference| <= atol + rtol |reference|: for golden values and whole programs. */
export const close =
  (rtol: number, atol: number): Tolerance =>
  ({ want }) =>
    atol + rtol * Math.abs(want);
