import { expect, test } from 'vitest';
import { tensor } from 'evenkeel';
import { add } from 'evenkeel/ops';

test('a tensor shows its values once they were read, and no others', async () => {
  const t = tensor([
    [1, 2.5],
    [-3, 4],
  ]);
  expect(String(t)).toBe('Tensor f32 [2,2]');
  await t.read();
  const text = 'Tensor f32 [2,2]\n[[  1, 2.5],\n [ -3,   4]]';
  expect(String(t)).toBe(text);
  const inspect = Symbol.for('nodejs.util.inspect.custom') as unknown as 'toString';
  expect(t[inspect]()).toBe(text);
  t.write([0, 0, 0, 1]);
  expect(String(t)).toBe('Tensor f32 [2,2]');
  await t.array();
  expect(String(t)).toBe('Tensor f32 [2,2]\n[[0, 0],\n [0, 1]]');
  t.dispose();
  expect(String(t)).toBe('Tensor f32 [2,2] freed');
});

test('what is written while a read is under way leaves nothing stale', async () => {
  const t = tensor([1, 2]);
  const reading = t.read();
  t.write([3, 4]);
  expect([...(await reading)]).toEqual([1, 2]);
  expect(String(t)).toBe('Tensor f32 [2]');
  t.dispose();
});

test('scalars, flags and parameters', async () => {
  const [s, f] = [tensor(7, { dtype: 'i32' }), tensor([1, 0], { dtype: 'bool' })];
  await Promise.all([s.read(), f.read()]);
  expect([String(s), String(f)]).toEqual(['Tensor i32 [] 7', 'Tensor bool [2]\n[ true, false]']);
  const w = tensor([1]);
  w.requiresGrad = true;
  expect(String(w)).toBe('Tensor f32 [1] requiresGrad');
  for (const t of [s, f, w]) t.dispose();
});

test('toArray gives nested lists', async () => {
  const t = tensor([1, 2, 3, 4, 5, 6], { shape: [3, 1, 2] });
  const u = add(t, 1);
  expect(await u.toArray()).toEqual([[[2, 3]], [[4, 5]], [[6, 7]]]);
  const s = tensor(2);
  expect(await s.toArray()).toBe(2);
  for (const each of [t, u, s]) each.dispose();
});
