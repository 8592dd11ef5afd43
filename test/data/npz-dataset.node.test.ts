import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { loadNpy, loadNpz } from '../../src/data/index.ts';
import { encodeNpy, encodeNpz, FormatError, type NpyInput } from '../../src/io/index.ts';

const x: NpyInput = { dtype: 'u8', shape: [2, 1, 2], data: [0, 51, 102, 255] };
const y: NpyInput = { dtype: 'i64', shape: [2], data: [1n, 0n] };

test('u8 in [0, 1], other types as they stand; labels of any integer type', async () => {
  const data = await loadNpz(encodeNpz({ x_train: x, y_train: y }), {
    x: 'x_train',
    y: 'y_train',
    numClasses: 3,
    name: 'own',
  });
  expect(data).toMatchObject({ y: Int32Array.of(1, 0), numClasses: 3, classCounts: [1, 1, 0], name: 'own' });
  expect([data.x.shape, data.x.data]).toEqual([[2, 1, 2], Float32Array.of(0, 51 / 255, 102 / 255, 1)]);
  const floats = await loadNpz(
    encodeNpz({ x: { dtype: 'f64', shape: [2], data: [0.1, -3] }, y: { dtype: 'f32', shape: [2], data: [0, 1] } }),
  );
  expect(floats.x.data).toEqual(Float32Array.of(0.1, -3));
});

test('by a path, and two .npy files, gzip or not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-'));
  try {
    await writeFile(join(folder, 'set.npz'), encodeNpz({ x, y }));
    await writeFile(join(folder, 'x.npy'), encodeNpy(x));
    expect((await loadNpz(join(folder, 'set.npz'))).y).toEqual(Int32Array.of(1, 0));
    expect(await loadNpy(join(folder, 'x.npy'), new Uint8Array(gzipSync(encodeNpy(y))))).toEqual(
      await loadNpz(join(folder, 'set.npz')),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each<[string, Record<string, NpyInput>, string]>([
  ['no such array', { a: x, y }, 'loadNpz: there is no array "x", expected one of a, y'],
  ['labels of rank 2', { x, y: x }, 'loadNpz: y has shape [2,1,2], expected (n)'],
  [
    'labels that are no integers',
    { x, y: { dtype: 'f32', shape: [2], data: [0, 0.5] } },
    'loadNpz: y[1] is 0.5, expected an integer',
  ],
  [
    'fewer labels',
    { x, y: { dtype: 'u8', shape: [1], data: [0] } },
    'loadNpz: 2 inputs but 1 labels, expected as many',
  ],
  [
    'a scalar',
    { x: { dtype: 'f32', shape: [], data: [1] }, y },
    'loadNpz: x holds f32 [], expected (n, ...features) of numbers below 64 bits or floats',
  ],
])('refuses %s', async (_, arrays, message) => {
  await expect(loadNpz(encodeNpz(arrays))).rejects.toThrow(new FormatError(message));
});
