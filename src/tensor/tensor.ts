import { expectOptions } from '../check/options.ts';
import { currentGpu, type Gpu } from '../gpu/device.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { DisposedError, DTypeError, OutOfMemoryError, ShapeError } from '../gpu/errors.ts';
import type { Bindable } from '../gpu/kernel.ts';
import type { Storage } from '../gpu/storage.ts';
import { bytesOf, expectValues, fromDevice, toDevice, type DType, type TypedArrayOf } from './dtype.ts';
import { toHost, type HostInput, type Nested } from './host-values.ts';
import { NdArray } from './ndarray.ts';
import { excerptOf, nest, nodeInspect, printed, type Excerpt, type NestedArray } from './print.ts';
import { track } from './scope.ts';
import { sizeOf } from './shape.ts';

/** The place on the tape of a result that was freed. @internal */
export const FREED: object = Object.freeze({});

/**
 * A dense row-major array on the device. `reshape` gives a view that shares memory; everything else copies.
 * Owned by the innermost `scope`, or by the caller: free it with `dispose()` or `using`.
 */
export class Tensor<D extends DType = 'f32'> implements Bindable {
  readonly gpu: Gpu;
  readonly shape: readonly number[];
  readonly dtype: D;
  /** Start in elements inside the storage; a multiple of 64 (f16: 128), the alignment of a binding. */
  readonly offset: number;
  /** True for leaves whose gradient `backward` computes. */
  requiresGrad = false;
  /** Gradient of the last `backward`, for leaves. */
  grad: Tensor | null = null;
  /**
   * How this tensor was computed; the tape's own, null for leaves.
   * @internal
   */
  node: object | null = null;
  /**
   * For a parameter inside an arena: where its gradient belongs.
   * @internal
   */
  home: { readonly grad: Tensor; readonly siblings: readonly Tensor[] } | null = null;
  readonly #storage: Storage;
  readonly #site: string | undefined;
  #isDisposed = false;
  /** What was read last, for the console, and the version that it was of. */
  #seen: { readonly version: number; readonly values: Excerpt } | undefined;

  constructor(gpu: Gpu, storage: Storage, shape: readonly number[], dtype: D, offset = 0) {
    this.gpu = gpu;
    this.#storage = storage;
    this.shape = shape;
    this.dtype = dtype;
    this.offset = offset;
    this.#site = gpu.debug ? new Error('created here').stack : undefined;
    track(this);
  }

