import { build, type Dense } from './dense.ts';

/** A function of one number with its derivative. */
export interface Scalar {
  f: (x: number) => number;
  df: (x: number) => number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The elementwise functions of src/ops/unary.ts in f64. Derivatives at kinks follow the documented rule. */
export const scalars = {
  neg: { f: (x) => -x, df: () => -1 },
  abs: { f: Math.abs, df: Math.sign },
  sign: { f: Math.sign, df: () => 0 },
  floor: { f: Math.floor, df: () => 0 },
  exp: { f: Math.exp, df: Math.exp },
  expm1: { f: Math.expm1, df: Math.exp },
  log: { f: Math.log, df: (x) => 1 / x },
  log1p: { f: Math.log1p, df: (x) => 1 / (1 + x) },
  sqrt: { f: Math.sqrt, df: (x) => 0.5 / Math.sqrt(x) },
  rsqrt: { f: (x) => 1 / Math.sqrt(x), df: (x) => -0.5 / (x * Math.sqrt(x)) },
  square: { f: (x) => x * x, df: (x) => 2 * x },
  reciprocal: { f: (x) => 1 / x, df: (x) => -1 / (x * x) },
  sin: { f: Math.sin, df: Math.cos },
  cos: { f: Math.cos, df: (x) => -Math.sin(x) },
  tanh: { f: Math.tanh, df: (x) => 1 - Math.tanh(x) ** 2 },
  sigmoid: { f: sigmoid, df: (x) => sigmoid(x) * sigmoid(-x) },
  softplus: { f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), df: sigmoid },
  silu: { f: (x) => x * sigmoid(x), df: (x) => sigmoid(x) * (1 + x * sigmoid(-x)) },
  relu: { f: (x) => Math.max(x, 0), df: (x) => Number(x > 0) },
} satisfies Record<string, Scalar>;

/** leakyRelu with a slope. */
export const leakyRelu = (slope: number): Scalar => ({ f: (x) => (x > 0 ? x : slope * x), df: (x) => (x > 0 ? 1 : slope) });

/** clamp to [min, max]; derivative 1 at the ends. */
export const clamp = (min: number, max: number): Scalar => ({ f: (x) => Math.min(Math.max(x, min), max), df: (x) => Number(x >= min && x <= max) });

/** x^p. */
export const powScalar = (p: number): Scalar => ({ f: (x) => x ** p, df: (x) => (p === 0 ? 0 : p * x ** (p - 1)) });

/** f applied to each element. */
export function unary(s: Scalar, x: Dense): Dense {
  return build(x.shape, (i) => s.f(x.data[i]!));
}

/** dy f'(x). */
export function unaryGradient(s: Scalar, dy: Dense, x: Dense): Dense {
  return build(x.shape, (i) => dy.data[i]! * s.df(x.data[i]!));
}
