import kernel from '../../shaders/unary.wgsl';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import { add, div, greater, maskPositive, mul, sub } from './binary.ts';

type Gradient = (dy: Tensor, x: Tensor, y: Tensor, p: number, q: number) => Tensor | null;

/** y = body(x) elementwise. The WGSL body sees `x` and the scalars `p` and `q`. */
function unary(op: string, body: string, gradient: Gradient): (x: Tensor, p?: number, q?: number) => Tensor {
  return (x, p = 0, q = 0) => {
    expectDType(x, 'f32', `${op}: x`);
    const y = empty(x.shape, { gpu: x.gpu });
    kernel.forward({ size: y.size, p, q }, { x, y }, [y.size], { apply: `return ${body};` });
    return record(op, y, [x], (dy) => [gradient(dy, x, y, p, q)], { composed: true });
  };
}

const only = (f: (x: Tensor) => Tensor): ((x: Tensor) => Tensor) => f;

/** -x. */
export const neg: (x: Tensor) => Tensor = only(unary('neg', '-x', (dy) => neg(dy)));

/** |x|; gradient 0 at 0. */
export const abs: (x: Tensor) => Tensor = only(unary('abs', 'abs(x)', (dy, x) => mul(dy, sign(x))));

/** -1, 0 or 1. No gradient. */
export const sign: (x: Tensor) => Tensor = only(unary('sign', 'sign(x)', () => null));

/** Largest integer not above x. No gradient. */
export const floor: (x: Tensor) => Tensor = only(unary('floor', 'floor(x)', () => null));

/** e^x. */
export const exp: (x: Tensor) => Tensor = only(unary('exp', 'exp(x)', (dy, _x, y) => mul(dy, y)));

/** e^x - 1, accurate near 0. */
export const expm1: (x: Tensor) => Tensor = only(unary('expm1', 'expm1Of(x)', (dy, x) => mul(dy, exp(x))));

/** Natural logarithm. */
export const log: (x: Tensor) => Tensor = only(unary('log', 'log(x)', (dy, x) => div(dy, x)));

/** log(1 + x), accurate near 0. */
export const log1p: (x: Tensor) => Tensor = only(unary('log1p', 'log1pOf(x)', (dy, x) => div(dy, add(x, 1))));

/** Square root. */
export const sqrt: (x: Tensor) => Tensor = only(unary('sqrt', 'sqrt(x)', (dy, _x, y) => div(dy, mul(y, 2))));

/** 1 / sqrt(x). */
export const rsqrt: (x: Tensor) => Tensor = only(unary('rsqrt', 'inverseSqrt(x)', (dy, x, y) => mul(dy, div(mul(y, -0.5), x))));

/** x^2. */
export const square: (x: Tensor) => Tensor = only(unary('square', 'x * x', (dy, x) => mul(dy, mul(x, 2))));

/** 1 / x. */
export const reciprocal: (x: Tensor) => Tensor = only(unary('reciprocal', '1.0 / x', (dy, _x, y) => neg(mul(dy, square(y)))));

/** Sine, x in radians. Accuracy is that of the adapter: up to 5e-4 absolute. */
export const sin: (x: Tensor) => Tensor = only(unary('sin', 'sin(x)', (dy, x) => mul(dy, cos(x))));

/** Cosine, x in radians. Accuracy is that of the adapter: up to 5e-4 absolute. */
export const cos: (x: Tensor) => Tensor = only(unary('cos', 'cos(x)', (dy, x) => neg(mul(dy, sin(x)))));

/** Hyperbolic tangent; the argument is clamped to +-10, where some adapters would give NaN for large ones. */
export const tanh: (x: Tensor) => Tensor = only(unary('tanh', 'tanh(clamp(x, -10.0, 10.0))', (dy, _x, y) => mul(dy, sub(1, square(y)))));

/** 1 / (1 + e^-x). */
export const sigmoid: (x: Tensor) => Tensor = only(unary('sigmoid', '1.0 / (1.0 + exp(clamp(-x, -88.0, 88.0)))', (dy, _x, y) => mul(dy, mul(y, sub(1, y)))));

/** log(1 + e^x), without overflow. */
export const softplus: (x: Tensor) => Tensor = only(unary('softplus', 'max(x, 0.0) + log1pOf(exp(-abs(x)))', (dy, x) => mul(dy, sigmoid(x))));

/** x sigmoid(x). */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));

/** max(x, 0); gradient 0 at 0. */
export const relu: (x: Tensor) => Tensor = only(unary('relu', 'max(x, 0.0)', (dy, _x, y) => maskPositive(dy, y)));

const leaky = unary('leakyRelu', 'select(p * x, x, x > 0.0)', (dy, x, _y, p) => add(mul(dy, p), maskPositive(mul(dy, 1 - p), x)));

/** x where x > 0, else negativeSlope * x. Default slope: 0.01. */
export function leakyRelu(x: Tensor, { negativeSlope = 0.01 }: { negativeSlope?: number } = {}): Tensor {
  return leaky(x, negativeSlope);
}

const clampOp = unary('clamp', 'clamp(x, p, q)', (dy, x, _y, p, q) => mul(dy, sub(1, add(greater(x, q), greater(p, x)))));

/** x limited to [min, max]; gradient 1 inside and at the ends, as in PyTorch. */
export function clamp(x: Tensor, min: number, max: number): Tensor {
  if (!(min <= max)) throw new RangeError(`clamp: min is ${min} and max ${max}, expected min <= max`);
  return clampOp(x, Math.max(min, -3.4e38), Math.min(max, 3.4e38));
}

const powOp = unary(
  'powScalar',
  // The sign of an odd power of a negative base is put back; x^0 = 1 for every x.
  'select(select(1.0, -1.0, x < 0.0 && fract(abs(p) * 0.5) == 0.5) * pow(abs(x), p), 1.0, p == 0.0)',
  (dy, x, _y, p) => (p === 0 ? mul(dy, 0) : mul(dy, mul(powScalar(x, p - 1), p))),
);

/** x^p for a number p; x > 0 unless p is an integer. */
export function powScalar(x: Tensor, p: number): Tensor {
  if (p === 2) return square(x);
  if (p === 1) return mul(x, 1);
  return powOp(x, p);
}
