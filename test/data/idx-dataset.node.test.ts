import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadIdx } from '../../src/data/index.ts';
import { encodeIdx, FormatError } from '../../src/io/index.ts';

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
    const data = await loadIdx(new Uint8Array(gzipSync(colour)), encodeIdx({ dtype: 'i32', shape: [1], data: [2] }), { numClasses: 10, name: 'colour' });
    expect(data.x.shape).toEqual([1, 3, 2, 2]);
    expect(data).toMatchObject({ numClasses: 10, name: 'colour' });
  });

  const two = encodeIdx({ dtype: 'u8', shape: [2], data: [0, 1] });
  const table = encodeIdx({ dtype: 'u8', shape: [3, 1], data: [0, 1, 2] });
  const floats = encodeIdx({ dtype: 'f32', shape: [3], data: [0, 1, 2] });
  const flatImages = encodeIdx({ dtype: 'u8', shape: [3, 4], data: pixels });
  const floatImages = encodeIdx({ dtype: 'f32', shape: [3, 2, 2], data: pixels });
  test.each([
    ['fewer labels', images, two, 'loadIdx: 3 images but 2 labels, expected as many'],
    ['labels of rank 2', images, table, 'loadIdx: labels hold u8 [3,1], expected integers of shape (n)'],
    ['float labels', images, floats, 'loadIdx: labels hold f32 [3], expected integers of shape (n)'],
    ['files swapped', labels, images, 'loadIdx: images have shape [3], expected (n, h, w) or (n, c, h, w)'],
    ['flat images', flatImages, labels, 'loadIdx: images have shape [3,4], expected (n, h, w) or (n, c, h, w)'],
    ['float images', floatImages, labels, 'loadIdx: images hold f32, expected u8'],
    ['cut images', images.slice(0, 20), labels, 'loadIdx: images: parseIdx: truncated, 4 data bytes, expected 12 for u8 [3,2,2]'],
    ['labels are text', images, new TextEncoder().encode('<html>'), 'loadIdx: labels: parseIdx: file starts with 3c 68, expected 00 00 (is it compressed?)'],
  ])('refuses %s', async (_, first, second, message) => {
    const error = await loadIdx(first, second).then(() => null, (reason: unknown) => reason);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).message).toBe(message);
  });
  test('refuses labels beyond numClasses, and bombs', async () => {
    await expect(loadIdx(images, labels, { numClasses: 3 })).rejects.toThrow(new RangeError('makeDataset: y[2] is 3, expected an integer in 0..2'));
    await expect(loadIdx(new Uint8Array(gzipSync(images)), labels, { maxBytes: 10 })).rejects.toThrow('inflates to more than 10 bytes');
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
    await expect(loadIdx(`${base}/images.gz`, `${base}/nothing`)).rejects.toThrow(`loadIdx: labels at ${base}/nothing answered 404 Not Found, expected 2xx`);
  });
  test('a signal stops a download', async () => {
    const controller = new AbortController();
    const loading = loadIdx(`${base}/never`, labels, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(loading).rejects.toThrow('enough');
    await expect(loadIdx(images, labels, { signal: controller.signal })).rejects.toThrow('enough');
  });
});
