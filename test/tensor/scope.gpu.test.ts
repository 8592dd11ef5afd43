import { describe, expect, test } from 'vitest';
import { empty, OutOfMemoryError, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { add, expand, mul, outer, reshape } from 'evenkeel/ops';
import { gpu } from '../support/gpu.ts';

describe('scope', () => {
  test('frees what was made inside', () => {
    const before = gpu.memory().live;
    const seen = scope(() => {
      const x = add(zeros([100]), 1);
      return { bytes: gpu.memory().live - before, isDisposed: () => x.isDisposed };
    });
    expect(seen.bytes).toBe(800);
    expect(gpu.memory().live).toBe(before);
    expect(seen.isDisposed()).toBe(true);
  });

  test('keeps a result, and tensors in arrays, maps and plain objects', async () => {
    const kept = scope(() => ({
      one: tensor(1),
      list: [tensor(2), { deep: tensor(3) }] as const,
      map: new Map([['k', tensor(4)]]),
      text: 'x',
      lost: () => tensor(5),
    }));
    const all = [kept.one, kept.list[0], kept.list[1].deep, kept.map.get('k')!];
    expect(await Promise.all(all.map((t) => t.item()))).toEqual([1, 2, 3, 4]);
    for (const t of all) t.dispose();
  });

  test('nested: a result passes to the scope around', async () => {
    let inner!: Tensor;
    const outer = scope(() => {
      inner = scope(() => add(tensor([1]), 1));
      expect(inner.isDisposed).toBe(false);
      return mul(inner, 10);
    });
    expect(inner.isDisposed).toBe(true);
    expect(await outer.item()).toBe(20);
    outer.dispose();
  });

  test('frees when the function throws', () => {
    const before = gpu.memory().live;
    expect(() =>
      scope(() => {
        zeros([10]);
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(gpu.memory().live).toBe(before);
  });

  test('refuses an async function and frees its tensors', () => {
    const before = gpu.memory().live;
    expect(() => scope(async () => zeros([10]))).toThrow(
      'scope: the function is async, expected a synchronous one; await outside the scope',
    );
    expect(gpu.memory().live).toBe(before);
  });

  test('what is freed before it was submitted still did its work', async () => {
    const y = scope(() => add(mul(tensor([1, 2]), 3), zeros([2])));
    expect(Array.from(await y.read())).toEqual([3, 6]);
    y.dispose();
  });
});

describe('dispose', () => {
  test('twice is once', () => {
    const before = gpu.memory().live;
    const x = zeros([8]);
    x.dispose();
    x.dispose();
    expect(gpu.memory().live).toBe(before);
  });
  test('a view keeps the memory', async () => {
    const x = tensor([1, 2, 3, 4]);
    const y = reshape(x, [2, 2]);
    x.dispose();
    expect(Array.from(await y.read())).toEqual([1, 2, 3, 4]);
    y.dispose();
  });
  test('using', () => {
    const before = gpu.memory().live;
    {
      using x = zeros([16]);
      expect(gpu.memory().live - before).toBe(x.byteLength);
    }
    expect(gpu.memory().live).toBe(before);
  });
  test('use after it is an error', () => {
    const x = zeros([2, 3]);
    x.dispose();
    const message = 'tensor [2,3] was used after it was freed; init({ debug: true }) shows where it was made';
    expect(() => scope(() => add(x, 1))).toThrow(message);
    expect(() => x.write([1])).toThrow('write: got 1 values, tensor [2,3] holds 6');
    expect(() => reshape(x, [6])).toThrow(message);
  });
  test('pooled memory is handed out again, not created', () => {
    zeros([1000]).dispose();
    const created = gpu.buffersCreated;
    for (let i = 0; i < 10; i++) zeros([1000]).dispose();
    expect(gpu.buffersCreated).toBe(created);
  });
});

describe('tensor', () => {
  test('reads what was written, for every dtype', async () => {
    const f = tensor([1.5, -2, NaN], { dtype: 'f32' });
    const i = tensor([1, -2], { dtype: 'i32' });
    const u = tensor([1, 4294967295], { dtype: 'u32' });
    expect(await Promise.all([f.read(), i.read(), u.read()])).toEqual([
      Float32Array.of(1.5, -2, NaN),
      Int32Array.of(1, -2),
      Uint32Array.of(1, 4294967295),
    ]);
    for (const t of [f, i, u]) t.dispose();
  });
  test('nothing, one element and a shape', async () => {
    const [none, one, table] = [tensor([], { shape: [0, 3] }), tensor(7), tensor([1, 2, 3, 4], { shape: [2, 2] })];
    expect([none.size, one.shape, table.rank]).toEqual([0, [], 2]);
    expect(await none.read()).toEqual(new Float32Array(0));
    expect(await one.item()).toBe(7);
    const host = await table.array();
    expect([host.shape, Array.from(host.at(1).data)]).toEqual([
      [2, 2],
      [3, 4],
    ]);
    for (const t of [none, one, table]) t.dispose();
  });
  test('errors', async () => {
    const x = tensor([1, 2]);
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow('tensor: shape [2,2] holds 4 elements, got 3 values');
    expect(() => empty([2, -1])).toThrow('shape is [2,-1], expected non-negative integers');
    expect(() => empty([1.5])).toThrow('shape is [1.5], expected non-negative integers');
    await expect(x.item()).rejects.toThrow('item: shape is [2], expected one element');
    x.dispose();
  });
});

test('a tensor over the limits of the adapter is refused before anything is allocated', () => {
  const most = gpu.device.limits.maxStorageBufferBindingSize;
  const before = gpu.memory();
  const rows = most / 4 / 1024 + 1;
  expect(() => zeros([rows, 1024])).toThrow(
    `a tensor of shape [${rows},1024] (f32) needs ${rows * 4096} bytes, this adapter binds at most ${most} ` +
      'at once; use smaller batches, or split it',
  );
  scope(() => {
    const x = tensor(new Float32Array(1024), { shape: [1024] });
    expect(() => expand(x, [rows, 1024])).toThrow(OutOfMemoryError);
    expect(() => outer(zeros([rows]), x)).toThrow(OutOfMemoryError);
  });
  expect(gpu.memory().live).toBe(before.live);
});
