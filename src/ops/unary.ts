import { record } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { add, div, mul, neg, sub } from './binary.ts';
import { expectOneOf, NUMERIC, type Numeric } from './element.ts';
import { mapSlope, mapUnary } from './launch/unary.ts';

export { neg };

/** dL/dx of y = f(x) from dy = dL/dy, by ops that have gradients themselves. */
type Gradient = (dy: Tensor, x: Tensor, y: Tensor, p: number, q: number) => Tensor | null;

/**
 * {@link mapUnary} for f32 with its gradient. `slope` is f'(x) as WGSL of `x`, `y`, `p` and `q`: the gradient in one
 * dispatch, for passes that are not differentiated further.
 */
export function unary(
  op: string,
  body: string,
  gradient: Gradient,
  slope?: string,
): (x: Tensor, p?: number, q?: number) => Tensor {
  return (x, p = 0, q = 0) => {
    expectOneOf(x, ['f32'], `${op}: x`);
    const y = mapUnary(op, x, body, 'f32', p, q);
    return record(op, y, [x], {
      gradient: (dy) => [gradient(dy, x, y, p, q)],
      ...(slope && { fused: (dy, into) => [mapSlope(op, { x, y, dy, dx: into.gradient(0) }, slope, p, q)] }),
    });
  };
}

/** {@link unary} for a function of constant pieces of slope, given as WGSL of `x`, `p` and `q`. */
export function piecewise(op: string, body: string, slope: string): (x: Tensor, p?: number, q?: number) => Tensor {
  return unary(op, body, (dy, x, _y, p, q) => mul(dy, mapUnary(`slope of ${op}`, x, slope, 'f32', p, q)), slope);
}

/** A unary op without its scalars. */
export const plain = (f: (x: Tensor) => Tensor): ((x: Tensor) => Tensor) => f;

const step = (op: string): ((x: Tensor) => Tensor) => plain(unary(op, `orNan(${op}(x), x)`, () => null));

const magnitude = piecewise('abs', 'abs(x)', 'signOf(x)');

/** |x|; f32, i32 or u32. Gradient 0 at 0. The least i32 has no positive counterpart and stays. */
export function abs<D extends Numeric>(x: Tensor<D>): Tensor<D> {
  expectOneOf(x, NUMERIC, 'abs: x');
  return x.dtype === 'f32'
    ? (magnitude(x as Tensor) as Tensor<Numeric> as Tensor<D>)
    : mapUnary('abs', x, 'abs(x)', x.dtype);
}

/** -1, 0 or 1. No gradient. */
export const sign: (x: Tensor) => Tensor = step('sign');

/** Largest integer not above x. No gradient. */
export const floor: (x: Tensor) => Tensor = step('floor');

/** Smallest integer not below x. No gradient. */
export const ceil: (x: Tensor) => Tensor = step('ceil');

/** Nearest integer; halves go to the even one. No gradient. */
export const round: (x: Tensor) => Tensor = step('round');

/** x without its fraction. No gradient. */
export const trunc: (x: Tensor) => Tensor = step('trunc');

/** e^x. */
export const exp: (x: Tensor) => Tensor = plain(unary('exp', 'expOf(x)', (dy, _x, y) => mul(dy, y)));

/** e^x - 1, accurate near 0. */
export const expm1: (x: Tensor) => Tensor = plain(unary('expm1', 'expm1Of(x)', (dy, x) => mul(dy, exp(x)), 'expOf(x)'));

/** Natural logarithm; -Infinity at 0, NaN below. */
export const log: (x: Tensor) => Tensor = plain(unary('log', 'logOf(x)', (dy, x) => div(dy, x)));

/** log(1 + x), accurate near 0. */
export const log1p: (x: Tensor) => Tensor = plain(
  unary('log1p', 'log1pOf(x)', (dy, x) => div(dy, add(x, 1)), '1.0 / (1.0 + x)'),
);

/** Square root. */
export const sqrt: (x: Tensor) => Tensor = plain(
  unary('sqrt', 'sqrt(x)', (dy, _x, y) => div(dy, mul(y, 2)), '0.5 / y'),
);

/** 1 / sqrt(x). */
export const rsqrt: (x: Tensor) => Tensor = plain(
  unary('rsqrt', 'inverseSqrt(x)', (dy, x, y) => mul(dy, div(mul(y, -0.5), x)), '-0.5 * y / x'),
);

/** x^2. */
export const square: (x: Tensor) => Tensor = plain(unary('square', 'x * x', (dy, x) => mul(dy, mul(x, 2)), '2.0 * x'));

/** 1 / x. */
export const reciprocal: (x: Tensor) => Tensor = plain(
  unary('reciprocal', '1.0 / x', (dy, _x, y) => neg(mul(dy, square(y))), '-y * y'),
);

/** Sine, x in radians: within 1.2e-7 for every finite x, relatively accurate below pi/4; NaN for infinities. */
export const sin: (x: Tensor) => Tensor = plain(unary('sin', 'sinOf(x)', (dy, x) => mul(dy, cos(x)), 'cosOf(x)'));

/** Cosine, x in radians: within 1.2e-7 for every finite x; NaN for infinities. */
export const cos: (x: Tensor) => Tensor = plain(unary('cos', 'cosOf(x)', (dy, x) => neg(mul(dy, sin(x))), '-sinOf(x)'));

/** Hyperbolic tangent, relatively accurate near 0. */
export const tanh: (x: Tensor) => Tensor = plain(
  unary('tanh', 'tanhOf(x)', (dy, _x, y) => mul(dy, sub(1, square(y))), '1.0 - y * y'),
);

/** Error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x; within 2e-7, relatively accurate near 0. */
export const erf: (x: Tensor) => Tensor = plain(
  unary(
    'erf',
    'orNan(erfOf(x), x)',
    (dy, x) => mul(dy, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI))),
    'orNan(1.1283792 * expNegated(x * x), x)',
  ),
);

const clampOp = piecewise('clamp', 'clampOf(x, p, q)', 'select(0.0, 1.0, x >= p && x <= q && !isNan(x))');

/** x limited to [min, max]; gradient 1 inside and at the ends, as in PyTorch. */
export function clamp(x: Tensor, min: number, max: number): Tensor {
  if (!(min <= max)) throw new RangeError(`clamp: min is ${min} and max ${max}, expected min <= max`);
  return clampOp(x, min, max);
}

const powOp = unary(
  'powScalar',
  'powOf(x, p)',
  (dy, x, _y, p) => mul(dy, p === 0 ? 0 : mul(powScalar(x, p - 1), p)),
  'select(p * powOf(x, p - 1.0), 0.0, p == 0.0)',
);

/** x^p for a number p: NaN where x < 0 unless p is an integer; 1, with gradient 0, for p = 0. */
export function powScalar(x: Tensor, p: number): Tensor {
  if (p === 2) return square(x);
  if (p === 1) return mul(x, 1);
  return powOp(x, p);
}
