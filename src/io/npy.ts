import { check, checkOptions, integer, listOf } from '../check/check.ts';
import { asBytes, safeSize, type Bytes } from './bytes.ts';
import { ELEMENTS, type Storages } from './elements.ts';
import { brief, FormatError, quote } from './format-error.ts';

/** Typed array of each NumPy element type. Half floats become numbers; booleans are 0 and 1. */
export type NpyStorage = Storages;

/** Element types of .npy files that are read and written. */
export type NpyType = keyof NpyStorage;

/** A decoded .npy file: row-major data of `shape` (`[]` for a scalar). */
export type NpyArray = { [T in NpyType]: { dtype: T; shape: number[]; data: NpyStorage[T] } }[NpyType];

/** An array to write. */
export interface NpyInput {
  dtype: NpyType;
  shape: readonly number[];
  data: ArrayLike<number> | ArrayLike<bigint>;
}

/** NumPy's kind and bytes of each type. */
const CODES: Readonly<Record<NpyType, string>> = {
  bool: 'b1',
  u8: 'u1',
  i8: 'i1',
  u16: 'u2',
  i16: 'i2',
  u32: 'u4',
  i32: 'i4',
  u64: 'u8',
  i64: 'i8',
  f16: 'f2',
  f32: 'f4',
  f64: 'f8',
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Default cap on the header: 64 KiB, what version 1.0 can hold. */
const MAX_HEADER_BYTES = 2 ** 16;

/**
 * Reads a .npy file (NumPy, versions 1.0 to 3.0): magic, version, header length, the text of a dict with descr,
 * fortran_order and shape, then the elements. Either byte order; Fortran order is put into C order. The data are
 * copied. Throws FormatError on another file, a header that is none or above `maxHeaderBytes` (default 64 KiB), an
 * element type that is no number (objects, texts, records, complex), a size that is not that of the shape.
 */
export function decodeNpy(bytes: Bytes, options: { maxHeaderBytes?: number } = {}): NpyArray {
  checkOptions('decodeNpy', options, { maxHeaderBytes: integer(0) });
  const { maxHeaderBytes = MAX_HEADER_BYTES } = options;
  const file = asBytes(bytes, 'decodeNpy');
  if (!MAGIC.every((byte, i) => file[i] === byte))
    throw new FormatError('decodeNpy: the file does not start with 93 NUMPY, expected an .npy file');
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const version = file[6] ?? 0;
  if (version < 1 || version > 3) throw new FormatError(`decodeNpy: version is ${version}, expected 1, 2 or 3`);
  const before = version === 1 ? 10 : 12;
  if (file.length < before)
    throw new FormatError(`decodeNpy: file has ${file.length} bytes, expected at least ${before}`);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > maxHeaderBytes)
    throw new FormatError(`decodeNpy: header length is ${length}, expected at most ${maxHeaderBytes}`);
  const start = before + length;
  if (start > file.length)
    throw new FormatError(
      `decodeNpy: header length is ${length}, expected at most the ${file.length - before} bytes that follow it`,
    );
  const { dtype, isLittle, isFortran, shape } = readHeader(
    new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(file.subarray(before, start)),
  );

  const { size, make, read } = ELEMENTS[dtype];
  const expected = safeSize([...shape, size]);
  if (expected === null) throw new FormatError('decodeNpy: the shape has more elements than a file can hold');
  const found = file.length - start;
  if (found !== expected)
    throw new FormatError(`decodeNpy: ${found} data bytes, expected ${expected} for ${dtype} [${brief(shape)}]`);
  const data = make(expected / size);
  const place = isFortran && shape.length > 1 ? fortranPlaces(shape) : (i: number): number => i;
  for (let i = 0; i < data.length; i++) {
    const value = read(view, start + place(i) * size, isLittle);
    if (dtype === 'bool' && Number(value) > 1) throw new FormatError(`decodeNpy: a bool is ${value}, expected 0 or 1`);
    data[i] = value as never;
  }
  return { dtype, shape, data } as NpyArray;
}

