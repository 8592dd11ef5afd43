/** Element types of tensors. Every one takes four bytes on the device. */
export type DType = 'f32' | 'i32' | 'u32';

/** The typed array that holds a dtype on the host. */
export type TypedArrayOf<D extends DType> = D extends 'f32' ? Float32Array<ArrayBuffer> : D extends 'i32' ? Int32Array<ArrayBuffer> : Uint32Array<ArrayBuffer>;

/** A zeroed host array of `length` elements of `dtype`. */
export function hostArray<D extends DType>(dtype: D, length: number | ArrayBuffer): TypedArrayOf<D> {
  const make = { f32: Float32Array, i32: Int32Array, u32: Uint32Array }[dtype] as new (n: number | ArrayBuffer) => unknown;
  return new make(length) as TypedArrayOf<D>;
}
