import { currentGpu, type Gpu } from '../gpu/device.ts';
import { DisposedError, ShapeError } from '../gpu/errors.ts';
import { decodeSafetensors, encodeSafetensors, FormatError, type SafetensorsInput } from '../io/index.ts';
import { nextItems } from '../ops/dropout.ts';
import { softmax } from '../ops/softmax.ts';
import { key, PURPOSE, split, type Key } from '../random/key.ts';
import { fromDevice } from '../tensor/dtype.ts';
import type { ArrayInput } from '../tensor/array-input.ts';
import type { NdArray } from '../tensor/ndarray.ts';
import { unscoped } from '../tensor/scope.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { Arena } from './arena.ts';
import { countParameters, expectLayer, walkLayers, type BufferSpec, type ForwardContext, type Layer } from './layer.ts';
import { mapBatches, type BatchOptions } from './map-batches.ts';

/** Values of one parameter or buffer on the host; integers as floats. */
export interface ParameterValues {
  shape: readonly number[];
  data: Float32Array<ArrayBuffer>;
}

/**
 * Layers one after the other: a model, or a part of one. A relu behind a layer that can fuse it costs nothing. The outermost
 * owns parameters, named as in PyTorch (`0.weight`, `layer1.0.conv1.weight`), and buffers; they come to be at `init`, which
 * `fit` calls if nobody did.
 */
export class Sequential implements Layer {
  readonly kind = 'sequential';
  readonly layers: readonly Layer[];
  readonly children: Readonly<Record<string, Layer>>;
  readonly specs = {};
  readonly params = {};
  #arena: Arena | null = null;
  #buffers: ReadonlyMap<string, Tensor | Tensor<'i32'>> = new Map();
  /** Where dropout goes on when `forward` is not told: [items so far, stream], on the device. */
  #random: { key: Key; state: Tensor<'u32'> } | null = null;
  #training = false;
  #isDisposed = false;

  constructor(children: Readonly<Record<string, Layer>>) {
    const entries = Object.entries(children);
    const layers = entries.map(([, layer]) => layer);
    entries.forEach(([name, layer], i) => {
      expectLayer(`sequential: layer ${name}`, layer);
      const at = layers.indexOf(layer);
      if (at !== i) throw new TypeError(`sequential: layer ${name} (${layer.kind}) is the same object as layer ${entries[at]![0]}; make one for each place`);
    });
    this.children = children;
    this.layers = layers;
  }

  /** Activations that the last layer can take over. */
  get fuses(): readonly 'relu'[] {
    return this.layers.at(-1)?.fuses ?? [];
  }

