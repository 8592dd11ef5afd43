import { expect, test } from 'vitest';
import { capture, scope, tensor } from 'evenkeel';
import { oneHot } from 'evenkeel/ops';
import { oneHot as reference } from '../reference/one-hot.ts';
import { poison, readAll } from '../support/check-op.ts';
import { integers } from '../support/sample.ts';

test.each([
  { shape: [0], classes: 3 },
  { shape: [1], classes: 1 },
  { shape: [31], classes: 10 },
  { shape: [33], classes: 257 },
  { shape: [257], classes: 3 },
  { shape: [], classes: 5 },
  { shape: [2, 3, 5], classes: 7 },
  { shape: [65537], classes: 2 },
  { shape: [43000], classes: 100 },
])('labels [$shape] of $classes classes', async ({ shape, classes }) => {
  const labels = integers(
    shape.reduce((n, d) => n * d, 1),
    classes,
    4,
  );
  poison([labels.length * classes * 4]);
  const kept = scope(() => oneHot(tensor(labels, { shape, dtype: 'i32' }), classes));
  expect(kept.shape).toEqual([...shape, classes]);
  const got = await kept.read();
  kept.dispose();
  const want = reference(labels, classes);
  expect(got.length).toBe(want.length);
  expect(got.findIndex((v, i) => v !== want[i])).toBe(-1);
});

test.each(['f32', 'i32', 'u32', 'bool'] as const)(
  'as %s, from a list, from u32, with labels outside',
  async (dtype) => {
    const made = scope(() => [
      oneHot([1, 0], 3, { dtype }),
      oneHot(tensor([2, 3], { dtype: 'u32' }), 3, { dtype }),
      oneHot(tensor([-1, 0], { dtype: 'i32' }), 3, { dtype }),
    ]);
    expect(made.map((t) => t.dtype)).toEqual([dtype, dtype, dtype]);
    const values = await Promise.all(made.map((t) => t.read()));
    expect(values.map((v) => Array.from(v))).toEqual([
      reference([1, 0], 3),
      reference([2, 3], 3),
      reference([-1, 0], 3),
    ]);
    for (const t of made) t.dispose();
  },
);

test('in a captured step the labels may change', async () => {
  const labels = tensor([0, 1], { dtype: 'i32' });
  const step = capture(() => oneHot(labels, 3));
  labels.write([2, 0]);
  expect(Array.from(await step.run().read())).toEqual(reference([2, 0], 3));
  for (const t of [step, labels]) t.dispose();
});

test('no gradient', async () => {
  const [y] = await readAll(() => {
    const t = oneHot([1], 2);
    expect(t.tracksGrad).toBe(false);
    return [t];
  });
  expect(Array.from(y!)).toEqual([0, 1]);
});

test('errors', () => {
  scope(() => {
    expect(() => oneHot([0, 3], 3)).toThrow('oneHot: labels[1] is 3, expected an integer in 0..2');
    expect(() => oneHot([0], 0)).toThrow('oneHot: classes is 0, expected a positive integer');
    expect(() => oneHot(tensor([0]) as never, 2)).toThrow('oneHot: labels is f32, expected i32 or u32');
    expect(() => oneHot([0], 2, { dtype: 'f16' as never })).toThrow(
      'oneHot: dtype is f16, expected f32, i32, u32 or bool',
    );
  });
});
