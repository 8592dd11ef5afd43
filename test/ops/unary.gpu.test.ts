import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import type { DType } from '../../src/tensor/dtype.ts';
import {
  cdf,
  clamp,
  density,
  elu,
  erf,
  erfc,
  geluArgument,
  geluTanh,
  hardtanh,
  leakyRelu,
  powScalar,
  scalars,
  unary,
  unaryGradient,
  type Scalar,
} from '../reference/unary.ts';
import { checkOp, readAll, takeGrad } from '../support/check-op.ts';
import { sample, type SampleOptions } from '../support/sample.ts';
import { expError, logError, powError, U, ulp } from '../support/tolerance.ts';

interface Row {
  run: (x: Tensor) => Tensor;
  scalar: Scalar;
  domain: SampleOptions;
  /** Bound on the error of f(x), and of f'(x), by WGSL's accuracy of the operations used. */
  error: (x: number) => number;
  gradientError: (x: number) => number;
}

type Name = keyof typeof scalars;
const row = (name: Name, domain: SampleOptions, error: Row['error'], gradientError: Row['error']): Row => ({
  run: ops[name] as Row['run'],
  scalar: scalars[name],
  domain,
  error,
  gradientError,
});
const none = (): number => 0;
const ofValue =
  (name: Name, n: number) =>
  (x: number): number =>
    n * ulp(scalars[name].f(x));
const ofSlope =
  (name: Name, n: number) =>
  (x: number): number =>
    n * ulp(scalars[name].df(x));
// exp, then 1 + e, then a division: (3 + 2 |x|) + 1 + 2.5 ULP.
const sigmoidError = (x: number): number => (3 + 2 * Math.abs(x) + 4) * ulp(scalars.sigmoid.f(x));
const sigmoidSlopeError = (x: number): number => sigmoidError(x) + 3 * U;
// A series of seven terms below 1/2, log(1 + x) above.
const log1pError = (x: number): number => (Math.abs(x) < 0.5 ? 8 * ulp(Math.log1p(x)) : logError(1 + x) + 2 * U);

// A polynomial below pi/4; beyond, the angle is exact to 2^-32 turns and its sine to 1.2e-7.
const circularError =
  (name: 'sin' | 'cos') =>
  (x: number): number =>
    Math.abs(x) < Math.PI / 4 ? 2 * ulp(scalars[name].f(x)) : 1.2e-7;
// A polynomial below 0.64; beyond, 1 - d with d = 2 / (e^2|x| + 1): exp, a sum, a division.
const tanhError = (x: number): number =>
  Math.abs(x) < 0.64 ? 3 * ulp(Math.tanh(x)) : (1 - Math.abs(Math.tanh(x))) * (6.5 + 4 * Math.abs(x)) * 2 * U + 2 * U;
// erfc(t) = e^(-t^2) s P(s): the rounding of t^2, then exp, then a division and ten sums and products.
const erfcError = (t: number): number => erfc(t) * (3 * t * t + 14) * 2 * U;
const erfError = (x: number): number => (Math.abs(x) < 1 ? 4 * ulp(erf(x)) : erfcError(Math.abs(x)) + U);
// The normal distribution function; its argument is scaled by a rounded constant.
const cdfError = (x: number): number =>
  Math.abs(x) * Math.SQRT1_2 < 1
    ? 6 * U
    : 0.5 * erfcError(Math.abs(x) * Math.SQRT1_2) + x * x * U * cdf(-Math.abs(x)) + (x > 0 ? 2 * U : 0);
const geluSlopeError = (x: number): number =>
  cdfError(x) + Math.abs(x) * density(x) * (3 + 2 * x * x + 5) * 2 * U + 4 * U * (cdf(x) + Math.abs(x) * density(x));
// The gate of gelu's tanh form is a sigmoid whose argument has lost 5 u.
const gateError = (x: number): number => {
  const [v] = geluArgument(x);
  return sigmoidError(v) + scalars.sigmoid.df(v) * 5 * U * Math.abs(v);
};
const geluTanhSlopeError = (x: number): number => {
  const [v, dv] = geluArgument(x);
  const [gate, rest, slope] = [scalars.sigmoid.f(v), scalars.sigmoid.f(-v), Math.abs(x * dv)];
  return (
    gateError(x) * (1 + slope * rest) +
    gate * slope * (gateError(-x) + 8 * U * rest) +
    4 * U * gate * (1 + slope * rest)
  );
};
const expm1Error = (x: number): number => (Math.abs(x) < 0.5 ? 4 * ulp(Math.expm1(x)) : expError(x) + ulp(Math.exp(x)));
const softplusError = (x: number): number =>
  expError(-Math.abs(x)) + log1pError(Math.exp(-Math.abs(x))) + ulp(scalars.softplus.f(x));

