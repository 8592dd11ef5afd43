import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { batchNorm, type BatchNormOptions } from '../ops/batch-norm.ts';
import { groupNorm, layerNorm } from '../ops/layer-norm.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { bufferOf, paramOf, type Layer, type ParameterSpec } from './layer.ts';

function affineSpecs(affine: boolean, shape: readonly number[]): Record<string, ParameterSpec> {
  const spec = (value: number): ParameterSpec => ({ shape, init: () => new Float32Array(sizeOf(shape)).fill(value) });
  return affine ? { weight: spec(1), bias: spec(0) } : {};
}

/** Batch normalisation of (batch, features, ...). */
export interface BatchNorm extends Layer {
  readonly kind: 'BatchNorm';
  readonly features: number;
  readonly eps: number;
  readonly momentum: number | null;
  readonly affine: boolean;
  /** Filled by the model: running_mean, running_var, num_batches_tracked. */
  readonly buffers: Record<string, Tensor | Tensor<'i32'>>;
}

/** Options of {@link BatchNorm}. */
export interface BatchNormLayerOptions extends Pick<BatchNormOptions, 'eps' | 'momentum'> {
  /** Train `weight` and `bias`. Default: true. */
  affine?: boolean;
}

/**
 * Batch normalisation of x: (batch, features, ...), PyTorch's BatchNorm1d and BatchNorm2d: `weight` starts at 1, `bias`
 * at 0, and evaluation uses the averages `running_mean` and `running_var` of training. Defaults: momentum 0.1, eps
 * 1e-5.
 */
export function BatchNorm(features: number, options: BatchNormLayerOptions = {}): BatchNorm {
  expectOptions('BatchNorm', options, ['eps', 'momentum', 'affine']);
  const { eps = 1e-5, momentum = 0.1, affine = true } = options;
  check('BatchNorm', { features }, { features: integer(1) });
  const statistic = (value: number) => ({ shape: [features], dtype: 'f32', value }) as const;
  const layer: BatchNorm = {
    kind: 'BatchNorm',
    features,
    eps,
    momentum,
    affine,
    params: {},
    buffers: {},
    fuses: ['relu'],
    specs: affineSpecs(affine, [features]),
    bufferSpecs: {
      running_mean: statistic(0),
      running_var: statistic(1),
      num_batches_tracked: { shape: [], dtype: 'i32', value: 0 },
    },
    forward: (x, { training, activation } = { training: false }) => {
      const [weight, bias] = affine ? [paramOf(layer, 'weight'), paramOf(layer, 'bias')] : [null, null];
      const [mean, variance] = [bufferOf(layer, 'running_mean'), bufferOf(layer, 'running_var')] as [Tensor, Tensor];
      const batches = bufferOf(layer, 'num_batches_tracked') as Tensor<'i32'>;
      return batchNorm(x, weight, bias, {
        running: { mean, variance, batches },
        training,
        momentum,
        eps,
        activation: activation ?? 'none',
      });
    },
  };
  return layer;
}

/** Normalisation of each sample over its last axes. */
export interface LayerNorm extends Layer {
  readonly kind: 'LayerNorm';
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  readonly affine: boolean;
}

/**
 * Normalisation over the last axes, PyTorch's LayerNorm: `weight` starts at 1, `bias` at 0. Defaults: eps 1e-5, affine.
 */
export function LayerNorm(
  normalizedShape: number | readonly number[],
  options: { eps?: number; affine?: boolean } = {},
): LayerNorm {
  expectOptions('LayerNorm', options, ['eps', 'affine']);
  const { eps = 1e-5, affine = true } = options;
  const shape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
  check('LayerNorm', { normalizedShape: sizeOf(shape) }, { normalizedShape: integer(1) });
  const layer: LayerNorm = {
    kind: 'LayerNorm',
    normalizedShape: shape,
    eps,
    affine,
    params: {},
    specs: affineSpecs(affine, shape),
    forward: (x) =>
      layerNorm(x, affine ? paramOf(layer, 'weight') : null, affine ? paramOf(layer, 'bias') : null, {
        normalizedShape: shape,
        eps,
      }),
  };
  return layer;
}

/** Normalisation of groups of channels of each sample. */
export interface GroupNorm extends Layer {
  readonly kind: 'GroupNorm';
  readonly groups: number;
  readonly channels: number;
  readonly eps: number;
  readonly affine: boolean;
}

/**
 * Normalisation over groups of channels of x: (batch, channels, ...), PyTorch's GroupNorm: `weight` starts at 1, `bias`
 * at 0. Defaults: eps 1e-5, affine. As many groups as channels make it InstanceNorm (there without affine).
 */
export function GroupNorm(
  groups: number,
  channels: number,
  options: { eps?: number; affine?: boolean } = {},
): GroupNorm {
  expectOptions('GroupNorm', options, ['eps', 'affine']);
  const { eps = 1e-5, affine = true } = options;
  check('GroupNorm', { groups, channels }, { groups: integer(1), channels: integer(1) });
  if (channels % groups !== 0)
    throw new RangeError(`GroupNorm: ${channels} channels do not split into ${groups} groups`);
  const layer: GroupNorm = {
    kind: 'GroupNorm',
    groups,
    channels,
    eps,
    affine,
    params: {},
    specs: affineSpecs(affine, [channels]),
    forward: (x) =>
      groupNorm(x, groups, affine ? paramOf(layer, 'weight') : null, affine ? paramOf(layer, 'bias') : null, { eps }),
  };
  return layer;
}
