import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { expectDType, type Tensor } from '../tensor/tensor.ts';
import { expectAffine, expectEps } from './batch-norm.ts';
import { standardize } from './standardize.ts';

/** Options of {@link layerNorm}. */
export interface LayerNormOptions {
  /** The last axes of x that are normalised together. Default: the shape of weight or bias, else the last axis. */
  normalizedShape?: readonly number[];
  /** Added to the variance. Default: 1e-5. */
  eps?: number;
}

/**
 * y = weight (x - mean) / sqrt(var + eps) + bias over the last axes of x, with the biased variance, as PyTorch's
 * layer_norm; weight and bias have the shape of these axes, or are null. Ba, Kiros, Hinton, 2016.
 */
export function layerNorm(
  x: Tensor,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: LayerNormOptions = {},
): Tensor {
  expectOptions('layerNorm', options, ['normalizedShape', 'eps']);
  const { normalizedShape = weight?.shape ?? bias?.shape ?? x.shape.slice(-1), eps = 1e-5 } = options;
  expectDType(x, 'f32', 'layerNorm: x');
  const last = x.shape.slice(x.rank - normalizedShape.length);
  if (
    normalizedShape.length === 0 ||
    normalizedShape.length > x.rank ||
    last.some((d, i) => d !== normalizedShape[i])
  ) {
    throw new ShapeError(`layerNorm: x has shape [${x.shape}], expected its last axes to be [${normalizedShape}]`);
  }
  expectAffine('layerNorm', weight, bias, normalizedShape);
  expectEps('layerNorm', eps);
  const columns = sizeOf(normalizedShape);
  const rows = sizeOf(x.shape.slice(0, x.rank - normalizedShape.length));
  return standardize(
    'layerNorm',
    x,
    { batch: 1, sets: rows, inner: columns, groups: 1, width: columns, span: 1 },
    { gamma: weight, beta: bias, eps },
  );
}

/**
 * y = weight (x - mean) / sqrt(var + eps) + bias over each of `groups` groups of channels of each sample of
 * x: (batch, channels, ...); weight and bias are (channels) or null. As PyTorch's group_norm. Wu and He, ECCV 2018.
 */
export function groupNorm(
  x: Tensor,
  groups: number,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: { eps?: number } = {},
): Tensor {
  expectOptions('groupNorm', options, ['eps']);
  const { eps = 1e-5 } = options;
  return byGroups('groupNorm', x, groups, weight, bias, eps);
}

/** {@link groupNorm} with a group for each channel, as PyTorch's instance_norm without running statistics. */
export function instanceNorm(
  x: Tensor,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: { eps?: number } = {},
): Tensor {
  expectOptions('instanceNorm', options, ['eps']);
  const { eps = 1e-5 } = options;
  if (x.rank < 3 || (x.size > 0 && sizeOf(x.shape.slice(2)) === 1)) {
    throw new ShapeError(
      `instanceNorm: x has shape [${x.shape}], expected (batch, channels, ...) with more than 1 value per channel`,
    );
  }
  return byGroups('instanceNorm', x, x.shape[1]!, weight, bias, eps);
}

function byGroups(
  op: string,
  x: Tensor,
  groups: number,
  weight: Tensor | null,
  bias: Tensor | null,
  eps: number,
): Tensor {
  expectDType(x, 'f32', `${op}: x`);
  if (x.rank < 2) throw new ShapeError(`${op}: x has shape [${x.shape}], expected (batch, channels, ...)`);
  const [batch, channels] = x.shape as [number, number];
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0)
    throw new ShapeError(
      `${op}: x has shape [${x.shape}], its ${channels} channels do not split into ${groups} groups`,
    );
  expectAffine(op, weight, bias, [channels]);
  expectEps(op, eps);
  const width = channels / groups;
  const span = sizeOf(x.shape.slice(2));
  return standardize(
    op,
    x,
    { batch: 1, sets: batch * groups, inner: width * span, groups, width, span },
    { gamma: weight, beta: bias, eps },
  );
}
