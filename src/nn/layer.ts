import type { Tensor } from '../tensor/tensor.ts';
import type { Key } from '../random/key.ts';

/** A parameter before it exists: its shape and how it starts. */
export interface ParameterSpec {
  readonly shape: readonly number[];
  /** Starting values, from a key of its own. */
  readonly init: (key: Key) => Float32Array<ArrayBuffer>;
}

/** What a forward pass needs to know beside the input. */
export interface ForwardContext {
  /** True while training: dropout and batch statistics depend on it. */
  readonly training: boolean;
  /** The activation that follows; a layer may fuse it and then says so by `fuses`. */
  readonly activation?: 'none' | 'relu';
}

/**
 * A plain, typed object. `specs` lists its parameters under PyTorch's names; the model that owns the layer fills `params`.
 * Certifiers walk `model.layers` and switch on `kind`.
 */
export interface Layer {
  readonly kind: string;
  readonly specs: Readonly<Record<string, ParameterSpec>>;
  readonly params: Record<string, Tensor>;
  /** Activations that `forward` can take over from the layer behind it. */
  readonly fuses?: readonly 'relu'[];
  forward(x: Tensor, context?: ForwardContext): Tensor;
}

/** A parameter of a layer, or an error that says when it comes to be. */
export function paramOf(layer: Layer, name: string): Tensor {
  const p = layer.params[name];
  if (!p) throw new Error(`${layer.kind}: ${name} does not exist yet; put the layer in sequential() and call model.init({ seed }), or fit`);
  return p;
}

/** Throws unless each value is a positive integer. */
export function expectSizes(kind: string, sizes: Record<string, number>): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${kind}: ${name} is ${value}, expected a positive integer`);
  }
}
