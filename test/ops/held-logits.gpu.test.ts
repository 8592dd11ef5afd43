import { expect, test } from 'vitest';
import { grad, requireGrad, tensor } from 'evenkeel';
import { mul, sum } from 'evenkeel/ops';
import { holdLogits, weighRows } from '../../src/ops/held-logits.ts';
import * as reference from '../reference/held-logits.ts';
import { poison, readAll } from '../support/check-op.ts';

const I = Infinity;
const rows = [
  [1, 2, 3],
  [-I, 1, 2],
  [NaN, 1, 2],
  [I, 1, 2],
  [-I, -I, -I],
  [NaN, I, -I],
  [0, -0, -3e38],
  [-I, -I, 0],
];
const z = { shape: [rows.length, 3], data: Float64Array.from(rows.flat(), Math.fround) };
const wordsOf = (v: Float32Array): Uint32Array => new Uint32Array(v.buffer, v.byteOffset, v.length);

test.each([
  ['all rows count', rows.map(() => 2)],
  ['no row counts', rows.map((_, i) => (i % 2 ? 0 : -0))],
  ['every second row counts', rows.map((_, i) => i % 2)],
])('logits, gradients and values: %s', async (_name, weight) => {
  poison([z.data.length * 4]);
  const dy = Float32Array.from(z.data, (_, i) => i + 1);
  const values = [3, -3, 2e28, -1e28, 0, NaN, I, -2e30];
  const [held, kinds, gradient, second, weighed, plain, slope] = await readAll(() => {
    const leaf = requireGrad(tensor(z.data, { shape: z.shape }));
    const w = tensor(weight);
    const { held, kinds } = holdLogits(leaf, w);
    const d = requireGrad(tensor(dy, { shape: z.shape }));
    const [g] = grad(sum(mul(held, d)), [leaf], { createGraph: true });
    const v = requireGrad(tensor(values));
    const y = weighRows(v, w, kinds);
    return [held, kinds, g!, ...grad(sum(mul(g!, 3)), [d]), y, weighRows(v, w), ...grad(sum(y), [v])];
  });
  const want = reference.holdLogits(z, weight);
  expect(Array.from(held!)).toEqual(want.held);
  expect(Array.from(kinds as unknown as Uint32Array)).toEqual(want.kinds);
  const pass = (list: ArrayLike<number>): number[] =>
    Array.from(list, (v, i) => [v, 0, NaN, v][want.kinds[Math.floor(i / 3)]!]!);
  expect(Array.from(gradient!)).toEqual(pass(dy));
  expect(Array.from(second!)).toEqual(pass(dy.map(() => 3)));
  expect(Array.from(weighed!)).toEqual(
    reference
      .weighRows(values, weight, want.kinds)
      .map((v) => expect.toSatisfy((got: number) => Object.is(got + 0, Math.fround(v) + 0))),
  );
  expect(Array.from(plain!, (v) => Object.is(v, NaN))).toEqual(
    values.map((v, i) => weight[i] !== 0 && Number.isNaN(v)),
  );
  expect(Array.from(slope!)).toEqual(weight.map((w) => w + 0 * w));
  // A finite row is a copy, signs of zeros too.
  expect(wordsOf(held!.slice(18, 21))).toEqual(wordsOf(Float32Array.from(z.data.slice(18, 21))));
});
