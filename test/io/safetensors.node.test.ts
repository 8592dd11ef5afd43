import { describe, expect, test } from 'vitest';
import {
  decodeSafetensors,
  encodeSafetensors,
  FormatError,
  safetensorsNumbers,
  type SafetensorsInput,
} from '../../src/io/index.ts';
import { mutate, testRandom } from '../support/fuzz.ts';
import { formatErrorOf } from '../support/format-error.ts';

const tensors: Record<string, SafetensorsInput> = {
  '10.bias': { dtype: 'F32', shape: [3], data: Float32Array.of(1.5, NaN, -Infinity) },
  '2.weight': { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
  step: { dtype: 'I64', shape: [], data: BigInt64Array.of(-5n) },
  mask: { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 0, 255) },
  half: { dtype: 'BF16', shape: [1, 1], data: Uint16Array.of(0x3f80) },
  labels: { dtype: 'I32', shape: [2], data: Int32Array.of(-1, 7) },
  none: { dtype: 'F64', shape: [0, 4], data: new Float64Array(0) },
};

/** A file with the given header text (or object), `dataBytes` bytes of data and optionally a false header length. */
function file(header: unknown, dataBytes = 0, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const entry = (begin: number, end: number, dtype = 'U8', shape: unknown = [end - begin]) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('round trip', () => {
  test('every tensor and the metadata come back', () => {
    const { tensors: read, metadata } = decodeSafetensors(encodeSafetensors(tensors, { b: 'x"y', a: '\u00e9' }));
    expect(Object.fromEntries(read)).toEqual(tensors);
    expect([...metadata]).toEqual([
      ['a', '\u00e9'],
      ['b', 'x"y'],
    ]);
  });
  test('layout: 8-aligned header and tensors, widest first, contiguous, the same for every insertion order', () => {
    const bytes = encodeSafetensors(tensors);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
    expect([...text.matchAll(/"([^"]+)":\{/g)].map((match) => match[1])).toEqual([
      'none',
      'step',
      '10.bias',
      '2.weight',
      'labels',
      'half',
      'mask',
    ]);
    expect(header.step!.data_offsets).toEqual([0, 8]);
    expect(header['10.bias']!.data_offsets).toEqual([8, 20]);
    expect(header.mask!.data_offsets).toEqual([46, 49]);
    expect(bytes.length).toBe(8 + length + 49);
    expect(encodeSafetensors(new Map(Object.entries(tensors).reverse()))).toEqual(bytes);
  });
  test('integer-like names, views of larger buffers, nothing at all', () => {
    const view = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
    const read = decodeSafetensors(
      encodeSafetensors({
        1: { dtype: 'F32', shape: [2], data: view },
        0: { dtype: 'F32', shape: [1], data: Float32Array.of(5) },
      }),
    );
    expect([...read.tensors.keys()].sort()).toEqual(['0', '1']);
    expect(read.tensors.get('1')!.data).toEqual(Float32Array.of(1, 2));
    expect(decodeSafetensors(encodeSafetensors({})).tensors.size).toBe(0);
  });
  test('reads unaligned data, spaces after the header and a file inside a larger buffer', () => {
    const bytes = file(`${JSON.stringify({ a: entry(0, 1), b: entry(1, 5, 'F32', [1]) })}   `, 5);
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, 0.5, true);
    expect(decodeSafetensors(bytes).tensors.get('b')!.data).toEqual(Float32Array.of(0.5));
    const outer = new Uint8Array(bytes.length + 3);
    outer.set(bytes, 3);
    const read = decodeSafetensors(outer.subarray(3));
    outer.fill(0);
    expect(read.tensors.get('b')!.data).toEqual(Float32Array.of(0.5));
  });
});

test('the same key in different objects, and inside texts, is no duplicate', () => {
  const header = `{"a":${JSON.stringify(entry(0, 1))},"b{\\"a\\":":${JSON.stringify(entry(1, 2))},"__metadata__":{"a":"{\\"a\\":1,\\"a\\":2}","b":"\\\\"}}`;
  expect([...decodeSafetensors(file(header, 2)).tensors.keys()]).toEqual(['a', 'b{"a":']);
});

