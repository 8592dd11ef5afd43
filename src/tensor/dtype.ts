import { fromHalf, toHalf } from '../io/half.ts';

/**
 * Element types of tensors. bool takes four bytes on the device (0 or 1), as WGSL has no bool in memory. f16 is a
 * storage format of two bytes: `cast` converts to and from f32, in which all arithmetic is done; no adapter feature is
 * needed.
 */
export type DType = 'f32' | 'i32' | 'u32' | 'bool' | 'f16';

/** The typed array that holds a dtype on the host; f16 comes as f32. */
export type TypedArrayOf<D extends DType> = D extends 'f32' | 'f16'
  ? Float32Array<ArrayBuffer>
  : D extends 'i32'
    ? Int32Array<ArrayBuffer>
    : D extends 'bool'
      ? Uint8Array<ArrayBuffer>
      : Uint32Array<ArrayBuffer>;

/** Bytes of `count` elements on the device, a multiple of 4. */
export function bytesOf(dtype: DType, count: number): number {
  return dtype === 'f16' ? Math.ceil(count / 2) * 4 : count * 4;
}

const HOST = { f32: Float32Array, f16: Float32Array, i32: Int32Array, u32: Uint32Array, bool: Uint8Array };

/** Host values from the `count` elements of device bytes. */
export function fromDevice<D extends DType>(dtype: D, bytes: ArrayBuffer, count: number): TypedArrayOf<D> {
  if (dtype === 'f16') return Float32Array.from(new Uint16Array(bytes, 0, count), fromHalf) as TypedArrayOf<D>;
  if (dtype === 'bool') return Uint8Array.from(new Uint32Array(bytes)) as TypedArrayOf<D>;
  return new (HOST[dtype] as new (b: ArrayBuffer) => unknown)(bytes) as TypedArrayOf<D>;
}

/**
 * Device bytes of host values: the values themselves where their type fits, else a copy. Every non-zero bool becomes 1.
 */
export function toDevice(
  dtype: DType,
  values: ArrayLike<number>,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> {
  if (dtype === 'f16') {
    const words = new Uint32Array(bytesOf('f16', values.length) / 4);
    const halves = new Uint16Array(words.buffer);
    for (let i = 0; i < values.length; i++) halves[i] = toHalf(values[i]!);
    return words;
  }
  if (dtype === 'bool') return Uint32Array.from(values, (v) => Number(Number(v) !== 0));
  const Host = HOST[dtype] as Float32ArrayConstructor;
  if (values instanceof Host && values.buffer instanceof ArrayBuffer) return values as Float32Array<ArrayBuffer>;
  return Host.from(values) as Float32Array<ArrayBuffer>;
}

const RANGES = { i32: [-(2 ** 31), 2 ** 31 - 1], u32: [0, 2 ** 32 - 1] } as const;

/**
 * Throws a RangeError, naming `what`, on a value that a dtype of integers cannot hold: NaN, infinities, and what is out
 * of range once its fraction is cut off. The others hold what they are given: f32 and f16 the nearest value, which
 * beyond the largest is an infinity, and bool 1 for all but 0.
 */
export function expectValues(what: string, dtype: DType, values: ArrayLike<number>): void {
  if (dtype !== 'i32' && dtype !== 'u32') return;
  if (values instanceof HOST[dtype] || values instanceof Uint8Array) return;
  const [low, high] = RANGES[dtype];
  for (let i = 0; i < values.length; i++) {
    const v = Math.trunc(values[i]!);
    if (!(v >= low && v <= high))
      throw new RangeError(`${what}[${i}] is ${values[i]}, expected a number in ${low}..${high} for ${dtype}`);
  }
}
