import { any, atLeast, between, boolean, checkOptions, checkValue, nullOr, oneOf } from '../check/check.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { expectDType, expectShape, type Tensor } from '../tensor/tensor.ts';
import { standardize, type RunningStatistics } from './standardize.ts';

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Statistics over batches, each of shape (channels); training updates them in place, evaluation uses them. */
  running?: RunningStatistics;
  /** True: normalise by the statistics of this batch. Default: false. */
  training?: boolean;
  /** Share of the new batch in the running statistics; null: the mean of all batches. Default: 0.1. */
  momentum?: number | null;
  /** Added to the variance. Default: 1e-5. */
  eps?: number;
  /** Fused into the kernel. Default: 'none'. */
  activation?: 'none' | 'relu';
}

const EPS = atLeast(0);
const BATCH_NORM = {
  running: any,
  training: boolean,
  momentum: nullOr(between(0, 1)),
  eps: EPS,
  activation: oneOf('none', 'relu'),
} as const;

/** Throws unless weight and bias, where given, are f32 of the shape. */
export function expectAffine(op: string, weight: Tensor | null, bias: Tensor | null, shape: readonly number[]): void {
  for (const [t, name] of [
    [weight, 'weight'],
    [bias, 'bias'],
  ] as const) {
    if (!t) continue;
    expectDType(t, 'f32', `${op}: ${name}`);
    expectShape(t, shape, `${op}: ${name}`);
  }
}

/** Throws unless eps is a finite number of at least 0. */
export function expectEps(op: string, eps: number): void {
  checkValue(`${op}: eps`, eps, EPS);
}

/**
 * y = activation(weight (x - mean) / sqrt(var + eps) + bias) for each channel of x: (batch, channels, ...), as
 * PyTorch's batch_norm. In training mean and var (biased) are those of the batch, and running = (1 - momentum) running
 * + momentum batch, there with the unbiased variance; in evaluation they are the running ones, constants of the
 * gradient. Throws ShapeError when a channel has a single value in training. Ioffe and Szegedy, ICML 2015.
 */
export function batchNorm(
  x: Tensor,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: BatchNormOptions = {},
): Tensor {
  checkOptions('batchNorm', options, BATCH_NORM);
  const { running, training = false, momentum = 0.1, eps = 1e-5, activation = 'none' } = options;
  expectDType(x, 'f32', 'batchNorm: x');
  if (x.rank < 2) throw new ShapeError(`batchNorm: x has shape [${x.shape}], expected (batch, channels, ...)`);
  const [batch, channels] = x.shape as [number, number];
  const inner = sizeOf(x.shape.slice(2));
  expectAffine('batchNorm', weight, bias, [channels]);
  if (running) {
    expectAffine('batchNorm: running statistics', running.mean, running.variance, [channels]);
    expectDType(running.batches, 'i32', 'batchNorm: number of batches');
  } else if (!training) throw new Error('batchNorm: running statistics are missing, expected them in evaluation');
  if (training && batch * inner === 1)
    throw new ShapeError(`batchNorm: x has shape [${x.shape}], expected more than 1 value per channel when training`);
  const mode = training ? 'update' : 'use';
  return standardize(
    'batchNorm',
    x,
    { batch, sets: channels, inner, groups: channels, width: 1, span: inner },
    {
      gamma: weight,
      beta: bias,
      eps,
      activation,
      ...(running ? { running: { ...running, mode, momentum } } : {}),
    },
  );
}
