import { check, integer } from '../check/check.ts';
import { mul } from '../ops/binary.ts';
import { linear } from '../ops/matmul.ts';
import { hostNormal } from '../random/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { paramOf, type Layer } from './layer.ts';

/** A fully connected layer whose weights are divided by the root of its inputs. */
export interface NtkLinear extends Layer {
  readonly kind: 'NtkLinear';
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/**
 * y = x weight' / sqrt(inFeatures) + bias, x: (batch, inFeatures): the neural-tangent form of Jacot, Gabriel and
 * Hongler, NeurIPS 2018, in which the heads of l-infinity-distance nets are trained. `weight` (outFeatures, inFeatures)
 * from N(0, 1), `bias` (outFeatures) 0.
 */
export function NtkLinear(inFeatures: number, outFeatures: number): NtkLinear {
  check('NtkLinear', { inFeatures, outFeatures }, { inFeatures: integer(1), outFeatures: integer(1) });
  const layer: NtkLinear = {
    kind: 'NtkLinear',
    inFeatures,
    outFeatures,
    params: {},
    specs: {
      weight: { shape: [outFeatures, inFeatures], init: (key) => hostNormal(outFeatures, inFeatures, key) },
      bias: { shape: [outFeatures], init: () => new Float32Array(outFeatures) },
    },
    forward: (x, { precision } = { training: false }) =>
      linear(x, ntkWeight(layer), paramOf(layer, 'bias'), { precision }),
  };
  return layer;
}

/** The weight as it multiplies the inputs: (outFeatures, inFeatures). */
export function ntkWeight(layer: NtkLinear): Tensor {
  return mul(paramOf(layer, 'weight'), 1 / Math.sqrt(layer.inFeatures));
}
