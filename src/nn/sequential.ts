import { currentGpu, type Gpu } from '../gpu/device.ts';
import { DisposedError, ShapeError } from '../gpu/errors.ts';
import { decodeSafetensors, encodeSafetensors, FormatError } from '../io/index.ts';
import { softmax } from '../ops/softmax.ts';
import { key, PURPOSE, split } from '../random/key.ts';
import type { NdArray } from '../tensor/ndarray.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Arena } from './arena.ts';
import type { Layer } from './layer.ts';
import { mapBatches, type BatchOptions } from './map-batches.ts';

/** Values of one parameter on the host. */
export interface ParameterValues {
  shape: readonly number[];
  data: Float32Array<ArrayBuffer>;
}

/**
 * A model: layers one after the other. A relu behind a layer that can fuse it costs nothing. Parameters are named as in
 * PyTorch (`0.weight`) and come to be at `init`, which `fit` calls if nobody did.
 */
export class Sequential {
  readonly layers: readonly Layer[];
  #arena: Arena | null = null;
  #training = false;
  #isDisposed = false;

  constructor(layers: readonly Layer[]) {
    layers.forEach((layer, i) => {
      if (typeof layer?.forward !== 'function') throw new TypeError(`sequential: layer ${i} is ${String(layer)}, expected a layer such as linear(784, 10)`);
      if (layers.indexOf(layer) !== i) throw new TypeError(`sequential: layer ${i} (${layer.kind}) is the same object as layer ${layers.indexOf(layer)}; make one for each place`);
    });
    this.layers = layers;
  }

  /** Draws the starting values of all parameters from `seed` (default 0), in place of what was there. */
  init({ seed = 0, gpu = currentGpu() }: { seed?: number; gpu?: Gpu } = {}): this {
    if (this.#isDisposed) throw new DisposedError('model: init after dispose');
    const root = split(key(seed), PURPOSE.parameters);
    const initial = new Map<string, ParameterValues>();
    this.#specs().forEach(([name, layer, local], i) => {
      const spec = layer.specs[local]!;
      initial.set(name, { shape: spec.shape, data: spec.init(split(root, i)) });
    });
    this.#arena?.dispose();
    this.#arena = new Arena(gpu, initial);
    for (const [name, layer, local] of this.#specs()) layer.params[local] = this.#arena.parameters.get(name)!;
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

  /** Number of trained values. */
  get parameterCount(): number {
    return this.#specs().reduce((n, [, layer, local]) => n + sizeOf(layer.specs[local]!.shape), 0);
  }

  get training(): boolean {
    return this.#training;
  }

  /** Switches between training and evaluation; `fit` does it. */
  train(on = true): this {
    this.#training = on;
    return this;
  }

  /** Logits of a batch, on the device. */
  forward(x: Tensor): Tensor {
    void this.arena;
    let y = x;
    for (let i = 0; i < this.layers.length; i++) {
      const layer = this.layers[i]!;
      const fused = this.layers[i + 1]?.kind === 'relu' && layer.fuses?.includes('relu');
      try {
        y = layer.forward(y, { training: this.#training, activation: fused ? 'relu' : 'none' });
      } catch (error) {
        if (error instanceof ShapeError) error.message = `layer ${i} (${layer.kind}): ${error.message}`;
        throw error;
      }
      if (fused) i++;
    }
    return y;
  }

  /** Logits of host data (n, ...) in evaluation mode: (n, classes). Runs in batches of `batchSize` (default 500). */
  logits(x: NdArray, options: BatchOptions = {}): Promise<NdArray<Float32Array>> {
    return this.#evaluate(() => mapBatches(this.arena.values.gpu, x, (batch) => this.forward(batch), options));
  }

  /** Class probabilities of host data (n, ...) in evaluation mode: (n, classes), rows sum to 1. */
  predict(x: NdArray, options: BatchOptions = {}): Promise<NdArray<Float32Array>> {
    return this.#evaluate(() => mapBatches(this.arena.values.gpu, x, (batch) => softmax(this.forward(batch)), options));
  }

  /** Host copies of all parameters. */
  async stateDict(): Promise<Map<string, ParameterValues>> {
    const host = await this.arena.values.read();
    return new Map([...this.parameters].map(([name, p]) => [name, { shape: p.shape, data: host.slice(p.offset, p.offset + p.size) }]));
  }

  /** Overwrites parameters; every name must be there with its shape, and no other. Nothing is changed on an error. */
  loadStateDict(state: ReadonlyMap<string, { shape: readonly number[]; data: ArrayLike<number> }>): this {
    const { parameters } = this.arena;
    const missing = [...parameters.keys()].filter((n) => !state.has(n));
    const unknown = [...state.keys()].filter((n) => !parameters.has(n));
    if (missing.length || unknown.length) throw new FormatError(`loadStateDict: missing [${missing}], not of this model [${unknown}]`);
    for (const [name, { shape, data }] of state) {
      const p = parameters.get(name)!;
      if (!sameShape(p.shape, shape) || data.length !== p.size) throw new ShapeError(`loadStateDict: ${name} has shape [${shape}], the model has [${p.shape}]`);
    }
    for (const [name, { data }] of state) parameters.get(name)!.write(data);
    return this;
  }

  /** All parameters as a safetensors file, which Python's `safetensors` and `load_state_dict` read. */
  async save(metadata: Record<string, string> = {}): Promise<Uint8Array<ArrayBuffer>> {
    const state = await this.stateDict();
    const tensors = Object.fromEntries([...state].map(([name, { shape, data }]) => [name, { dtype: 'F32' as const, shape, data }]));
    return encodeSafetensors(tensors, { format: 'pt', ...metadata });
  }

  /** Overwrites all parameters from a safetensors file. */
  load(bytes: Uint8Array): this {
    const { tensors } = decodeSafetensors(bytes);
    for (const [name, t] of tensors) if (t.dtype !== 'F32') throw new FormatError(`load: ${name} is ${t.dtype}, expected F32`);
    return this.loadStateDict(tensors as ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>);
  }

  /** Frees all parameters. Idempotent. */
  dispose(): void {
    this.#arena?.dispose();
    this.#arena = null;
    this.#isDisposed = true;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #specs(): [name: string, layer: Layer, local: string][] {
    return this.layers.flatMap((layer, i) => Object.keys(layer.specs).map((local): [string, Layer, string] => [`${i}.${local}`, layer, local]));
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

/** A model of layers one after the other. */
export function sequential(...layers: Layer[]): Sequential {
  return new Sequential(layers);
}