describe('safetensorsNumbers', () => {
  const of = (tensor: SafetensorsInput): unknown =>
    safetensorsNumbers(decodeSafetensors(encodeSafetensors({ t: tensor })).tensors.get('t')!);
  test.each([
    ['F64', Float64Array.of(0.1, -Infinity, NaN, 5e-324), Float64Array.of(0.1, -Infinity, NaN, 5e-324)],
    ['F32', Float32Array.of(1.5, -0), Float32Array.of(1.5, -0)],
    [
      'F16',
      Uint16Array.of(0, 0x8000, 1, 0x03ff, 0x0400, 0x3c00, 0xc100, 0x7bff, 0x7c00, 0xfc00, 0x7e01),
      Float32Array.of(0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, -2.5, 65504, Infinity, -Infinity, NaN),
    ],
    [
      'BF16',
      Uint16Array.of(0x8000, 1, 0x3f80, 0xc020, 0x7f7f, 0x7f80, 0xff80, 0x7fc0),
      Float32Array.of(-0, 2 ** -133, 1, -2.5, 3.3895313892515355e38, Infinity, -Infinity, NaN),
    ],
    [
      'F8_E4M3',
      Uint8Array.of(0, 0x80, 1, 7, 8, 0x38, 0xba, 0x7e, 0x7f, 0xff),
      Float32Array.of(0, -0, 2 ** -9, 7 * 2 ** -9, 2 ** -6, 1, -1.25, 448, NaN, NaN),
    ],
    [
      'F8_E5M2',
      Uint8Array.of(0x80, 1, 4, 0x3c, 0xbd, 0x7b, 0x7c, 0xfc, 0x7d),
      Float32Array.of(-0, 2 ** -16, 2 ** -14, 1, -1.25, 57344, Infinity, -Infinity, NaN),
    ],
    ['I64', BigInt64Array.of(-5n, 2n ** 53n - 1n), Float64Array.of(-5, 2 ** 53 - 1)],
    ['U64', BigUint64Array.of(7n), Float64Array.of(7)],
    ['I32', Int32Array.of(-(2 ** 31)), Int32Array.of(-(2 ** 31))],
    ['U32', Uint32Array.of(2 ** 32 - 1), Uint32Array.of(2 ** 32 - 1)],
    ['I16', Int16Array.of(-32768), Int16Array.of(-32768)],
    ['U16', Uint16Array.of(65535), Uint16Array.of(65535)],
    ['I8', Int8Array.of(-128), Int8Array.of(-128)],
    ['U8', Uint8Array.of(255), Uint8Array.of(255)],
    ['BOOL', Uint8Array.of(1, 0), Uint8Array.of(1, 0)],
  ] as const)('%s', (dtype, data, expected) => {
    expect(of({ dtype, shape: [data.length], data })).toEqual(expected);
  });
  test('what no number holds, and a BOOL that is none', () => {
    expect(() => of({ dtype: 'I64', shape: [1], data: BigInt64Array.of(2n ** 53n) })).toThrow(
      new FormatError('safetensorsNumbers: element 0 of I64 is 9007199254740992, expected at most 2^53 - 1 in size'),
    );
    expect(() => of({ dtype: 'BOOL', shape: [2], data: Uint8Array.of(1, 2) })).toThrow(
      new FormatError('safetensorsNumbers: element 1 of BOOL is 2, expected 0 or 1'),
    );
  });
});

