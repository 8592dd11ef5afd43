import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { CIFAR10_STATISTICS, loadCifar10, loadCifar100, loadCsv, loadImageFolder, longTail, makeDataset, normalizeChannels } from '../../src/data/index.ts';
import { FormatError, parseCifar } from '../../src/io/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';

/** A file of CIFAR records: label bytes, then pixels that tell record and place. */
function records(labels: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(labels.flatMap((head, n) => [...head, ...Array.from({ length: 3072 }, (_, i) => (n * 7 + i) % 256)]));
}

describe('CIFAR, binary version', () => {
  test('files in their order, planes of red, green and blue', async () => {
    const data = await loadCifar10([records([[3], [9]]), new Uint8Array(gzipSync(records([[0]])))]);
    expect(data.x.shape).toEqual([3, 3, 32, 32]);
    expect(data).toMatchObject({ y: Int32Array.of(3, 9, 0), numClasses: 10, name: 'cifar10', classCounts: [1, 0, 0, 1, 0, 0, 0, 0, 0, 1] });
    const of = (n: number, i: number): number => Math.fround(((n * 7 + i) % 256) / 255);
    for (const i of [0, 1, 1023, 1024, 3071]) {
      expect(data.x.data[i]).toBe(of(0, i));
      expect(data.x.data[3072 + i]).toBe(of(1, i));
      expect(data.x.data[2 * 3072 + i]).toBe(of(0, i));
    }
  });
  test('CIFAR-100: fine classes, or the 20 superclasses', async () => {
    const file = records([[19, 99], [4, 30]]);
    expect(await loadCifar100([file])).toMatchObject({ y: Int32Array.of(99, 30), numClasses: 100 });
    expect(await loadCifar100([file.buffer], { labels: 'coarse', name: 'super' })).toMatchObject({ y: Int32Array.of(19, 4), numClasses: 20, name: 'super' });
    await expect(loadCifar100([file], { labels: 'both' as never })).rejects.toThrow("loadCifar100: labels is both, expected 'fine' or 'coarse'");
  });
  test('a long tail can be drawn from it', async () => {
    const data = await loadCifar10([records(Array.from({ length: 40 }, (_, i) => [i % 10]))]);
    expect(longTail(data, { imbType: 'exp', imbFactor: 0.25, seed: 0 }).classCounts).toEqual([4, 3, 2, 2, 2, 1, 1, 1, 1, 1]);
  });
  test.each([
    ['cut', records([[1]]).slice(0, 3000), 'loadCifar10: file 0: parseCifar: file has 3000 bytes, expected a positive multiple of 3073, the bytes of a cifar10 record'],
    ['empty', new Uint8Array(), 'loadCifar10: file 0: parseCifar: file has 0 bytes, expected a positive multiple of 3073, the bytes of a cifar10 record'],
    ['a wrong label', records([[1], [10]]), 'loadCifar10: file 0: parseCifar: record 1 has label 10, expected 0..9: is this the binary version of cifar10?'],
  ])('refuses a file that is %s', async (_, file, message) => {
    await expect(loadCifar10([file])).rejects.toThrow(new FormatError(message));
  });
  test('refuses no files, and a coarse label that is none', async () => {
    await expect(loadCifar10([])).rejects.toThrow('loadCifar10: files is empty, expected an array of at least one file');
    expect(() => parseCifar(records([[20, 1]]), 'cifar100')).toThrow('parseCifar: record 0 has label 20, expected 0..19');
  });
});

describe('normalizeChannels', () => {
  const data = makeDataset(new NdArray(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [2, 2, 1, 2]), [0, 1]);
  test('(x - mean) / std of each channel, labels as they are', () => {
    const out = normalizeChannels(data, { mean: [1, 2], std: [0.5, 2] });
    expect([...out.x.data]).toEqual([0, 2, 0.5, 1, 8, 10, 2.5, 3]);
    expect(out).toMatchObject({ y: data.y, classCounts: [1, 1] });
    expect(data.x.data[0]).toBe(1);
  });
  test('errors', () => {
    expect(() => normalizeChannels(data, CIFAR10_STATISTICS)).toThrow('normalizeChannels: 3 means and 3 deviations for x of shape [2,2,1,2], expected one of each for each channel, axis 1');
    expect(() => normalizeChannels(data, { mean: [0, 0], std: [1, 0] })).toThrow('normalizeChannels: mean is [0,0], std is [1,0], expected finite numbers, and deviations above 0');
  });
});

