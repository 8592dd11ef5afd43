import { expect, test } from 'vitest';
import { capture, grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { dropout, mul, nextItems, square, sum } from 'evenkeel/ops';
import { key } from 'evenkeel/random';
import * as reference from '../reference/dropout.ts';
import { checkOp, readAll, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { ulps } from '../support/tolerance.ts';

const place = (n: number, stream = 0): Tensor<'u32'> => tensor([n, stream], { dtype: 'u32' });

test.each([
  { shape: [0, 3], p: 0.5 },
  { shape: [3, 0], p: 0.5 },
  { shape: [1], p: 0.5 },
  { shape: [], p: 0.9 },
  { shape: [31], p: 0.5 },
  { shape: [33, 7], p: 0.2 },
  { shape: [5, 257], p: 0.9 },
  { shape: [4, 3, 5, 2], p: 0.1 },
  { shape: [17, 4], p: 1e-9 },
])('[$shape], p $p, against the words of the host twin', async ({ shape, p }) => {
  for (const [first, stream] of [
    [0, 0],
    [4_294_967_290, 7],
  ] as const) {
    await checkOp({
      inputs: [sample(shape)],
      run: (x) => dropout(x, { key: key(5), first: place(first, stream) }, { p }),
      reference: (x) => reference.dropout(x, key(5), [first, stream], p),
      gradient: (dy) => [reference.dropout(dy, key(5), [first, stream], p)],
      // The rounded factor, and the product.
      tolerance: ulps(2),
    });
  }
});

test('p = 0 is the identity, p = 1 gives zeros with gradient zero', async () => {
  const got = await readAll(() => {
    const x = requireGrad(tensor([1, -2, 3]));
    const source = { key: key(1), first: place(0) };
    expect(dropout(x, source, { p: 0 })).toBe(x);
    const y = dropout(x, source, { p: 1 });
    return [y, ...grad(sum(y), [x])];
  });
  expect(got.map((v) => Array.from(v, Math.abs))).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ]);
});

test('more items than one grid holds: the share of zeros is p within five standard deviations', async () => {
  const n = 4_200_000;
  const [y] = await readAll(() => [
    dropout(tensor(new Float32Array(n).fill(1), { shape: [n, 1] }), { key: key(2), first: place(0) }, { p: 0.3 }),
  ]);
  const zeros = y!.reduce((s, v) => s + Number(v === 0), 0);
  expect(Math.abs(zeros - 0.3 * n)).toBeLessThan(5 * Math.sqrt(n * 0.21));
});

test('the gradient of the gradient keeps the mask', async () => {
  const x = sample([6, 5]);
  const mask = reference.dropoutMask(x.shape, key(3), [2, 0], 0.4);
  const [h] = await readAll(() => {
    const t = requireGrad(upload(x));
    const [first] = grad(sum(square(dropout(t, { key: key(3), first: place(2) }, { p: 0.4 }))), [t], {
      createGraph: true,
    });
    return grad(sum(mul(first!, 1)), [t]);
  });
  h!.forEach((v, i) => expect(v).toBeCloseTo(2 * mask.data[i]! ** 2, 4));
});

test('a captured step draws a new mask in each run, and goes back through the same', async () => {
  const state = place(0);
  const x = requireGrad(tensor(new Float32Array(64).fill(1), { shape: [4, 16] }));
  const step = capture(() => {
    const y = dropout(x, { key: key(4), first: nextItems(state, 4) });
    return [y, ...grad(sum(y), [x])];
  });
  const seen: string[] = [];
  for (let run = 0; run < 3; run++) {
    if (run) step.run();
    const [y, dx] = await Promise.all(step.value.map((t) => t!.read()));
    expect(dx).toEqual(y);
    const want = reference.dropoutMask([4, 16], key(4), [4 * run, 0], 0.5);
    expect(Array.from(y!)).toEqual(Array.from(want.data));
    seen.push(y!.join());
  }
  expect(new Set(seen).size).toBe(3);
  for (const t of [step, state, x]) t.dispose();
});

test('errors', () => {
  scope(() => {
    const source = { key: key(0), first: place(0) };
    expect(() => dropout(tensor([1]), source, { p: 1.5 })).toThrow('dropout: p is 1.5, expected a number in 0..1');
    expect(() => dropout(tensor([1], { dtype: 'i32' }) as unknown as Tensor, source)).toThrow(
      'dropout: x is i32, expected f32',
    );
    expect(() => dropout(tensor([1]), { key: key(0), first: tensor([0, 0]) as unknown as Tensor<'u32'> })).toThrow(
      'dropout: first is f32, expected u32',
    );
  });
});
