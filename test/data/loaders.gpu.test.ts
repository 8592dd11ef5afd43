import { expect, test } from 'vitest';
import { loadCsv, loadIdx } from 'evenkeel/data';
import { encodeIdx, gunzip } from 'evenkeel/io';

const gzip = async (bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(
    await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer(),
  );
const joined = async (...parts: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await new Blob(parts).arrayBuffer());

const images = encodeIdx({ dtype: 'u8', shape: [2, 2, 2], data: [0, 51, 102, 153, 204, 255, 1, 2] });
const labels = encodeIdx({ dtype: 'i16', shape: [2], data: [3, 0] });

test.each([3, 10, 16, 20])('gzip of two members, cut at %i, with padding, in a browser', async (cut) => {
  const file = await joined(await gzip(images.slice(0, cut)), await gzip(images.slice(cut)), new Uint8Array(100));
  expect(await gunzip(file)).toEqual(images);
  const data = await loadIdx(file, new Blob([labels]));
  expect(data).toMatchObject({ y: Int32Array.of(3, 0), numClasses: 4 });
  expect([...data.x.data]).toEqual([0, 51, 102, 153, 204, 255, 1, 2].map((v) => Math.fround(v / 255)));
});

test('a File, a blob: address and a data: address', async () => {
  const file = new File(['x,kind\n1,a\n2,b\n'], 'own.csv');
  const address = URL.createObjectURL(file);
  for (const source of [file, address, new URL(address), 'data:text/csv,x,kind%0A1,a%0A2,b%0A']) {
    expect((await loadCsv(source)).classNames).toEqual(['a', 'b']);
  }
  URL.revokeObjectURL(address);
  await expect(loadCsv(address)).rejects.toThrow(/^loadCsv: source at blob:.* cannot be fetched: /);
});
