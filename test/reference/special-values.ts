import type { Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { cdf, clamp, density, elu, geluTanh, hardtanh, leakyRelu, scalars, type Scalar } from './unary.ts';

/** An elementwise op with its value and slope in f64, limits at infinities included; NaN goes through. */
export interface Rule {
  run: (x: Tensor) => Tensor;
  f: (x: number) => number;
  /** Absent: the op has no gradient. */
  df?: (x: number) => number;
  /** Bound on the relative error of a value, in units in the last place. */
  error?: number;
  /** Bound on the absolute error of a slope, where it is one. */
  slopeError?: number;
}

type Name = keyof typeof scalars;
/** Value and slope of a scalar function, but for its limits where the formula gives infinity times zero. */
const rule = (
  name: Name,
  { f, df, ...errors }: { f?: Scalar['f']; df?: Scalar['df'] | null; error?: number; slopeError?: number } = {},
): Rule => ({
  run: ops[name] as Rule['run'],
  f: f ?? scalars[name].f,
  ...(df !== null && { df: df ?? scalars[name].df }),
  ...errors,
});

/** `f` within [-end, end], and its limits beyond; NaN stays. */
const limits =
  (f: (x: number) => number, end: number, low: (x: number) => number, high: (x: number) => number) =>
  (x: number): number =>
    x < -end ? low(x) : x > end ? high(x) : f(x);
const zero = (): number => 0;
const one = (): number => 1;
const same = (x: number): number => x;
/** As PyTorch's backward of relu and hardtanh, which let the gradient of a NaN pass. */
const passNan =
  (df: (x: number) => number) =>
  (x: number): number =>
    Number.isNaN(x) ? 1 : df(x);
const pow = (p: number, error = 250): Rule => ({
  run: (x) => ops.powScalar(x, p),
  f: (x) => x ** p,
  df: (x) => (p === 0 ? 0 : p * x ** (p - 1)),
  error,
});

/** Every elementwise op of one tensor. exp, tanh and their like lose 2 |x| places with WGSL's exp. */
export const unaries: Record<string, Rule> = {
  neg: rule('neg'),
  abs: rule('abs'),
  sign: rule('sign', { df: null }),
  floor: rule('floor', { df: null }),
  ceil: rule('ceil', { df: null }),
  round: rule('round', { f: (x) => (Math.abs(x) < 2 ** 52 ? scalars.round.f(x) : x), df: null }),
  trunc: rule('trunc', { df: null }),
  exp: rule('exp', { error: 190 }),
  expm1: rule('expm1', { error: 190 }),
  log: rule('log'),
  log1p: rule('log1p', { error: 8 }),
  sqrt: rule('sqrt', { error: 6 }),
  rsqrt: rule('rsqrt'),
  square: rule('square'),
  reciprocal: rule('reciprocal'),
  sin: rule('sin', { error: 12 }),
  cos: rule('cos', { error: 12 }),
  tanh: rule('tanh', { df: limits((x) => 1 / Math.cosh(x) ** 2, 700, zero, zero), error: 8 }),
  erf: rule('erf', { error: 8, df: (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) }),
  // The slope is y (1 - y), as PyTorch's.
  sigmoid: rule('sigmoid', { error: 190, slopeError: 2 ** -23 }),
  softplus: rule('softplus', { f: limits(scalars.softplus.f, 700, zero, same), error: 190 }),
  logSigmoid: rule('logSigmoid', { f: limits(scalars.logSigmoid.f, 700, same, zero), error: 190 }),
  silu: rule('silu', {
    f: limits(scalars.silu.f, 700, zero, same),
    df: limits(scalars.silu.df, 700, zero, one),
    error: 190,
  }),
  gelu: rule('gelu', {
    f: limits((x) => x * cdf(x), 30, zero, same),
    df: limits((x) => cdf(x) + x * density(x), 30, zero, one),
    error: 60,
  }),
  'gelu, tanh': {
    run: (x) => ops.gelu(x, { approximate: 'tanh' }),
    f: limits(geluTanh.f, 30, zero, same),
    df: limits(geluTanh.df, 30, zero, one),
    error: 60,
  },
  relu: rule('relu', { df: passNan(scalars.relu.df) }),
  leakyRelu: { run: (x) => ops.leakyRelu(x, { negativeSlope: 0.25 }), ...leakyRelu(0.25) },
  elu: { run: (x) => ops.elu(x, { alpha: 0.75 }), ...elu(0.75), error: 190 },
  hardtanh: { run: (x) => ops.hardtanh(x), ...hardtanh(-1, 1), df: passNan(hardtanh(-1, 1).df) },
  clamp: { run: (x) => ops.clamp(x, -1.5, 80), ...clamp(-1.5, 80) },
  'clamp from below': { run: (x) => ops.clamp(x, 0.5, Infinity), ...clamp(0.5, Infinity) },
  'clamp from above': { run: (x) => ops.clamp(x, -Infinity, 0.5), ...clamp(-Infinity, 0.5) },
  'pow 0': pow(0),
  'pow 0.5': pow(0.5),
  'pow 0.01': pow(0.01),
  'pow 1': pow(1),
  'pow 1.01': pow(1.01),
  'pow 1.5': pow(1.5),
  'pow 2': pow(2),
  'pow 3': pow(3),
  'pow -1': pow(-1),
  'pow -2': pow(-2),
  'pow -0.5': pow(-0.5),
};

/** Every elementwise op of two tensors. */
export const binaries: Record<
  string,
  { run: (a: Tensor | number, b: Tensor | number) => Tensor; f: (a: number, b: number) => number; error?: number }
> = {
  add: { run: ops.add, f: (a, b) => a + b },
  sub: { run: ops.sub, f: (a, b) => a - b },
  mul: { run: ops.mul, f: (a, b) => a * b },
  div: { run: ops.div, f: (a, b) => a / b },
  maximum: { run: ops.maximum, f: Math.max },
  minimum: { run: ops.minimum, f: Math.min },
  pow: {
    run: ops.pow,
    f: (a, b) => (a === 1 ? 1 : Math.abs(a) === 1 && Math.abs(b) === Infinity ? 1 : a ** b),
    error: 400,
  },
};