describe('loadCsv', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const table = 'id,width,length,kind\n1,0.5,2,b\n2,-1e2,3,a\n3,4,5,b\n';
  test('named label and skipped columns; classes sorted', async () => {
    const data = await loadCsv(bytes(table), { label: 'kind', skip: ['id'], name: 'iris' });
    expect(data).toMatchObject({ y: Int32Array.of(1, 0, 1), numClasses: 2, classCounts: [1, 2], classNames: ['a', 'b'], name: 'iris' });
    expect(data.x.shape).toEqual([3, 2]);
    expect([...data.x.data]).toEqual([0.5, 2, -100, 3, 4, 5]);
  });
  test('without a header, classes given, a shape, gzip', async () => {
    const data = await loadCsv(new Uint8Array(gzipSync('cat;1;2\ndog;3;4')), { header: false, separator: ';', label: 0, classes: ['dog', 'cat', 'emu'], shape: [1, 2] });
    expect(data).toMatchObject({ y: Int32Array.of(1, 0), numClasses: 3, classCounts: [1, 1, 0] });
    expect(data.x.shape).toEqual([2, 1, 2]);
  });
  test('numbered classes sort as numbers', async () => {
    expect((await loadCsv(bytes('x,y\n1,10\n2,9\n'))).classNames).toEqual(['9', '10']);
  });
  test.each([
    ['no rows', 'a,b\n', {}, 'loadCsv: the table has no rows, expected at least one'],
    ['an unknown column', table, { label: 'sort' }, 'loadCsv: no column "sort", expected one of id, width, length, kind'],
    ['a column beyond', '1,2', { header: false, label: 2 }, 'loadCsv: no column 2, expected a number below 2'],
    ['text', 'a,b\nx,1\n', {}, 'loadCsv: row 1, column a: "x" is no finite number'],
    ['a gap', 'a,b\n1,1\n,1\n', {}, 'loadCsv: row 2, column a: "" is no finite number'],
    ['too large for f32', 'a,b\n1e39,1\n', {}, 'loadCsv: row 1, column a: "1e39" is no finite number'],
    ['an unknown class', 'a,b\n1,x\n', { classes: ['y', 'z'] }, 'loadCsv: row 1: class "x" is none of y, z'],
    ['labels alone', 'b\nx\n', {}, 'loadCsv: no column is left for the inputs'],
    ['a wrong shape', 'a,b\n1,x\n', { shape: [2] }, 'loadCsv: shape is [2], expected as many elements as there are input columns, 1'],
  ])('refuses %s', async (_, text, options, message) => {
    await expect(loadCsv(bytes(text), options)).rejects.toThrow(new FormatError(message));
  });
});

describe('loadImageFolder', () => {
  const decode = (bytes: Uint8Array, [height, width]: readonly [number, number]): Promise<{ width: number; height: number; data: number[] }> =>
    Promise.resolve({ width, height, data: Array.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 255 : bytes[0]! + i)) });
  const files: [string, Uint8Array][] = [['set/dog/1.png', Uint8Array.of(40)], ['set/cat/2.png', Uint8Array.of(80)], ['set/cat/1.png', Uint8Array.of(0)]];
  test('classes are folders, in the order of their names', async () => {
    const data = await loadImageFolder(files, { size: [1, 2], decode });
    expect(data).toMatchObject({ y: Int32Array.of(0, 0, 1), classNames: ['cat', 'dog'], classCounts: [2, 1] });
    expect(data.x.shape).toEqual([3, 3, 1, 2]);
    // The planes of the first picture: red 0, 4; green 1, 5; blue 2, 6.
    expect([...data.x.data.slice(0, 6)]).toEqual([0, 4, 1, 5, 2, 6].map((v) => Math.fround(v / 255)));
  });
  test('one channel is luma', async () => {
    const { x } = await loadImageFolder([['a/1', Uint8Array.of(10)]], { size: [1, 1], channels: 1, decode });
    expect(x.shape).toEqual([1, 1, 1, 1]);
    expect(x.data[0]).toBeCloseTo((0.299 * 10 + 0.587 * 11 + 0.114 * 12) / 255, 7);
  });
  test('errors', async () => {
    const options = { size: [1, 1] as const, decode };
    await expect(loadImageFolder([], options)).rejects.toThrow('loadImageFolder: no files, expected at least one');
    await expect(loadImageFolder([['x.png', Uint8Array.of(1)]], options)).rejects.toThrow('loadImageFolder: x.png lies in no folder, expected class/file');
    await expect(loadImageFolder(files, { size: [0, 1], decode })).rejects.toThrow('loadImageFolder: size is [0,1], expected two positive integers, height and width');
    await expect(loadImageFolder(files, { size: [1, 1] })).rejects.toThrow('loadImageFolder: there is no picture decoder here (Node has none)');
    await expect(loadImageFolder(files, { size: [1, 1], decode: () => Promise.reject(new Error('bad bytes')) })).rejects.toThrow('loadImageFolder: set/cat/1.png does not decode: bad bytes');
    await expect(loadImageFolder(files, { size: [2, 2], decode: (b) => decode(b, [1, 1]) })).rejects.toThrow('loadImageFolder: set/cat/1.png came as 1 x 1 with 4 bytes, expected 2 x 2 RGBA');
  });
});
