import { describe, expect, test } from 'vitest';
import { backward, grad, requireGrad, tensor, type Tensor } from 'evenkeel';
import { conv1d, conv2d, linear, matmul, mul, square, sum, type Precision } from 'evenkeel/ops';
import { fromHalf, toHalf } from '../../src/io/half.ts';
import { build, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/matmul.ts';
import { expectSameBits, expectWithin, readAll, takeGrad, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { products } from '../support/tolerance.ts';
import { bitsByTile } from '../support/tuning.ts';

/** The nearest numbers that f16 has. */
const half = (x: Dense): Dense => build(x.shape, (i) => fromHalf(toHalf(x.data[i]!)));
/** Inputs of which f16 drops bits. */
const inputs = (...shapes: readonly number[][]): Dense[] => shapes.map((shape, i) => sample(shape, { seed: i + 1 }));

type Run = (precision: Precision, ...x: Tensor[]) => Tensor;

/** A result, and the gradients of sum(dy y); those that `rounds` are of inputs on which the kernels round themselves. */
function results(run: Run, precision: Precision, x: readonly Dense[], dy: Dense): Promise<Float32Array[]> {
  return readAll(() => {
    const leaves = x.map((d) => requireGrad(upload(d)));
    const y = run(precision, ...leaves);
    backward(sum(mul(y, upload(dy))));
    return [y, ...leaves.map(takeGrad)];
  });
}

/** Products, in two operands and what is not rounded: vectors of four and not, parts of sums, batches. */
const cases: [name: string, run: Run, shapes: number[][], y: number[]][] = [
  ...([false, true] as const).flatMap((transposeA) =>
    ([false, true] as const).map((transposeB): (typeof cases)[number] => [
      `matmul ${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}, ragged`,
      (precision, a, b) => matmul(a, b, { transposeA, transposeB, precision }),
      [transposeA ? [7, 5] : [5, 7], transposeB ? [9, 7] : [7, 9]],
      [5, 9],
    ]),
  ),
  [
    'matmul in parts',
    (precision, a, b) => matmul(a, b, { precision }),
    [
      [4, 700],
      [700, 3],
    ],
    [4, 3],
  ],
  [
    'matmul in batches',
    (precision, a, b) => matmul(a, b, { precision }),
    [
      [2, 1, 3, 4],
      [3, 4, 5],
    ],
    [2, 3, 3, 5],
  ],
  [
    'linear',
    (precision, x, w, b) => linear(x, w, b!, { precision, activation: 'relu' }),
    [[6, 8], [12, 8], [12]],
    [6, 12],
  ],
  ['linear, ragged', (precision, x, w, b) => linear(x, w, b!, { precision }), [[2, 3, 7], [5, 7], [5]], [2, 3, 5]],
  [
    'linear without a bias',
    (precision, x, w) => linear(x, w, null, { precision }),
    [
      [3, 7],
      [5, 7],
    ],
    [3, 5],
  ],
  [
    'conv2d',
    (precision, x, w, b) => conv2d(x, w, b!, { padding: 1, stride: 2, activation: 'relu', precision }),
    [[2, 3, 7, 5], [6, 3, 3, 3], [6]],
    [2, 6, 4, 3],
  ],
  [
    'conv1d',
    (precision, x, w) => conv1d(x, w, null, { precision }),
    [
      [2, 3, 9],
      [8, 3, 3],
    ],
    [2, 8, 7],
  ],
  [
    'depthwise',
    (precision, x, w) => conv2d(x, w, null, { groups: 3, precision }),
    [
      [1, 3, 5, 5],
      [3, 1, 3, 3],
    ],
    [1, 3, 3, 3],
  ],
];

describe.each(cases)('%s', (_name, run, shapes, shape) => {
  const x = inputs(...shapes);
  const dy = sample(shape, { seed: 9, low: -1, high: 1 });
  // The bias is not an operand of the product.
  const roundedX = x.map((d, i) => (i < 2 ? half(d) : d));

  test('forward and gradients are those of f32 on operands rounded to f16, bit for bit, with every tuning', async () => {
    const want = await results(run, 'f32', roundedX, half(dy));
    const got = await results(run, 'mixed', x, dy);
    got.forEach((g, i) => expectSameBits(g, want[i]!, i === 0 ? 'result' : `gradient ${i - 1}`));
    const plain = await results(run, 'f32', x, dy);
    expect(got[0]).not.toEqual(plain[0]);
  });
});

test('all tunings give the same bits', async () => {
  const [a, b, w, image] = inputs([33, 8], [18, 8], [5, 3, 3, 3], [2, 3, 6, 5]);
  const dy = [sample([33, 18], { seed: 5 }), sample([2, 5, 4, 3], { seed: 6 })];
  const { software, hardware } = await bitsByTile(async () => [
    ...(await results((precision, x, y) => linear(x, y!, null, { precision }), 'mixed', [a!, b!], dy[0]!)),
    ...(await results((precision, x, y) => conv2d(x, y!, null, { precision }), 'mixed', [image!, w!], dy[1]!)),
  ]);
  for (const [place, bits] of hardware) expect(bits, `tile ${place}`).toEqual(software);
});

test('a product and its gradients against f64, with operands rounded once', async () => {
  const [a, b] = inputs([9, 33], [33, 6]) as [Dense, Dense];
  const dy = sample([9, 6], { seed: 9, low: -1, high: 1 });
  const [y, da, db] = await results((precision, p, q) => matmul(p, q!, { precision }), 'mixed', [a, b], dy);
  expectWithin(y!, reference.matmul(half(a), half(b)), products(33), 'y');
  const [wantA, wantB] = reference.matmulGradient(half(dy), half(a), half(b));
  expectWithin(da!, wantA, products(6), 'da');
  expectWithin(db!, wantB, products(9), 'db');
});

test('operands: nearest halves, ties to even; subnormal halves, infinities and NaN are kept', async () => {
  const tiny = 2 ** -24;
  const x = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 65_504, 65_519, 65_520, -1e30, Infinity, NaN, tiny, 5 * tiny, tiny / 2];
  const want = [1, 1 + 2 ** -9, 65_504, 65_504, Infinity, -Infinity, Infinity, NaN, tiny, 5 * tiny, 0];
  const [y] = await readAll(() => [matmul(tensor(x, { shape: [11, 1] }), tensor([[1]]), { precision: 'mixed' })]);
  expect([...y!]).toEqual(want);
});

test('sums are f32: 4096 terms of 1 and one of 2^-10', async () => {
  const x = Float32Array.from({ length: 4097 }, (_, i) => (i === 0 ? 2 ** -10 : 1));
  const ones = tensor(new Float32Array(4097).fill(1), { shape: [4097, 1] });
  const [y] = await readAll(() => [matmul(tensor(x, { shape: [1, 4097] }), ones, { precision: 'mixed' })]);
  ones.dispose();
  expect([...y!]).toEqual([4096 + 2 ** -10]);
});

describe('gradients of gradients round as the first ones do', () => {
  test.each<[string, Run, number[][]]>([
    [
      'matmul',
      (precision, a, b) => matmul(a, b!, { precision }),
      [
        [3, 4],
        [4, 5],
      ],
    ],
    ['linear', (precision, x, w, b) => linear(x, w!, b!, { precision }), [[3, 4], [2, 4], [2]]],
    ['conv2d', (precision, x, w, b) => conv2d(x, w!, b!, { precision }), [[1, 2, 4, 4], [3, 2, 3, 3], [3]]],
  ])('%s', async (_name, run, shapes) => {
    const x = inputs(...shapes);
    const second = (precision: Precision): Promise<Float32Array[]> =>
      readAll(() => {
        const leaves = x.map((d) => requireGrad(upload(d)));
        const first = grad(sum(square(run(precision, ...leaves))), leaves, { createGraph: true });
        return [...first, ...grad(sum(square(first[0]!)), leaves)];
      });
    const [mixed, f32, fused] = [
      await second('mixed'),
      await second('f32'),
      await readAll(() => {
        const leaves = x.map((d) => requireGrad(upload(d)));
        backward(sum(square(run('mixed', ...leaves))));
        return leaves.map(takeGrad);
      }),
    ];
    mixed.forEach((m, i) => {
      const size = Math.max(...f32[i]!.map(Math.abs));
      m.forEach((v, j) => expect(Math.abs(v - f32[i]![j]!)).toBeLessThan(2e-3 * size));
    });
    // The same products, in another order of sums at most.
    fused.forEach((g, i) => {
      const size = Math.max(...g.map(Math.abs));
      g.forEach((v, j) => expect(Math.abs(v - mixed[i]![j]!)).toBeLessThanOrEqual(1e-6 * size));
    });
  });
});

test('a precision that there is not', () => {
  const x = tensor([[1]]);
  const image = tensor([[[[1]]]]);
  const bad = { precision: 'f16' } as never;
  expect(() => matmul(x, x, bad)).toThrow("matmul: precision is 'f16', expected 'f32' or 'mixed'");
  expect(() => linear(x, x, null, bad)).toThrow("linear: precision is 'f16', expected 'f32' or 'mixed'");
  expect(() => conv2d(image, image, null, bad)).toThrow("conv2d: precision is 'f16', expected 'f32' or 'mixed'");
  x.dispose();
  image.dispose();
});
