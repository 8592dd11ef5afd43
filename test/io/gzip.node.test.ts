import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { FormatError, gunzip, isGzip } from '../../src/io/index.ts';
import { mutate, testRandom } from '../support/fuzz.ts';

const plain = Uint8Array.from({ length: 5000 }, (_, i) => (i * i) % 251);
const packed = new Uint8Array(gzipSync(plain));

test('isGzip', () => {
  expect(isGzip(packed)).toBe(true);
  expect(isGzip(packed.slice().buffer)).toBe(true);
  expect(isGzip(plain)).toBe(false);
  expect(isGzip(Uint8Array.of(0x1f, 0x8b))).toBe(false);
});

test('inflates, also from a view and to nothing', async () => {
  expect(await gunzip(packed)).toEqual(plain);
  const outer = new Uint8Array(packed.length + 10);
  outer.set(packed, 7);
  expect(await gunzip(outer.subarray(7, 7 + packed.length))).toEqual(plain);
  expect(await gunzip(new Uint8Array(gzipSync(new Uint8Array(0))))).toEqual(new Uint8Array(0));
});

test('the cap is exact and stops a bomb early', async () => {
  expect(await gunzip(packed, { maxBytes: 5000 })).toHaveLength(5000);
  await expect(gunzip(packed, { maxBytes: 4999 })).rejects.toThrow(new FormatError('gunzip: inflates to more than 4999 bytes, expected at most maxBytes'));
  const bomb = new Uint8Array(gzipSync(new Uint8Array(50_000_000)));
  await expect(gunzip(bomb, { maxBytes: 1000 })).rejects.toThrow('inflates to more than 1000 bytes');
});

const corrupt = packed.slice();
corrupt[corrupt.length - 6]! ^= 1; // the checksum
test.each([
  ['plain bytes', plain, 'gunzip: the file does not start with 1f 8b 08, expected gzip'],
  ['a header alone', packed.slice(0, 10), 'gunzip: truncated, 10 bytes, expected at least 18'],
  ['a cut stream', packed.slice(0, packed.length / 2), 'gunzip: truncated or corrupt'],
  ['a cut trailer', packed.slice(0, packed.length - 3), 'gunzip: truncated or corrupt'],
  ['a wrong checksum', corrupt, 'gunzip: truncated or corrupt'],
  ['trailing bytes', Uint8Array.from([...packed, 1, 2, 3, 4, 5]), 'gunzip: '],
])('refuses %s', async (_, file, message) => {
  const error = await gunzip(file).then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(FormatError);
  expect((error as FormatError).message).toContain(message);
});

test('refuses a cap that is no count', async () => {
  await expect(gunzip(packed, { maxBytes: -1 })).rejects.toThrow(new RangeError('gunzip: maxBytes is -1, expected an integer >= 0'));
});

test('500 mutated files: bytes or a FormatError, nothing else', async () => {
  const random = testRandom(2);
  let refused = 0;
  for (let i = 0; i < 500; i++) {
    const result = await gunzip(mutate(packed, random), { maxBytes: 100_000 }).catch((error: unknown) => error);
    if (result instanceof Uint8Array) continue;
    expect(result).toBeInstanceOf(FormatError);
    refused++;
  }
  expect(refused).toBeGreaterThan(300);
});
