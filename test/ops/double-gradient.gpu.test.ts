import { expect, test } from 'vitest';
import { grad, requireGrad, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { binaryGradient, scalars2, type Scalar2 } from '../reference/binary.ts';
import { build, count, type Dense } from '../reference/dense.ts';
import { clamp, elu, geluTanh, hardtanh, leakyRelu, powScalar, scalars, type Scalar } from '../reference/unary.ts';
import { whereGradient } from '../reference/where.ts';
import { expectWithin, readAll, upload } from '../support/check-op.ts';
import { distinct, sample, type SampleOptions } from '../support/sample.ts';
import type { Tolerance } from '../support/tolerance.ts';

/** Far above the rounding of some twenty f32 operations, far below any wrong term. */
const tolerance: Tolerance = ({ sum }) => 3e-5 * (1 + sum);

/** f' by central differences in f64. */
const slope = (f: (x: number) => number, x: number): number => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;

/**
 * H v for L = sum(w f^2 / 2) and v = 1, by two passes: the square makes the gradient that reaches f depend on f, so
 * both the way through dy and the way through x are taken.
 */
function hessianTimesOne(run: (...x: Tensor[]) => Tensor, inputs: readonly Dense[], w: Dense): Promise<Float32Array[]> {
  return readAll(() => {
    const x = inputs.map((d) => requireGrad(upload(d)));
    const first = grad(ops.sum(ops.mul(ops.mul(ops.square(run(...x)), 0.5), upload(w))), x, { createGraph: true });
    return grad(
      first.map((g) => ops.sum(g)).reduce((a, b) => ops.add(a, b)),
      x,
    );
  });
}

const wide: SampleOptions = { low: -2.5, high: 2.5 };
const positive: SampleOptions = { low: 0.2, high: 3 };
const kink: SampleOptions = { away: [0] };
const row = (name: keyof typeof scalars, domain: SampleOptions): [(x: Tensor) => Tensor, Scalar, SampleOptions] => [
  ops[name] as (x: Tensor) => Tensor,
  scalars[name],
  domain,
];

const unaryRows: Record<string, [run: (x: Tensor) => Tensor, scalar: Scalar, domain: SampleOptions]> = {
  neg: row('neg', wide),
  abs: row('abs', kink),
  exp: row('exp', { low: -2, high: 1.5 }),
  expm1: row('expm1', { low: -2, high: 1.5 }),
  log: row('log', positive),
  log1p: row('log1p', { low: -0.7, high: 3 }),
  sqrt: row('sqrt', positive),
  rsqrt: row('rsqrt', { low: 0.4, high: 3 }),
  square: row('square', wide),
  reciprocal: row('reciprocal', { low: 0.5, high: 3 }),
  sin: row('sin', { low: -9, high: 9 }),
  cos: row('cos', { low: -9, high: 9 }),
  tanh: row('tanh', wide),
  erf: row('erf', wide),
  sigmoid: row('sigmoid', wide),
  softplus: row('softplus', wide),
  logSigmoid: row('logSigmoid', wide),
  silu: row('silu', wide),
  gelu: row('gelu', wide),
  'gelu tanh': [(x) => ops.gelu(x, { approximate: 'tanh' }), geluTanh, wide],
  relu: row('relu', kink),
  leakyRelu: [(x) => ops.leakyRelu(x, { negativeSlope: 0.25 }), leakyRelu(0.25), kink],
  elu: [(x) => ops.elu(x, { alpha: 0.75 }), elu(0.75), kink],
  clamp: [(x) => ops.clamp(x, -0.5, 0.75), clamp(-0.5, 0.75), { away: [-0.5, 0.75] }],
  hardtanh: [(x) => ops.hardtanh(x, { minVal: -0.5, maxVal: 0.75 }), hardtanh(-0.5, 0.75), { away: [-0.5, 0.75] }],
  'powScalar 3': [(x) => ops.powScalar(x, 3), powScalar(3), kink],
  'powScalar -1.5': [(x) => ops.powScalar(x, -1.5), powScalar(-1.5), { low: 0.6, high: 3 }],
  'powScalar 0': [(x) => ops.powScalar(x, 0), powScalar(0), wide],
};

test.each(Object.entries(unaryRows))('%s', async (_, [run, { f, df }, domain]) => {
  const x = sample([3, 11], { ...domain, seed: 5 });
  const w = sample([3, 11], { seed: 6 });
  const [h] = await hessianTimesOne(run, [x], w);
  expectWithin(
    h!,
    build(x.shape, (i) => w.data[i]! * slope((v) => f(v) * df(v), x.data[i]!)),
    tolerance,
    'Hessian times 1',
  );
});

const binaryRows: [name: 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'maximum' | 'minimum', a: Dense, b: Dense][] = (
  ['add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum'] as const
).flatMap((name) =>
  (
    [
      [[7], [7]],
      [[3, 5], [5]],
      [
        [4, 1],
        [2, 1, 3],
      ],
    ] as [number[], number[]][]
  ).map(([p, q]): [typeof name, Dense, Dense] =>
    name === 'maximum' || name === 'minimum'
      ? [name, distinct(p, { seed: 3 }), distinct(q, { seed: 4, offset: 1 / 128 })]
      : [name, sample(p, { ...positive, low: 0.5, seed: 3 }), sample(q, { ...positive, low: 0.5, seed: 4 })],
  ),
);

test.each(binaryRows)('%s of %j and %j', async (name, a, b) => {
  const s: Scalar2 = scalars2[name];
  const gradientSum = (x: number, y: number): number => s.f(x, y) * (s.da(x, y) + s.db(x, y));
  const second: Scalar2 = {
    f: gradientSum,
    da: (x, y) => slope((v) => gradientSum(v, y), x),
    db: (x, y) => slope((v) => gradientSum(x, v), y),
  };
  const shape = a.shape.length === b.shape.length ? a.shape : a.shape.length > b.shape.length ? a.shape : [2, 4, 3];
  const w = sample(shape, { seed: 6 });
  const got = await hessianTimesOne(ops[name] as (...x: Tensor[]) => Tensor, [a, b], w);
  binaryGradient(second, w, a, b).forEach((want, k) =>
    expectWithin(got[k]!, want, tolerance, `Hessian times 1, part ${k}`),
  );
});

test('where', async () => {
  const [c, a, b] = [build([3, 5], (i) => Number(i % 3 > 0)), sample([3, 5], { seed: 2 }), sample([5], { seed: 3 })];
  const w = sample([3, 5], { seed: 6 });
  // f = c ? a : b is linear, so the Hessian of sum(w f^2 / 2) times 1 is the gradient of where for dy = w.
  const got = await hessianTimesOne((x, y) => ops.where(upload(c), x!, y!), [a, b], w);
  whereGradient(w, c, a, b).forEach((want, k) => expectWithin(got[k]!, want, tolerance, `Hessian times 1, part ${k}`));
});

test('a third derivative', async () => {
  const x = sample([9], { seed: 1 });
  const [got] = await readAll(() => {
    const t = requireGrad(upload(x));
    let y = ops.sum(ops.silu(t));
    for (let order = 1; order < 3; order++) y = ops.sum(grad(y, [t], { createGraph: true })[0]!);
    return grad(y, [t]);
  });
  const [f, eps] = [scalars.silu.df, 1e-4];
  expect(count(x.shape)).toBe(9);
  expectWithin(
    got!,
    build(x.shape, (i) => (f(x.data[i]! + eps) - 2 * f(x.data[i]!) + f(x.data[i]! - eps)) / eps ** 2),
    () => 1e-5,
    'third derivative',
  );
});
