import { expect, test } from 'vitest';
import type { Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import file from '../golden/ops-elementwise.json';
import { checkGolden, planned, type GoldenRun } from '../support/golden-op.ts';
import { close, SIN_ERROR, TANH_ERROR, type Tolerance } from '../support/tolerance.ts';

const activation = 'an activation of a later release';
const later = {
  gelu: activation,
  geluTanh: activation,
  elu: activation,
  logSigmoid: activation,
  hardtanh: activation,
  erf: 'needs a polynomial of its own; comes with gelu',
};

const one =
  (f: (x: Tensor) => Tensor): GoldenRun =>
  ({ x }) =>
    f(x!);
const two =
  (f: (a: Tensor, b: Tensor) => Tensor): GoldenRun =>
  ({ a, b }) =>
    f(a!, b!);

const { neg, abs, square, exp, log, log1p, expm1, sqrt, rsqrt, reciprocal, sin, cos, tanh, sigmoid, softplus, silu, relu, sign, floor } = ops;
const unary = { neg, abs, square, exp, log, log1p, expm1, sqrt, rsqrt, reciprocal, sin, cos, tanh, sigmoid, softplus, silu, relu, sign, floor };
const { add, sub, mul, div, pow, maximum, minimum, greater, greaterEqual, less, equal } = ops;
const binary = { add, sub, mul, div, pow, maximum, minimum, greater, greaterEqual, less, equal };

const runs: Record<string, GoldenRun> = {
  ...Object.fromEntries(Object.entries(unary).map(([name, f]) => [name, one(f)])),
  ...Object.fromEntries(Object.entries(binary).map(([name, f]) => [name, two(f)])),
  powScalar: ({ x }, c) => ops.powScalar(x!, c.options.exponent as number),
  leakyRelu: ({ x }, c) => ops.leakyRelu(x!, { negativeSlope: c.options.slope as number }),
  clamp: ({ x }, c) => ops.clamp(x!, (c.options.min as number | null) ?? -Infinity, (c.options.max as number | null) ?? Infinity),
  where: ({ cond, a, b }) => ops.where(cond!, a!, b!),
  expression: ({ a, b }) => sub(mul(add(mul(a!, b!), tanh(a!)), sigmoid(add(a!, b!))), div(a!, add(mul(b!, b!), 1))),
};

const elementwise = close(1e-5, 1e-6);
// WGSL's own bounds for the built-in functions behind these ops, times incoming gradients of at most 4.
const special: Record<string, Tolerance> = {
  sin: () => 4 * SIN_ERROR,
  cos: () => 4 * SIN_ERROR,
  tanh: () => 8 * TANH_ERROR,
  expression: close(1e-5, 10 * TANH_ERROR),
};

const cases = planned({ file, later });

test('139 of the 163 cases run', () => expect([cases.length, file.length]).toEqual([139, 163]));
test.each(cases)('$name', (c) => checkGolden(c, runs[c.op!]!, special[c.op!] ?? elementwise));
