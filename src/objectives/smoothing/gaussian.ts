import { checkOptions, integer, required } from '../../check/check.ts';
import type { Objective } from '../../losses/objective.ts';
import { mean } from '../../ops/reduce.ts';
import { entropies, noisy, withNoise, type LossTerms, type NoiseOptions, type NoisyInputs } from './noisy-inputs.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';

/** Mean cross-entropy over all noisy copies: the loss of {@link gaussian} for given noise. */
export function gaussianTerms({ x, y, forward, noise }: NoisyInputs): LossTerms {
  return { loss: mean(entropies(forward(noisy(x, noise)), y)) };
}

/**
 * Training with Gaussian noise: the cross-entropy of f(x + noise), m fresh draws an image (default 1), not clipped.
 * Cohen, Rosenfeld, Kolter, ICML 2019. With m = 1 the same training as
 * `fit({ loss: crossEntropyLoss(), inputNoise: sigma })`.
 */
export function gaussian(options: NoiseOptions): Objective {
  checkOptions('gaussian', options, { sigma: required(SIGMA), numCopies: integer(1) });
  return (inputs) => gaussianTerms(withNoise(inputs, options)).loss;
}