const wide: SampleOptions = { low: -3, high: 3 };
const positive: SampleOptions = { low: 0.02, high: 6 };
const kink: SampleOptions = { away: [0] };
// Integer exponents take negative bases.
const pow = (p: number, domain: SampleOptions): Row => ({
  run: (x) => ops.powScalar(x, p),
  scalar: powScalar(p),
  domain,
  error: (x) => (p === 0 ? 0 : powError(x, p)),
  gradientError: (x) => Math.abs(p) * powError(x, p - 1) + 2 * ulp(powScalar(p).df(x)),
});

const rows: Record<string, Row> = {
  neg: row('neg', wide, none, none),
  abs: row('abs', kink, none, none),
  exp: row('exp', { low: -20, high: 20 }, expError, expError),
  expm1: row('expm1', wide, expm1Error, expError),
  log: row('log', positive, logError, ofSlope('log', 2.5)),
  log1p: row('log1p', { low: -0.9, high: 4 }, log1pError, ofSlope('log1p', 4.5)),
  sqrt: row('sqrt', positive, ofValue('sqrt', 5), ofSlope('sqrt', 9.5)),
  rsqrt: row('rsqrt', positive, ofValue('rsqrt', 2), ofSlope('rsqrt', 7)),
  square: row('square', wide, ofValue('square', 1), ofSlope('square', 1)),
  reciprocal: row('reciprocal', { ...wide, away: [0] }, ofValue('reciprocal', 2.5), ofSlope('reciprocal', 8)),
  sin: row('sin', { low: -30, high: 30 }, circularError('sin'), circularError('cos')),
  cos: row('cos', { low: -30, high: 30 }, circularError('cos'), circularError('sin')),
  tanh: row('tanh', { low: -12, high: 12 }, tanhError, (x) => 2 * tanhError(x) + 4 * U),
  erf: row('erf', { low: -4, high: 4 }, erfError, (x) => (6 + 3 * x * x) * ulp(scalars.erf.df(x))),
  sigmoid: row('sigmoid', { low: -20, high: 20 }, sigmoidError, sigmoidSlopeError),
  softplus: row('softplus', { low: -20, high: 20 }, softplusError, sigmoidError),
  logSigmoid: row(
    'logSigmoid',
    { low: -20, high: 20 },
    (x) => softplusError(-x),
    (x) => sigmoidError(-x),
  ),
  silu: row(
    'silu',
    { low: -12, high: 12 },
    (x) => Math.abs(x) * sigmoidError(x) + ulp(scalars.silu.f(x)),
    (x) => sigmoidError(x) + Math.abs(x) * sigmoidSlopeError(x) + 4 * U * (1 + Math.abs(x)),
  ),
  gelu: row('gelu', { low: -7, high: 7 }, (x) => Math.abs(x) * cdfError(x) + ulp(scalars.gelu.f(x)), geluSlopeError),
  'gelu tanh': {
    run: (x) => ops.gelu(x, { approximate: 'tanh' }),
    scalar: geluTanh,
    domain: { low: -7, high: 7 },
    error: (x) => Math.abs(x) * gateError(x) + ulp(geluTanh.f(x)),
    gradientError: geluTanhSlopeError,
  },
  relu: row('relu', kink, none, none),
  // The slope itself is rounded to f32.
  leakyRelu: {
    run: (x) => ops.leakyRelu(x, { negativeSlope: 0.2 }),
    scalar: leakyRelu(0.2),
    domain: kink,
    error: (x) => (x > 0 ? 0 : 2 * ulp(0.2 * x)),
    gradientError: () => U,
  },
  elu: {
    run: (x) => ops.elu(x, { alpha: 0.75 }),
    scalar: elu(0.75),
    domain: { low: -12, high: 3, away: [0] },
    error: (x) => (x > 0 ? 0 : 0.75 * expm1Error(x) + ulp(0.75 * Math.expm1(x))),
    gradientError: (x) => (x > 0 ? 0 : expError(x) + ulp(Math.exp(x))),
  },
  hardtanh: {
    run: (x) => ops.hardtanh(x, { minVal: -0.5, maxVal: 0.75 }),
    scalar: hardtanh(-0.5, 0.75),
    domain: { away: [-0.5, 0.75] },
    error: none,
    gradientError: none,
  },
  clamp: {
    run: (x) => ops.clamp(x, -0.5, 0.75),
    scalar: clamp(-0.5, 0.75),
    domain: { away: [-0.5, 0.75] },
    error: none,
    gradientError: none,
  },
  'pow 3': pow(3, { away: [0] }),
  'pow -2': pow(-2, { low: -3, high: 3, away: [-0.1, 0, 0.1] }),
  'pow 0.5': pow(0.5, positive),
  'pow 0': pow(0, wide),
};

