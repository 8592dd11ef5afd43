import { expect, test } from 'vitest';
import type { Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import file from '../golden/ops-elementwise.json';
import type { GoldenCase } from '../support/golden.ts';
import { checkGolden, type GoldenRun } from '../support/golden-op.ts';
import { close } from '../support/tolerance.ts';

const one =
  (f: (x: Tensor) => ReturnType<GoldenRun>): GoldenRun =>
  ({ x }) =>
    f(x!);
const two =
  (f: (a: Tensor, b: Tensor) => ReturnType<GoldenRun>): GoldenRun =>
  ({ a, b }) =>
    f(a!, b!);

const { neg, abs, square, exp, log, log1p, expm1, sqrt, rsqrt, reciprocal, sin, cos, tanh, erf, sign, floor } = ops;
const { sigmoid, softplus, logSigmoid, silu, relu } = ops;
const unary = {
  neg,
  abs,
  square,
  exp,
  log,
  log1p,
  expm1,
  sqrt,
  rsqrt,
  reciprocal,
  sin,
  cos,
  tanh,
  erf,
  sign,
  floor,
  sigmoid,
  softplus,
  logSigmoid,
  silu,
  relu,
};
const { add, sub, mul, div, pow, maximum, minimum, greater, greaterEqual, less, equal } = ops;
const binary = { add, sub, mul, div, pow, maximum, minimum, greater, greaterEqual, less, equal };

const runs: Record<string, GoldenRun> = {
  ...Object.fromEntries(Object.entries(unary).map(([name, f]) => [name, one(f)])),
  ...Object.fromEntries(Object.entries(binary).map(([name, f]) => [name, two(f)])),
  powScalar: ({ x }, c) => ops.powScalar(x!, c.options.exponent as number),
  leakyRelu: ({ x }, c) => ops.leakyRelu(x!, { negativeSlope: c.options.slope as number }),
  elu: ({ x }, c) => ops.elu(x!, { alpha: c.options.alpha as number }),
  gelu: one(ops.gelu),
  geluTanh: ({ x }) => ops.gelu(x!, { approximate: 'tanh' }),
  hardtanh: one(ops.hardtanh),
  clamp: ({ x }, c) =>
    ops.clamp(x!, (c.options.min as number | null) ?? -Infinity, (c.options.max as number | null) ?? Infinity),
  where: ({ cond, a, b }) => ops.where(ops.cast(cond!, 'bool'), a!, b!),
  expression: ({ a, b }) => sub(mul(add(mul(a!, b!), tanh(a!)), sigmoid(add(a!, b!))), div(a!, add(mul(b!, b!), 1))),
};

const cases = file as unknown as GoldenCase[];

test('there are 163 cases', () => expect(cases.length).toBe(163));
test.each(cases)('$name', (c) => checkGolden(c, runs[c.op!]!, close(1e-5, 1e-6)));
