import { describe, expect, test } from 'vitest';
import { backward, grad, requireGrad, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { linear, matmul, sum } from 'evenkeel/ops';
import { build } from '../reference/dense.ts';
import * as reference from '../reference/matmul.ts';
import { checkOp, readAll, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { exact, products } from '../support/tolerance.ts';

const sizes: [m: number, k: number, n: number][] = [
  [1, 1, 1],
  [0, 3, 2],
  [3, 0, 2],
  [31, 33, 17],
  [15, 16, 17],
  [16, 15, 16],
  [17, 17, 15],
  [16, 16, 16],
  [5, 6, 257],
  [257, 4, 5],
  [33, 1, 7],
  [1, 33, 1],
  [64, 31, 64],
];
const layouts = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

describe.each(layouts)('matmul, transposeA %s, transposeB %s', (transposeA, transposeB) => {
  test.each(sizes)('%i x %i x %i', (m, k, n) =>
    checkOp({
      inputs: [sample(transposeA ? [k, m] : [m, k], { seed: 1 }), sample(transposeB ? [n, k] : [k, n], { seed: 2 })],
      run: (a, b) => matmul(a, b, { transposeA, transposeB }),
      reference: (a, b) => reference.matmul(a, b, transposeA, transposeB),
      gradient: (dy, a, b) => reference.matmulGradient(dy, a, b, transposeA, transposeB),
      tolerance: products(k),
      gradientTolerance: [products(n), products(m)],
    }),
  );

  // Few outputs with many terms each: the product is split and its parts are added.
  test.each([
    [10, 5000, 7],
    [4, 5003, 8],
    [1, 515, 1],
    [16, 1024, 16],
  ])('%i x %i x %i in parts', (m, k, n) =>
    checkOp({
      inputs: [sample(transposeA ? [k, m] : [m, k], { seed: 1 }), sample(transposeB ? [n, k] : [k, n], { seed: 2 })],
      run: (a, b) => matmul(a, b, { transposeA, transposeB }),
      reference: (a, b) => reference.matmul(a, b, transposeA, transposeB),
      gradient: (dy, a, b) => reference.matmulGradient(dy, a, b, transposeA, transposeB),
      tolerance: products(k),
      gradientTolerance: [products(n), products(m)],
    }),
  );
});

describe('linear', () => {
  const rows: [number, number, number][] = [
    [0, 3, 2],
    [1, 1, 1],
    [7, 33, 5],
    [31, 17, 16],
    [16, 16, 16],
    [257, 5, 3],
    [3, 1030, 2],
  ];
  test.each(rows.flatMap(([b, i, o]) => [[b, i, o, 'none'] as const, [b, i, o, 'relu'] as const]))('%i rows, %i to %i, activation %s', (batch, features, out, activation) => {
    const relu = activation === 'relu';
    return checkOp({
      inputs: [sample([batch, features], { seed: 1 }), sample([out, features], { seed: 2 }), sample([out], { seed: 3 })],
      run: (x, w, b) => linear(x, w, b, { activation }),
      reference: (x, w, b) => reference.linear(x, w, b, relu),
      gradient: (dy, x, w, b) => reference.linearGradient(dy, x, w, b, relu),
      tolerance: products(features + 1),
      gradientTolerance: [products(out), products(batch), products(batch)],
    });
  });

  test('without a bias', () =>
    checkOp({
      inputs: [sample([7, 9], { seed: 1 }), sample([4, 9], { seed: 2 })],
      run: (x, w) => linear(x, w),
      reference: (x, w) => reference.linear(x, w, null),
      gradient: (dy, x, w) => reference.linearGradient(dy, x, w, null),
      tolerance: products(9),
    }));

  test('a relu is masked once on the way back, whoever does it', () =>
    checkOp({
      inputs: [sample([9, 6], { seed: 4 }), sample([5, 6], { seed: 5 }), sample([5], { seed: 6 }), sample([3, 5], { seed: 7 }), sample([3], { seed: 8 })],
      run: (x, w1, b1, w2, b2) => linear(linear(x, w1, b1, { activation: 'relu' }), w2, b2),
      reference: (x, w1, b1, w2, b2) => reference.linear(reference.linear(x, w1, b1, true), w2, b2),
      gradient: (dy, x, w1, b1, w2, b2) => {
        const h = reference.linear(x, w1, b1, true);
        const [dh, dw2, db2] = reference.linearGradient(dy, h, w2, b2);
        const [dx, dw1, db1] = reference.linearGradient(dh!, x, w1, b1, true);
        return [dx!, dw1!, db1!, dw2!, db2!];
      },
      // Two products, the second with the error of the first in its terms; magnitudes of the chain are at most 6 x 2 x 5.
      tolerance: ({ sum: s }) => products(6 + 5)({ sum: s, want: 0, i: 0, inputs: [] }) + 6 * 2 * 5 * 2 * 2 ** -20,
    }));

  test('the gradient of a relu output itself is not masked', async () => {
    const [g] = await readAll(() => {
      const h = linear(tensor([1, -1], { shape: [1, 2] }), requireGrad(tensor([1, 0, 0, 1], { shape: [2, 2] })), zeros([2]), { activation: 'relu' });
      return grad(sum(linear(h, tensor([3, 5], { shape: [1, 2] }), zeros([1]))), [h]);
    });
    expect(Array.from(g!)).toEqual([3, 5]);
  });
});

test('a matrix times the identity is exact', () =>
  checkOp({
    inputs: [sample([17, 33]), build([33, 33], (i) => Number(i % 34 === 0))],
    run: (a, b) => matmul(a, b),
    reference: (a) => a,
    tolerance: exact,
  }));

test('no stray NaN: what lies beyond rows and columns does not reach the result', async () => {
  const nan = new Float32Array(4096).fill(NaN);
  const [y] = await readAll(() => {
    for (let i = 0; i < 8; i++) tensor(nan).dispose();
    return [matmul(tensor(new Float32Array(15).fill(1), { shape: [3, 5] }), tensor(new Float32Array(35).fill(1), { shape: [5, 7] }))];
  });
  expect(y!.every((v) => v === 5)).toBe(true);
});

test('errors', () => {
  scope(() => {
    const a = tensor(new Float32Array(6), { shape: [2, 3] });
    const words = tensor(new Uint32Array(6), { shape: [3, 2], dtype: 'u32' }) as unknown as Tensor;
    expect(() => matmul(a, a)).toThrow('matmul: a has shape [2,3], b [2,3]: the inner sizes 3 and 2 differ');
    expect(() => matmul(a, a, { transposeA: true, transposeB: true })).toThrow('matmul: a has shape [2,3] transposed, b [2,3] transposed: the inner sizes 2 and 3 differ');
    expect(() => matmul(tensor([1, 2, 3]), a)).toThrow('matmul: a has shape [3], expected rank 2');
    expect(() => matmul(a, words)).toThrow('matmul: b is u32, expected f32');
    expect(() => linear(a, tensor(new Float32Array(8), { shape: [2, 4] }))).toThrow('linear: x has shape [2,3], weight [2,4] takes 4 features; give the layer 3 inputs');
    expect(() => linear(a, a, tensor([1, 2, 3]))).toThrow('linear: bias has shape [3], expected [2]');
    expect(() => linear(a, a, tensor([1, 2], { dtype: 'i32' }) as unknown as Tensor)).toThrow('linear: bias is i32, expected f32');
    expect(() => linear(a, a, null, { activation: 'relu' })).toThrow('linear: activation relu is fused with the bias, got bias null; apply relu() after it');
    expect(() => backward(matmul(requireGrad(tensor(new Float32Array(4), { shape: [2, 2] })), tensor(new Float32Array(4), { shape: [2, 2] })))).toThrow('backward: loss has shape [2,2], expected a scalar; reduce it first');
  });
});

test('views of one buffer as both operands', async () => {
  const x = sample([6, 6]);
  const [y] = await readAll(() => {
    const t = upload(x);
    return [matmul(t, t)];
  });
  reference.matmul(x, x).data.forEach((want, i) => expect(Math.abs(y![i]! - want)).toBeLessThanOrEqual(1e-5));
});
