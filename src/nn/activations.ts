import { flatten as flattenOp } from '../ops/reshape.ts';
import { relu as reluOp } from '../ops/unary.ts';
import type { Layer } from './layer.ts';

/** max(x, 0). Fused into the convolution or linear layer before it. */
export interface Relu extends Layer {
  readonly kind: 'relu';
}

/** A relu layer. */
export function relu(): Relu {
  return { kind: 'relu', specs: {}, params: {}, forward: (x) => reluOp(x) };
}

/** Joins all axes but the first. */
export interface Flatten extends Layer {
  readonly kind: 'flatten';
}

/** A flatten layer: (batch, ...) to (batch, features), without a copy. */
export function flatten(): Flatten {
  return { kind: 'flatten', specs: {}, params: {}, forward: (x) => flattenOp(x) };
}