describe('hostile files', () => {
  const badUtf8 = file('{"a":""}');
  badUtf8[14] = 0xff;
  const duplicate =
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}';
  test.each([
    ['too short', new Uint8Array(7), 'file has 7 bytes, expected at least 8'],
    ['header over the cap', file({}, 0, 2n ** 24n + 1n), 'header length is 16777217, expected at most 16777216'],
    [
      'header length near 2^64',
      file({}, 0, 2n ** 64n - 1n),
      'header length is 18446744073709551615, expected at most 16777216',
    ],
    ['header longer than the file', file({}, 0, 3n), 'header length is 3, expected at most the 2 bytes that follow it'],
    ['empty header', file('', 4), "header does not start with '{'"],
    ['leading space', file(' {}'), "header does not start with '{'"],
    ['an array', file('[]'), "header does not start with '{'"],
    ['bad UTF-8', badUtf8, 'header is not valid UTF-8'],
    ['bad JSON', file('{"a":'), 'header is not valid JSON'],
    ['text after the header', file('{}x'), 'header is not valid JSON'],
    ['entry is no object', file({ a: 3 }), 'tensor "a" is a number, expected an object'],
    ['entry is null', file({ a: null }), 'tensor "a" is null, expected an object'],
    [
      'unknown dtype',
      file({ a: entry(0, 1, 'F7') }, 1),
      'tensor "a" has dtype "F7", expected one of F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I64 I32 I16 I8 U64 U32 U16 U8 BOOL',
    ],
    [
      'dtype from a prototype',
      file({ a: entry(0, 1, 'constructor') }, 1),
      'tensor "a" has dtype "constructor", expected one of',
    ],
    ['no dtype', file({ a: { shape: [1], data_offsets: [0, 1] } }, 1), 'tensor "a" has dtype missing, expected one of'],
    [
      'negative shape',
      file({ a: entry(0, 1, 'U8', [-1]) }, 1),
      'tensor "a" has no valid shape, expected an array of non-negative integers',
    ],
    ['fractional shape', file({ a: entry(0, 1, 'U8', [0.5, 2]) }, 1), 'tensor "a" has no valid shape'],
    ['shape is a string', file({ a: entry(0, 1, 'U8', '1') }, 1), 'tensor "a" has no valid shape'],
    [
      'shape overflows',
      file({ a: entry(0, 1, 'U8', [2 ** 30, 2 ** 30]) }, 1),
      'tensor "a" has shape [1073741824,1073741824], expected a product that is a safe integer',
    ],
    ['shape overflows before a zero', file({ a: entry(0, 0, 'U8', [2 ** 52, 2 ** 52, 0]) }), 'tensor "a" has shape'],
    [
      'one offset',
      file({ a: { dtype: 'U8', shape: [1], data_offsets: [0] } }, 1),
      'tensor "a" has no valid data_offsets, expected two non-negative integers',
    ],
    [
      'negative offset',
      file({ a: { dtype: 'U8', shape: [1], data_offsets: [-1, 0] } }, 1),
      'tensor "a" has no valid data_offsets',
    ],
    [
      'begin after end',
      file({ a: { dtype: 'U8', shape: [1], data_offsets: [2, 1] } }, 2),
      'tensor "a" has data_offsets [2,1], expected begin <= end',
    ],
    [
      'size and shape differ',
      file({ a: entry(0, 8, 'F32', [3]) }, 8),
      'tensor "a" has 8 bytes, expected 12 for F32 [3]',
    ],
    ['hole at the start', file({ a: entry(1, 2) }, 2), 'tensor "a" begins at 1, expected 0 (hole)'],
    ['hole in the middle', file({ a: entry(0, 1), b: entry(2, 3) }, 3), 'tensor "b" begins at 2, expected 1 (hole)'],
    ['overlap', file({ a: entry(0, 2), b: entry(1, 3) }, 3), 'tensor "b" begins at 1, expected 2 (overlap)'],
    [
      'the same bytes twice',
      file({ a: entry(0, 2), b: entry(0, 2) }, 2),
      'tensor "b" begins at 0, expected 2 (overlap)',
    ],
    ['data missing', file({ a: entry(0, 4) }, 3), 'tensors end at 4, expected the end of the data at 3'],
    ['data left over', file({ a: entry(0, 4) }, 5), 'tensors end at 4, expected the end of the data at 5'],
    ['data without tensors', file({}, 1), 'tensors end at 0, expected the end of the data at 1'],
    ['duplicate name', file(duplicate, 2), 'name "a" comes twice, expected once'],
    [
      'duplicate name, spelt with an escape',
      file(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}, "\\u0061" : ' +
          '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        1,
      ),
      'name "a" comes twice, expected once',
    ],
    [
      'duplicate field',
      file('{"a":{"dtype":"U8","shape":[2],"shape":[1],"data_offsets":[0,1]}}', 1),
      'name "shape" comes twice, expected once',
    ],
    ['duplicate metadata', file('{"__metadata__":{"k":"\\"a","k":"b"}}'), 'name "k" comes twice, expected once'],
    ['a name of control characters', file({ ['\x01'.repeat(500)]: 1 }), 'tensor "'],
    [
      'a rank of thousands',
      file({ a: entry(0, 1, 'F32', new Array<number>(5000).fill(1)) }, 1),
      'tensor "a" has 1 bytes, expected 4 for F32 [1,1,1,1,1,1,1,1,... of rank 5000]',
    ],
    ['__proto__', file(`{"__proto__":${JSON.stringify(entry(0, 1))}}`, 1), 'name "__proto__" is not allowed'],
    ['constructor', file({ constructor: entry(0, 1) }, 1), 'name "constructor" is not allowed'],
    ['prototype in the metadata', file({ __metadata__: { prototype: 'x' } }), 'name "prototype" is not allowed'],
    ['metadata is no object', file({ __metadata__: ['x'] }), '__metadata__ is an array, expected an object'],
    [
      'metadata value is no string',
      file({ __metadata__: { n: 1 } }),
      '__metadata__ "n" is a number, expected a string',
    ],
    ['a long name is shortened', file({ ['n'.repeat(500)]: 1 }), `tensor "${'n'.repeat(60)}..." is a number`],
    ['deep nesting', file(`{"a":${'['.repeat(100_000)}`), 'header is not valid JSON'],
  ])('%s', async (_, bytes, message) => {
    const told = await formatErrorOf(() => decodeSafetensors(bytes));
    expect(told).toContain(`decodeSafetensors: ${message}`);
    expect(told.length).toBeLessThanOrEqual(300);
  });
  test('a header of millions of escapes', () => {
    const text = '\\"'.repeat(2 ** 21);
    expect(decodeSafetensors(file({ __metadata__: { text } })).metadata.get('text')).toBe(text);
  });
  test('the header cap can be moved', () => {
    const bytes = encodeSafetensors(tensors);
    expect(() => decodeSafetensors(bytes, { maxHeaderBytes: 64 })).toThrow('expected at most 64');
    expect(decodeSafetensors(bytes, { maxHeaderBytes: 1000 }).tensors.size).toBe(7);
    expect(() => decodeSafetensors(bytes, { maxHeaderBytes: 0.5 })).toThrow(
      new RangeError('decodeSafetensors: maxHeaderBytes is 0.5, expected an integer >= 0'),
    );
  });
  test('6000 mutated files: tensors or a FormatError, nothing else', () => {
    const random = testRandom(3);
    const original = encodeSafetensors(tensors, { note: 'seed' });
    const headerEnd = 8 + Number(new DataView(original.buffer).getBigUint64(0, true));
    let refused = 0;
    for (let i = 0; i < 6000; i++) {
      // Half of the edits keep to header and length, where most of the checks are.
      const head = mutate(original.subarray(0, headerEnd), random);
      const bytes =
        i % 2 === 0 ? mutate(original, random) : Uint8Array.from([...head, ...original.subarray(headerEnd)]);
      try {
        decodeSafetensors(bytes);
      } catch (error) {
        if (!(error instanceof FormatError) || error.message.length > 300) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(3000);
    expect(refused).toBeLessThan(6000);
    expect(Object.hasOwn(Object.prototype, 'dtype')).toBe(false);
  });
});