const shapes = [[0, 3], [1], [31], [33], [257], [2, 3, 5], [9, 1, 7], []];

describe('unary ops against the f64 reference', () => {
  const cases = Object.entries(rows).flatMap(([name, r]) => shapes.map((shape) => ({ name, shape, r })));
  test.each(cases)('$name of [$shape]', ({ shape, r }) =>
    checkOp({
      inputs: [sample(shape, r.domain)],
      run: r.run,
      reference: (x) => unary(r.scalar, x),
      gradient: (dy, x) => [unaryGradient(r.scalar, dy, x)],
      tolerance: ({ i, inputs }) => r.error(inputs[0]!.data[i]!),
      gradientTolerance: ({ want, i, inputs, dy }) =>
        Math.abs(dy!.data[i]!) * r.gradientError(inputs[0]!.data[i]!) + (r.gradientError === none ? 0 : 2 * ulp(want)),
    }),
  );
});

describe('rules at special points', () => {
  const values = (run: (x: Tensor) => Tensor, x: number[]): Promise<number[]> =>
    readAll(() => [run(tensor(x))]).then(([y]) => Array.from(y!, (v) => v + 0));
  const gradient = (run: (x: Tensor) => Tensor, x: number[]): Promise<number[]> =>
    readAll(() => {
      const t = requireGrad(tensor(x));
      backward(ops.sum(run(t)));
      return [takeGrad(t)];
    }).then(([g]) => Array.from(g!, (v) => v + 0));
  test.each(['sign', 'floor', 'ceil', 'round', 'trunc'] as const)(
    '%s is exact, halves included, and has no gradient',
    async (name) => {
      const x = [-7.9, -2.5, -1.5, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 1.5, 2.5, 3.5, 7.9, 8388607.5, 16777216, -3e9].map(
        Math.fround,
      );
      expect(await values(ops[name], x)).toEqual(x.map((v) => scalars[name].f(v) + 0));
      expect(await gradient((t) => ops.mul(ops[name](t), t), x)).toEqual(x.map((v) => scalars[name].f(v) + 0));
    },
  );
  test('log and log1p at and below the ends of their domains, of which WGSL promises nothing', async () => {
    expect(await values(ops.log, [0, -0, -1, -1e-30, Infinity, 1])).toEqual([
      -Infinity,
      -Infinity,
      NaN,
      NaN,
      Infinity,
      0,
    ]);
    expect(await values(ops.log1p, [-1, -2, Infinity])).toEqual([-Infinity, NaN, Infinity]);
  });
  test('gradients at kinks', async () => {
    expect(await gradient(ops.abs, [-2, 0, 3])).toEqual([-1, 0, 1]);
    expect(await gradient(ops.relu, [-2, 0, 3])).toEqual([0, 0, 1]);
    expect(await gradient((x) => ops.leakyRelu(x, { negativeSlope: 0.25 }), [-2, 0, 3])).toEqual([0.25, 0.25, 1]);
    expect(await gradient((x) => ops.elu(x, { alpha: 0.5 }), [0, 3])).toEqual([0.5, 1]);
    expect(await gradient((x) => ops.clamp(x, -1, 1), [-2, -1, 0, 1, 2])).toEqual([0, 1, 1, 1, 0]);
    expect(await gradient(ops.hardtanh, [-2, -1, 0, 1, 2])).toEqual([0, 0, 1, 0, 0]);
  });
  test('leakyRelu of slope 1 is the identity, and so is its gradient', async () => {
    const x = [-3.3, -1e-3, 0, 0.7, 1e20].map(Math.fround);
    const run = (t: Tensor): Tensor => ops.leakyRelu(t, { negativeSlope: 1 });
    expect(await values(run, x)).toEqual(x);
    expect(await gradient((t) => ops.mul(run(t), tensor(x)), x)).toEqual(x);
  });
  test('defaults of PyTorch', async () => {
    expect(await values(ops.leakyRelu, [-2, 3])).toEqual([Math.fround(-2 * Math.fround(0.01)), 3]);
    expect(await values(ops.hardtanh, [-2, 0.5, 2])).toEqual([-1, 0.5, 1]);
    expect(await values(ops.elu, [-100, 0, 2])).toEqual([-1, 0, 2]);
    const [byErf, byTanh] = await readAll(() => [
      ops.gelu(tensor([1])),
      ops.gelu(tensor([1]), { approximate: 'tanh' }),
    ]);
    expect(byErf![0]).toBeCloseTo(0.8413447, 6);
    expect(byTanh![0]).toBeCloseTo(0.841192, 6);
  });
  test('relative accuracy near 0 of sin, tanh, erf, silu and gelu', async () => {
    const x = [1e-30, -1e-7, 1e-4, -0.03, 0.1].map(Math.fround);
    for (const name of ['sin', 'tanh', 'erf', 'silu', 'gelu'] as const) {
      (await values(ops[name], x)).forEach((y, i) =>
        expect(Math.abs(y / scalars[name].f(x[i]!) - 1), `${name}(${x[i]})`).toBeLessThan(8 * U),
      );
    }
  });
  test('sin and cos of large arguments are reduced exactly', async () => {
    const x = [355, -1e4, 123456.7, -16777216, 1e10, -1e22, 3.4e38, 1.5 * 2 ** 127].map(Math.fround);
    (await values(ops.sin, x)).forEach((y, i) =>
      expect(Math.abs(y - Math.sin(x[i]!)), `sin(${x[i]})`).toBeLessThan(1.2e-7),
    );
    (await values(ops.cos, x)).forEach((y, i) =>
      expect(Math.abs(y - Math.cos(x[i]!)), `cos(${x[i]})`).toBeLessThan(1.2e-7),
    );
    expect(await values(ops.sin, [Infinity, -Infinity, NaN])).toEqual([NaN, NaN, NaN]);
    expect(await values(ops.cos, [Infinity, -Infinity, NaN])).toEqual([NaN, NaN, NaN]);
  });
  test('the tails of gelu and silu keep their relative accuracy', async () => {
    const [y] = await values(ops.gelu, [-10]);
    // P[N(0, 1) <= -10] = 7.619853e-24; errors of exp(-50), and of t^2 in its argument.
    expect(Math.abs(y! / (-10 * 7.619853024160527e-24) - 1)).toBeLessThan((3 * 50 + 14 + 100) * 2 * U);
    const [s] = await values(ops.silu, [-60]);
    expect(Math.abs(s! / (-60 * Math.exp(-60)) - 1)).toBeLessThan((3 + 2 * 60 + 6) * 2 * U);
  });
  test('relative accuracy near 0 of log1p, expm1 and softplus', async () => {
    const x = [1e-7, -1e-6, 1e-4, 1e-3].map(Math.fround);
    (await values(ops.log1p, x)).forEach((y, i) => expect(Math.abs(y / Math.log1p(x[i]!) - 1)).toBeLessThan(8 * 2 * U));
    (await values(ops.expm1, x)).forEach((y, i) => expect(Math.abs(y / Math.expm1(x[i]!) - 1)).toBeLessThan(4 * 2 * U));
    const [small] = await values(ops.softplus, [-15]);
    // exp(-15) within 33 ULP, then log1p.
    expect(Math.abs(small! / Math.log1p(Math.exp(-15)) - 1)).toBeLessThan(50 * 2 * U);
  });
  test('no overflow for large arguments', async () => {
    expect(await values(ops.tanh, [-1e4, 100, 1e30])).toEqual([-1, 1, 1]);
    expect(await values(ops.softplus, [-200, 200, 1e30])).toEqual([0, 200, Math.fround(1e30)]);
    const [low, high] = await values(ops.sigmoid, [-1e4, 1e4]);
    expect(high).toBe(1);
    expect(low).toBeGreaterThanOrEqual(0);
    expect(low).toBeLessThan(1e-37);
    const far = [-3e38, -1000, -100, 100, 1000, 3e38].map(Math.fround);
    const right = [0, 0, 0, ...far.slice(3)];
    const steep = [0, 0, 0, 1, 1, 1];
    const near = (got: number[], want: number[]): void =>
      got.forEach((v, i) => expect(Math.abs(v - want[i]!), `${far[i]}`).toBeLessThanOrEqual(1e-30));
    for (const f of [ops.silu, ops.gelu, (x: Tensor) => ops.gelu(x, { approximate: 'tanh' }), ops.relu, ops.softplus]) {
      near(await values(f, far), right);
      near(await gradient(f, far), steep);
    }
    near(await values(ops.logSigmoid, far), [...far.slice(0, 3), 0, 0, 0]);
    near(await values(ops.elu, far), [-1, -1, -1, ...far.slice(3)]);
    near(await gradient(ops.elu, far), steep);
    near(await values(ops.erf, far), [-1, -1, -1, 1, 1, 1]);
    near(await gradient(ops.erf, far), [0, 0, 0, 0, 0, 0]);
  });
  test('clamp with one end and powers 0 and 1 of everything', async () => {
    expect(await values((x) => ops.clamp(x, -Infinity, 1), [-9, 3])).toEqual([-9, 1]);
    expect(await values((x) => ops.powScalar(x, 0), [-2, 0, 5])).toEqual([1, 1, 1]);
    expect(await values((x) => ops.powScalar(x, 1), [-2, 0, 5])).toEqual([-2, 0, 5]);
    expect(await gradient((x) => ops.powScalar(x, 0), [-2, 0, 5])).toEqual([0, 0, 0]);
    expect(await gradient((x) => ops.powScalar(x, 3), [0])).toEqual([0]);
    expect(await values((x) => ops.powScalar(x, 0.5), [-2])).toEqual([NaN]);
  });
});

