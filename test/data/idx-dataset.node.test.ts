import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadCifar10, loadCsv, loadIdx, loadImageFolder } from '../../src/data/index.ts';
import { encodeIdx } from '../../src/io/index.ts';
import { formatErrorOf } from '../support/format-error.ts';

const pixels = Array.from({ length: 3 * 4 }, (_, i) => i * 23);
const images = encodeIdx({ dtype: 'u8', shape: [3, 2, 2], data: pixels });
const labels = encodeIdx({ dtype: 'u8', shape: [3], data: [1, 0, 3] });

describe('loadIdx from bytes', () => {
  test('images become (n, 1, h, w) in [0, 1]', async () => {
    const data = await loadIdx(images, labels.buffer);
    expect(data.x.shape).toEqual([3, 1, 2, 2]);
    expect(data.x.data).toEqual(Float32Array.from(pixels, (value) => value / 255));
    expect(data).toMatchObject({ y: Int32Array.of(1, 0, 3), numClasses: 4, classCounts: [1, 1, 0, 1] });
  });
  test('gzip, several channels, more classes, a name', async () => {
    const colour = encodeIdx({ dtype: 'u8', shape: [1, 3, 2, 2], data: pixels });
    const data = await loadIdx(new Uint8Array(gzipSync(colour)), encodeIdx({ dtype: 'i32', shape: [1], data: [2] }), {
      numClasses: 10,
      name: 'colour',
    });
    expect(data.x.shape).toEqual([1, 3, 2, 2]);
    expect(data).toMatchObject({ numClasses: 10, name: 'colour' });
  });

  const two = encodeIdx({ dtype: 'u8', shape: [2], data: [0, 1] });
  const table = encodeIdx({ dtype: 'u8', shape: [3, 1], data: [0, 1, 2] });
  const floats = encodeIdx({ dtype: 'f32', shape: [3], data: [0, 1.5, 2] });
  const flatImages = encodeIdx({ dtype: 'u8', shape: [3, 4], data: pixels });
  test.each([
    ['fewer labels', images, two, 'loadIdx: 3 images but 2 labels, expected as many'],
    ['labels of rank 2', images, table, 'loadIdx: labels hold u8 [3,1], expected integers of shape (n)'],
    ['labels that are no integers', images, floats, 'loadIdx: label 1 is 1.5, expected an integer'],
    [
      'labels of eight columns that are not QMNIST',
      images,
      encodeIdx({ dtype: 'u8', shape: [3, 8], data: new Array<number>(24).fill(1) }),
      'loadIdx: labels hold u8 [3,8], expected integers of shape (n)',
    ],
    ['files swapped', labels, images, 'loadIdx: images have shape [3], expected (n, h, w) or (n, c, h, w)'],
    ['flat images', flatImages, labels, 'loadIdx: images have shape [3,4], expected (n, h, w) or (n, c, h, w)'],
    [
      'cut images',
      images.slice(0, 20),
      labels,
      'loadIdx: images: parseIdx: truncated, 4 data bytes, expected 12 for u8 [3,2,2]',
    ],
    [
      'labels are text',
      images,
      new TextEncoder().encode('<html>'),
      'loadIdx: labels: parseIdx: file starts with 3c 68, expected 00 00 (is it compressed?)',
    ],
  ])('refuses %s', async (_, first, second, message) => {
    expect(await formatErrorOf(() => loadIdx(first, second))).toBe(message);
  });
  test.each(['f64', 'f32', 'i32', 'i16'] as const)('%s images are kept as they stand', async (dtype) => {
    const values = pixels.map((v) => (dtype.startsWith('f') ? v / 7 - 3 : v * 100 - 999));
    const data = await loadIdx(encodeIdx({ dtype, shape: [3, 2, 2], data: values }), labels);
    expect(data.x.data).toEqual(Float32Array.from(values));
  });
  test.each(['u8', 'i8', 'i16', 'i32', 'f32', 'f64'] as const)('labels of type %s', async (dtype) => {
    const data = await loadIdx(images, encodeIdx({ dtype, shape: [3], data: [1, 0, 3] }));
    expect(data.y).toEqual(Int32Array.of(1, 0, 3));
  });
  test('16-bit labels beyond a byte, and what is negative', async () => {
    expect((await loadIdx(images, encodeIdx({ dtype: 'i16', shape: [3], data: [999, 0, 300] }))).y).toEqual(
      Int32Array.of(999, 0, 300),
    );
    await expect(loadIdx(images, encodeIdx({ dtype: 'i16', shape: [3], data: [0, -1, 1] }))).rejects.toThrow(
      new RangeError('makeDataset: y[1] is -1, expected an integer in 0..1'),
    );
  });
  test('QMNIST: the class is the first of eight columns', async () => {
    const rows = [
      [5, 0, 12, 6, 1, 2, 3, 0],
      [9, 1, 13, 7, 1, 2, 3, 0],
      [0, 4, 14, 8, 1, 2, 3, 0],
    ];
    const extended = new Uint8Array(gzipSync(encodeIdx({ dtype: 'i32', shape: [3, 8], data: rows.flat() })));
    expect((await loadIdx(images, extended, { numClasses: 10 })).y).toEqual(Int32Array.of(5, 9, 0));
  });
  test('several gzip members with padding', async () => {
    const parts = [images.slice(0, 10), images.slice(10)].map((part) => gzipSync(part));
    const data = await loadIdx(new Uint8Array(Buffer.concat([...parts, Buffer.alloc(64)])), labels);
    expect(data.x.data).toEqual(Float32Array.from(pixels, (value) => value / 255));
  });
  test('a gzip file may inflate to what its header states and no more', async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.concat([images, Buffer.alloc(30_000_000)])));
    await expect(loadIdx(bomb, labels)).rejects.toThrow(
      `loadIdx: images: gunzip: inflates to more than ${images.length} bytes`,
    );
    const zeros = new Uint8Array(gzipSync(Buffer.alloc(30_000_000)));
    await expect(loadIdx(zeros, labels)).rejects.toThrow(
      'loadIdx: images: parseIdx: type code is 00, expected 08, 09, 0b, 0c, 0d or 0e',
    );
  });
  test('refuses labels beyond numClasses, and bombs', async () => {
    await expect(loadIdx(images, labels, { numClasses: 3 })).rejects.toThrow(
      new RangeError('makeDataset: y[2] is 3, expected an integer in 0..2'),
    );
    await expect(loadIdx(new Uint8Array(gzipSync(images)), labels, { maxBytes: 10 })).rejects.toThrow(
      'inflates to more than 10 bytes',
    );
  });
});

