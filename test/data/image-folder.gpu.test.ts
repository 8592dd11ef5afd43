import { expect, test } from 'vitest';
import { loadCsv, loadImageFolder } from 'evenkeel/data';
import golden from '../golden/pictures.json';

test('the browser decodes and scales pictures', async () => {
  const png = async (width: number, colour: string): Promise<Blob> => {
    const canvas = new OffscreenCanvas(width, width);
    const context = canvas.getContext('2d')!;
    context.fillStyle = colour;
    context.fillRect(0, 0, width, width);
    return canvas.convertToBlob({ type: 'image/png' });
  };
  const data = await loadImageFolder(
    [
      ['red/a.png', await png(8, '#ff0000')],
      ['grey/b.png', await png(2, '#333333')],
    ],
    { size: [4, 3] },
  );
  expect(data).toMatchObject({ classNames: ['grey', 'red'], y: Int32Array.of(0, 1) });
  expect(data.x.shape).toEqual([2, 3, 4, 3]);
  expect([...data.x.data]).toEqual([
    ...new Array<number>(36).fill(Math.fround(0.2)),
    ...new Array<number>(12).fill(1),
    ...new Array<number>(24).fill(0),
  ]);
  await expect(loadImageFolder([['a/x.png', new Uint8Array([1, 2, 3])]], { size: [2, 2] })).rejects.toThrow(
    'loadImageFolder: a/x.png does not decode',
  );
});

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
type Expected = { width: number; height: number; rgb: string };
const pixels = async (file: Uint8Array, { width, height }: Expected, rotate: boolean): Promise<number[]> => {
  const { x } = await loadImageFolder([['a/picture', file]], { size: [height, width], rotate });
  const area = width * height;
  return Array.from({ length: 3 * area }, (_, i) => Math.round(x.data[(i % 3) * area + Math.floor(i / 3)]! * 255));
};

test.each(golden.pictures.filter(({ name }) => !name.startsWith('JPEG')))('as Pillow: $name', async (picture) => {
  expect(await pixels(bytesOf(picture.file), picture, false)).toEqual([...bytesOf(picture.rgb)]);
  if ('turned' in picture)
    expect(await pixels(bytesOf(picture.file), picture.turned!, true)).toEqual([...bytesOf(picture.turned!.rgb)]);
});

// Decoders of JPEG may differ by rounding.
test.each(golden.pictures.filter(({ name }) => name.startsWith('JPEG')))(
  'as Pillow, to three levels: $name',
  async (picture) => {
    for (const [expected, rotate] of [
      [picture, false],
      [picture.turned!, true],
    ] as const) {
      const rgb = bytesOf(expected.rgb);
      (await pixels(bytesOf(picture.file), expected, rotate)).forEach((v, i) =>
        expect(Math.abs(v - rgb[i]!)).toBeLessThanOrEqual(3),
      );
    }
  },
);

test('a page reads no folders, and takes a path as relative to it', async () => {
  await expect(loadImageFolder('pictures', { size: [1, 1] })).rejects.toThrow(
    new TypeError('loadImageFolder: files is "pictures", expected [path, file] pairs, or in Node the path of a folder'),
  );
  await expect(loadCsv('no such file.csv?nothing')).rejects.toThrow(
    /loadCsv: (source at no such file.csv\?nothing (answered 404|cannot be fetched)|row|the table|parseCsv)/,
  );
});
