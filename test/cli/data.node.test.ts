import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodeIdx, parseIdx } from 'evenkeel/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadData } from '../../src/cli/data.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

const images = (n: number, side = 4): Uint8Array =>
  encodeIdx({ dtype: 'u8', shape: [n, side, side], data: new Uint8Array(n * side * side) });
const labels = (...values: number[]): Uint8Array => encodeIdx({ dtype: 'u8', shape: [values.length], data: values });
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-data-'));
  put('train-images-idx3-ubyte', images(3));
  put('train-labels-idx1-ubyte', labels(0, 1, 2));
  put('t10k-images-idx3-ubyte', images(2));
  put('t10k-labels-idx1-ubyte', labels(0, 2));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, bytes: Uint8Array): void {
  writeFileSync(join(folder, name), bytes);
}

async function refuses(message: RegExp): Promise<void> {
  const load = loadData(`idx:${folder}`);
  await expect(load).rejects.toThrow(UsageError);
  await expect(load).rejects.toThrow(message);
}

describe('loadData', () => {
  test('reads MNIST from its package', async () => {
    const data = await loadData('mnist');
    expect(data.name).toBe('mnist');
    expect(data.trainImages.length).toBe(16 + 60_000 * 784);
    expect(data.testLabels.length).toBe(8 + 10_000);
  });

  test('reads a folder, also with dots in the names and compressed', async () => {
    rmSync(join(folder, 'train-images-idx3-ubyte'));
    put('train-images.idx3-ubyte.gz', gzipSync(images(3)));
    const data = await loadData(`idx:${folder}`);
    expect(data.trainImages).toEqual(images(3));
    expect([...data.testLabels.slice(8)]).toEqual([0, 2]);
  });

  test('refuses an unknown name', async () => {
    await expect(loadData('cifar')).rejects.toThrow('expected mnist, fashion-mnist or idx:DIR');
    await expect(loadData('idx:')).rejects.toThrow(UsageError);
  });

  test('refuses a missing folder and a missing file', async () => {
    await expect(loadData(`idx:${join(folder, 'none')}`)).rejects.toThrow(/there is no folder .*none/);
    rmSync(join(folder, 't10k-labels-idx1-ubyte'));
    await refuses(/has no t10k-labels-idx1-ubyte \(expected one of/);
  });

  test('refuses a wrong magic number', async () => {
    put('train-images-idx3-ubyte', new Uint8Array([1, 2, 3, 4, 5]));
    await refuses(/train-images-idx3-ubyte is no IDX file: .*expected 00 00/);
  });

  test('refuses truncated files, plain and compressed', async () => {
    put('t10k-images-idx3-ubyte', images(2).slice(0, -1));
    await refuses(/t10k-images-idx3-ubyte is no IDX file: .*truncated/);
    rmSync(join(folder, 't10k-images-idx3-ubyte'));
    put('t10k-images-idx3-ubyte.gz', gzipSync(images(2)).subarray(0, 20));
    await refuses(/t10k-images-idx3-ubyte\.gz is no IDX file/);
  });

  test('refuses parts that do not fit together', async () => {
    put('train-labels-idx1-ubyte', labels(0, 1));
    await refuses(/train-labels-idx1-ubyte holds 2 labels, expected 3, one per image/);
    put('train-labels-idx1-ubyte', labels(0, 0, 0));
    await refuses(/holds one class, expected at least two/);
    put('train-labels-idx1-ubyte', labels(0, 1, 1));
    await refuses(/t10k-labels-idx1-ubyte holds label 2, expected labels in 0\.\.1/);
    put('t10k-images-idx3-ubyte', images(2, 5));
    await refuses(/expected images of 4 x 4 as the training set/);
    put('train-images-idx3-ubyte', labels(1, 2, 3));
    await refuses(/train-images-idx3-ubyte holds u8 \[3\], expected u8 images/);
  });
});

describe('loadData of CIFAR-10', () => {
  const record = (label: number, value: number): Uint8Array => new Uint8Array(3073).fill(value).fill(label, 0, 1);
  beforeEach(() => {
    for (let i = 1; i <= 5; i++) put(`data_batch_${i}.bin`, record(i, 10 * i));
    put('test_batch.bin.gz', gzipSync(record(9, 90)));
  });

  test('turns the records of the binary version into IDX', async () => {
    const { name, ...files } = await loadData(`cifar10:${folder}`);
    const [train, labels, held] = [
      parseIdx(files.trainImages),
      parseIdx(files.trainLabels),
      parseIdx(files.testImages),
    ];
    expect(name).toBe('cifar10');
    expect(train.shape).toEqual([5, 3, 32, 32]);
    expect([...labels.data]).toEqual([1, 2, 3, 4, 5]);
    expect([train.data[0], train.data[3072], train.data.at(-1)]).toEqual([10, 20, 50]);
    expect(held.shape).toEqual([1, 3, 32, 32]);
    expect([...parseIdx(files.testLabels).data]).toEqual([9]);
  });

  test('refuses a missing folder, a missing batch and other files', async () => {
    const load = (path = folder): Promise<unknown> => loadData(`cifar10:${path}`);
    await expect(load(join(folder, 'none'))).rejects.toThrow(/^--data: there is no folder .*none$/);
    put('data_batch_3.bin', new Uint8Array(3074));
    await expect(load()).rejects.toThrow(/data_batch_3\.bin is no CIFAR-10 file: .*3074 bytes/);
    rmSync(join(folder, 'data_batch_3.bin'));
    await expect(load()).rejects.toThrow(UsageError);
    await expect(load()).rejects.toThrow(
      /has no data_batch_3\.bin, expected data_batch_1\.bin to data_batch_5\.bin and test_batch\.bin/,
    );
  });
});
