import { add, mul, sub } from '../ops/binary.ts';
import { isFinite } from '../ops/compare.ts';
import { abs } from '../ops/unary.ts';
import { where } from '../ops/where.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** How far WGSL lets a sum, difference or product of f32 numbers err, relatively: it may round either way. */
export const EPSILON = 2 ** -23;

/** The least normal f32 number, 2^-126: what is smaller in size may be flushed to zero. Bounds add twice that. */
export const TINY = 2 ** -125;

/**
 * Relative error that bounds allow for one sum or difference: its rounding in the layer, in the bounds and in their
 * widening, doubled.
 */
export const SINGLE = 8 * EPSILON;

/**
 * Error allowed to the curves (sigmoid, tanh, softplus, elu, gelu, silu), relatively and absolutely; theirs are below a
 * fifth of it.
 */
export const CURVE = 2 ** -17;

/** The largest f32. */
export const LARGEST = 3.4028234663852886e38;

/** Bounds lower <= x <= upper of each element. */
export interface Interval {
  lower: Tensor;
  upper: Tensor;
}

/**
 * A factor of sum |a_i b_i| that covers the rounding of a sum of n products in any order four times over, with 32
 * operations to spare each time: once in the layer itself, at most twice in its bounds, and once for second-order
 * terms.
 */
export function sumError(n: number): number {
  return 4 * (n + 32) * EPSILON;
}

/**
 * The bounds with -Infinity and Infinity in place of those that are NaN or infinite, so that no later op derives a
 * claim from them.
 */
export function sure({ lower, upper }: Interval): Interval {
  return { lower: sureLower(lower), upper: sureUpper(upper) };
}

/** Lower bounds, -Infinity where they are NaN or infinite. */
export function sureLower(lower: Tensor): Tensor {
  return where(isFinite(lower), lower, -Infinity);
}

/** Upper bounds, Infinity where they are NaN or infinite. */
export function sureUpper(upper: Tensor): Tensor {
  return where(isFinite(upper), upper, Infinity);
}

/** Bounds moved outwards by `relative` of their size and `absolute`. */
export function widen({ lower, upper }: Interval, relative: number, absolute: number | Tensor): Interval {
  const by = (t: Tensor): Tensor | number => (relative === 0 ? absolute : add(mul(abs(t), relative), absolute));
  return { lower: sub(lower, by(lower)), upper: add(upper, by(upper)) };
}