/** descr, fortran_order and shape of a header such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. */
function readHeader(text: string): { dtype: NpyType; isLittle: boolean; isFortran: boolean; shape: number[] } {
  const value = (key: string, pattern: string): string => {
    const found = [...text.matchAll(new RegExp(`[{,]\\s*['"]${key}['"]\\s*:\\s*${pattern}\\s*(?=[,}])`, 'g'))];
    if (found.length !== 1)
      throw new FormatError(
        `decodeNpy: the header is ${quote(text.trim())}, expected one ${key} of a plain array of numbers`,
      );
    return found[0]![1]!;
  };
  if (!/^\s*\{[\s\S]*\}\s*$/.test(text))
    throw new FormatError(`decodeNpy: the header is ${quote(text.trim())}, expected a dict`);
  const descr = value('descr', `['"]([^'"]*)['"]`);
  const isFortran = value('fortran_order', '(True|False)') === 'True';
  const shape = value('shape', '\\(([\\dL,\\s]*)\\)')
    .split(',')
    .map((extent) => extent.trim())
    .filter((extent) => extent !== '')
    .map((extent) => Number(extent.replace(/L$/, '')));
  if (!shape.every((extent) => Number.isSafeInteger(extent)))
    throw new FormatError(`decodeNpy: the header is ${quote(text.trim())}, expected a shape of integers`);
  if (shape.length > 64) throw new FormatError(`decodeNpy: rank is ${shape.length}, expected at most 64`);
  const dtype = (Object.keys(CODES) as NpyType[]).find((name) => CODES[name] === descr.slice(1));
  const order = descr[0];
  if (!dtype || !(order === '<' || order === '>' || order === '=' || (order === '|' && ELEMENTS[dtype].size === 1))) {
    throw new FormatError(
      `decodeNpy: descr is ${quote(descr)}, expected < or > and one of ${Object.values(CODES).join(' ')}: ` +
        'convert it with astype',
    );
  }
  return { dtype, isLittle: order !== '>', isFortran, shape };
}

/** Where the element that is i-th in C order lies in Fortran order. */
function fortranPlaces(shape: readonly number[]): (i: number) => number {
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  return (i) => {
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (i % shape[axis]!) * strides[axis]!;
      i = Math.floor(i / shape[axis]!);
    }
    return at;
  };
}

/**
 * Writes a .npy file as `numpy.save` does (version 1.0, little-endian, C order, data aligned to 64 bytes); the inverse
 * of {@link decodeNpy}. Throws RangeError on an unknown dtype, a shape that does not fit the data, or too long a
 * header; TypeError when 64-bit integers are no bigints or others are.
 */
export function encodeNpy({ dtype, shape, data }: NpyInput): Uint8Array<ArrayBuffer> {
  const element = Object.hasOwn(ELEMENTS, dtype) ? ELEMENTS[dtype] : undefined;
  if (!element)
    throw new RangeError(`encodeNpy: dtype is ${String(dtype)}, expected one of ${Object.keys(ELEMENTS).join(' ')}`);
  check('encodeNpy', { shape }, listOf(integer(0)));
  if (safeSize(shape) !== data.length)
    throw new RangeError(
      `encodeNpy: data has ${data.length} elements, expected ${safeSize(shape)} for shape [${shape}]`,
    );
  const { size, write } = element;
  const big = dtype === 'i64' || dtype === 'u64';
  for (let i = 0; i < data.length; i++) {
    if (typeof data[i] !== (big ? 'bigint' : 'number'))
      throw new TypeError(
        `encodeNpy: data[${i}] is a ${typeof data[i]}, expected a ${big ? 'bigint' : 'number'} for ${dtype}`,
      );
  }
  const dict =
    `{'descr': '${size === 1 ? '|' : '<'}${CODES[dtype]}', 'fortran_order': False, 'shape': ` +
    `(${shape.length === 1 ? `${shape[0]},` : shape.join(', ')}), }`;
  const start = Math.ceil((10 + dict.length + 1) / 64) * 64;
  if (start - 10 > 0xffff)
    throw new RangeError(`encodeNpy: shape has ${shape.length} axes, expected a header of at most 65535 bytes`);
  const file = new Uint8Array(start + size * data.length).fill(0x20, 10, start);
  file.set([...MAGIC, 1, 0]);
  const view = new DataView(file.buffer);
  view.setUint16(8, start - 10, true);
  file.set(new TextEncoder().encode(dict), 10);
  file[start - 1] = 0x0a;
  for (let i = 0; i < data.length; i++) write(view, start + i * size, data[i] as never, true);
  return file;
}