describe('files on disk', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'evenkeel test '));
    await writeFile(join(folder, 'images é.gz'), gzipSync(images));
    await writeFile(join(folder, 'labels'), labels);
    await writeFile(join(folder, 'table.csv'), 'x,kind\n1,a\n2,b\n');
    await writeFile(join(folder, 'data_batch_1.bin'), new Uint8Array(3073));
    for (const name of ['cat', 'dog']) {
      await mkdir(join(folder, 'set', name), { recursive: true });
      await writeFile(join(folder, 'set', name, '1.png'), Uint8Array.of(name.length));
      await writeFile(join(folder, 'set', name, 'notes.txt'), 'no picture');
    }
  });
  afterAll(() => rm(folder, { recursive: true }));
  const decode = (bytes: Uint8Array): Promise<{ width: number; height: number; data: number[] }> =>
    Promise.resolve({ width: 1, height: 1, data: [bytes[0]!, 0, 0, 255] });

  test('paths, absolute and relative, and file: URLs as string and object', async () => {
    const [x, y] = [join(folder, 'images é.gz'), join(folder, 'labels')];
    for (const [first, second] of [
      [x, y],
      [relative(process.cwd(), x), relative(process.cwd(), y)],
      [pathToFileURL(x), pathToFileURL(y)],
      [String(pathToFileURL(x)), String(pathToFileURL(y))],
    ] as const) {
      expect((await loadIdx(first, second)).classCounts).toEqual([1, 1, 0, 1]);
    }
    expect((await loadCsv(join(folder, 'table.csv'))).classNames).toEqual(['a', 'b']);
    expect((await loadCsv(pathToFileURL(join(folder, 'table.csv')))).classNames).toEqual(['a', 'b']);
    expect(
      (await loadCifar10([join(folder, 'data_batch_1.bin'), pathToFileURL(join(folder, 'data_batch_1.bin'))])).y,
    ).toEqual(Int32Array.of(0, 0));
    expect((await loadCsv(new Blob(['x,y\n1,a\n']))).classNames).toEqual(['a']);
    expect((await loadCsv('data:text/csv,x,y%0A1,b%0A')).classNames).toEqual(['b']);
  });
  test('a folder of pictures by its path or URL, and pictures by theirs', async () => {
    for (const from of [join(folder, 'set'), pathToFileURL(join(folder, 'set'))]) {
      const data = await loadImageFolder(from, { size: [1, 1], decode });
      expect(data).toMatchObject({ classNames: ['cat', 'dog'], y: Int32Array.of(0, 1) });
    }
    expect(await loadImageFolder([['x/1.png', join(folder, 'set/dog/1.png')]], { size: [1, 1], decode })).toMatchObject(
      { classNames: ['x'] },
    );
    await expect(loadImageFolder(join(folder, 'none'), { size: [1, 1], decode })).rejects.toThrow(
      /loadImageFolder: cannot read folder ".*none": there is no such folder/,
    );
    await expect(loadImageFolder(join(folder, 'set', 'cat'), { size: [1, 1], decode })).rejects.toThrow(
      '1.png lies in no folder, expected class/file',
    );
  });
  test('what cannot be read says why', async () => {
    await expect(loadIdx(join(folder, 'nothing'), labels)).rejects.toThrow(
      `loadIdx: images: cannot read ${JSON.stringify(join(folder, 'nothing'))}: there is no such file`,
    );
    await expect(loadCsv(folder)).rejects.toThrow(
      `loadCsv: source: cannot read ${JSON.stringify(folder)}: it is a folder`,
    );
    await expect(loadCsv('http://127.0.0.1:9/table.csv')).rejects.toThrow(
      'loadCsv: source at http://127.0.0.1:9/table.csv cannot be fetched',
    );
    await expect(
      loadCsv(join(folder, 'table.csv'), { signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
  });
  test('a Node that cannot give its modules says what to do', async () => {
    const give = process.getBuiltinModule;
    Object.assign(process, { getBuiltinModule: undefined });
    try {
      await expect(loadCsv('own.csv')).rejects.toThrow(
        'loadCsv: source is a path, which needs Node 20.16 or 22.3 or later; give the bytes: await readFile(path)',
      );
    } finally {
      Object.assign(process, { getBuiltinModule: give });
    }
  });
});

describe('loadIdx from addresses', () => {
  let server: Server;
  let base: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/images.gz') response.end(gzipSync(images));
      else if (request.url === '/labels') response.end(labels);
      else if (request.url === '/never') response.write('x');
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  test('string and URL', async () => {
    const data = await loadIdx(`${base}/images.gz`, new URL('/labels', base));
    expect(data.classCounts).toEqual([1, 1, 0, 1]);
  });
  test('a missing file says which one and why', async () => {
    await expect(loadIdx(`${base}/images.gz`, `${base}/nothing`)).rejects.toThrow(
      `loadIdx: labels at ${base}/nothing answered 404 Not Found, expected 2xx`,
    );
  });
  test('a signal stops a download', async () => {
    const controller = new AbortController();
    const loading = loadIdx(`${base}/never`, labels, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(loading).rejects.toThrow('enough');
    await expect(loadIdx(images, labels, { signal: controller.signal })).rejects.toThrow('enough');
  });
});
