import { Flatten, ReLU } from './activation-layers.ts';
import type { Layer } from './layer.ts';
import { Linear } from './linear-layer.ts';
import { Sequential } from './sequential.ts';

/**
 * A multi-layer perceptron: `mlp(784, 256, 10)` is flatten, linear 784 to 256, relu, linear 256 to 10, with the
 * parameters fc1.weight, fc1.bias, fc2.weight, ...
 */
export function mlp(...sizes: readonly number[]): Sequential {
  if (sizes.length < 2)
    throw new RangeError(`mlp: got ${sizes.length} sizes, expected at least the inputs and the outputs`);
  const layers: Record<string, Layer> = { flatten: Flatten() };
  for (let i = 1; i < sizes.length; i++) {
    layers[`fc${i}`] = Linear(sizes[i - 1]!, sizes[i]!);
    if (i < sizes.length - 1) layers[`relu${i}`] = ReLU();
  }
  return Sequential(layers);
}
