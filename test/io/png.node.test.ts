import { describe, expect, test } from 'vitest';
import { decodePng, FormatError } from '../../src/io/index.ts';
import { crc32 } from '../../src/io/crc32.ts';
import { exifOrientation } from '../../src/io/exif.ts';
import { oriented } from '../../src/data/resample.ts';
import golden from '../golden/pictures.json';
import { mutate, testRandom } from '../support/fuzz.ts';

const bytes = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const png = golden.pictures.filter(({ file }) => file.startsWith('iVBOR'));

/** Pictures and pixels of Pillow 12.3: Image.open(file).convert('RGB').tobytes(). */
test.each(png)('as Pillow: $name', async ({ file, width, height, rgb }) => {
  expect(await decodePng(bytes(file))).toEqual({ width, height, data: bytes(rgb) });
});

test.each(golden.pictures.filter((p) => 'turned' in p))('$name', ({ name, file, width, height, rgb, turned }) => {
  const orientation = exifOrientation(bytes(file))!;
  expect(orientation.value).toBe(Number(name.at(-1)));
  expect(oriented({ width, height, data: bytes(rgb) }, orientation.value)).toEqual({
    width: turned!.width,
    height: turned!.height,
    data: bytes(turned!.rgb),
  });
});

describe('files that are none', () => {
  const good = bytes(png[0]!.file);
  const changed = (at: number, value: number): Uint8Array => good.map((byte, i) => (i === at ? value : byte));
  test.each([
    ['text', Uint8Array.of(1, 2, 3), 'decodePng: the file does not start with 89 PNG, expected PNG'],
    ['a cut file', good.slice(0, -1), 'decodePng: the file is cut'],
    ['a wrong checksum', changed(19, 99), 'decodePng: the checksum of "IHDR" is wrong'],
  ])('%s', async (_, file, message) => {
    await expect(decodePng(file)).rejects.toThrow(new FormatError(message));
  });
  test('a header of many pixels over little data takes no memory', async () => {
    const file = good.slice();
    file.set([0, 0, 0x20, 0, 0, 0, 0x20, 0], 16);
    new DataView(file.buffer).setUint32(29, crc32(file.subarray(12, 29)));
    await expect(decodePng(file)).rejects.toThrow(
      new FormatError('decodePng: the data do not inflate to 8396800 bytes, those of 8192 x 8192 pixels'),
    );
  });
  test('more pixels than maxPixels', async () => {
    await expect(decodePng(good, { maxPixels: 98 })).rejects.toThrow(
      new FormatError('decodePng: 11 x 9 pixels, expected at least one and at most 98'),
    );
    await expect(decodePng(good, { maxPixel: 98 } as never)).rejects.toThrow(
      "decodePng: unknown option 'maxPixel', did you mean 'maxPixels'?",
    );
  });
  test('mutated files: pixels or a FormatError, also where EXIF is sought', async () => {
    const random = testRandom(9);
    let refused = 0;
    for (let i = 0; i < 1500; i++) {
      const file = mutate(bytes(golden.pictures[i % golden.pictures.length]!.file), random) as Uint8Array<ArrayBuffer>;
      exifOrientation(file);
      await decodePng(file).catch((error: unknown) => {
        if (!(error instanceof FormatError) || error.message.length > 300) throw error;
        refused++;
      });
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
