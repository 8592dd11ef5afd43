import { expectOptions } from '../../check/options.ts';
import type { Objective } from '../../losses/objective.ts';
import { mean } from '../../ops/reduce.ts';
import {
  entropies,
  expectNoise,
  noisy,
  withNoise,
  type LossTerms,
  type NoiseOptions,
  type NoisyInputs,
} from './noisy-inputs.ts';

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
  expectOptions('gaussian', options, ['sigma', 'numCopies']);
  expectNoise('gaussian', options);
  return (inputs) => gaussianTerms(withNoise(inputs, options)).loss;
}
