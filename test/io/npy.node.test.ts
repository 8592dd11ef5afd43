import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { decodeNpy, decodeNpz, encodeNpy, encodeNpz, FormatError, type NpyType } from '../../src/io/index.ts';
import { fromHalf, toHalf } from '../../src/io/half.ts';
import { mutate, testRandom } from '../support/fuzz.ts';
import { formatErrorOf } from '../support/format-error.ts';

const bytes = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** Written by NumPy 2.4: numpy.save, savez, savez_compressed and lib.format.write_array. */
const NUMPY = {
  half:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDYsKSwgfSAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAPgCAAQD/ewB8AH4=',
  bigFloat:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAACAPgAAAD8AAEA/AACAPwAA' +
    'oD8=',
  fortran:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGk0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgNCksIH0gICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAADAAAAAQAAAAQAAAACAAAABQA' +
    'AAABAAAADQAAAAUAAAARAAAACQAAABUAAAACAAAADgAAAAYAAAASAAAACgAAABYAAAADAAAADwAAAAcAAAATAAAACwAAABcAAAA=',
  bigLong:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPmk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr/////////+0AAAAAAAAAA',
  bool:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfGIxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDEpLCB9ICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAA==',
  scalar:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0gICAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAqamZmZmZm5Pw==',
  empty:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPHUyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDAsIDMpLCB9ICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAo=',
  stored:
    'UEsDBC0AAAAAAAAAIQBP6QAq//////////8FABQAeC5ucHkBABAAmAAAAAAAAACYAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzog' +
    'JzxmNCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAAAAAAAgD8AAABAAABAQAAAgEAAAKBAUEsDBC0AAAgAAAAAIQAM/Bzp' +
    '//////////8IABQAeSDDqS5ucHkBABAAkAAAAAAAAACQAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxpOCcsICdmb3J0cmFu' +
    'X29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAKAQAAAAAAAAACAAAAAAAAAFBLAQItAy0AAAAAAAAAIQBP6QAqmAAAAJgAAAAFAAAAAAAAAAAAAACA' +
    'AQAAAAB4Lm5weVBLAQItAy0AAAgAAAAAIQAM/BzpkAAAAJAAAAAIAAAAAAAAAAAAAACAAc8AAAB5IMOpLm5weVBLBQYAAAAAAgAC' +
    'AGkAAACZAQAAAAA=',
  deflated:
    'UEsDBC0AAAAIAAAAIQBP6QAq//////////8FABQAeC5ucHkBABAAmAAAAAAAAABVAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6l' +
    'oG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgYwaLAHEg5ABMQNQLzAAQBQSwMELQAACAgA' +
    'AAAhAAz8HOn//////////wgAFAB5IMOpLm5weQEAEACQAAAAAAAAAEoAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNpoa6j' +
    'oJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjqaOgq1ChQALkYGCGCC0gBQSwECLQMtAAAACAAAACEAT+kAKlUAAACYAAAA' +
    'BQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwECLQMtAAAICAAAACEADPwc6UoAAACQAAAACAAAAAAAAAAAAAAAgAGMAAAAeSDDqS5u' +
    'cHlQSwUGAAAAAAIAAgBpAAAAEAEAAAAA',
  version2:
    'k05VTVBZAgB0AAAAeydkZXNjcic6ICd8dTEnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMywpLCB9ICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAQI=',
  version3:
    'k05VTVBZAwB0AAAAeydkZXNjcic6ICd8dTEnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMywpLCB9ICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAQI=',
  object:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfE8nLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMSwpLCB9ICAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAqABJWLAAAAAAAAAIwWbnVtcHkuX2Nv' +
    'cmUubXVsdGlhcnJheZSMDF9yZWNvbnN0cnVjdJSTlIwFbnVtcHmUjAduZGFycmF5lJOUSwCFlEMBYpSHlFKUKEsBSwGFlGgDjAVk' +
    'dHlwZZSTlIwCTziUiYiHlFKUKEsDjAF8lE5OTkr/////Sv////9LP3SUYoldlH2UYXSUYi4=',
  record:
    'k05VTVBZAQB2AHsnZGVzY3InOiBbKCdhJywgJzxmNCcpLCAoJ2InLCAnPGkyJyldLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAn' +
    'c2hhcGUnOiAoMiwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAA=',
  complex:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGM4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAAAAAAA',
};