test.each([
  ['i32', ops.neg, [5, -7, 0, 2147483647, -2147483648], [-5, 7, 0, -2147483647, -2147483648]],
  ['u32', ops.neg, [0, 1, 4294967295], [0, 4294967295, 1]],
  ['i32', ops.abs, [5, -7, 0, -2147483647, -2147483648], [5, 7, 0, 2147483647, -2147483648]],
  ['u32', ops.abs, [0, 1, 4294967295], [0, 1, 4294967295]],
] as [DType, (x: Tensor) => Tensor, number[], number[]][])(
  '%s: integers wrap around (%#)',
  async (dtype, run, x, want) => {
    const y = scope(() => run(tensor(x, { dtype }) as Tensor));
    expect(y.dtype).toBe(dtype);
    expect(Array.from(await y.read(), (v) => v + 0)).toEqual(want);
    y.dispose();
  },
);

test('65,536 x 64 + 3 elements, more workgroups than one dimension holds', async () => {
  const n = 65_536 * 64 + 3;
  const x = Float32Array.from({ length: n }, (_, i) => (i % 4093) - 2000);
  const [y, g] = await readAll(() => {
    const t = requireGrad(tensor(x));
    const square = ops.square(t);
    backward(ops.sum(square));
    return [square, takeGrad(t)];
  });
  expect(y!.findIndex((v, i) => v !== x[i]! ** 2)).toBe(-1);
  expect(g!.findIndex((v, i) => v !== 2 * x[i]!)).toBe(-1);
});

