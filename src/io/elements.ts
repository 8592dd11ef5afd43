import { fromHalf, toHalf } from './half.ts';

/** Typed array of each element type of a file. Half floats become numbers; booleans are 0 and 1. */
export interface Storages {
  bool: Uint8Array<ArrayBuffer>;
  u8: Uint8Array<ArrayBuffer>;
  i8: Int8Array<ArrayBuffer>;
  u16: Uint16Array<ArrayBuffer>;
  i16: Int16Array<ArrayBuffer>;
  u32: Uint32Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  u64: BigUint64Array<ArrayBuffer>;
  i64: BigInt64Array<ArrayBuffer>;
  f16: Float32Array<ArrayBuffer>;
  f32: Float32Array<ArrayBuffer>;
  f64: Float64Array<ArrayBuffer>;
}

/** How elements of a type lie in a file, big-endian unless `little`. */
export interface Element {
  /** Bytes of one. */
  size: number;
  make: (length: number) => Storages[keyof Storages];
  read: (view: DataView, at: number, little?: boolean) => number | bigint;
  write: (view: DataView, at: number, value: never, little?: boolean) => void;
}

/** The types whose numbers DataView reads and writes by that name. */
type Viewed =
  'Uint8' | 'Int8' | 'Uint16' | 'Int16' | 'Uint32' | 'Int32' | 'BigUint64' | 'BigInt64' | 'Float32' | 'Float64';

function element(
  Data: { new (length: number): Storages[keyof Storages]; BYTES_PER_ELEMENT: number },
  name: Viewed,
): Element {
  return {
    size: Data.BYTES_PER_ELEMENT,
    make: (length) => new Data(length),
    read: (view, at, little) => view[`get${name}`](at, little),
    write: (view, at, value, little) => view[`set${name}`](at, value, little),
  };
}

/** The elements of each type. */
export const ELEMENTS: Readonly<Record<keyof Storages, Element>> = {
  bool: {
    ...element(Uint8Array, 'Uint8'),
    write: (view, at, value) => view.setUint8(at, Number(Boolean(value))),
  },
  u8: element(Uint8Array, 'Uint8'),
  i8: element(Int8Array, 'Int8'),
  u16: element(Uint16Array, 'Uint16'),
  i16: element(Int16Array, 'Int16'),
  u32: element(Uint32Array, 'Uint32'),
  i32: element(Int32Array, 'Int32'),
  u64: element(BigUint64Array, 'BigUint64'),
  i64: element(BigInt64Array, 'BigInt64'),
  f16: {
    size: 2,
    make: (length) => new Float32Array(length),
    read: (view, at, little) => fromHalf(view.getUint16(at, little)),
    write: (view, at, value, little) => view.setUint16(at, toHalf(value), little),
  },
  f32: element(Float32Array, 'Float32'),
  f64: element(Float64Array, 'Float64'),
};
