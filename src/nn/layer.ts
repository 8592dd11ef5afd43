import type { Key } from '../random/key.ts';
import type { RandomSource } from '../ops/dropout.ts';
import type { Precision } from '../ops/precision.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A parameter before it exists: its shape and how it starts. */
export interface ParameterSpec {
  readonly shape: readonly number[];
  /** Starting values, from a key of its own; or a tensor that holds them, which the model then frees. */
  readonly init: ((key: Key) => Float32Array<ArrayBuffer>) | Tensor;
}

/**
 * State that is saved with the parameters and not trained, such as running statistics; it starts as `value`, of all
 * elements or of each.
 */
export interface BufferSpec {
  readonly shape: readonly number[];
  readonly dtype: 'f32' | 'i32';
  readonly value: number | readonly number[];
}

/** What a forward pass needs to know besides the input. */
export interface ForwardContext {
  /** True while training: dropout and batch statistics depend on it. */
  readonly training: boolean;
  /** The activation that follows; a layer may fuse it and then says so by `fuses`. */
  readonly activation?: 'none' | 'relu';
  /** Random numbers of this pass, for layers that draw some. */
  readonly random?: RandomSource;
  /** What products multiply, in layers that do not say it themselves. Default: 'f32'. */
  readonly precision?: Precision;
  /**
   * Gets the output of the first `depth` layers of the outermost model, and returns what the next layer is given;
   * activations are not fused then.
   */
  readonly hook?: (hidden: Tensor, depth: number) => Tensor;
}

/** Values that a pass uses in place of those of the model: an average such as `ema().for(model)`, or a snapshot. */
export interface PassWeights {
  /** The values in place of a parameter of the model, of its shape; null for one of another model. */
  parameter(own: Tensor): Tensor | null;
  /** The values in place of a buffer. Default, and where it is null: the buffer. */
  buffer?(own: Tensor | Tensor<'i32'>): Tensor | Tensor<'i32'> | null;
}

/** What a caller may say of a forward pass of a model. */
export interface PassOptions extends Partial<ForwardContext> {
  /** Values in place of the parameters of the model in this pass, such as those of ema(). */
  readonly weights?: PassWeights;
}

/**
 * A layer: a plain, typed object. `specs` lists its parameters under PyTorch's names; the model that owns the layer
 * fills `params`, and `buffers` from `bufferSpecs`. Certifiers walk `model.layers`, and `children`, and switch on
 * `kind`.
 */
export interface Layer {
  /** What errors call it; the library's layers have the name of their factory: 'Conv2d'. */
  readonly kind: string;
  readonly specs: Readonly<Record<string, ParameterSpec>>;
  readonly params: Record<string, Tensor>;
  readonly bufferSpecs?: Readonly<Record<string, BufferSpec>>;
  readonly buffers?: Record<string, Tensor | Tensor<'i32'>>;
  /** Layers inside this one; a child named '' adds nothing to the names of its parameters. */
  readonly children?: Readonly<Record<string, Layer>>;
  /** True when a forward pass in training takes random numbers from its context. */
  readonly isRandom?: boolean;
  /** Names the computation where it can change: what was captured under another name must be captured anew. */
  readonly graph?: string;
  /** Activations of the next layer that `forward` can apply itself. */
  readonly fuses?: readonly 'relu'[];
  forward(x: Tensor, context?: ForwardContext): Tensor;
}

/** A layer and all inside it, in order, each with the prefix of its parameters' names: '' or 'layer1.0.'. */
export function* walkLayers(layer: Layer, prefix = ''): Generator<readonly [prefix: string, layer: Layer]> {
  yield [prefix, layer];
  for (const [name, child] of Object.entries(layer.children ?? {}))
    yield* walkLayers(child, name === '' ? prefix : `${prefix}${name}.`);
}

/** The computation of all inside a layer, as {@link Layer.graph} names it; '' where nothing can change. */
export function graphOf(layer: Layer): string {
  return Object.values(layer.children ?? {})
    .map((child) => child.graph ?? graphOf(child))
    .filter(Boolean)
    .join();
}

/**
 * Number of trained values of a layer and all inside it, those of a layer at two places once; nothing need be
 * initialised.
 */
export function countParameters(layer: Layer): number {
  let count = 0;
  const unique = new Map([...walkLayers(layer)].map(([, { params, specs }]) => [params, specs]));
  for (const specs of unique.values()) for (const { shape } of Object.values(specs)) count += sizeOf(shape);
  return count;
}

/** A parameter of a layer; throws an Error that says when it is created where it does not exist yet. */
export function paramOf(layer: Layer, name: string): Tensor {
  return existing(layer, name, layer.params[name]) as Tensor;
}

/** A buffer of a layer; throws as {@link paramOf}. */
export function bufferOf(layer: Layer, name: string): Tensor | Tensor<'i32'> {
  return existing(layer, name, layer.buffers?.[name]);
}

function existing<T>(layer: Layer, name: string, value: T | undefined): T {
  if (!value)
    throw new Error(
      `${layer.kind}: ${name} does not exist yet; put the layer in ` +
        'Sequential() and call model.init({ seed }), or fit',
    );
  return value;
}

/** Throws unless `layer` is one. */
export function expectLayer(what: string, layer: unknown): void {
  if (typeof (layer as Layer | null)?.forward !== 'function')
    throw new TypeError(
      `${what} is ${String(layer)}, expected a layer such as Linear(784, 10), or an object with forward`,
    );
}
