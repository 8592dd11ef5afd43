import type { Tensor } from '../tensor/tensor.ts';
import { clamp, exp, plain, square, unary } from './unary.ts';
import { mul } from './binary.ts';

/**
 * The x with Phi(x) = p, for probabilities p: -12.9 at 0 and 5.3 at 1, where exactly it is infinite; NaN of NaN.
 * Gradient dy sqrt(2 pi) e^(x^2 / 2). Take -normalQuantile(1 - p) with 1 - p at hand where p is near 1.
 */
export const ndtri: (p: Tensor) => Tensor = plain(
  unary(
    'ndtri',
    'orNan(normalQuantileOf(x), x)',
    (dy, _p, y) => mul(dy, mul(exp(mul(clamp(square(y), 0, 168), 0.5)), Math.sqrt(2 * Math.PI))),
    'orNan(2.5066283 * exp(min(0.5 * y * y, 84.0)), y)',
  ),
);