test('errors', () => {
  scope(() => {
    const words = tensor([1, 2], { dtype: 'u32' }) as unknown as Tensor;
    expect(() => ops.exp(words)).toThrow('exp: x is u32, expected f32');
    expect(() => ops.relu(words)).toThrow('relu: x is u32, expected f32');
    expect(() => ops.neg(tensor([1], { dtype: 'bool' }) as unknown as Tensor)).toThrow(
      'neg: x is bool, expected f32, i32 or u32',
    );
    expect(() => ops.abs(tensor([1], { dtype: 'f16' }) as unknown as Tensor)).toThrow(
      'abs: x is f16, expected f32, i32 or u32',
    );
    expect(() => ops.gelu(tensor([1]), { approximate: 'erf' as 'none' })).toThrow(
      "gelu: approximate is 'erf', expected 'none' or 'tanh'",
    );
    expect(() => ops.hardtanh(tensor([1]), { minVal: 1, maxVal: 1 })).toThrow(
      'hardtanh: minVal is 1 and maxVal 1, expected minVal < maxVal',
    );
    expect(() => ops.clamp(tensor([1]), 2, 1)).toThrow('clamp: min is 2 and max 1, expected min <= max');
    expect(() => ops.clamp(tensor([1]), NaN, 1)).toThrow('clamp: min is NaN and max 1, expected min <= max');
  });
});
