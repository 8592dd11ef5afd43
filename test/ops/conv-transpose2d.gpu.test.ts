import { expect, test } from 'vitest';
import { scope, tensor } from 'evenkeel';
import { convTranspose2d, type ConvTranspose2dOptions } from 'evenkeel/ops';
import { count } from '../reference/dense.ts';
import * as reference from '../reference/conv-transpose2d.ts';
import { checkOp } from '../support/check-op.ts';
import { checkHessian } from '../support/check-hessian.ts';
import { sample } from '../support/sample.ts';
import { products } from '../support/tolerance.ts';

interface Case {
  x: number[];
  w: number[];
  options?: Partial<reference.TransposedGeometry>;
}

const cases: Case[] = [
  { x: [0, 2, 3, 3], w: [2, 1, 2, 2] },
  { x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
  { x: [2, 3, 4, 5], w: [3, 2, 3, 3] },
  { x: [1, 3, 4, 4], w: [3, 2, 3, 3], options: { stride: [2, 2], padding: [1, 1], outputPadding: [1, 1] } },
  { x: [2, 2, 3, 3], w: [2, 3, 4, 4], options: { stride: [2, 2], padding: [1, 1] } },
  { x: [1, 4, 3, 4], w: [4, 3, 3, 2], options: { stride: [1, 2], padding: [1, 0], dilation: [2, 1], groups: 2 } },
  { x: [1, 2, 3, 5], w: [2, 3, 2, 3], options: { stride: [3, 1], padding: [0, 1], outputPadding: [1, 0] } },
  // Rows between the kernels stay empty: bias alone.
  { x: [1, 1, 3, 2], w: [1, 2, 1, 1], options: { stride: [3, 4], outputPadding: [2, 3] } },
  // Output padding as wide as the dilation allows, more than the stride.
  { x: [1, 2, 4, 3], w: [2, 1, 2, 2], options: { dilation: [3, 3], outputPadding: [2, 1] } },
  { x: [2, 5, 4, 4], w: [5, 1, 3, 3], options: { stride: [2, 2], padding: [1, 1], groups: 5 } },
  { x: [1, 31, 2, 3], w: [31, 33, 2, 2], options: { stride: [2, 2] } },
  { x: [1, 1, 5, 257], w: [1, 1, 2, 3], options: { stride: [1, 2] } },
];

test.each(cases)('x [$x], w [$w], $options', ({ x, w, options }) => {
  const g = { ...reference.PLAIN, ...options };
  const out = w[1]! * g.groups;
  const spread = products((x[1]! / g.groups) * w[2]! * w[3]! + 1);
  return checkOp({
    inputs: [sample(x, { seed: 1 }), sample(w, { seed: 2 }), sample([out], { seed: 3 })],
    run: (a, b, c) => convTranspose2d(a, b, c, options),
    reference: (a, b, c) => reference.convTranspose2d(a, b, c, g),
    gradient: (dy, a, b, c) => reference.convTranspose2dGradient(dy, a, b, c, g),
    tolerance: spread,
    gradientTolerance: [
      products(w[1]! * w[2]! * w[3]!),
      products(count(x)),
      products(count(x) * g.stride[0] * g.stride[1] * w[2]! * w[3]!),
    ],
  });
});

test('without a bias, differentiated twice', async () => {
  const g: reference.TransposedGeometry = {
    ...reference.PLAIN,
    stride: [2, 1],
    padding: [1, 0],
    dilation: [1, 2],
    groups: 2,
  };
  await checkHessian({
    inputs: [sample([2, 4, 3, 3], { seed: 1 }), sample([4, 2, 3, 2], { seed: 2 })],
    run: (x, w) => convTranspose2d(x, w, null, g),
    reference: (x, w) => reference.convTranspose2d(x, w, null, g),
    gradient: (dy, x, w) => reference.convTranspose2dGradient(dy, x, w, null, g),
  });
  await checkHessian({
    inputs: [sample([1, 2, 3, 3], { seed: 1 }), sample([2, 3, 2, 2], { seed: 2 }), sample([3], { seed: 3 })],
    run: (x, w, b) => convTranspose2d(x, w, b),
    reference: (x, w, b) => reference.convTranspose2d(x, w, b, reference.PLAIN),
    gradient: (dy, x, w, b) => reference.convTranspose2dGradient(dy, x, w, b, reference.PLAIN),
  });
});

test('more columns than one grid is wide', () =>
  checkOp({
    inputs: [sample([1, 1, 3, 700_003]), sample([1, 1, 1, 1], { seed: 2 })],
    run: (a, b) => convTranspose2d(a, b),
    reference: (a, b) => reference.convTranspose2d(a, b, null, reference.PLAIN),
    tolerance: products(1),
  }));

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(32), { shape: [1, 2, 4, 4] });
    const w = tensor(new Float32Array(54), { shape: [2, 3, 3, 3] });
    const run = (options: ConvTranspose2dOptions) => () => convTranspose2d(x, w, null, options);
    expect(() => convTranspose2d(tensor([1]), w)).toThrow('convTranspose2d: x has shape [1], expected rank 4');
    expect(() => convTranspose2d(w, x)).toThrow(
      'convTranspose2d: x has shape [2,3,3,3] with 3 channels, weight [1,2,4,4] takes 1',
    );
    expect(() => convTranspose2d(x, w, tensor([1]))).toThrow('convTranspose2d: bias has shape [1], expected [3]');
    expect(run({ groups: 3 })).toThrow('convTranspose2d: groups is 3, expected a divisor of the 2 channels');
    expect(run({ stride: 0 })).toThrow('convTranspose2d: stride is [0,0], expected integers of at least 1');
    expect(run({ outputPadding: 1 })).toThrow(
      'convTranspose2d: outputPadding is [1,1], expected less than stride [1,1] or dilation [1,1]',
    );
    expect(run({ padding: 3 })).toThrow(
      'convTranspose2d: x has shape [1,2,4,4], too small for padding [3,3]: the result would be 0 x 0',
    );
  });
});
