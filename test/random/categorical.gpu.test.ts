import { describe, expect, test } from 'vitest';
import { capture, scope, tensor, type Tensor } from 'evenkeel';
import { categorical, hostCategorical, hostPermutation, key, permutation } from 'evenkeel/random';
import { readAll } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';

const k = key(9);

describe('categorical, as the host twin', () => {
  test.each([
    { shape: [1, 1], count: undefined },
    { shape: [31, 10], count: undefined },
    { shape: [5, 3, 7], count: undefined },
    { shape: [5, 3, 7], count: 12 },
    { shape: [4, 33], count: 3 },
    { shape: [1, 257], count: 100 },
    { shape: [0, 3], count: undefined },
    { shape: [2, 3], count: 0 },
    { shape: [65537, 2], count: undefined },
    { shape: [1, 5], count: 100_000 },
  ])('[$shape], count $count', async ({ shape, count }) => {
    const logits = Float32Array.from(sample(shape, { low: -4, high: 4 }).data);
    const probs = logits.map((v) => Math.max(0, v));
    // A row whose probabilities are all 0 has no distribution.
    for (let row = 0; row < probs.length; row += shape.at(-1)!) probs[row] = 0.5;
    const rows = shape.slice(1, -1).reduce((n, d) => n * d, 1);
    const [a, b] = await readAll(() => {
      const y = categorical({ logits: tensor(logits, { shape }) }, k, { count, stream: 3 });
      expect(y.shape).toEqual([count ?? shape[0], ...shape.slice(1, -1)]);
      expect(y.dtype).toBe('i32');
      return [y, categorical({ probs: tensor(probs, { shape }) }, k, { count })];
    });
    const items = [shape[0]!, rows, shape.at(-1)!] as const;
    expect(Array.from(a!)).toEqual(Array.from(hostCategorical({ logits }, items, k, { count, stream: 3 })));
    expect(Array.from(b!)).toEqual(Array.from(hostCategorical({ probs }, items, k, { count })));
  });

  test('one row of classes: a scalar, or `count` draws', async () => {
    const weights = { probs: [0.1, 0.2, 0.7] };
    const [one, many] = await readAll(() => {
      const y = categorical({ probs: tensor(weights.probs) }, k);
      expect(y.shape).toEqual([]);
      return [y, categorical({ probs: tensor(weights.probs) }, k, { count: 50 })];
    });
    expect(Array.from(many!)).toEqual(Array.from(hostCategorical(weights, [1, 1, 3], k, { count: 50 })));
    expect(one![0]).toBe(many![0]);
  });

  test('a captured step draws anew when its counter moves', async () => {
    const [first, logits] = [tensor([0, 0], { dtype: 'u32' }), tensor([0, 1, 0.5])];
    const step = capture(() => categorical({ logits }, k, { first, count: 20 }));
    const want = Array.from(hostCategorical({ logits: [0, 1, 0.5] }, [1, 1, 3], k, { count: 40 }));
    for (const at of [0, 20]) {
      first.write([at, 0]);
      expect(Array.from(await step.run().read())).toEqual(want.slice(at, at + 20));
    }
    for (const t of [step, first, logits]) t.dispose();
  });

  test('errors', () => {
    scope(() => {
      const x = tensor([1, 2]);
      expect(() => categorical({} as never, k)).toThrow(
        'categorical: got neither logits nor probs, expected one of them',
      );
      expect(() => categorical({ logits: x, probs: x } as never, k)).toThrow(
        'categorical: got both logits and probs, expected one of them',
      );
      expect(() => categorical({ logits: tensor([1], { dtype: 'i32' }) as unknown as Tensor }, k)).toThrow(
        'categorical: logits is i32, expected f32',
      );
      expect(() => categorical({ probs: tensor(1) }, k)).toThrow(
        'categorical: probs has shape [], expected (items, ..., classes) with at least one class',
      );
      expect(() => categorical({ probs: tensor([], { shape: [0, 2] }) }, k, { count: 3 })).toThrow(
        'categorical: probs has shape [0,2], expected at least one item',
      );
      expect(() => categorical({ probs: x }, k, { count: -1 })).toThrow(
        'categorical: count is -1, expected a non-negative integer',
      );
    });
  });
});

describe('permutation, as the host twin', () => {
  test.each([0, 1, 2, 31, 33, 257, 4097])('of %d', async (n) => {
    const [y] = await readAll(() => [permutation(n, k, { stream: 1 })]);
    expect(Array.from(y!)).toEqual(Array.from(hostPermutation(n, k, { stream: 1 })));
  });
  test('a captured step has a new one each time', async () => {
    const first = tensor([0, 0], { dtype: 'u32' });
    const step = capture(() => permutation(64, k, { first }));
    for (const at of [0, 1, 2]) {
      first.write([at, 0]);
      expect(Array.from(await step.run().read())).toEqual(Array.from(hostPermutation(64, k, { first: at })));
    }
    for (const t of [step, first]) t.dispose();
  });
  test('errors', () => {
    expect(() => permutation(-1, k)).toThrow('permutation: n is -1, expected an integer in 0..65536');
    expect(() => permutation(65_537, k)).toThrow('permutation: n is 65537, expected an integer in 0..65536');
  });
});
