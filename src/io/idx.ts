import { check, integer, listOf } from '../check/check.ts';
import { asBytes, safeSize, type Bytes } from './bytes.ts';
import { ELEMENTS, type Storages } from './elements.ts';
import { brief, FormatError } from './format-error.ts';

/** Typed array of each IDX element type. */
export type IdxStorage = Pick<Storages, 'u8' | 'i8' | 'i16' | 'i32' | 'f32' | 'f64'>;

/** Element types of the IDX format: codes 08, 09, 0B, 0C, 0D and 0E. */
export type IdxType = keyof IdxStorage;

/** A decoded IDX file: row-major data of `shape`. */
export type IdxArray = { [T in IdxType]: { dtype: T; shape: number[]; data: IdxStorage[T] } }[IdxType];

/** The code of each type in a file. */
const CODES: Readonly<Record<IdxType, number>> = { u8: 0x08, i8: 0x09, i16: 0x0b, i32: 0x0c, f32: 0x0d, f64: 0x0e };

/** What the first bytes of an IDX file say. */
export interface IdxHeader {
  dtype: IdxType;
  shape: number[];
  /** Where the data begin. */
  start: number;
  /** Bytes of the whole file. */
  bytes: number;
}

/**
 * Reads an IDX file, the format of MNIST (LeCun, Cortes and Burges): two zero bytes, a type code, the rank, `rank`
 * big-endian u32 sizes, then the elements, big-endian and row-major. The data are copied.
 * Throws FormatError on a wrong magic number, an unknown type, rank 0, a truncated file, trailing bytes, or sizes whose
 * product is not a safe integer.
 */
export function parseIdx(bytes: Bytes): IdxArray {
  const file = asBytes(bytes, 'parseIdx');
  const { dtype, shape, start, bytes: end } = readIdxHeader(file);
  const [expected, found] = [end - start, file.length - start];
  if (found < expected)
    throw new FormatError(
      `parseIdx: truncated, ${found} data bytes, expected ${expected} for ${dtype} [${brief(shape)}]`,
    );
  if (found > expected)
    throw new FormatError(
      `parseIdx: ${found - expected} trailing bytes after ${expected} data bytes for ${dtype} [${brief(shape)}]`,
    );
  if (dtype === 'u8') return { dtype, shape, data: file.slice(start) };

  const { size, make, read } = ELEMENTS[dtype];
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const data = make(expected / size);
  for (let i = 0; i < data.length; i++) data[i] = read(view, start + i * size) as number;
  return { dtype, shape, data } as IdxArray;
}

/** The header of an IDX file, which may be cut after it. Throws FormatError as {@link parseIdx} does. */
export function readIdxHeader(file: Uint8Array): IdxHeader {
  if (file.length < 4) throw new FormatError(`parseIdx: file has ${file.length} bytes, expected at least 4`);
  if (file[0] !== 0 || file[1] !== 0) {
    throw new FormatError(
      `parseIdx: file starts with ${hex(file[0]!)} ${hex(file[1]!)}, expected 00 00 (is it compressed?)`,
    );
  }
  const dtype = (Object.keys(CODES) as IdxType[]).find((name) => CODES[name] === file[2]);
  if (!dtype) throw new FormatError(`parseIdx: type code is ${hex(file[2]!)}, expected 08, 09, 0b, 0c, 0d or 0e`);
  const rank = file[3]!;
  if (rank === 0) throw new FormatError('parseIdx: rank is 0, expected at least 1');
  const start = 4 + 4 * rank;
  if (file.length < start)
    throw new FormatError(`parseIdx: file has ${file.length} bytes, expected ${start} of header for rank ${rank}`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const data = safeSize([...shape, ELEMENTS[dtype].size]);
  if (data === null) throw new FormatError(`parseIdx: shape [${brief(shape)}] has more elements than a file can hold`);
  return { dtype, shape, start, bytes: start + data };
}

/**
 * Writes an IDX file; the inverse of {@link parseIdx}. `data` is row-major with as many elements as `shape` has.
 * Throws RangeError on a rank outside 1..255, a size that is no u32, or a length that does not fit.
 */
export function encodeIdx({
  dtype,
  shape,
  data,
}: {
  dtype: IdxType;
  shape: readonly number[];
  data: ArrayLike<number>;
}): Uint8Array<ArrayBuffer> {
  if (shape.length < 1 || shape.length > 255)
    throw new RangeError(`encodeIdx: rank is ${shape.length}, expected 1..255`);
  check('encodeIdx', { shape }, listOf(integer(0, 0xffffffff)));
  if (safeSize(shape) !== data.length)
    throw new RangeError(
      `encodeIdx: data has ${data.length} elements, expected ${safeSize(shape)} for shape [${shape}]`,
    );
  const { size, write } = ELEMENTS[dtype];
  const start = 4 + 4 * shape.length;
  const file = new Uint8Array(start + size * data.length);
  const view = new DataView(file.buffer);
  file[2] = CODES[dtype];
  file[3] = shape.length;
  shape.forEach((extent, i) => view.setUint32(4 + 4 * i, extent));
  for (let i = 0; i < data.length; i++) write(view, start + i * size, data[i] as never);
  return file;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
