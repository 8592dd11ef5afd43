import { atLeast, checkOptions, integer, required } from '../../check/check.ts';
import { expectOptions } from '../../check/options.ts';
import type { Objective } from '../../losses/objective.ts';
import { add, expand, mul } from '../../ops/binary.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { reshape } from '../../ops/reshape.ts';
import { softCrossEntropy } from '../../ops/soft-cross-entropy.ts';
import { softmax } from '../../ops/softmax.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { noisy, withNoise, type LossTerms, type NoiseOptions, type NoisyInputs } from './noisy-inputs.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';

/** Options of {@link stability}. */
export interface StabilityOptions extends NoiseOptions {
  /** Weight of the stability term. Default: 2. */
  lambda?: number;
}

/** What {@link stability} adds up; `crossEntropy` is that of the clean images. */
export interface StabilityTerms extends LossTerms {
  crossEntropy: Tensor;
  stability: Tensor;
}

/**
 * The loss of {@link stability} for given noise. Two forward passes, the clean one first, as running statistics see
 * them.
 */
export function stabilityTerms(
  { x, y, forward, noise }: NoisyInputs,
  options: Pick<StabilityOptions, 'lambda'> = {},
): StabilityTerms {
  expectOptions('stabilityTerms', options as StabilityOptions, ['sigma', 'numCopies', 'lambda']);
  const { lambda = 2 } = options;
  const [batch, m] = noise.shape as [number, number];
  const clean = forward(x);
  const classes = clean.shape[1]!;
  const target = reshape(expand(reshape(softmax(clean), [batch, 1, classes]), [batch, m, classes]), [
    batch * m,
    classes,
  ]);
  const stability = softCrossEntropy(forward(noisy(x, noise)), target);
  const entropy = crossEntropy(clean, y);
  return { loss: add(entropy, mul(stability, lambda)), crossEntropy: entropy, stability };
}

/**
 * Stability training: CE(f(x), y) + lambda H(softmax f(x), softmax f(x + noise)); the gradient flows through both
 * sides. Li, Chen, Wang, Carin, NeurIPS 2019, after Zheng et al., CVPR 2016.
 */
export function stability(options: StabilityOptions): Objective {
  checkOptions('stability', options, { sigma: required(SIGMA), numCopies: integer(1), lambda: atLeast(0) });
  return (inputs) => stabilityTerms(withNoise(inputs, options), options).loss;
}