  /** Draws the starting values of all parameters from `seed` (default 0), in place of what was there, and resets buffers. */
  init({ seed = 0, gpu = currentGpu() }: { seed?: number; gpu?: Gpu } = {}): this {
    if (this.#isDisposed) throw new DisposedError('model: init after dispose');
    const root = split(key(seed), PURPOSE.parameters);
    const initial = new Map<string, ParameterValues>();
    const specs = this.#specs();
    specs.forEach(([name, layer, local], i) => {
      const spec = layer.specs[local]!;
      if (initial.has(name)) throw new TypeError(`model: two parameters have the name ${name}; give the layers names of their own`);
      initial.set(name, { shape: spec.shape, data: spec.init(split(root, i)) });
    });
    this.#free();
    this.#arena = new Arena(gpu, initial);
    for (const [name, layer, local] of specs) layer.params[local] = this.#arena.parameters.get(name)!;
    this.#buffers = new Map(
      this.#bufferSpecs().map(([name, layer, local, { shape, dtype, value }]) => {
        const buffer = unscoped(() => tensor(typeof value === 'number' ? new Float32Array(sizeOf(shape)).fill(value) : value, { shape, dtype, gpu })) as Tensor | Tensor<'i32'>;
        layer.buffers![local] = buffer;
        return [name, buffer];
      }),
    );
    if (this.#isRandom) this.#random = { key: split(key(seed), PURPOSE.dropout), state: unscoped(() => tensor([0, 0], { dtype: 'u32', gpu })) };
    return this;
  }

  /** True once parameters exist. */
  get isInitialized(): boolean {
    return this.#arena !== null;
  }

  /** The flat memory of parameters and gradients, for optimisers. Initialises with seed 0 if nobody did. */
  get arena(): Arena {
    if (this.#isDisposed) throw new DisposedError('model: used after dispose');
    if (!this.#arena) this.init();
    return this.#arena!;
  }

  /** Parameters by name. */
  get parameters(): ReadonlyMap<string, Tensor> {
    return this.arena.parameters;
  }

  /** Saved state that is not trained, such as running statistics, by name. */
  get namedBuffers(): ReadonlyMap<string, Tensor | Tensor<'i32'>> {
    void this.arena;
    return this.#buffers;
  }

  /** Number of trained values. */
  get parameterCount(): number {
    return countParameters(this);
  }

  get training(): boolean {
    return this.#training;
  }

  /** Switches between training and evaluation; `fit` does it. */
  train(on = true): this {
    this.#training = on;
    return this;
  }

  /**
   * Logits of a batch, on the device. Without a context: in the mode of {@link train}, and dropout goes on in its stream, in
   * a captured step too.
   */
  forward(x: Tensor, context?: ForwardContext): Tensor {
    if (context) return this.#run(x, context);
    void this.arena;
    const random = this.#training && this.#random ? { key: this.#random.key, first: nextItems(this.#random.state, x.shape[0] ?? 1) } : null;
    const y = this.#run(x, { training: this.#training, ...(random ? { random } : {}) });
    if (random && !y.node) random.first.dispose();
    return y;
  }

  #run(x: Tensor, { training, activation, random, behind }: ForwardContext): Tensor {
    const entries = Object.entries(this.children);
    let y = x;
    for (let i = 0; i < entries.length; i++) {
      const [name, layer] = entries[i]!;
      const fused = !behind && this.layers[i + 1]?.kind === 'relu' && layer.fuses?.includes('relu');
      const last = i === entries.length - 1 ? activation : 'none';
      const source = random && { random: { ...random, key: split(random.key, i) } };
      try {
        y = layer.forward(y, { training, activation: fused ? 'relu' : (last ?? 'none'), ...source });
      } catch (error) {
        if (error instanceof ShapeError) error.message = `layer ${name} (${layer.kind}): ${error.message}`;
        throw error;
      }
      if (fused) i++;
      if (behind) y = behind(y, i + 1);
    }
    return y;
  }

  /** Logits of x (n, ...), a Tensor, an NdArray or nested arrays, in evaluation mode: (n, classes). Runs in batches of `batchSize` (default 500). */
  logits(x: ArrayInput, options: BatchOptions = {}): Promise<NdArray<Float32Array>> {
    return this.#evaluate(() => mapBatches(this.arena.values.gpu, x, (batch) => this.forward(batch), options));
  }

  /** Class probabilities of x (n, ...) as for {@link logits} in evaluation mode: (n, classes), rows sum to 1. */
  predict(x: ArrayInput, options: BatchOptions = {}): Promise<NdArray<Float32Array>> {
    return this.#evaluate(() => mapBatches(this.arena.values.gpu, x, (batch) => softmax(this.forward(batch)), options));
  }

  /** Host copies of all parameters and buffers, in PyTorch's order. */
  async stateDict(): Promise<Map<string, ParameterValues>> {
    const { values, parameters } = this.arena;
    const buffers = [...this.#buffers.values()];
    const bytes = await values.gpu.read([values, ...buffers].map((t) => ({ storage: t.storage, offset: t.byteOffset, bytes: t.byteLength })));
    const host = new Float32Array(bytes[0]!);
    return new Map(
      this.#names().map((name): [string, ParameterValues] => {
        const p = parameters.get(name);
        if (p) return [name, { shape: p.shape, data: host.slice(p.offset, p.offset + p.size) }];
        const b = this.#buffers.get(name)!;
        return [name, { shape: b.shape, data: Float32Array.from(fromDevice(b.dtype, bytes[1 + buffers.indexOf(b)]!, b.size)) }];
      }),
    );
  }

  /** Overwrites parameters and buffers; every name must be there with its shape, and no other. Nothing is changed on an error. */
  loadStateDict(state: ReadonlyMap<string, { shape: readonly number[]; data: ArrayLike<number> }>): this {
    const { parameters } = this.arena;
    const own = new Map([...parameters, ...this.#buffers]);
    const missing = [...own.keys()].filter((n) => !state.has(n));
    const unknown = [...state.keys()].filter((n) => !own.has(n));
    if (missing.length || unknown.length) throw new FormatError(`loadStateDict: missing [${missing}], not of this model [${unknown}]`);
    for (const [name, { shape, data }] of state) {
      const p = own.get(name)!;
      if (!sameShape(p.shape, shape) || data.length !== p.size) throw new ShapeError(`loadStateDict: ${name} has shape [${shape}], the model has [${p.shape}]`);
    }
    for (const [name, { data }] of state) own.get(name)!.write(data);
    return this;
  }

  /** All parameters and buffers as a safetensors file, which Python's `safetensors` and `load_state_dict` read. */
  async save(metadata: Record<string, string> = {}): Promise<Uint8Array<ArrayBuffer>> {
    const state = await this.stateDict();
    const tensors = [...state].map(([name, { shape, data }]): [string, SafetensorsInput] =>
      this.#buffers.get(name)?.dtype === 'i32' ? [name, { dtype: 'I64', shape, data: BigInt64Array.from(data, BigInt) }] : [name, { dtype: 'F32', shape, data }],
    );
    return encodeSafetensors(new Map(tensors), { format: 'pt', ...metadata });
  }

  /** Overwrites all parameters and buffers from a safetensors file. */
  load(bytes: Uint8Array): this {
    const { tensors } = decodeSafetensors(bytes);
    const state = new Map<string, { shape: readonly number[]; data: ArrayLike<number> }>();
    for (const [name, { dtype, shape, data }] of tensors) {
      const expected = this.namedBuffers.get(name)?.dtype === 'i32' ? 'I64' : 'F32';
      if (dtype !== expected) throw new FormatError(`load: ${name} is ${dtype}, expected ${expected}`);
      state.set(name, { shape, data: dtype === 'I64' ? Float64Array.from(data, Number) : (data as Float32Array) });
    }
    return this.loadStateDict(state);
  }

  /** Frees all parameters and buffers. Idempotent. */
  dispose(): void {
    this.#free();
    this.#isDisposed = true;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  get #isRandom(): boolean {
    return [...walkLayers(this)].some(([, layer]) => layer.isRandom);
  }

  #free(): void {
    this.#arena?.dispose();
    this.#arena = null;
    for (const b of this.#buffers.values()) b.dispose();
    this.#buffers = new Map();
    this.#random?.state.dispose();
    this.#random = null;
  }

  #specs(): [name: string, layer: Layer, local: string][] {
    return [...walkLayers(this)].flatMap(([prefix, layer]) => Object.keys(layer.specs).map((local): [string, Layer, string] => [`${prefix}${local}`, layer, local]));
  }

  #bufferSpecs(): [name: string, layer: Layer, local: string, spec: BufferSpec][] {
    return [...walkLayers(this)].flatMap(([prefix, layer]) =>
      Object.entries(layer.bufferSpecs ?? {}).map(([local, spec]): [string, Layer, string, BufferSpec] => [`${prefix}${local}`, layer, local, spec]),
    );
  }

  /** Parameters and buffers, layer by layer. */
  #names(): string[] {
    return [...walkLayers(this)].flatMap(([prefix, { specs, bufferSpecs }]) => [...Object.keys(specs), ...Object.keys(bufferSpecs ?? {})].map((local) => `${prefix}${local}`));
  }

  async #evaluate<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#training;
    this.train(false);
    try {
      return await run();
    } finally {
      this.train(before);
    }
  }
}

/**
 * Layers one after the other, numbered, or named by an object: `sequential({ conv1: conv2d(3, 16, 3), relu: relu() })`. A
 * layer may itself be a sequential.
 */
export function sequential(...layers: Layer[] | [Readonly<Record<string, Layer>>]): Sequential {
  const [first] = layers;
  const isNamed = layers.length === 1 && typeof first === 'object' && first !== null && typeof (first as Layer).forward !== 'function';
  return new Sequential(isNamed ? (first as Record<string, Layer>) : Object.fromEntries((layers as Layer[]).map((layer, i) => [i, layer])));
}
