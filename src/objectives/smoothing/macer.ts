import { atLeast, checkOptions, integer, positive, required } from '../../check/check.ts';
import { expectOptions } from '../../check/options.ts';
import type { Objective } from '../../losses/objective.ts';
import { add, mul } from '../../ops/binary.ts';
import { cast } from '../../ops/cast.ts';
import { equal, greaterEqual, lessEqual, logicalAnd } from '../../ops/compare.ts';
import { ndtri } from '../../ops/ndtri.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { argmax, max, mean, sum } from '../../ops/reduce.ts';
import { abs } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Scalar } from './adversarial-path.ts';
import {
  noisy,
  smoothed,
  smoothedEntropy,
  withNoise,
  type LossTerms,
  type NoiseOptions,
  type NoisyInputs,
} from './noisy-inputs.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';

/** Options of {@link macer}. */
export interface MacerOptions extends NoiseOptions {
  /** Default: 16. */
  numCopies?: number;
  /** Weight of the robust term: 16 for sigma 0.25 and 0.5, 6 for 1 on MNIST. Default: 12. */
  lambda?: number;
  /** Inverse temperature in the robust term. Default: 16. */
  beta?: number;
  /** Largest gap of quantiles that is still pushed. Default: 8. */
  gamma?: number;
  /** First epoch, from 0, with the robust term; the SmoothMix code has 31. Default: 0. */
  from?: number;
}

/**
 * What {@link macer} adds up; `gap` is the quantile of the runner-up less that of the most likely class, `used` who
 * enters the robust term.
 */
export interface MacerTerms extends LossTerms {
  classification: Tensor;
  /** Without lambda. */
  robust: Tensor;
  gap: Tensor;
  used: Tensor<'bool'>;
}

/** The loss of {@link macer} for given noise. */
export function macerTerms(
  { x, y, forward, noise }: NoisyInputs,
  options: Pick<MacerOptions, 'sigma' | 'beta' | 'gamma'> & { lambda?: Scalar },
): MacerTerms {
  expectOptions('macerTerms', options, ['sigma', 'lambda', 'beta', 'gamma']);
  const { sigma, lambda = 12, beta = 16, gamma = 8 } = options;
  const batch = x.shape[0]!;
  const logits = forward(noisy(x, noise));
  const classification = mean(smoothedEntropy(logits, y));

  const q = smoothed(mul(logits, beta), batch);
  const top = argmax(q);
  const rest = where(oneHot(top, q.shape[1]!), 0, q);
  // quantile(q_top) = -quantile(1 - q_top), and that is the sum of the others, which keeps its digits where q_top
  // rounds to 1.
  const gap = add(ndtri(max(rest, { axes: 1 })), ndtri(sum(rest, { axes: 1 })));
  const used = noGrad(() => logicalAnd(equal(top, cast(y, 'u32')), lessEqual(abs(gap), gamma)));
  const robust = mul(mean(where(used, add(gap, gamma), 0)), sigma / 2);
  return { loss: add(classification, mul(robust, lambda)), classification, robust, gap, used };
}

/**
 * MACER: -log pbar_y plus lambda sigma / 2 (quantile(q_2nd) - quantile(q_top) + gamma), which falls as the certified
 * radius of the soft smoothed classifier grows, for images that it classifies right with a gap of at most gamma; means
 * over the batch, q = mean softmax(beta logits). Zhai et al., "MACER: attack-free and scalable robust training via
 * maximizing certified radius", ICLR 2020.
 */
export function macer(options: MacerOptions): Objective {
  checkOptions('macer', options, {
    sigma: required(SIGMA),
    numCopies: integer(1),
    lambda: atLeast(0),
    beta: positive,
    gamma: positive,
    from: integer(0),
  });
  const { numCopies = 16, lambda = 12, beta = 16, gamma = 8, from = 0 } = options;
  return (inputs) => {
    const weight = from > 0 ? where(greaterEqual(inputs.at.epoch, from), lambda, 0) : lambda;
    return macerTerms(withNoise(inputs, { ...options, numCopies }), {
      sigma: options.sigma,
      beta,
      gamma,
      lambda: weight,
    }).loss;
  };
}
