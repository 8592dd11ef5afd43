import { describe, expect, test } from 'vitest';
import { scope, tensor } from 'evenkeel';
import { kthvalue } from 'evenkeel/ops';
import { build, count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/kthvalue.ts';
import { upload } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';

async function expectKth(x: Dense, k: number, largest: boolean): Promise<void> {
  const { value, before, equal } = scope(() => kthvalue(upload(x), { k, largest }));
  const got = (await Promise.all([value, before, equal].map((t) => t.read().finally(() => t.dispose())))).map(
    (v) => v[0],
  );
  expect([value.shape, before.shape, equal.shape]).toEqual([[], [], []]);
  expect(got, `k ${k}`).toEqual(reference.kthvalue(x, k, largest));
}

const shapes = [[], [1], [31], [33, 7], [257], [3, 4, 5], [65_537], [2049, 33]];

describe.each([false, true])('largest %s', (largest) => {
  test.each(shapes.map((shape) => ({ shape })))('places of [$shape]', async ({ shape }) => {
    const size = count(shape);
    const x = sample(shape, { seed: 3 });
    for (const k of new Set([1, Math.ceil(size / 3), size])) await expectKth(x, k, largest);
  });

  test('every place of a tensor with ties, both signs and zeros of both signs', async () => {
    const values = integers(40, 7, 5);
    const x = build([40], (i) => (values[i] === 3 ? (i % 2 ? 0 : -0) : (values[i]! - 3) / 4));
    for (let k = 1; k <= 40; k++) await expectKth(x, k, largest);
  });

  test('values that differ in the last bit, infinities and the ends of the range', async () => {
    const x = build(
      [8],
      (i) => [1, 1 + 2 ** -23, -1, -1 - 2 ** -23, Infinity, -Infinity, 2 ** -126, 1.5 * 2 ** 127][i]!,
    );
    for (let k = 1; k <= 8; k++) await expectKth(x, k, largest);
  });
});

test('past the fold of the grid', async () => {
  const values = integers(4_200_000, 1000, 8);
  const x = build([4_200_000], (i) => values[i]! / 1000);
  const tally = new Int32Array(1000);
  for (const v of values) tally[v]!++;
  const { value, before, equal } = scope(() => kthvalue(upload(x), { k: 2_000_000 }));
  const [v, b, e] = (await Promise.all([value, before, equal].map((t) => t.read().finally(() => t.dispose())))).map(
    (r) => r[0]!,
  );
  let [at, passed] = [0, 0];
  while (passed + tally[at]! < 2_000_000) passed += tally[at++]!;
  expect([v, b, e]).toEqual([Math.fround(at / 1000), passed, tally[at]]);
});

test('NaN is the largest', async () => {
  await expectKth(
    build([3], (i) => [1, NaN, Infinity][i]!),
    1,
    false,
  );
  await expectKth(
    build([4], (i) => [1, NaN, 2, NaN][i]!),
    1,
    true,
  );
});

test('errors name what is wrong', () =>
  scope(() => {
    expect(() => kthvalue(tensor([1, 2]), { k: 0 })).toThrow('kthvalue: k is 0, expected an integer in 1..2');
    expect(() => kthvalue(tensor([1, 2]), { k: 3 })).toThrow('kthvalue: k is 3, expected an integer in 1..2');
    expect(() => kthvalue(tensor([], { shape: [0] }), { k: 1 })).toThrow(
      'kthvalue: k is 1, expected an integer in 1..0',
    );
    expect(() => kthvalue(tensor([1], { dtype: 'i32' }) as never, { k: 1 })).toThrow(
      'kthvalue: x is i32, expected f32',
    );
  }));