describe('files of NumPy', () => {
  test.each([
    ['half', 'f16', [6], Float32Array.of(1.5, -0, 2 ** -24, 65504, Infinity, NaN)],
    ['bigFloat', 'f32', [2, 3], Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25)],
    ['fortran', 'i32', [2, 3, 4], Int32Array.from({ length: 24 }, (_, i) => i)],
    ['bigLong', 'i64', [2], BigInt64Array.of(-5n, 2n ** 62n)],
    ['bool', 'bool', [2, 1], Uint8Array.of(1, 0)],
    ['scalar', 'f64', [], Float64Array.of(0.1)],
    ['empty', 'u16', [0, 3], new Uint16Array(0)],
    ['version2', 'u8', [3], Uint8Array.of(0, 1, 2)],
    ['version3', 'u8', [3], Uint8Array.of(0, 1, 2)],
  ] as const)('%s', (name, dtype, shape, data) => {
    expect(decodeNpy(bytes(NUMPY[name]))).toEqual({ dtype, shape, data });
  });
  test.each(['stored', 'deflated'] as const)('npz, %s', async (name) => {
    const arrays = await decodeNpz(bytes(NUMPY[name]));
    expect([...arrays]).toEqual([
      ['x', { dtype: 'f32', shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) }],
      ['y é', { dtype: 'i64', shape: [2], data: BigInt64Array.of(1n, 2n) }],
    ]);
  });
  test('numpy.save writes the bytes that encodeNpy writes', () => {
    expect(encodeNpy({ dtype: 'f64', shape: [], data: [0.1] })).toEqual(bytes(NUMPY.scalar));
    expect(encodeNpy({ dtype: 'bool', shape: [2, 1], data: [1, 0] })).toEqual(bytes(NUMPY.bool));
    expect(encodeNpy({ dtype: 'f16', shape: [6], data: [1.5, -0, 6e-8, 65504, Infinity, NaN] })).toEqual(
      bytes(NUMPY.half),
    );
  });
});

const VALUES: [NpyType, fc.Arbitrary<number | bigint>][] = [
  ['bool', fc.nat(1)],
  ['u8', fc.nat(255)],
  ['i8', fc.integer({ min: -128, max: 127 })],
  ['u16', fc.nat(65535)],
  ['i16', fc.integer({ min: -32768, max: 32767 })],
  ['u32', fc.nat(0x7fffffff).map((v) => 2 * v)],
  ['i32', fc.integer()],
  ['u64', fc.bigInt(0n, 2n ** 64n - 1n)],
  ['i64', fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)],
  ['f16', fc.nat(65535).map(fromHalf)],
  ['f32', fc.float()],
  ['f64', fc.double()],
];

