import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { linear } from '../ops/matmul.ts';
import { uniformSpecs } from './init.ts';
import { paramOf, type Layer } from './layer.ts';

/** A fully connected layer. */
export interface Linear extends Layer {
  readonly kind: 'Linear';
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: boolean;
}

/**
 * y = x weight' + bias, x: (batch, inFeatures). `weight` (outFeatures, inFeatures) and `bias` (outFeatures) start
 * uniform in +-1 / sqrt(inFeatures), PyTorch's default. Default: with bias.
 */
export function Linear(inFeatures: number, outFeatures: number, options: { bias?: boolean } = {}): Linear {
  expectOptions('Linear', options, ['bias']);
  const { bias = true } = options;
  check('Linear', { inFeatures, outFeatures }, { inFeatures: integer(1), outFeatures: integer(1) });
  const layer: Linear = {
    kind: 'Linear',
    inFeatures,
    outFeatures,
    bias,
    params: {},
    fuses: bias ? ['relu'] : [],
    specs: uniformSpecs([outFeatures, inFeatures], bias),
    forward: (x, { activation } = { training: false }) =>
      linear(x, paramOf(layer, 'weight'), bias ? paramOf(layer, 'bias') : null, { activation }),
  };
  return layer;
}
