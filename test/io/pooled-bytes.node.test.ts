import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { loadCifar10, loadCsv, loadIdx } from '../../src/data/index.ts';
import {
  decodeNpy,
  decodeNpz,
  decodeSafetensors,
  encodeIdx,
  encodeNpy,
  encodeNpz,
  encodeSafetensors,
  gunzip,
  isGzip,
  parseCifar,
  parseIdx,
  type Bytes,
  type SafetensorsTensor,
  type SafetensorsType,
} from '../../src/io/index.ts';

/** `bytes` in the middle of a pool of 0xa5, at an offset of 3, as each host hands it out. */
const HOLDERS: [string, (bytes: Uint8Array) => { given: Uint8Array; pool: Uint8Array }][] = [
  [
    'a Buffer of a pool',
    (bytes) => {
      const pool = Buffer.alloc(bytes.length + 11, 0xa5);
      pool.set(bytes, 3);
      return { given: pool.subarray(3, 3 + bytes.length), pool };
    },
  ],
  [
    'a view of an ArrayBuffer',
    (bytes) => {
      const pool = new Uint8Array(bytes.length + 11).fill(0xa5);
      pool.set(bytes, 3);
      return { given: pool.subarray(3, 3 + bytes.length), pool };
    },
  ],
  [
    'a view of a SharedArrayBuffer',
    (bytes) => {
      const pool = new Uint8Array(new SharedArrayBuffer(bytes.length + 11)).fill(0xa5);
      pool.set(bytes, 3);
      return { given: pool.subarray(3, 3 + bytes.length), pool };
    },
  ],
];

const VALUES: { [T in SafetensorsType]: Extract<SafetensorsTensor, { dtype: T }>['data'] } = {
  F64: Float64Array.of(0.1, -2),
  F32: Float32Array.of(1.5, -2),
  F16: Uint16Array.of(0x3c00, 1),
  BF16: Uint16Array.of(0x3f80, 2),
  F8_E4M3: Uint8Array.of(1, 2),
  F8_E5M2: Uint8Array.of(3, 4),
  I64: BigInt64Array.of(-5n, 7n),
  I32: Int32Array.of(-5, 7),
  I16: Int16Array.of(-5, 7),
  I8: Int8Array.of(-5, 7),
  U64: BigUint64Array.of(5n, 7n),
  U32: Uint32Array.of(5, 7),
  U16: Uint16Array.of(5, 7),
  U8: Uint8Array.of(5, 7),
  BOOL: Uint8Array.of(1, 0),
};
const tensors = encodeSafetensors(
  Object.fromEntries(
    Object.entries(VALUES).map(([dtype, data]) => [dtype, { dtype: dtype as SafetensorsType, shape: [2], data }]),
  ),
);
const cifar = Uint8Array.from({ length: 2 * 3073 }, (_, i) => (i % 3073 === 0 ? 7 : i % 251));
const idx = (dtype: 'u8' | 'i16' | 'f64', data: number[], shape = [data.length]): Uint8Array =>
  encodeIdx({ dtype, shape, data });
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const memoryOf = (value: unknown): ArrayBufferLike[] => {
  if (ArrayBuffer.isView(value)) return [value.buffer];
  if (value instanceof Map) return [...value.values()].flatMap(memoryOf);
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(memoryOf) : [];
};

/** Every reader of bytes, a file for it, and what it makes of the file. */
const READERS: [string, Uint8Array, (bytes: Bytes) => unknown][] = [
  ['decodeSafetensors', tensors, (bytes) => decodeSafetensors(bytes)],
  ['parseIdx u8', idx('u8', [1, 2, 3, 4]), (bytes) => parseIdx(bytes)],
  ['parseIdx i16', idx('i16', [1, -2, 300]), (bytes) => parseIdx(bytes)],
  ['parseIdx f64', idx('f64', [0.1, -2]), (bytes) => parseIdx(bytes)],
  ['parseCifar', cifar, (bytes) => parseCifar(bytes, 'cifar10')],
  ['decodeNpy f64', encodeNpy({ dtype: 'f64', shape: [2], data: [0.1, -2] }), (bytes) => decodeNpy(bytes)],
  ['decodeNpy u8', encodeNpy({ dtype: 'u8', shape: [2], data: [1, 2] }), (bytes) => decodeNpy(bytes)],
  [
    'decodeNpz',
    encodeNpz({ a: { dtype: 'u8', shape: [2], data: [1, 2] }, b: { dtype: 'f32', shape: [], data: [7] } }),
    (bytes) => decodeNpz(bytes),
  ],
  ['isGzip', new Uint8Array(gzipSync('text')), (bytes) => ({ gzip: isGzip(bytes) })],
  ['gunzip', new Uint8Array(gzipSync('text')), (bytes) => gunzip(bytes)],
  ['loadIdx', idx('u8', [1, 2, 3, 4], [1, 2, 2]), (bytes) => loadIdx(bytes as Uint8Array, idx('u8', [1]))],
  ['loadIdx, labels', idx('u8', [1]), (bytes) => loadIdx(idx('u8', [1, 2, 3, 4], [1, 2, 2]), bytes as Uint8Array)],
  [
    'loadIdx, gzip',
    new Uint8Array(gzipSync(idx('u8', [1, 2, 3, 4], [1, 2, 2]))),
    (bytes) => loadIdx(bytes as Uint8Array, idx('u8', [1])),
  ],
  ['loadCifar10', cifar, (bytes) => loadCifar10([bytes as Uint8Array])],
  ['loadCsv', utf8('a,b\n1,x\n2,y\n'), (bytes) => loadCsv(bytes as Uint8Array)],
];

describe.each(HOLDERS)('%s', (_name, hold) => {
  test.each(READERS)('%s reads the file and nothing else, into memory of its own', async (_reader, file, read) => {
    const { given, pool } = hold(file);
    const expected = await read(file.slice());
    const found = await read(given);
    expect(found).toEqual(expected);
    expect(memoryOf(found)).not.toContain(pool.buffer);
    pool.fill(0xff);
    expect(found).toEqual(expected);
  });
});

test('the values of a pooled file are right', () => {
  const pool = Buffer.alloc(tensors.length + 3);
  pool.set(tensors, 3);
  const read = decodeSafetensors(pool.subarray(3)).tensors;
  for (const [dtype, data] of Object.entries(VALUES)) expect(read.get(dtype)!.data, dtype).toEqual(data);
});

test('encodeSafetensors writes what a pooled Buffer holds', () => {
  const pool = Buffer.from([9, 9, 9, 5, 7, 9]);
  const file = encodeSafetensors({
    a: { dtype: 'U8', shape: [2], data: pool.subarray(3, 5) as Uint8Array<ArrayBuffer> },
  });
  expect(decodeSafetensors(file).tensors.get('a')!.data).toEqual(Uint8Array.of(5, 7));
});

test('bytes of another realm, and a SharedArrayBuffer itself', () => {
  const file = idx('u8', [1, 2, 3]);
  const foreign = runInNewContext(`Uint8Array.of(${[...file].join()})`) as Uint8Array<ArrayBuffer>;
  expect(foreign instanceof Uint8Array).toBe(false);
  const shared = new Uint8Array(new SharedArrayBuffer(file.length));
  shared.set(file);
  for (const bytes of [foreign, foreign.buffer, shared.buffer as unknown as ArrayBuffer])
    expect(parseIdx(bytes)).toEqual(parseIdx(file));
});
