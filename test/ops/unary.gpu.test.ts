import { describe, expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { clamp, leakyRelu, powScalar, scalars, unary, unaryGradient, type Scalar } from '../reference/unary.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { sample, type SampleOptions } from '../support/sample.ts';
import { expError, logError, powError, SIN_ERROR, TANH_ERROR, U, ulp } from '../support/tolerance.ts';

interface Row {
  run: (x: Tensor) => Tensor;
  scalar: Scalar;
  domain: SampleOptions;
  /** Bound on the error of f(x), and of f'(x), by WGSL's accuracy of the operations used. */
  error: (x: number) => number;
  gradientError: (x: number) => number;
}

const row = (name: keyof typeof scalars, domain: SampleOptions, error: Row['error'], gradientError: Row['error']): Row => ({
  run: ops[name],
  scalar: scalars[name],
  domain,
  error,
  gradientError,
});
const none = (): number => 0;
const ofValue =
  (name: keyof typeof scalars, n: number) =>
  (x: number): number =>
    n * ulp(scalars[name].f(x));
const ofSlope =
  (name: keyof typeof scalars, n: number) =>
  (x: number): number =>
    n * ulp(scalars[name].df(x));
// exp, then 1 + e, then a division: (3 + 2 |x|) + 1 + 2.5 ULP.
const sigmoidError = (x: number): number => (3 + 2 * Math.abs(x) + 4) * ulp(scalars.sigmoid.f(x));
const sigmoidSlopeError = (x: number): number => sigmoidError(x) + 3 * U;
// A series of seven terms below 1/2, log(1 + x) above.
const log1pError = (x: number): number => (Math.abs(x) < 0.5 ? 8 * ulp(Math.log1p(x)) : logError(1 + x) + 2 * U);

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
  expm1: row('expm1', wide, (x) => (Math.abs(x) < 0.5 ? 4 * ulp(Math.expm1(x)) : expError(x) + ulp(Math.exp(x))), expError),
  log: row('log', positive, logError, ofSlope('log', 2.5)),
  log1p: row('log1p', { low: -0.9, high: 4 }, log1pError, ofSlope('log1p', 4.5)),
  sqrt: row('sqrt', positive, ofValue('sqrt', 5), ofSlope('sqrt', 9.5)),
  rsqrt: row('rsqrt', positive, ofValue('rsqrt', 2), ofSlope('rsqrt', 7)),
  square: row('square', wide, ofValue('square', 1), ofSlope('square', 1)),
  reciprocal: row('reciprocal', { ...wide, away: [0] }, ofValue('reciprocal', 2.5), ofSlope('reciprocal', 8)),
  sin: row('sin', { low: -3.14, high: 3.14 }, () => SIN_ERROR, () => SIN_ERROR),
  cos: row('cos', { low: -3.14, high: 3.14 }, () => SIN_ERROR, () => SIN_ERROR),
  tanh: row('tanh', { low: -12, high: 12 }, () => TANH_ERROR, () => 2 * TANH_ERROR + 3 * U),
  sigmoid: row('sigmoid', { low: -20, high: 20 }, sigmoidError, sigmoidSlopeError),
  softplus: row('softplus', { low: -20, high: 20 }, (x) => expError(-Math.abs(x)) + log1pError(Math.exp(-Math.abs(x))) + ulp(scalars.softplus.f(x)), sigmoidError),
  silu: row('silu', wide, (x) => Math.abs(x) * sigmoidError(x) + ulp(scalars.silu.f(x)), (x) => sigmoidError(x) + Math.abs(x) * sigmoidSlopeError(x) + 4 * U * (1 + Math.abs(x))),
  relu: row('relu', kink, none, none),
  // The slope itself is rounded to f32.
  leakyRelu: { run: (x) => ops.leakyRelu(x, { negativeSlope: 0.2 }), scalar: leakyRelu(0.2), domain: kink, error: (x) => (x > 0 ? 0 : 2 * ulp(0.2 * x)), gradientError: () => 4 * U },
  clamp: { run: (x) => ops.clamp(x, -0.5, 0.75), scalar: clamp(-0.5, 0.75), domain: { away: [-0.5, 0.75] }, error: none, gradientError: none },
  'pow 3': pow(3, { away: [0] }),
  'pow -2': pow(-2, { low: -3, high: 3, away: [-0.1, 0, 0.1] }),
  'pow 0.5': pow(0.5, positive),
  'pow 0': pow(0, wide),
};

const few = [[33], [5, 7]];
const all = [[0, 3], [1], [31], [33], [257], [2, 3, 5], [64, 65], []];

describe('unary ops against the f64 reference', () => {
  const cases = Object.entries(rows).flatMap(([name, r]) => (name === 'exp' || name === 'relu' ? all : few).map((shape) => ({ name, shape, r })));
  test.each(cases)('$name of [$shape]', ({ shape, r }) =>
    checkOp({
      inputs: [sample(shape, r.domain)],
      run: r.run,
      reference: (x) => unary(r.scalar, x),
      gradient: (dy, x) => [unaryGradient(r.scalar, dy, x)],
      tolerance: ({ i, inputs }) => r.error(inputs[0]!.data[i]!),
      gradientTolerance: ({ want, i, inputs, dy }) => Math.abs(dy!.data[i]!) * r.gradientError(inputs[0]!.data[i]!) + (r.gradientError === none ? 0 : 2 * ulp(want)),
    }),
  );
});

describe('rules at special points', () => {
  const values = (run: (x: Tensor) => Tensor, x: number[]): Promise<number[]> => readAll(() => [run(tensor(x))]).then(([y]) => Array.from(y!));
  test('sign and floor have no gradient and are exact', async () => {
    expect(await values(ops.sign, [-2.5, 0, 3])).toEqual([-1, 0, 1]);
    expect(await values(ops.floor, [-1.5, -1, 0.25, 7.9])).toEqual([-2, -1, 0, 7]);
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
  });
  test('clamp with one end and powers 0 and 1 of everything', async () => {
    expect(await values((x) => ops.clamp(x, -Infinity, 1), [-9, 3])).toEqual([-9, 1]);
    expect(await values((x) => ops.powScalar(x, 0), [-2, 0, 5])).toEqual([1, 1, 1]);
    expect(await values((x) => ops.powScalar(x, 1), [-2, 0, 5])).toEqual([-2, 0, 5]);
  });
});

test('65,536 x 64 + 3 elements, more workgroups than one dimension holds', async () => {
  const n = 65_536 * 64 + 3;
  const x = Float32Array.from({ length: n }, (_, i) => (i % 4093) - 2000);
  const [y] = await readAll(() => [ops.neg(tensor(x))]);
  expect(y!.findIndex((v, i) => v !== -x[i]!)).toBe(-1);
});

test('errors', () => {
  scope(() => {
    const words = tensor([1, 2], { dtype: 'u32' }) as unknown as Tensor;
    expect(() => ops.exp(words)).toThrow('exp: x is u32, expected f32');
    expect(() => ops.clamp(tensor([1]), 2, 1)).toThrow('clamp: min is 2 and max 1, expected min <= max');
    expect(() => ops.clamp(tensor([1]), NaN, 1)).toThrow('clamp: min is NaN and max 1, expected min <= max');
  });
});
