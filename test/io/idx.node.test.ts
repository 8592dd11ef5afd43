import { describe, expect, test } from 'vitest';
import { encodeIdx, FormatError, parseIdx, type IdxType } from '../../src/io/index.ts';
import { mutate, testRandom } from '../support/fuzz.ts';

const SAMPLES: [IdxType, number[]][] = [
  ['u8', [0, 1, 127, 128, 254, 255]],
  ['i8', [-128, -1, 0, 1, 2, 127]],
  ['i16', [-32768, -2, 0, 1, 258, 32767]],
  ['i32', [-(2 ** 31), -1, 0, 1, 16909060, 2 ** 31 - 1]],
  ['f32', [-1.5, 0, 2 ** -140, 3.25, Infinity, NaN]],
  ['f64', [-0.1, 0, 5e-324, 1e300, -Infinity, NaN]],
];

describe('parseIdx', () => {
  test.each(SAMPLES)('%s survives a round trip', (dtype, values) => {
    const file = encodeIdx({ dtype, shape: [2, 1, 3], data: values });
    const parsed = parseIdx(file);
    expect(parsed.dtype).toBe(dtype);
    expect(parsed.shape).toEqual([2, 1, 3]);
    expect(Array.from(parsed.data)).toEqual(values);
    expect(parseIdx(file.buffer).data).toEqual(parsed.data);
  });
  test('reads big-endian bytes as written in the format description', () => {
    const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1);
    expect(parseIdx(labels)).toEqual({ dtype: 'u8', shape: [3], data: Uint8Array.of(7, 2, 1) });
    expect(parseIdx(Uint8Array.of(0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2, 0xff, 0xfe)).data).toEqual(Int16Array.of(258, -2));
    expect(parseIdx(Uint8Array.of(0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0)).data).toEqual(Float32Array.of(1));
  });
  test('reads a view into a larger buffer and copies it', () => {
    const outer = new Uint8Array(40).fill(9);
    outer.set([0, 0, 8, 1, 0, 0, 0, 2, 5, 6], 3);
    const parsed = parseIdx(outer.subarray(3, 13));
    outer.fill(0);
    expect(Array.from(parsed.data)).toEqual([5, 6]);
  });
  test('an empty first axis is allowed', () => {
    expect(parseIdx(encodeIdx({ dtype: 'f64', shape: [0, 28, 28], data: [] }))).toEqual({
      dtype: 'f64',
      shape: [0, 28, 28],
      data: new Float64Array(0),
    });
  });

  const huge = new Uint8Array(4 + 4 * 3).fill(0xff);
  huge.set([0, 0, 8, 3]);
  const overflowThenZero = new Uint8Array(4 + 4 * 3).fill(0xff);
  overflowThenZero.set([0, 0, 8, 3]);
  overflowThenZero.fill(0, 12);
  test.each([
    ['nothing', Uint8Array.of(), 'parseIdx: file has 0 bytes, expected at least 4'],
    [
      'gzip',
      Uint8Array.of(0x1f, 0x8b, 8, 0, 0),
      'parseIdx: file starts with 1f 8b, expected 00 00 (is it compressed?)',
    ],
    [
      'unknown type',
      Uint8Array.of(0, 0, 10, 1, 0, 0, 0, 0),
      'parseIdx: type code is 0a, expected 08, 09, 0b, 0c, 0d or 0e',
    ],
    ['rank 0', Uint8Array.of(0, 0, 8, 0, 1), 'parseIdx: rank is 0, expected at least 1'],
    [
      'cut header',
      Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 1),
      'parseIdx: file has 8 bytes, expected 16 of header for rank 3',
    ],
    [
      'cut data',
      Uint8Array.of(0, 0, 0x0c, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5),
      'parseIdx: truncated, 5 data bytes, expected 8 for i32 [2]',
    ],
    [
      'trailing bytes',
      Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 4, 4, 4),
      'parseIdx: 2 trailing bytes after 1 data bytes for u8 [1]',
    ],
    ['overflow', huge, 'parseIdx: shape [4294967295,4294967295,4294967295] has more elements than a file can hold'],
    [
      'overflow before a zero',
      overflowThenZero,
      'parseIdx: shape [4294967295,4294967295,0] has more elements than a file can hold',
    ],
  ])('refuses %s', (_, file, message) => {
    expect(() => parseIdx(file)).toThrow(new FormatError(message));
  });
  test('refuses what is no byte array', () => {
    expect(() => parseIdx('file' as never)).toThrow(
      new TypeError('parseIdx: bytes is string, expected a Uint8Array or an ArrayBuffer'),
    );
  });
  test('4000 mutated files: a valid array or a FormatError, nothing else', () => {
    const random = testRandom(1);
    const originals = SAMPLES.map(([dtype, data]) => encodeIdx({ dtype, shape: [3, 2], data }));
    let refused = 0;
    for (let i = 0; i < 4000; i++) {
      const file = mutate(originals[i % originals.length]!, random);
      try {
        const { data, shape } = parseIdx(file);
        expect(data.length).toBe(shape.reduce((size, extent) => size * extent, 1));
      } catch (error) {
        if (!(error instanceof FormatError) || error.message.length > 300) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(refused).toBeLessThan(4000);
  });
});

test.each([
  [() => encodeIdx({ dtype: 'u8', shape: [], data: [1] }), 'encodeIdx: rank is 0, expected 1..255'],
  [
    () => encodeIdx({ dtype: 'u8', shape: [1.5], data: [1] }),
    'encodeIdx: shape[0] is 1.5, expected an integer in 0..4294967295',
  ],
  [
    () => encodeIdx({ dtype: 'u8', shape: [2, 2], data: [1] }),
    'encodeIdx: data has 1 elements, expected 4 for shape [2,2]',
  ],
])('encodeIdx bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
