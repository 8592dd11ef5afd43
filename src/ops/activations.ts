import { checkOptions, oneOf } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { add, maskPositive, minimum, mul, sub } from './binary.ts';
import { greater } from './compare.ts';
import { clamp, erf, exp, neg, piecewise, plain, square, unary } from './unary.ts';
import { where } from './where.ts';

/** max(x, 0); gradient 0 at 0. */
export const relu: (x: Tensor) => Tensor = plain(unary('relu', 'reluOf(x)', (dy, _x, y) => maskPositive(dy, y)));

const leaky = piecewise('leakyRelu', 'select(p * x, x, x > 0.0)', 'select(p, 1.0, x > 0.0)');

/** x where x > 0, else negativeSlope * x. Default slope: 0.01. Gradient negativeSlope at 0. */
export function leakyRelu(x: Tensor, options: { negativeSlope?: number } = {}): Tensor {
  expectOptions('leakyRelu', options, ['negativeSlope']);
  const { negativeSlope = 0.01 } = options;
  return leaky(x, negativeSlope);
}

const eluOp = unary(
  'elu',
  'orNan(select(p * expm1Of(min(x, 0.0)), x, x > 0.0), x)',
  (dy, x, _y, p) => where(greater(x, 0), dy, mul(dy, mul(exp(minimum(x, 0)), p))),
  'orNan(select(p * exp(min(x, 0.0)), 1.0, x > 0.0), x)',
);

/**
 * x where x > 0, else alpha (e^x - 1). Default alpha: 1. Gradient alpha at 0. Clevert, Unterthiner, Hochreiter, ICLR
 * 2016.
 */
export function elu(x: Tensor, options: { alpha?: number } = {}): Tensor {
  expectOptions('elu', options, ['alpha']);
  const { alpha = 1 } = options;
  return eluOp(x, alpha);
}

/** 1 / (1 + e^-x). */
export const sigmoid: (x: Tensor) => Tensor = plain(
  unary('sigmoid', 'sigmoidOf(x)', (dy, _x, y) => mul(dy, mul(y, sub(1, y))), 'y * (1.0 - y)'),
);

/** log(1 + e^x), without overflow. */
export const softplus: (x: Tensor) => Tensor = plain(
  unary('softplus', 'softplusOf(x)', (dy, x) => mul(dy, sigmoid(x)), 'sigmoidOf(x)'),
);

/** log(1 / (1 + e^-x)), without overflow. */
export const logSigmoid: (x: Tensor) => Tensor = plain(
  unary('logSigmoid', '-softplusOf(-x)', (dy, x) => mul(dy, sigmoid(neg(x))), 'sigmoidOf(-x)'),
);

/** x sigmoid(x), also called swish. */
export const silu: (x: Tensor) => Tensor = plain(
  unary(
    'silu',
    'siluOf(x)',
    (dy, x) => {
      const s = sigmoid(x);
      // x is held where 1 - s vanishes, so that their product does too.
      return mul(dy, mul(s, add(mul(clamp(x, -88, 88), sub(1, s)), 1)));
    },
    'siluSlope(x)',
  ),
);

const geluErf = unary(
  'gelu',
  'geluOf(x)',
  (dy, x) => {
    const cdf = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
    const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return mul(dy, add(cdf, mul(clamp(x, -20, 20), density)));
  },
  'geluSlope(x)',
);

const geluTanh = unary(
  'gelu',
  'geluTanhOf(x)',
  (dy, whole) => {
    // x sigmoid(v) with v = c (x + k x^3), as 1 + tanh(u) = 2 Sigmoid(2 u); beyond 20 the slope is that of its limit.
    const x = clamp(whole, -20, 20);
    const [c, k] = [2 * Math.sqrt(2 / Math.PI), 0.044715];
    const gate = sigmoid(mul(mul(x, c), add(mul(square(x), k), 1)));
    const slope = mul(add(mul(square(x), 3 * k), 1), c);
    return mul(dy, mul(gate, add(mul(mul(x, slope), sub(1, gate)), 1)));
  },
  'geluTanhSlope(x)',
);

const GELU = { approximate: oneOf('none', 'tanh') } as const;

/**
 * x P[N(0, 1) <= x], by the error function, or with `approximate: 'tanh'`
 * x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2. Default: 'none', as in PyTorch. Hendrycks and Gimpel, 2016.
 */
export function gelu(x: Tensor, options: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  checkOptions('gelu', options, GELU);
  const { approximate = 'none' } = options;
  return approximate === 'tanh' ? geluTanh(x) : geluErf(x);
}

const hardtanhOp = piecewise('hardtanh', 'clampOf(x, p, q)', 'select(0.0, 1.0, (x > p && x < q) || isNan(x))');

/** x limited to [minVal, maxVal], by default [-1, 1]; gradient 1 inside and 0 at the ends, as in PyTorch. */
export function hardtanh(x: Tensor, options: { minVal?: number; maxVal?: number } = {}): Tensor {
  expectOptions('hardtanh', options, ['minVal', 'maxVal']);
  const { minVal = -1, maxVal = 1 } = options;
  if (!(minVal < maxVal))
    throw new RangeError(`hardtanh: minVal is ${minVal} and maxVal ${maxVal}, expected minVal < maxVal`);
  return hardtanhOp(x, minVal, maxVal);
}
