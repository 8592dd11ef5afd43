import { expect, test } from 'vitest';
import { grad, requireGrad, scope, tensor } from 'evenkeel';
import { embedding, mul, square, sum } from 'evenkeel/ops';
import { accumulator, addTerm, build, count } from '../reference/dense.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';

test.each([
  { rows: 10, features: 3, shape: [3, 4] },
  { rows: 10, features: 3, shape: [3, 4], paddingIdx: 6 },
  { rows: 1, features: 1, shape: [1] },
  { rows: 7, features: 33, shape: [31] },
  { rows: 257, features: 2, shape: [33], paddingIdx: 0 },
  { rows: 3, features: 5, shape: [0] },
  { rows: 2, features: 4, shape: [2, 2, 2] },
  { rows: 31, features: 1, shape: [257], paddingIdx: 30 },
])(
  '$rows rows of $features by indices [$shape], paddingIdx $paddingIdx',
  async ({ rows, features, shape, paddingIdx }) => {
    const indices = integers(count(shape), rows, 12);
    await checkOp({
      inputs: [sample([rows, features])],
      run: (w) =>
        embedding(w, tensor(indices, { shape, dtype: 'i32' }), paddingIdx === undefined ? {} : { paddingIdx }),
      // The value of the padding row does not depend on the weight, as far as the gradient goes.
      reference: (w) =>
        build([...shape, features], (i) => w.data[indices[Math.floor(i / features)]! * features + (i % features)]!),
      tolerance: exact,
      ...(paddingIdx === undefined
        ? {
            gradient: (dy, w) => {
              const dw = accumulator(w.shape);
              dy.data.forEach((v, i) => addTerm(dw, indices[Math.floor(i / features)]! * features + (i % features), v));
              return [dw];
            },
            gradientTolerance: summed(indices.length),
          }
        : {}),
    });
  },
);

test('the padding row is read and gets no gradient; second gradients follow', async () => {
  const [y, g, h] = await readAll(() => {
    const w = requireGrad(tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] }));
    const rows = embedding(w, [1, 2, 1], { paddingIdx: 2 });
    const [first] = grad(sum(square(rows)), [w], { createGraph: true });
    return [rows, first!.detach(), ...grad(sum(mul(first!, first!)), [w])];
  });
  expect(Array.from(y!)).toEqual([3, 4, 5, 6, 3, 4]);
  expect(Array.from(g!)).toEqual([0, 0, 12, 16, 0, 0]);
  // First gradient 4 w; the square's gradient 2 * 4 w * 4.
  expect(Array.from(h!)).toEqual([0, 0, 96, 128, 0, 0]);
});

test('errors', () => {
  scope(() => {
    expect(() => embedding(tensor([1]), [0])).toThrow('embedding: weight has shape [1], expected (count, features)');
    expect(() => embedding(tensor([1, 2], { shape: [2, 1] }), [0], { paddingIdx: 2 })).toThrow(
      'embedding: paddingIdx is 2, expected an integer in 0..1',
    );
    expect(() => embedding(tensor([1, 2], { shape: [2, 1] }), [3])).toThrow(
      'indexSelect: index[0] is 3, expected an integer in 0..1',
    );
  });
});
