import { describe, expect, test } from 'vitest';
import { grad, requireGrad, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { cast, embedding, gather, indexSelect, mul, scatterAdd, sum } from 'evenkeel/ops';
import { around, build, count, type Dense } from '../reference/dense.ts';
import {
  gatherPart,
  pick,
  pickGradient,
  scatterAdd as scatterReference,
  scatterAddGradient,
} from '../reference/gather.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, expectSameBits, readAll } from '../support/check-op.ts';
import { launchesOf } from '../support/launches.ts';
import { integers, sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';
import { asTuned } from '../support/tuning.ts';

describe('indexSelect', () => {
  test.each([
    { shape: [5, 4, 3], axis: 0, n: 6 },
    { shape: [5, 4, 3], axis: 1, n: 7 },
    { shape: [5, 4, 3], axis: 2, n: 1 },
    { shape: [257], axis: 0, n: 33 },
    { shape: [3, 2], axis: 0, n: 0 },
    { shape: [1, 31], axis: 0, n: 5 },
    { shape: [2, 1, 17], axis: 1, n: 16 },
    { shape: [0, 3], axis: 1, n: 2 },
    { shape: [65537, 2], axis: 1, n: 3 },
  ])('$n of [$shape] along $axis', ({ shape, axis, n }) => {
    const index = integers(n, shape[axis]!, 3);
    return checkOp({
      inputs: [sample(shape)],
      run: (x) => indexSelect(x, index, { axis }),
      reference: (x) => pick(x, index, axis, n),
      gradient: (dy, x) => [pickGradient(dy, x, index, axis, n)],
      tolerance: exact,
      gradientTolerance: summed(n),
    });
  });
});

describe('gather', () => {
  test.each([
    { shape: [5, 4], axis: 1, n: 7 },
    { shape: [5, 4], axis: 0, n: 3 },
    { shape: [2, 5, 3], axis: 1, n: 7 },
    { shape: [33, 10], axis: 1, n: 1 },
    { shape: [257], axis: 0, n: 31 },
    { shape: [0, 3], axis: 1, n: 2 },
    { shape: [1], axis: 0, n: 1 },
    { shape: [3, 0], axis: 0, n: 0 },
    { shape: [65537, 3], axis: 1, n: 1 },
  ])('$n of [$shape] along $axis', ({ shape, axis, n }) => {
    const to = shape.map((d, i) => (i === axis ? n : d));
    const index = integers(count(to), shape[axis]!, 4);
    return checkOp({
      inputs: [sample(shape)],
      run: (x) => gather(x, tensor(index, { shape: to, dtype: 'i32' }), { axis }),
      reference: (x) => pick(x, index, axis, n),
      gradient: (dy, x) => [pickGradient(dy, x, index, axis, n)],
      tolerance: exact,
      gradientTolerance: summed(n),
    });
  });
});

describe('gather as in PyTorch', () => {
  const shape = [4, 5, 6];
  const to = [2, 7, 3];
  const index = integers(count(to), 5, 8);

  test('the index may be smaller off the axis', () =>
    checkOp({
      inputs: [sample(shape)],
      run: (x) => gather(x, tensor(index, { shape: to, dtype: 'i32' }), { axis: 1 }),
      reference: (x) => gatherPart(x, index, to, 1),
      gradient: (dy, x) => [
        scatterReference(
          build(x.shape, () => 0),
          index,
          to,
          dy,
          1,
        ),
      ],
      tolerance: exact,
      gradientTolerance: summed(8),
    }));
  test('u32 and lists are indices too', () => {
    const list = [2, 0, 1, 1];
    const x = sample([4, 3]);
    const run = {
      u32: (t: Tensor) => gather(t, tensor(list, { dtype: 'u32', shape: [4, 1] })),
      list: (t: Tensor) => gather(t, list),
    };
    return Promise.all(
      Object.values(run).map((r) =>
        checkOp({
          inputs: [x],
          run: r,
          reference: (t) => pick(t, list, 1, 1),
          gradient: (dy, t) => [pickGradient(dy, t, list, 1, 1)],
          tolerance: exact,
        }),
      ),
    ).then(() => {});
  });
  test('second gradients of gather and indexSelect', async () => {
    const [x, list] = [sample([5, 4]), [3, 0, 3, 1, 1, 1]];
    await checkLinearTwice(
      x,
      (t) => indexSelect(t, list, { axis: 1 }),
      (t) => pick(t, list, 1, 6),
      (dy) => pickGradient(dy, x, list, 1, 6),
    );
    const rows = integers(30, 4, 2);
    await checkLinearTwice(
      x,
      (t) => gather(t, rows),
      (t) => pick(t, rows, 1, 6),
      (dy) => pickGradient(dy, x, rows, 1, 6),
    );
  });
});

describe('scatterAdd', () => {
  test.each([
    { shape: [5, 4], axis: 1, to: [5, 7], from: [5, 7] },
    { shape: [5, 4], axis: 0, to: [3, 4], from: [3, 4] },
    { shape: [2, 5, 3], axis: -2, to: [2, 6, 3], from: [2, 6, 3] },
    { shape: [2, 5, 3], axis: 1, to: [1, 6, 2], from: [2, 6, 4] },
    { shape: [31], axis: 0, to: [257], from: [257] },
    { shape: [33, 10], axis: 1, to: [33, 1], from: [33, 1] },
    { shape: [1], axis: 0, to: [1], from: [1] },
    { shape: [4, 3], axis: 1, to: [4, 0], from: [4, 2] },
    { shape: [0, 3], axis: 1, to: [0, 2], from: [0, 2] },
    { shape: [65537, 2], axis: 1, to: [65537, 1], from: [65537, 1] },
  ])('[$to] of [$from] into [$shape] along $axis', ({ shape, axis, to, from }) => {
    const a = axis < 0 ? axis + shape.length : axis;
    const index = integers(count(to), shape[a]!, 5);
    return checkOp({
      inputs: [sample(shape), sample(from, { seed: 2 })],
      run: (x, src) => scatterAdd(x, tensor(index, { shape: to, dtype: 'i32' }), src, { axis }),
      reference: (x, src) => scatterReference(x, index, to, src, a),
      gradient: (dy) => [dy, scatterAddGradient(dy, index, to, from, a)],
      tolerance: summed(to[a]! + 2),
      gradientTolerance: exact,
    });
  });
  test('an index outside the axis adds nothing; terms of one place keep their order', async () => {
    const [y] = await readAll(() => [
      scatterAdd(tensor([1e8, 5]), tensor([0, -1, 0, 7, 0], { dtype: 'i32' }), tensor([1, 2, 1, 4, -1e8])),
    ]);
    expect(Array.from(y!)).toEqual([0, 5]);
  });
  test('second gradient', () => {
    const [x, src, index] = [sample([4, 5], { seed: 3 }), sample([4, 3]), integers(12, 5, 6)];
    const zero = build(x.shape, () => 0);
    return checkLinearTwice(
      src,
      (t) => scatterAdd(tensor(zero.data, { shape: zero.shape }), index, t),
      (t) => scatterReference(zero, index, src.shape, t, 1),
      (dy) => scatterAddGradient(dy, index, src.shape, src.shape, 1),
    );
  });
});

/** y = base + the terms of each place in index order, one f32 sum after another. */
function inOrder(
  base: Dense,
  index: readonly number[],
  to: readonly number[],
  from: Dense,
  axis: number,
): Float32Array {
  const y = Float32Array.from(base.data);
  const { outer, length, inner } = around(base.shape, axis);
  const count = to[axis]!;
  for (let o = 0; o < outer; o++)
    for (let j = 0; j < count; j++)
      for (let i = 0; i < inner; i++) {
        const at = (o * count + j) * inner + i;
        const l = index[at]!;
        if (l >= 0 && l < length) y[(o * length + l) * inner + i]! += from.data[at]!;
      }
  return y;
}

describe.each(['software', 'hardware'] as const)('scatters of many terms, %s tuning', (kind) => {
  test.each([
    { shape: [31], axis: 0, n: 2000 },
    { shape: [70_000], axis: 0, n: 1 },
    { shape: [3, 257, 5], axis: 1, n: 97 },
    { shape: [3, 5, 7], axis: 1, n: 1100 },
    { shape: [33, 40], axis: 1, n: 300 },
    { shape: [2, 3], axis: 1, n: 70_003 },
    { shape: [129, 130], axis: 0, n: 17 },
    { shape: [17_000, 3], axis: 1, n: 18 },
  ])('$n into [$shape] along $axis: in index order, bit by bit', ({ shape, axis, n }) =>
    asTuned(kind, async () => {
      const to = shape.map((d, i) => (i === axis ? n : d));
      // Some outside on either side.
      const index = integers(count(to), shape[axis]! + 2, 7).map((l) => l - 1);
      const base = build(shape, (i) => [1e6, -0, 1, -1e-3][i % 4]!);
      const src = sample(to, { seed: 3 });
      const [y] = await readAll(() => [
        scatterAdd(
          tensor(base.data, { shape }),
          tensor(index, { shape: to, dtype: 'i32' }),
          tensor(src.data, { shape: to }),
          { axis },
        ),
      ]);
      expectSameBits(y!, inOrder(base, index, to, src, axis), 'scatterAdd');
    }),
  );

  test.each([
    { shape: [1000, 30], axis: 0, n: 300 },
    { shape: [3, 700], axis: 1, n: 1500 },
    { shape: [2, 50, 700], axis: 1, n: 90 },
  ])('the gradient of indexSelect, $n of [$shape] along $axis', ({ shape, axis, n }) =>
    asTuned(kind, async () => {
      const to = shape.map((d, i) => (i === axis ? n : d));
      // Every third is the same.
      const list = integers(n, shape[axis]!, 7).map((l, j) => (j % 3 ? l : 5));
      const dy = sample(to, { seed: 3 });
      const { outer, inner } = around(to, axis);
      const index = Array.from({ length: outer * n * inner }, (_, at) => list[Math.floor(at / inner) % n]!);
      const [g] = await readAll(() => {
        const x = requireGrad(zeros(shape));
        return grad(sum(mul(indexSelect(x, list, { axis }), tensor(dy.data, { shape: to }))), [x]);
      });
      const zero = build(shape, () => 0);
      expectSameBits(g!, inOrder(zero, index, to, dy, axis), 'gradient');
    }),
  );
});

test('the gradient of an embedding costs in the order of indices x features, on either tuning', async () => {
  const [rows, features, n] = [50_000, 128, 4096];
  for (const kind of ['software', 'hardware'] as const)
    await asTuned(kind, async () => {
      const launched = launchesOf(() => {
        const w = requireGrad(zeros([rows, features]));
        return grad(sum(embedding(w, zeros([n], { dtype: 'i32' }))), [w]);
      });
      const of = launched.filter(({ kernel }) => /^(gather|sort)[.]/.test(kernel));
      expect(of.map(({ kernel }) => kernel)).toContain(kind === 'software' ? 'gather.columns' : 'gather.runs');
      const total = of.reduce((t, { invocations }) => t + invocations, 0);
      // The forward pass is one of them.
      expect(total).toBeLessThanOrEqual(2.2 * n * features);
    });
});

test('an index outside the axis gives zeros on the device, and no gradient', () => {
  const index = [4, -1, 0, 2];
  return checkOp({
    inputs: [sample([3, 2])],
    run: (x) => indexSelect(x, tensor(index, { dtype: 'i32' })),
    reference: (x) => pick(x, index, 0, 4),
    gradient: (dy, x) => [pickGradient(dy, x, index, 0, 4)],
    tolerance: exact,
  });
});

test('integers and NaN are copied bit by bit', async () => {
  const [y, z] = await readAll(() => [
    indexSelect(tensor([1, -2, 3], { dtype: 'i32' }), [2, 1]),
    indexSelect(tensor([NaN, 1]), [1, 0]),
  ]);
  expect(Array.from(y!)).toEqual([3, -2]);
  expect(Array.from(z!)).toEqual([1, NaN]);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    const index = tensor([0, 1], { shape: [2, 1], dtype: 'i32' });
    expect(() => indexSelect(x, [0, 2])).toThrow('indexSelect: index[1] is 2, expected an integer in 0..1');
    expect(() => indexSelect(x, [0.5])).toThrow('indexSelect: index[0] is 0.5, expected an integer in 0..1');
    expect(() => indexSelect(x, [0], { axis: 2 })).toThrow('indexSelect: axis is 2, x has shape [2,3]');
    expect(() => indexSelect(x, index)).toThrow('indexSelect: index has shape [2,1], expected one axis');
    expect(() => indexSelect(cast(x, 'f16'), [0])).toThrow(
      'indexSelect: x is f16, expected a type of four bytes; cast it first',
    );
    expect(() => gather(x, x as unknown as Tensor<'i32'>)).toThrow('gather: index is f32, expected i32 or u32');
    expect(() => gather(x, [0, 3])).toThrow('gather: index[1] is 3, expected an integer in 0..2');
    expect(() => gather(x, [0, 1, 2])).toThrow(
      'gather: index has 3 entries, expected a multiple of 2, one for each element of x [2,3] off axis -1',
    );
    expect(() => gather(x, tensor([0, 1, 2], { dtype: 'i32' }))).toThrow(
      'gather: index has shape [3], expected at most that of x [2,3] off axis -1',
    );
    expect(() => gather(x, tensor([0, 1, 2], { shape: [3, 1], dtype: 'i32' }))).toThrow(
      'gather: index has shape [3,1], expected at most that of x [2,3] off axis -1',
    );
    expect(() => scatterAdd(x, index, tensor([1]))).toThrow(
      'scatterAdd: src has shape [1], expected at least that of index [2,1]',
    );
    expect(() => scatterAdd(x, index, tensor([1], { shape: [1, 1] }))).toThrow(
      'scatterAdd: src has shape [1,1], expected at least that of index [2,1]',
    );
    expect(() => scatterAdd(cast(x, 'i32') as unknown as Tensor, index, x)).toThrow(
      'scatterAdd: x is i32, expected f32',
    );
    expect(() => scatterAdd(x, index, index as unknown as Tensor)).toThrow('scatterAdd: src is i32, expected f32');
  });
});
