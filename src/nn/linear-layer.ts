import { boolean, check, checkOptions, integer } from '../check/check.ts';
import { linear } from '../ops/matmul.ts';
import { PRECISION, type Precision } from '../ops/precision.ts';
import { uniformSpecs } from './init.ts';
import { paramOf, type Layer } from './layer.ts';

/** A fully connected layer. */
export interface Linear extends Layer {
  readonly kind: 'Linear';
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: boolean;
  /** What its product multiplies in every pass; undefined: as the pass says. */
  readonly precision?: Precision | undefined;
}

/** Options of {@link Linear}. */
export interface LinearOptions {
  /** Default: true. */
  bias?: boolean;
  /** What the product multiplies, in evaluation too. Default: what the forward pass says, in `fit` its `precision`. */
  precision?: Precision;
}

/**
 * y = x weight' + bias, x: (batch, inFeatures). `weight` (outFeatures, inFeatures) and `bias` (outFeatures) start
 * uniform in +-1 / sqrt(inFeatures), PyTorch's default. Default: with bias.
 */
export function Linear(inFeatures: number, outFeatures: number, options: LinearOptions = {}): Linear {
  checkOptions('Linear', options, { bias: boolean, precision: PRECISION });
  const { bias = true, precision: own } = options;
  check('Linear', { inFeatures, outFeatures }, { inFeatures: integer(1), outFeatures: integer(1) });
  const layer: Linear = {
    kind: 'Linear',
    inFeatures,
    outFeatures,
    bias,
    precision: own,
    params: {},
    fuses: bias ? ['relu'] : [],
    specs: uniformSpecs([outFeatures, inFeatures], bias),
    forward: (x, { activation, precision } = { training: false }) =>
      linear(x, paramOf(layer, 'weight'), bias ? paramOf(layer, 'bias') : null, {
        activation,
        precision: own ?? precision,
      }),
  };
  return layer;
}
