/** Typed array of each safetensors dtype. Half floats and 8-bit floats are kept as their bits. */
export interface SafetensorsStorage {
  F64: Float64Array<ArrayBuffer>;
  F32: Float32Array<ArrayBuffer>;
  F16: Uint16Array<ArrayBuffer>;
  BF16: Uint16Array<ArrayBuffer>;
  F8_E4M3: Uint8Array<ArrayBuffer>;
  F8_E5M2: Uint8Array<ArrayBuffer>;
  I64: BigInt64Array<ArrayBuffer>;
  I32: Int32Array<ArrayBuffer>;
  I16: Int16Array<ArrayBuffer>;
  I8: Int8Array<ArrayBuffer>;
  U64: BigUint64Array<ArrayBuffer>;
  U32: Uint32Array<ArrayBuffer>;
  U16: Uint16Array<ArrayBuffer>;
  U8: Uint8Array<ArrayBuffer>;
  BOOL: Uint8Array<ArrayBuffer>;
}

/** Element types of the safetensors format. */
export type SafetensorsType = keyof SafetensorsStorage;

/** One stored tensor: row-major data of `shape` (`[]` for a scalar). */
export type SafetensorsTensor = {
  [T in SafetensorsType]: { dtype: T; shape: number[]; data: SafetensorsStorage[T] };
}[SafetensorsType];

/** A decoded file. */
export interface Safetensors {
  tensors: Map<string, SafetensorsTensor>;
  metadata: Map<string, string>;
}

/** Constructors, which also hold the element size. A Map, so that a name out of a file never reaches a prototype. */
export const STORAGE = new Map<
  string,
  { BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): SafetensorsTensor['data'] }
>([
  ['F64', Float64Array],
  ['F32', Float32Array],
  ['F16', Uint16Array],
  ['BF16', Uint16Array],
  ['F8_E4M3', Uint8Array],
  ['F8_E5M2', Uint8Array],
  ['I64', BigInt64Array],
  ['I32', Int32Array],
  ['I16', Int16Array],
  ['I8', Int8Array],
  ['U64', BigUint64Array],
  ['U32', Uint32Array],
  ['U16', Uint16Array],
  ['U8', Uint8Array],
  ['BOOL', Uint8Array],
]);

/** Names that would reach a prototype if a caller put them in a plain object. */
export const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** The header key that holds the string-to-string table. */
export const METADATA_KEY = '__metadata__';
