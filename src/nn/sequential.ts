import { checkOptions } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { holderOf } from '../check/claim.ts';
import { currentGpu, type Gpu } from '../gpu/device.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { DisposedError, ShapeError } from '../gpu/errors.ts';
import { decodeSafetensors, encodeSafetensors, type SafetensorsInput } from '../io/index.ts';
import { nextItems } from '../ops/dropout.ts';
import { expectPrecision } from '../ops/precision.ts';
import { softmax } from '../ops/softmax.ts';
import { key, PURPOSE, splitKey, type Key } from '../random/key.ts';
import { fromDevice } from '../tensor/dtype.ts';
import type { ArrayInput } from '../tensor/array-input.ts';
import type { NdArray } from '../tensor/ndarray.ts';
import { unscoped } from '../tensor/scope.ts';
import { sizeOf } from '../tensor/shape.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { Arena } from './arena.ts';
import { disown, entriesOf, isOwned, own } from './entries.ts';
import { countParameters, graphOf, walkLayers, type ForwardContext, type Layer, type PassOptions } from './layer.ts';
import { asLayer, type Module } from './module.ts';
import { loadable, LOAD_OPTIONS, type LoadOptions, type StateValue } from './load-state.ts';
import { mapBatches, PREDICT_RULES, type PredictOptions } from './map-batches.ts';
import { Snapshot, throughWeights, type HeldWeights } from './pass-weights.ts';

/** Values of one parameter or buffer on the host; integers as floats. */
export interface ParameterValues {
  shape: readonly number[];
  data: Float32Array<ArrayBuffer>;
}

/**
 * Layers one after the other: a model, or a part of one. A relu after a layer that can fuse it costs nothing. The
 * outermost owns parameters, named as in PyTorch (`0.weight`, `layer1.0.conv1.weight`), and buffers; `init` creates
 * them, which `fit` calls if nobody did. A layer at two places of a model is one layer: its gradients are summed
 * (weight tying). A layer with parameters belongs to one model at a time.
 */
export class SequentialModel implements Layer {
  readonly kind = 'Sequential';
  readonly layers: readonly Layer[];
  readonly children: Readonly<Record<string, Layer>>;
  readonly specs = {};
  readonly params = {};
  #arena: Arena | null = null;
  #buffers: ReadonlyMap<string, Tensor | Tensor<'i32'>> = new Map();
  /** Where dropout goes on when the context has no random numbers: [items so far, stream], on the device. */
  #random: { key: Key; state: Tensor<'u32'> } | null = null;
  #isDisposed = false;

  constructor(children: Readonly<Record<string, Module>>) {
    this.children = Object.fromEntries(
      Object.entries(children).map(([name, layer]) => [name, asLayer(`Sequential: layer ${name}`, layer)]),
    );
    this.layers = Object.values(this.children);
  }

  /** Activations of the next layer that the last layer can apply itself. */
  get fuses(): readonly 'relu'[] {
    return this.layers.at(-1)?.fuses ?? [];
  }

  /**
   * Draws the starting values of all parameters from `seed` (default 0), in place of what was there, and resets
   * buffers.
   */
  init(options: { seed?: number; gpu?: Gpu } = {}): this {
    expectOptions('model.init', options, ['seed', 'gpu']);
    const { seed = 0, gpu = currentGpu() } = options;
    if (this.#isDisposed) throw new DisposedError('model: init after dispose');
    if (gpu.isCapturing) throw new Error('model: init inside a captured step; call model.init({ seed }) before');
    const holder = this.#arena && holderOf(this.#arena);
    if (holder) throw new Error(`model: init while ${holder.by} is under way; await it first`);
    const entries = entriesOf(this).filter(({ name, first }) => name === first);
    own(this);
    const root = splitKey(key(seed), PURPOSE.parameters);
    const trained = entries.filter(({ isBuffer }) => !isBuffer);
    const initial = new Map(
      trained.map(({ name, layer, local }, i) => {
        const { shape, init } = layer.specs[local]!;
        return [name, { shape, data: typeof init === 'function' ? init(splitKey(root, i)) : init }];
      }),
    );
    this.#free();
    this.#arena = new Arena(gpu, initial);
    for (const { name, layer, local } of trained) layer.params[local] = this.#arena.parameters.get(name)!;
    this.#buffers = new Map(
      entries
        .filter(({ isBuffer }) => isBuffer)
        .map(({ name, layer, local }) => {
          const { shape, dtype, value } = layer.bufferSpecs![local]!;
          const buffer = unscoped(() =>
            tensor(typeof value === 'number' ? new Float32Array(sizeOf(shape)).fill(value) : value, {
              shape,
              dtype,
              gpu,
            }),
          ) as Tensor | Tensor<'i32'>;
          layer.buffers![local] = buffer;
          return [name, buffer];
        }),
    );
    if (this.#isRandom)
      this.#random = {
        key: splitKey(key(seed), PURPOSE.dropout),
        state: unscoped(() => tensor([0, 0], { dtype: 'u32', gpu })),
      };
    return this;
  }

