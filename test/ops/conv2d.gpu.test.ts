import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor, type Tuning } from 'evenkeel';
import { conv1d, conv2d, convTranspose2d, mul, sum, type Conv2dOptions } from 'evenkeel/ops';
import { count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/conv2d.ts';
import { checkOp, expectSameBits, readAll, takeGrad, upload } from '../support/check-op.ts';
import { checkHessian } from '../support/check-hessian.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { products } from '../support/tolerance.ts';
import { asTuned } from '../support/tuning.ts';

type Shape = [number, number, number, number];
interface Case {
  x: Shape;
  w: Shape;
  options?: { stride?: [number, number]; padding?: [number, number]; dilation?: [number, number]; groups?: number };
}

const cases: Case[] = [
  { x: [0, 1, 4, 4], w: [2, 1, 3, 3] },
  { x: [2, 0, 4, 4], w: [2, 0, 3, 3] },
  { x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
  { x: [2, 3, 5, 4], w: [4, 3, 1, 1] },
  { x: [2, 3, 5, 7], w: [3, 3, 3, 3] },
  { x: [2, 3, 7, 5], w: [2, 3, 3, 3], options: { padding: [1, 1] } },
  { x: [2, 3, 8, 8], w: [4, 3, 3, 3], options: { stride: [2, 2], padding: [1, 1] } },
  { x: [1, 2, 8, 6], w: [3, 2, 3, 3], options: { stride: [2, 2] } },
  { x: [1, 2, 9, 9], w: [3, 2, 3, 3], options: { padding: [2, 2], dilation: [2, 2] } },
  { x: [2, 2, 7, 11], w: [3, 2, 3, 5], options: { stride: [2, 3], padding: [1, 2], dilation: [2, 1] } },
  { x: [2, 1, 7, 5], w: [1, 1, 2, 1], options: { stride: [3, 1], dilation: [1, 3] } },
  { x: [1, 17, 3, 3], w: [5, 17, 3, 3], options: { padding: [1, 1] } },
  { x: [1, 2, 6, 7], w: [33, 2, 3, 3] },
  { x: [3, 2, 4, 5], w: [3, 2, 4, 5] },
  { x: [1, 2, 4, 4], w: [2, 2, 3, 3], options: { padding: [3, 3] } },
  // Over 64 output positions: the gradient of the weights is summed in parts.
  { x: [5, 1, 17, 16], w: [2, 1, 3, 3], options: { padding: [1, 1] } },
  // In spans of several parts.
  { x: [9, 1, 26, 19], w: [6, 1, 5, 5] },
  { x: [2, 6, 5, 4], w: [4, 3, 3, 3], options: { padding: [1, 1], groups: 2 } },
  { x: [1, 6, 6, 7], w: [9, 2, 2, 3], options: { stride: [2, 3], dilation: [1, 2], groups: 3 } },
  { x: [2, 5, 6, 6], w: [5, 1, 3, 3], options: { padding: [1, 1], groups: 5 } },
  { x: [1, 3, 7, 6], w: [6, 1, 3, 3], options: { stride: [2, 1], padding: [1, 1], groups: 3 } },
  { x: [1, 34, 3, 3], w: [66, 17, 1, 1], options: { groups: 2 } },
  // Groups and parts of the sum over positions in one grid.
  { x: [3, 4, 12, 11], w: [8, 1, 3, 3], options: { padding: [1, 1], groups: 4 } },
];

describe.each(['none', 'relu'] as const)('activation %s', (activation) => {
  // The relu is the same in every kernel: a third of the cases has it, each kind of kernel among them.
  test.each(activation === 'relu' ? cases.filter((_, i) => i % 3 === 1) : cases)(
    'x [$x], w [$w], $options',
    ({ x, w, options }) => {
      const geometry = { ...reference.PLAIN, ...options };
      const relu = activation === 'relu';
      const terms = count(w.slice(1));
      const groups = options?.groups ?? 1;
      const positions = count(x) * count(w.slice(2));
      return checkOp({
        inputs: [sample(x, { seed: 1 }), sample(w, { seed: 2 }), sample([w[0]], { seed: 3 })],
        run: (a, b, c) => conv2d(a, b, c, { ...options, activation }),
        reference: (a, b, c) => reference.conv2d(a, b, c, geometry, relu),
        gradient: (dy, a, b, c) => reference.conv2dGradient(dy, a, b, c, geometry, relu),
        tolerance: products(terms + 1),
        gradientTolerance: [products((w[0] / groups) * count(w.slice(2))), products(positions), products(positions)],
      });
    },
  );
});

test('without a bias', () =>
  checkOp({
    inputs: [sample([2, 3, 6, 6], { seed: 1 }), sample([4, 3, 3, 3], { seed: 2 })],
    run: (x, w) => conv2d(x, w, null, { padding: 1 }),
    reference: (x, w) => reference.conv2d(x, w, null, { ...reference.PLAIN, padding: [1, 1] }),
    gradient: (dy, x, w) => reference.conv2dGradient(dy, x, w, null, { ...reference.PLAIN, padding: [1, 1] }),
    tolerance: products(72),
  }));

test.each([
  { x: [1, 2, 5, 4], w: [3, 2, 3, 3], dilation: [1, 1] },
  { x: [2, 1, 6, 5], w: [2, 1, 2, 4], dilation: [1, 1] },
  { x: [1, 2, 4, 7], w: [2, 1, 2, 3], dilation: [3, 2], groups: 2 },
] as (Case & { dilation: [number, number]; groups?: number })[])(
  'padding same: x [$x], w [$w], dilation $dilation',
  ({ x, w, dilation, groups = 1 }) => {
    const zeros = [dilation[0] * (w[2] - 1), dilation[1] * (w[3] - 1)] as const;
    const g: reference.Geometry = {
      stride: [1, 1],
      dilation,
      groups,
      padding: [zeros[0] >> 1, zeros[1] >> 1],
      extra: [zeros[0] & 1, zeros[1] & 1],
    };
    return checkOp({
      inputs: [sample(x, { seed: 1 }), sample(w, { seed: 2 })],
      run: (a, b) => conv2d(a, b, null, { padding: 'same', dilation, groups }),
      reference: (a, b) => reference.conv2d(a, b, null, g),
      gradient: (dy, a, b) => reference.conv2dGradient(dy, a, b, null, g),
      tolerance: products(count(x) * 12),
    });
  },
);

test.each([
  { x: [2, 3, 11], w: [4, 3, 3], options: { stride: 2, padding: 1 } },
  { x: [1, 4, 9], w: [4, 2, 2], options: { dilation: 3, groups: 2 } },
  { x: [2, 2, 257], w: [3, 2, 4], options: { padding: 'same' as const } },
] as {
  x: number[];
  w: number[];
  options: { stride?: number; padding?: number | 'same'; dilation?: number; groups?: number };
}[])('conv1d of [$x], w [$w], $options', ({ x, w, options }) => {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  const zeros = padding === 'same' ? dilation * (w[2]! - 1) : 2 * padding;
  const g: reference.Geometry = {
    stride: [1, stride],
    dilation: [1, dilation],
    groups,
    padding: [0, zeros >> 1],
    extra: [0, zeros & 1],
  };
  // The height of one, put in and taken out.
  const flat = <T extends { shape: readonly number[] }>(t: T): T => ({
    ...t,
    shape: [...t.shape.slice(0, 2), 1, ...t.shape.slice(2)],
  });
  const line = <T extends { shape: readonly number[] }>(t: T): T => ({
    ...t,
    shape: t.shape.filter((_, i) => i !== 2 || t.shape.length < 4),
  });
  return checkOp({
    inputs: [sample(x, { seed: 1 }), sample(w, { seed: 2 }), sample([w[0]!], { seed: 3 })],
    run: (a, b, c) => conv1d(a, b, c, options),
    reference: (a, b, c) => line(reference.conv2d(flat(a), flat(b), c, g)),
    gradient: (dy, a, b, c) => reference.conv2dGradient(flat(dy), flat(a), flat(b), c, g).map(line),
    tolerance: products(count(x) * w[2]!),
  });
});

test('more columns than one grid is wide', () =>
  checkOp({
    inputs: [sample([1, 1, 3, 700_003]), sample([1, 1, 1, 1], { seed: 2 })],
    run: (a, b) => conv2d(a, b),
    reference: (a, b) => reference.conv2d(a, b, null, reference.PLAIN),
    tolerance: products(1),
  }));

test.each([
  { x: [2, 2, 4, 5], w: [3, 2, 3, 3], options: { padding: [1, 1] } },
  { x: [1, 4, 5, 5], w: [4, 2, 3, 2], options: { stride: [2, 1], dilation: [1, 2], groups: 2 } },
] as Case[])('the gradient of the gradient: x [$x], w [$w], $options', async ({ x, w, options }) => {
  const g = { ...reference.PLAIN, ...options };
  const inputs = [sample(x, { seed: 1 }), sample(w, { seed: 2 }), sample([w[0]], { seed: 3 })];
  for (const activation of ['none', 'relu'] as const) {
    const relu = activation === 'relu';
    await checkHessian({
      inputs,
      run: (a, b, c) => conv2d(a, b, c, { ...options, activation }),
      reference: (a, b, c) => reference.conv2d(a, b, c, g, relu),
      gradient: (dy, a, b, c) => reference.conv2dGradient(dy, a, b, c, g, relu),
    });
  }
});

test('the gradient of the gradient behind a relu, without the mask that the first order fuses', () => {
  const g = { ...reference.PLAIN, padding: [1, 1] as const };
  const hidden = (x: Dense, w: Dense) => reference.conv2d(x, w, null, g, true);
  return checkHessian({
    inputs: [sample([1, 1, 4, 4], { seed: 1 }), sample([2, 1, 3, 3], { seed: 2 }), sample([1, 2, 3, 3], { seed: 3 })],
    run: (x, w1, w2) => conv2d(conv2d(x, w1, null, { padding: 1, activation: 'relu' }), w2, null, { padding: 1 }),
    reference: (x, w1, w2) => reference.conv2d(hidden(x, w1), w2, null, g),
    gradient: (dy, x, w1, w2) => {
      const [dh, dw2] = reference.conv2dGradient(dy, hidden(x, w1), w2, null, g);
      const [dx, dw1] = reference.conv2dGradient(dh!, x, w1, null, g, true);
      return [dx!, dw1!, dw2!];
    },
  });
});

test('behind a relu, whose mask the next convolution applies', () => {
  const g = { ...reference.PLAIN, padding: [1, 1] as const };
  return checkOp({
    inputs: [
      sample([2, 1, 5, 5], { seed: 1 }),
      sample([2, 1, 3, 3], { seed: 2 }),
      sample([2], { seed: 3 }),
      sample([3, 2, 3, 3], { seed: 4 }),
    ],
    run: (x, w1, b1, w2) => conv2d(conv2d(x, w1, b1, { padding: 1, activation: 'relu' }), w2, null, { padding: 1 }),
    reference: (x, w1, b1, w2) => reference.conv2d(reference.conv2d(x, w1, b1, g, true), w2, null, g),
    gradient: (dy, x, w1, b1, w2) => {
      const h = reference.conv2d(x, w1, b1, g, true);
      const [dh, dw2] = reference.conv2dGradient(dy, h, w2, null, g);
      const [dx, dw1, db1] = reference.conv2dGradient(dh!, x, w1, b1, g, true);
      return [dx!, dw1!, db1!, dw2!];
    },
    // The second sum carries the error of the first, whose terms add up to at most 9 x 4 + 2, in each of its 50 terms
    // of at most 2.
    tolerance: ({ sum }) => products(50)({ sum, want: 0, i: 0, inputs: [] }) + 50 * 2 * 38 * 14 * 2 ** -24,
  });
});

describe('bits depend on the shape alone: every tile of a GPU against the blocks of a processor', () => {
  const shapes: Case[] = [
    { x: [3, 5, 9, 7], w: [20, 5, 3, 3], options: { stride: [2, 1], padding: [1, 1], dilation: [1, 2] } },
    { x: [2, 12, 7, 5], w: [34, 6, 2, 3], options: { stride: [1, 3], padding: [0, 2], groups: 2 } },
    { x: [2, 5, 9, 8], w: [5, 1, 3, 3], options: { padding: [1, 1], groups: 5 } },
    { x: [2, 2, 8, 9], w: [6, 1, 3, 2], options: { stride: [2, 2], dilation: [2, 1], groups: 2 } },
    { x: [5, 17, 6, 6], w: [33, 17, 1, 1] },
    // Several spans of several parts of the sum over positions.
    { x: [9, 1, 26, 19], w: [6, 1, 5, 5] },
    // A window of more rows and columns than have a bit.
    { x: [2, 2, 1, 70], w: [5, 2, 1, 33] },
    { x: [2, 0, 4, 4], w: [6, 0, 3, 3] },
  ];
  const resultsOf = ({ x, w, options }: Case): Promise<Float32Array[]> =>
    readAll(() => {
      const inputs = [sample(x, { seed: 1 }), sample(w, { seed: 2 }), sample([w[0]], { seed: 3 })].map(upload);
      const [a, b, c] = inputs.map(requireGrad) as [Tensor, Tensor, Tensor];
      const y = conv2d(a, b, c, { ...options, activation: 'relu' });
      backward(sum(mul(y, upload(sample(y.shape, { seed: 4, low: -1, high: 1 })))));
      const z = convTranspose2d(upload(sample(y.shape, { seed: 5 })), b, null, { ...options });
      return [y, takeGrad(a), takeGrad(b), takeGrad(c), conv2d(a, b, null, options), z];
    });

  test.each(shapes.map((shape, i) => ({ ...shape, i })))('x [$x], w [$w], $options', async ({ i: at, ...shape }) => {
    let want: Float32Array[] = [];
    await asTuned('software', async () => {
      want = await resultsOf(shape);
    });
    await asTuned('hardware', async () => {
      const own = gpu as { tuning: Tuning };
      // All tiles fit 64 rows. The shapes take turns: each compiles for seconds here.
      const all = own.tuning.convolutionTiles(64, 64, 1);
      expect(all.length).toBeLessThan(shapes.length);
      const tile = all[at % all.length]!;
      own.tuning = { ...own.tuning, convolutionTiles: () => [tile] };
      const what = `${tile.m}x${tile.n}, ${tile.lanesX}x${tile.lanesY}`;
      (await resultsOf(shape)).forEach((y, i) => expectSameBits(y, want[i]!, `${what}: result ${i}`));
    });
  });
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(32), { shape: [1, 2, 4, 4] });
    const w = tensor(new Float32Array(54), { shape: [3, 2, 3, 3] });
    const words = (shape: number[]): Tensor =>
      tensor(new Int32Array(count(shape)), { shape, dtype: 'i32' }) as unknown as Tensor;
    const run = (options: Conv2dOptions) => () => conv2d(x, w, null, options);
    expect(() => conv2d(tensor([1]), w)).toThrow('conv2d: x has shape [1], expected rank 4');
    expect(() => conv2d(x, tensor(new Float32Array(27), { shape: [3, 1, 3, 3] }))).toThrow(
      'conv2d: x has shape [1,2,4,4] with 2 channels, weight [3,1,3,3] takes 1',
    );
    expect(() => conv2d(x, w, tensor([1]))).toThrow('conv2d: bias has shape [1], expected [3]');
    expect(() => conv2d(x, words([3, 2, 3, 3]))).toThrow('conv2d: weight is i32, expected f32');
    expect(() => conv2d(x, w, words([3]))).toThrow('conv2d: bias is i32, expected f32');
    expect(run({ stride: 0 })).toThrow('conv2d: stride is [0,0], expected integers of at least 1');
    expect(run({ padding: [1, -1] })).toThrow('conv2d: padding is [1,-1], expected integers of at least 0');
    expect(run({ dilation: 1.5 })).toThrow('conv2d: dilation is [1.5,1.5], expected integers of at least 1');
    expect(run({ padding: 'same', stride: 2 })).toThrow('conv2d: padding is same, which needs stride 1, got [2,2]');
    expect(run({ groups: 0 })).toThrow('conv2d: groups is 0, expected a positive integer');
    expect(run({ groups: 2 })).toThrow('conv2d: groups is 2, expected a divisor of the 3 filters');
    expect(run({ groups: 3 })).toThrow('conv2d: x has shape [1,2,4,4] with 2 channels, weight [3,2,3,3] takes 6');
    expect(() => conv1d(x, w)).toThrow('conv1d: x has shape [1,2,4,4], expected rank 3');
    expect(() =>
      conv1d(
        tensor(new Float32Array(8), { shape: [1, 2, 4] }),
        tensor(new Float32Array(6), { shape: [1, 2, 3] }),
        null,
        { stride: 0 },
      ),
    ).toThrow('conv1d: stride is [1,0], expected integers of at least 1');
    expect(run({ dilation: 2 })).toThrow(
      'conv2d: x has shape [1,2,4,4], too small for a 3 x 3 kernel with padding [0,0] and dilation [2,2]',
    );
  });
});
