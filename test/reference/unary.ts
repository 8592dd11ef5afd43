import { build, type Dense } from './dense.ts';

/** A function of one number with its derivative. */
export interface Scalar {
  f: (x: number) => number;
  df: (x: number) => number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Error function: e^(-x^2) times a series of terms of one sign. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

/** 1 - erf(t) without cancellation: e^(-t^2) / sqrt(pi) times a continued fraction where t > 2. */
export function erfc(t: number): number {
  if (t < 2) return 1 - erf(t);
  let fraction = t;
  for (let k = 200; k > 0; k--) fraction = t + k / 2 / fraction;
  return Math.exp(-t * t) / (Math.sqrt(Math.PI) * fraction);
}

/** Distribution function of the normal distribution. */
export const cdf = (x: number): number => 0.5 * erfc(-x * Math.SQRT1_2);
/** Density of the normal distribution. */
export const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** The argument of the sigmoid in the tanh form of gelu, and its derivative. */
export const geluArgument = (x: number): [v: number, dv: number] => {
  const c = 2 * Math.sqrt(2 / Math.PI);
  return [c * (x + 0.044715 * x ** 3), c * (1 + 3 * 0.044715 * x * x)];
};

const roundEven = (x: number): number => {
  const down = Math.floor(x);
  const rest = x - down;
  return rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1;
};

/**
 * The elementwise functions of src/ops/unary.ts and src/ops/activations.ts in f64. Derivatives at kinks follow the
 * documented rule.
 */
export const scalars = {
  neg: { f: (x) => -x, df: () => -1 },
  abs: { f: Math.abs, df: Math.sign },
  sign: { f: Math.sign, df: () => 0 },
  floor: { f: Math.floor, df: () => 0 },
  ceil: { f: Math.ceil, df: () => 0 },
  round: { f: roundEven, df: () => 0 },
  trunc: { f: Math.trunc, df: () => 0 },
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
  erf: { f: erf, df: (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) },
  sigmoid: { f: sigmoid, df: (x) => sigmoid(x) * sigmoid(-x) },
  softplus: { f: softplus, df: sigmoid },
  logSigmoid: { f: (x) => -softplus(-x), df: (x) => sigmoid(-x) },
  silu: { f: (x) => x * sigmoid(x), df: (x) => sigmoid(x) * (1 + x * sigmoid(-x)) },
  gelu: { f: (x) => x * cdf(x), df: (x) => cdf(x) + x * density(x) },
  relu: { f: (x) => Math.max(x, 0), df: (x) => Number(x > 0) },
} satisfies Record<string, Scalar>;

/** leakyRelu with a slope. */
export const leakyRelu = (slope: number): Scalar => ({
  f: (x) => (x > 0 ? x : slope * x),
  df: (x) => (x > 0 ? 1 : slope),
});

/** clamp to [min, max]; derivative 1 at the ends. */
export const clamp = (min: number, max: number): Scalar => ({
  f: (x) => Math.min(Math.max(x, min), max),
  df: (x) => Number(x >= min && x <= max),
});

/** The tanh form of gelu. */
export const geluTanh: Scalar = {
  f: (x) => x * sigmoid(geluArgument(x)[0]),
  df: (x) => {
    const [v, dv] = geluArgument(x);
    return sigmoid(v) * (1 + x * sigmoid(-v) * dv);
  },
};

/** elu with its alpha; derivative alpha at 0. */
export const elu = (alpha: number): Scalar => ({
  f: (x) => (x > 0 ? x : alpha * Math.expm1(x)),
  df: (x) => (x > 0 ? 1 : alpha * Math.exp(x)),
});

/** hardtanh to [min, max]; derivative 0 at the ends. */
export const hardtanh = (min: number, max: number): Scalar => ({
  f: (x) => Math.min(Math.max(x, min), max),
  df: (x) => Number(x > min && x < max),
});

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
