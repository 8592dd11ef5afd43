import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureDeflate } from '../../src/io/deflate.ts';
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
  await expect(gunzip(packed, { maxBytes: 4999 })).rejects.toThrow(
    new FormatError('gunzip: inflates to more than 4999 bytes, expected at most maxBytes'),
  );
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
  const error = await gunzip(file).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FormatError);
  expect((error as FormatError).message).toContain(message);
});

describe('several members', () => {
  const parts = [plain.subarray(0, 3000), new Uint8Array(0), plain.subarray(3000)];
  const members = parts.map((part) => new Uint8Array(gzipSync(part)));
  const joined = (...pieces: readonly (Uint8Array | number[])[]): Uint8Array =>
    Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  test.each([
    ['in a row', joined(...members)],
    ['the last one empty', joined(members[0]!, members[2]!, members[1]!)],
    ['padded with zeros at the end', joined(...members, new Array<number>(512).fill(0))],
    ['padded between', joined(members[0]!, [0, 0, 0], members[2]!)],
  ])('%s', async (_, file) => {
    expect(await gunzip(file)).toEqual(plain);
    expect(await gunzip(file, { maxBytes: 5000 })).toEqual(plain);
    await expect(gunzip(file, { maxBytes: 4999 })).rejects.toThrow(
      'gunzip: inflates to more than 4999 bytes, expected at most maxBytes',
    );
  });
  test('one member with padding, and with a name, a comment, extra fields and a checksum of its header', async () => {
    expect(await gunzip(joined(packed, [0, 0, 0, 0, 0]))).toEqual(plain);
    const flagged = joined(
      [0x1f, 0x8b, 8, 0x1c, 0, 0, 0, 0, 0, 3, 2, 0, 7, 7, 0x61, 0, 0x62, 0x63, 0],
      packed.subarray(10),
    );
    expect(await gunzip(joined(flagged, members[0]!))).toEqual(joined(plain, parts[0]!));
  });
  test('4-level files of any bytes, as many members as one likes', async () => {
    const part = fc.tuple(
      fc.oneof(
        fc.uint8Array({ maxLength: 400 }),
        fc.tuple(fc.nat(255), fc.nat(3000)).map(([v, n]) => new Uint8Array(n).fill(v)),
      ),
      fc.constantFrom(0, 1, 6, 9),
      fc.constantFrom(0, 2, 4),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }), fc.nat(9), async (all, zeros) => {
        const file = joined(
          ...all.map(([bytes, level, strategy]) => gzipSync(bytes, { level, strategy })),
          new Array<number>(zeros).fill(0),
        );
        expect(await gunzip(file)).toEqual(joined(...all.map(([bytes]) => bytes)));
      }),
      { numRuns: 60 },
    );
  });
  test.each([
    [
      'other bytes after padding',
      joined(packed, [0, 0, 5, 6]),
      'gunzip: 2 bytes follow the last member, expected another member, zero bytes or nothing',
    ],
    [
      'a cut second member',
      joined(packed, members[0]!.subarray(0, 40)),
      'gunzip: truncated or corrupt after 5000 bytes of output',
    ],
    [
      'a header alone after it',
      joined(packed, [0x1f, 0x8b, 8]),
      'gunzip: truncated or corrupt after 5000 bytes of output',
    ],
    ['a corrupt first member', joined(corrupt, members[0]!), 'gunzip: truncated or corrupt after 0 bytes of output'],
    [
      'a size that is not its own',
      joined(members[0]!.subarray(0, -4), [1, 0, 0, 0], packed),
      'gunzip: member 0 states 1 bytes and holds 3000, expected as many',
    ],
  ])('refuses %s', async (_, file, message) => {
    await expect(gunzip(file)).rejects.toThrow(new FormatError(message));
  });
});

test('a stated size that no deflate stream reaches takes no memory', async () => {
  const file = packed.slice();
  file.set([0xff, 0xff, 0xff, 0x3f], file.length - 4);
  await expect(gunzip(file)).rejects.toThrow(
    new FormatError('gunzip: member 0 states 1073741823 bytes and holds 5000, expected as many'),
  );
});

test.each([0, 1, 6, 9])('measureDeflate at level %i: end and size without inflating', (level) => {
  for (const data of [plain, new Uint8Array(70_000), Uint8Array.of(1), new Uint8Array(0)]) {
    const raw = new Uint8Array(deflateRawSync(data, { level }));
    const file = Uint8Array.from([9, 9, ...raw, 1, 2, 3]);
    expect(measureDeflate(file, 2, Infinity)).toEqual({ end: 2 + raw.length, size: data.length });
    if (data.length > 1000) expect(measureDeflate(file, 2, 1000).size).toBeGreaterThan(1000);
  }
});

test('refuses a cap that is no count', async () => {
  await expect(gunzip(packed, { maxBytes: -1 })).rejects.toThrow(
    new RangeError('gunzip: maxBytes is -1, expected an integer >= 0'),
  );
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