describe('round trips', () => {
  test.each(VALUES)('%s', async (dtype, value) => {
    const shape = fc.array(fc.nat(4), { maxLength: 4 });
    const array = shape.chain((extents) => {
      const size = extents.reduce((a, b) => a * b, 1);
      return fc
        .array(value, { minLength: size, maxLength: size })
        .map((data) => ({ dtype, shape: extents, data: data as number[] }));
    });
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.string({ minLength: 1, maxLength: 8 }).filter((name) => !name.endsWith('.npy')),
          array,
          { maxKeys: 3, noNullPrototype: true },
        ),
        async (arrays) => {
          const read = await decodeNpz(encodeNpz(new Map(Object.entries(arrays))));
          expect([...read.keys()]).toEqual(Object.keys(arrays));
          for (const [name, { shape: extents, data }] of Object.entries(arrays)) {
            expect(read.get(name)).toMatchObject({ dtype, shape: extents });
            expect(Array.from(read.get(name)!.data as ArrayLike<unknown>)).toEqual(data);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
  test('every half float, and numbers between two of them go to the even one', () => {
    for (let half = 0; half < 65536; half++) {
      const value = fromHalf(half);
      if (!Number.isNaN(value)) expect(toHalf(value)).toBe(half);
    }
    for (let half = 0; half < 0x7bff; half += 7) {
      const [low, high] = [fromHalf(half), fromHalf(half + 1)];
      expect(toHalf((low + high) / 2)).toBe(half % 2 === 0 ? half : half + 1);
      expect(toHalf(low + (high - low) * 0.51)).toBe(half + 1);
    }
    expect([65519.99, 65520, 1e-8, -1e-8].map(toHalf)).toEqual([0x7bff, 0x7c00, 0, 0x8000]);
  });
});

/** A version 1.0 file of a header and data bytes. */
function file(header: string, dataBytes = 0, length = header.length): Uint8Array {
  return Uint8Array.from([
    ...ascii('\x93NUMPY'),
    1,
    0,
    length & 255,
    length >> 8,
    ...ascii(header),
    ...new Uint8Array(dataBytes),
  ]);
}

describe('hostile files', () => {
  const dict = (descr: string, shape: string): string =>
    `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  test.each([
    ['another file', ascii('PK'), 'the file does not start with 93 NUMPY, expected an .npy file'],
    ['a cut header', file('').slice(0, 9), 'file has 9 bytes, expected at least 10'],
    ['a version to come', ascii('\x93NUMPY\x04\0'), 'version is 4, expected 1, 2 or 3'],
    [
      'a header longer than the file',
      file('{}', 0, 300),
      'header length is 300, expected at most the 2 bytes that follow it',
    ],
    ['no dict', file('[]'), 'the header is "[]", expected a dict'],
    [
      'two shapes',
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (2,), }", 4),
      'expected one shape of a plain array of numbers',
    ],
    ['objects', bytes(NUMPY.object), 'descr is "|O", expected < or > and one of'],
    ['complex', bytes(NUMPY.complex), 'descr is "<c8", expected < or > and one of'],
    ['records', bytes(NUMPY.record), 'expected one descr of a plain array of numbers'],
    ['no order', file(dict('|f4', '(1,)'), 4), 'descr is "|f4"'],
    ['a negative extent', file(dict('<f4', '(-1,)')), 'expected one shape'],
    [
      'too large a shape',
      file(dict('<f4', '(4503599627370496, 4503599627370496)')),
      'the shape has more elements than a file can hold',
    ],
    [
      'too large before a zero',
      file(dict('<f4', '(4503599627370496, 4503599627370496, 0)')),
      'the shape has more elements than a file can hold',
    ],
    ['cut data', file(dict('<f4', '(2,)'), 7), '7 data bytes, expected 8 for f32 [2]'],
    ['trailing bytes', file(dict('<f4', '(2,)'), 9), '9 data bytes, expected 8 for f32 [2]'],
  ])('%s', async (_, given, message) => {
    const told = await formatErrorOf(() => decodeNpy(given));
    expect(told).toContain(message);
    expect(told).toMatch(/^decodeNpy: /);
    expect(told.length).toBeLessThanOrEqual(300);
  });
  test('npz: a bomb, a wrong checksum, a name twice, a cut file', async () => {
    const bomb = bytes(NUMPY.deflated);
    await expect(decodeNpz(bomb, { maxBytes: 100 })).rejects.toThrow(
      /decodeNpz: arrays of \d+ bytes, expected at most 100, maxBytes/,
    );
    const wrong = encodeNpz({ a: { dtype: 'u8', shape: [2], data: [1, 2] } });
    wrong[30 + 5 + 128]! ^= 1;
    await expect(decodeNpz(wrong)).rejects.toThrow(new FormatError('decodeNpz: "a": its checksum is wrong'));
    const twice = encodeNpz({ a: { dtype: 'u8', shape: [], data: [1] }, b: { dtype: 'u8', shape: [], data: [1] } });
    for (let i = 0; i < twice.length; i++) if (twice[i] === 0x62 && twice[i + 1] === 0x2e) twice[i] = 0x61;
    await expect(decodeNpz(twice)).rejects.toThrow(
      new FormatError('decodeNpz: two entries are named "a", expected one'),
    );
    await expect(decodeNpz(wrong.slice(0, -1))).rejects.toThrow(
      new FormatError('decodeNpz: the file has no zip directory, expected an .npz file (is it cut?)'),
    );
    await expect(decodeNpz(new Uint8Array(3))).rejects.toThrow('the file has no zip directory');
  });
  test('mutated files: arrays or a FormatError of at most 300 characters, nothing else', async () => {
    const random = testRandom(8);
    const [npy, npz] = [
      [NUMPY.fortran, NUMPY.half, NUMPY.bool, NUMPY.version2],
      [NUMPY.stored, NUMPY.deflated],
    ].map((all) => all.map(bytes)) as [Uint8Array[], Uint8Array[]];
    let refused = 0;
    const refuse = (error: unknown): void => {
      if (!(error instanceof FormatError) || error.message.length > 300) throw error;
      refused++;
    };
    for (let i = 0; i < 4000; i++) {
      try {
        decodeNpy(mutate(npy[i % npy.length]!, random));
      } catch (error) {
        refuse(error);
      }
      if (i % 8 === 0) await decodeNpz(mutate(npz[(i / 8) % 2]!, random)).catch(refuse);
    }
    expect(refused).toBeGreaterThan(2000);
    expect(refused).toBeLessThan(4500);
  });
});

test.each([
  [
    () => encodeNpy({ dtype: 'c8' as never, shape: [], data: [1] }),
    new RangeError('encodeNpy: dtype is c8, expected one of bool u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64'),
  ],
  [
    () => encodeNpy({ dtype: 'f32', shape: [2], data: [1] }),
    new RangeError('encodeNpy: data has 1 elements, expected 2 for shape [2]'),
  ],
  [
    () => encodeNpy({ dtype: 'f32', shape: [-1], data: [1] }),
    new RangeError('encodeNpy: shape[0] is -1, expected an integer >= 0'),
  ],
  [
    () => encodeNpy({ dtype: 'i64', shape: [1], data: [1] }),
    new TypeError('encodeNpy: data[0] is a number, expected a bigint for i64'),
  ],
  [
    () => encodeNpy({ dtype: 'i32', shape: [1], data: [1n] }),
    new TypeError('encodeNpy: data[0] is a bigint, expected a number for i32'),
  ],
  [
    () => encodeNpz({ '': { dtype: 'i32', shape: [], data: [1] } }),
    new RangeError('encodeNpz: a name is empty, expected at least one character'),
  ],
  [
    () => decodeNpy(new Uint8Array(), { maxHeaderBytes: -1 }),
    new RangeError('decodeNpy: maxHeaderBytes is -1, expected an integer >= 0'),
  ],
])('bad input %#', (call, error) => expect(call).toThrow(error));