  /** Device memory; throws once the tensor is disposed. */
  get storage(): Storage {
    if (this.#isDisposed || (this.#storage.isFreed && !this.#storage.planned)) {
      throw new DisposedError(
        `tensor [${this.shape}] was used after it was ` +
          `freed${this.#site ? `\n${this.#site}` : '; init({ debug: true }) shows where it was made'}`,
      );
    }
    return this.#storage;
  }

  /** Counts what was written into the memory of this tensor. */
  get version(): number {
    return this.#storage.version;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get rank(): number {
    return this.shape.length;
  }

  get byteOffset(): number {
    return bytesOf(this.dtype, this.offset);
  }

  get byteLength(): number {
    return bytesOf(this.dtype, this.size);
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /** True when gradients flow through this tensor. */
  get tracksGrad(): boolean {
    return this.requiresGrad || this.node !== null;
  }

  /** The same values, cut off from the tape. */
  detach(): Tensor<D> {
    return viewOf(this, this.shape);
  }

  /** All values, in row-major order. */
  async read(): Promise<TypedArrayOf<D>> {
    const { version } = this;
    const [bytes] = await this.gpu.read([{ storage: this.storage, offset: this.byteOffset, bytes: this.byteLength }]);
    const values = fromDevice(this.dtype, bytes!, this.size);
    this.#seen = { version, values: excerptOf(values, this.shape) };
    return values;
  }

  /** Values with their shape. */
  async array(): Promise<NdArray<TypedArrayOf<D>>> {
    return new NdArray(await this.read(), this.shape) as NdArray<TypedArrayOf<D>>;
  }

  /** Values in lists of lists, as deep as the shape has axes: [[1, 2], [3, 4]]; of a scalar the number. */
  async toArray(): Promise<NestedArray> {
    return nest(await this.read(), this.shape);
  }

  /**
   * dtype and shape, with the values once they were read, unless the memory was written since: what Node's console
   * shows. Of more than 1000 values the ends of each axis.
   */
  toString(): string {
    const isFreed = this.#isDisposed || (this.#storage.isFreed && !this.#storage.planned);
    const seen = !isFreed && this.#seen?.version === this.version ? this.#seen.values : undefined;
    const notes = [this.requiresGrad && 'requiresGrad', isFreed && 'freed'].filter((note) => note !== false);
    return printed('Tensor', this.dtype, this.shape, seen, notes);
  }

  [nodeInspect](): string {
    return this.toString();
  }

  /** The value of a tensor with one element. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: shape is [${this.shape}], expected one element`);
    return (await this.read())[0]!;
  }

  /** Overwrites the values from the host, in row-major order; nested arrays too. Errors as for {@link tensor}. */
  write(values: Nested): this {
    const { data } = toHost('write: values', values);
    if (data.length !== this.size)
      throw new ShapeError(`write: got ${data.length} values, tensor [${this.shape}] holds ${this.size}`);
    expectValues('write: values', this.dtype, data);
    this.gpu.write(this.storage, this.byteOffset, toDevice(this.dtype, data));
    return this;
  }

  /** Frees the device memory, unless a view still uses it. Idempotent. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    // Its node goes with it; FREED in its place lets the tape see that there was one.
    if (this.node) this.node = FREED;
    if (!this.home) this.grad?.dispose();
    this.#storage.release();
  }

  [symbolDispose](): void {
    this.dispose();
  }
}

/**
 * A second tensor on the memory of x, from element `offset` of its storage on (default: where x begins), not connected
 * to the tape: for ops, which then `record` it.
 * @internal
 */
export function viewOf<D extends DType>(x: Tensor<D>, shape: readonly number[], offset = x.offset): Tensor<D> {
  return new Tensor(x.gpu, x.storage.retain(), shape, x.dtype, offset);
}

/** Options of functions that create tensors. */
export interface CreateOptions<D extends DType> {
  dtype?: D;
  gpu?: Gpu;
}

/** A tensor with unspecified contents. Shape entries must be non-negative integers. */
export function empty<D extends DType = 'f32'>(shape: readonly number[], options: CreateOptions<D> = {}): Tensor<D> {
  expectOptions('empty', options, ['dtype', 'gpu']);
  const { dtype = 'f32' as D, gpu = currentGpu() } = options;
  if (shape.some((d) => !Number.isInteger(d) || d < 0))
    throw new ShapeError(`shape is [${shape}], expected non-negative integers`);
  return new Tensor(gpu, memoryFor(shape, dtype, gpu), shape, dtype);
}

function memoryFor(shape: readonly number[], dtype: DType, gpu: Gpu, now = false): Storage {
  const bytes = bytesOf(dtype, sizeOf(shape));
  const most = gpu.device.limits.maxStorageBufferBindingSize;
  if (bytes > most)
    throw new OutOfMemoryError(
      `a tensor of shape [${shape}] (${dtype}) needs ${bytes} bytes, this adapter binds at most ${most} at ` +
        'once; use smaller batches, or split it',
    );
  return gpu.allocate(bytes, now, `shape [${shape}] (${dtype})`);
}

/** A tensor of zeros. */
export function zeros<D extends DType = 'f32'>(shape: readonly number[], options: CreateOptions<D> = {}): Tensor<D> {
  expectOptions('zeros', options, ['dtype', 'gpu']);
  return clear(empty(shape, options));
}

/** Sets every element to zero, on the device. */
export function clear<D extends DType>(x: Tensor<D>): Tensor<D> {
  if (x.size > 0) x.gpu.recorder.push({ kind: 'clear', storage: x.storage, offset: x.byteOffset, bytes: x.byteLength });
  return x;
}

/**
 * A tensor from host values: a number, an array, nested arrays, or an NdArray, which give its shape; `shape` overrides
 * it. Integers hold a value without its fraction, and a RangeError names the one that is NaN or out of range; f32 and
 * f16 take the nearest value, an infinity beyond the largest; bool is 1 for all but 0. Throws RangeError on ragged
 * arrays, TypeError on what holds no numbers. Inside a captured step it is a constant: uploaded once, when the step is
 * recorded.
 */
export function tensor<D extends DType = 'f32'>(
  values: HostInput | number,
  options: CreateOptions<D> & { shape?: readonly number[] } = {},
): Tensor<D> {
  expectOptions('tensor', options, ['shape', 'dtype', 'gpu']);
  const { shape, dtype = 'f32' as D, gpu = currentGpu() } = options;
  const host = typeof values === 'number' ? { data: [values], shape: [] } : toHost('tensor: values', values);
  const dims = shape ?? host.shape;
  if (sizeOf(dims) !== host.data.length)
    throw new ShapeError(`tensor: shape [${dims}] holds ${sizeOf(dims)} elements, got ${host.data.length} values`);
  expectValues('tensor: values', dtype, host.data);
  const made = new Tensor(gpu, memoryFor(dims, dtype, gpu, true), dims, dtype);
  try {
    return made.write(host.data);
  } catch (error) {
    made.dispose();
    throw error;
  }
}

/** Throws a DTypeError unless `x` is `dtype`. */
export function expectDType(x: Tensor<DType>, dtype: DType, what: string): void {
  if (x.dtype !== dtype) throw new DTypeError(`${what} is ${x.dtype}, expected ${dtype}`);
}

/** The shape of `x` when it has the rank, else a ShapeError. */
export function expectRank(x: Tensor<DType>, rank: number, what: string): readonly number[] {
  if (x.rank !== rank) throw new ShapeError(`${what} has shape [${x.shape}], expected rank ${rank}`);
  return x.shape;
}

/** Throws a ShapeError unless `x` has the shape. */
export function expectShape(x: Tensor<DType>, shape: readonly number[], what: string): void {
  if (x.rank !== shape.length || x.shape.some((d, i) => d !== shape[i]))
    throw new ShapeError(`${what} has shape [${x.shape}], expected [${shape}]`);
}
