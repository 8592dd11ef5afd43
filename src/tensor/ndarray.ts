import { toHost, type HostInput, type Nested } from './host-values.ts';
import { excerptOf, nest, nodeInspect, printed, type NestedArray } from './print.ts';
import { sizeOf } from './shape.ts';

/** Element storage of host arrays. */
export type HostData = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

/**
 * A dense row-major array on the host: what datasets hold and what reads and predictions return.
 * `at` and `slice` are views of the same memory.
 */
export class NdArray<D extends HostData = HostData> {
  readonly data: D;
  readonly shape: readonly number[];

  /**
   * Of a typed array, which is not copied, and its shape (default: one axis); or of nested arrays, which give shape and
   * Float32Array.
   */
  constructor(values: D | Nested, shape?: readonly number[]) {
    let data = values as D;
    if (!isHostData(values)) {
      const host = toHost('NdArray: values', values);
      data = Float32Array.from(host.data) as HostData as D;
      shape ??= host.shape;
    }
    shape ??= [data.length];
    if (sizeOf(shape) !== data.length) {
      throw new RangeError(`NdArray: shape [${shape}] holds ${sizeOf(shape)} elements, data has ${data.length}`);
    }
    this.data = data;
    this.shape = shape;
  }

  /** Rows along the first axis. */
  get length(): number {
    return this.shape[0] ?? 1;
  }

  /** Item `i` along the first axis, as a view with that axis dropped. Negative `i` counts from the end. */
  at(i: number): NdArray<D> {
    const n = this.length;
    const k = i < 0 ? i + n : i;
    if (!Number.isInteger(k) || k < 0 || k >= n) throw new RangeError(`NdArray.at: index ${i} outside 0..${n - 1}`);
    return new NdArray(this.#rows(k, k + 1), this.shape.slice(1));
  }

  /** Items `start..end` (exclusive) along the first axis, as a view. */
  slice(start: number, end: number = this.length): NdArray<D> {
    const n = this.length;
    const from = Math.max(0, Math.min(n, start));
    const to = Math.max(from, Math.min(n, end));
    return new NdArray(this.#rows(from, to), [to - from, ...this.shape.slice(1)]);
  }

  /** Values in lists of lists, as deep as the shape has axes: [[1, 2], [3, 4]]; of a scalar the number. */
  toArray(): NestedArray {
    return nest(this.data, this.shape);
  }

  /** Element type, shape and values, what Node's console shows; of more than 1000 values the ends of each axis. */
  toString(): string {
    const type = this.data.constructor.name.replace('Array', '').toLowerCase();
    return printed('NdArray', type, this.shape, excerptOf(this.data, this.shape));
  }

  [nodeInspect](): string {
    return this.toString();
  }

  #rows(from: number, to: number): D {
    const row = sizeOf(this.shape.slice(1));
    return this.data.subarray(from * row, to * row) as D;
  }
}

const isHostData = (v: unknown): v is HostData =>
  [Float32Array, Float64Array, Int32Array, Uint32Array, Uint8Array].some((type) => v instanceof type);

/** What the host gives as an NdArray: itself, or values in f32. Errors as for {@link toHost}. */
export function toNdArray(what: string, values: HostInput): NdArray {
  if (values instanceof NdArray) return values;
  const { data, shape } = toHost(what, values);
  return new NdArray(isHostData(data) ? data : Float32Array.from(data), shape);
}