  /** Names the computation of its layers where one can change, as the power of l-infinity-distance nets can. */
  get graph(): string {
    return graphOf(this);
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

  /**
   * Logits of a batch, on the device: in evaluation mode unless the context says `training: true`. Dropout then goes on
   * in the model's own stream, in a captured step too, or takes its numbers from the context. With `precision: 'mixed'`
   * the products of linear and convolution layers round their operands to f16, in the backward pass too.
   */
  forward(x: Tensor, context: PassOptions = {}): Tensor {
    expectOptions('model.forward', context, ['training', 'activation', 'random', 'hook', 'weights', 'precision']);
    if (context.precision !== undefined) expectPrecision('model.forward', context.precision);
    // A model inside another has its parameters from there.
    if (!this.#arena && !isOwned(this)) void this.arena;
    const { training = false, weights, ...rest } = context;
    if (weights) return throughWeights(this, weights, () => this.forward(x, { ...rest, training }));
    if (!training || rest.random || !this.#random) return this.#run(x, { ...rest, training });
    const first = nextItems(this.#random.state, x.shape[0] ?? 1);
    const y = this.#run(x, { ...rest, training, random: { key: this.#random.key, first } });
    if (!y.tracksGrad) first.dispose();
    return y;
  }

  #run(x: Tensor, { training, activation, random, hook, precision }: ForwardContext): Tensor {
    const entries = Object.entries(this.children);
    let y = x;
    for (let i = 0; i < entries.length; i++) {
      const [name, layer] = entries[i]!;
      const fused = !hook && this.layers[i + 1]?.kind === 'ReLU' && layer.fuses?.includes('relu');
      const last = i === entries.length - 1 ? activation : 'none';
      const shared = {
        ...(random && { random: { ...random, key: splitKey(random.key, i) } }),
        ...(precision && { precision }),
      };
      try {
        y = layer.forward(y, { training, activation: fused ? 'relu' : (last ?? 'none'), ...shared });
      } catch (error) {
        if (error instanceof ShapeError) error.message = `layer ${name} (${layer.kind}): ${error.message}`;
        throw error;
      }
      if (fused) i++;
      if (hook) y = hook(y, i + 1);
    }
    return y;
  }

  /**
   * Logits of x (n, ...), a Tensor, an NdArray or nested arrays, in evaluation mode: (n, classes). Runs in batches of
   * `batchSize` (default 500).
   */
  logits(x: ArrayInput, options: PredictOptions = {}): Promise<NdArray<Float32Array>> {
    checkOptions('model.logits', options, PREDICT_RULES);
    return this.#evaluate(x, options, (logits) => logits);
  }

  /** Class probabilities of x (n, ...) as for {@link logits} in evaluation mode: (n, classes), rows sum to 1. */
  predict(x: ArrayInput, options: PredictOptions = {}): Promise<NdArray<Float32Array>> {
    checkOptions('model.predict', options, PREDICT_RULES);
    return this.#evaluate(x, options, softmax);
  }

  #evaluate(
    x: ArrayInput,
    { weights, ...batches }: PredictOptions,
    of: (logits: Tensor) => Tensor,
  ): Promise<NdArray<Float32Array>> {
    return mapBatches(
      this.arena.values.gpu,
      x,
      (batch) => of(this.forward(batch, weights ? { weights } : {})),
      batches,
    );
  }

  /**
   * Parameters and buffers as they are now, for passes that awaits interrupt: `forward(x, { weights })`. Whoever asks
   * frees it.
   */
  snapshot(): HeldWeights {
    return new Snapshot([this]);
  }

  /**
   * Host copies of all parameters and buffers, in PyTorch's order; a tied parameter is there under each of its names.
   */
  async stateDict(): Promise<Map<string, ParameterValues>> {
    const { values, parameters } = this.arena;
    const entries = entriesOf(this);
    const buffers = [...this.#buffers.values()];
    const bytes = await values.gpu.read(
      [values, ...buffers].map((t) => ({ storage: t.storage, offset: t.byteOffset, bytes: t.byteLength })),
    );
    const host = new Float32Array(bytes[0]!);
    const own = new Map<string, ParameterValues>();
    for (const [name, p] of parameters)
      own.set(name, { shape: p.shape, data: host.slice(p.offset, p.offset + p.size) });
    [...this.#buffers].forEach(([name, b], i) =>
      own.set(name, { shape: b.shape, data: Float32Array.from(fromDevice(b.dtype, bytes[1 + i]!, b.size)) }),
    );
    return new Map(entries.map(({ name, first }) => [name, own.get(first)!]));
  }

  /**
   * Overwrites parameters and buffers: by default every name must be there with its shape, and no other, and all values
   * finite. One error lists all that does not fit, and nothing is changed then.
   */
  loadStateDict(state: ReadonlyMap<string, StateValue>, options: LoadOptions = {}): this {
    return this.#load('loadStateDict', state, options);
  }

  #load(what: string, state: ReadonlyMap<string, StateValue>, options: LoadOptions): this {
    expectOptions(what, options, LOAD_OPTIONS);
    const places = new Map([...this.parameters, ...this.#buffers]);
    for (const [name, values] of loadable(what, state, entriesOf(this), places, options))
      places.get(name)!.write(values);
    return this;
  }

  /** All parameters and buffers as a safetensors file, which Python's `safetensors` and `load_state_dict` read. */
  async save(metadata: Record<string, string> = {}): Promise<Uint8Array<ArrayBuffer>> {
    const state = await this.stateDict();
    const integers = new Set(
      entriesOf(this)
        .filter(({ first }) => this.#buffers.get(first)?.dtype === 'i32')
        .map(({ name }) => name),
    );
    const tensors = [...state].map(([name, { shape, data }]): [string, SafetensorsInput] =>
      integers.has(name)
        ? [name, { dtype: 'I64', shape, data: BigInt64Array.from(data, BigInt) }]
        : [name, { dtype: 'F32', shape, data }],
    );
    return encodeSafetensors(new Map(tensors), { format: 'pt', ...metadata });
  }

  /**
   * Overwrites all parameters and buffers from a safetensors file, as {@link loadStateDict}; F16, BF16 and F64 are
   * converted to f32.
   */
  load(bytes: Uint8Array, options: LoadOptions = {}): this {
    return this.#load('load', decodeSafetensors(bytes).tensors, options);
  }

  /** Frees all parameters and buffers. Idempotent. */
  dispose(): void {
    this.#free();
    disown(this);
    this.#isDisposed = true;
  }

  [symbolDispose](): void {
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
}

/** A model of {@link Sequential}. */
export type Sequential = SequentialModel;

/**
 * Layers one after the other, numbered, or named by an object: `Sequential({ conv1: Conv2d(3, 16, 3), relu: ReLU() })`.
 * A layer may itself be a sequential, or any object with `forward`, see {@link Module}.
 */
export function Sequential<T extends Module[] | [Readonly<Record<string, Module>>]>(...layers: T): Sequential {
  const [first] = layers;
  const isNamed =
    layers.length === 1 &&
    typeof first === 'object' &&
    first !== null &&
    typeof (first as Module).forward !== 'function';
  return new SequentialModel(
    isNamed
      ? (first as Record<string, Module>)
      : Object.fromEntries((layers as Module[]).map((layer, i) => [i, layer])),
  );
}