describe('encodeSafetensors', () => {
  const ok: SafetensorsInput = { dtype: 'F32', shape: [1], data: Float32Array.of(1) };
  test.each([
    [
      () => encodeSafetensors({ constructor: ok }),
      new RangeError('encodeSafetensors: tensor name "constructor" is not allowed'),
    ],
    [
      () => encodeSafetensors({ __metadata__: ok }),
      new RangeError('encodeSafetensors: tensor name "__metadata__" is not allowed'),
    ],
    [
      () => encodeSafetensors({ a: { ...ok, dtype: 'F31' as never } }),
      new RangeError(
        'encodeSafetensors: tensor "a" has dtype F31, expected one of F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I64 ' +
          'I32 I16 I8 U64 U32 U16 U8 BOOL',
      ),
    ],
    [
      () => encodeSafetensors({ a: { ...ok, data: Int32Array.of(1) } }),
      new TypeError('encodeSafetensors: tensor "a" holds a Int32Array, expected Float32Array for F32'),
    ],
    [
      () => encodeSafetensors({ a: { ...ok, shape: [2] } }),
      new RangeError('encodeSafetensors: tensor "a" has shape [2] and 1 elements'),
    ],
    [
      () => encodeSafetensors({ a: { ...ok, shape: [-1, -1] } }),
      new RangeError('encodeSafetensors: tensor "a" has shape [-1,-1] and 1 elements'),
    ],
    [
      () => encodeSafetensors({}, { a: 1 as never }),
      new TypeError('encodeSafetensors: metadata "a" is a number, expected a string'),
    ],
    [
      () => encodeSafetensors({}, { prototype: 'x' }),
      new RangeError('encodeSafetensors: metadata key "prototype" is not allowed'),
    ],
  ])('bad input %#', (call, error) => {
    expect(call).toThrow(error);
  });
});
