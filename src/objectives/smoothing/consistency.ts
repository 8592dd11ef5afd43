import { any, atLeast, checkOptions, integer, oneOf, positive, required } from '../../check/check.ts';
import type { Objective } from '../../losses/objective.ts';
import { add, mul, sub } from '../../ops/binary.ts';
import { klDiv } from '../../ops/kl-div.ts';
import { mean, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { logSoftmax, softmax } from '../../ops/softmax.ts';
import { clamp, log, neg, square } from '../../ops/unary.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { adversarialPath, times, type Scalar } from './adversarial-path.ts';
import {
  entropies,
  noisy,
  perImage,
  ramp,
  smoothed,
  withNoise,
  type LossTerms,
  type NoiseOptions,
  type NoisyInputs,
} from './noisy-inputs.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';

const TERM = { lambda: atLeast(0), eta: atLeast(0), form: oneOf('default', 'xent', 'kl', 'mse') } as const;

/** Form and weights of the consistency term; see {@link consistencyTerm}. */
export interface ConsistencyTermOptions {
  /** Weight; 10 for sigma 0.25, 5 for 0.5 and 1 on MNIST, too large a weight collapses. Default: 5. */
  lambda?: number;
  /** Weight of the entropy in the default form. Default: 0.5. */
  eta?: number;
  /** Default: 'default'. */
  form?: 'default' | 'xent' | 'kl' | 'mse';
}

/** Options of {@link consistency}. */
export interface ConsistencyOptions extends NoiseOptions, ConsistencyTermOptions {
  /** Default: 2. */
  numCopies?: number;
  /** Attack each image first, as SmoothAdv, here with g / (|g| + 1e-8) and the ball before the box. Default: none. */
  adversary?: { eps: number; steps?: number; warmupEpochs?: number };
}

/** What {@link consistency} adds up. */
export interface ConsistencyTerms extends LossTerms {
  crossEntropy: Tensor;
  /** With its weights. */
  consistency: Tensor;
  /** The images, or where the attack has moved them. */
  x: Tensor;
}

/**
 * Of logits of m copies an image, image by image, (batch * m, classes), with pbar the mean softmax of an image, not
 * detached:
 *   'default'  lambda mean KL(pbar || p_i) + eta H(pbar)      'kl'   lambda mean KL(pbar || p_i)
 *   'xent'     lambda (mean KL(pbar || p_i) + H(pbar))        'mse'  lambda mean |p_i - p_j|^2 over pairs i < j
 */
export function consistencyTerm(logits: Tensor, batch: number, options: ConsistencyTermOptions = {}): Tensor {
  checkOptions('consistencyTerm', options, TERM);
  const { lambda = 5, eta = 0.5, form = 'default' } = options;
  const average = smoothed(logits, batch);
  const classes = logits.shape[1]!;
  if (form === 'mse') {
    const each = perImage(softmax(logits), batch);
    const m = each.shape[1]!;
    if (m < 2) throw new RangeError('consistency: numCopies is 1, expected at least 2 for the form mse');
    // The mean over pairs is 2 m / (m - 1) times that of |p_i - pbar|^2.
    return mul(
      mean(sum(square(sub(each, reshape(average, [batch, 1, classes]))), { axes: 2 })),
      (2 * m * lambda) / (m - 1),
    );
  }
  // The mean over the copies of KL(pbar || p_i): the target is the same for all of them.
  const divergence = mul(
    klDiv(mean(perImage(logSoftmax(logits), batch), { axes: 1 }), average, { reduction: 'batchmean' }),
    lambda,
  );
  if (form === 'kl') return divergence;
  const entropy = mean(neg(sum(mul(average, log(clamp(average, 1e-20, 1))), { axes: 1 })));
  return add(divergence, mul(entropy, form === 'xent' ? lambda : eta));
}

/** The loss of {@link consistency} for given noise. */
export function consistencyTerms(
  inputs: NoisyInputs,
  options: ConsistencyTermOptions & { adversary?: { eps: Scalar; steps: number } | undefined } = {},
): ConsistencyTerms {
  checkOptions('consistencyTerms', options, { ...TERM, adversary: any });
  const { adversary, ...weights } = options;
  const { y, forward, noise } = inputs;
  const x = adversary
    ? adversarialPath(inputs, {
        steps: adversary.steps,
        stepSize: times(adversary.eps, 2 / adversary.steps),
        radius: adversary.eps,
      }).at(-1)!
    : inputs.x;
  const logits = forward(noisy(x, noise));
  const crossEntropy = mean(entropies(logits, y));
  const term = consistencyTerm(logits, x.shape[0]!, weights);
  return { loss: add(crossEntropy, term), crossEntropy, consistency: term, x };
}

/**
 * Consistency regularisation: mean CE over m noisy copies (default 2) plus {@link consistencyTerm}. Jeong and Shin,
 * "Consistency regularization for certified robustness of smoothed classifiers", NeurIPS 2020.
 */
export function consistency(options: ConsistencyOptions): Objective {
  checkOptions('consistency', options, { sigma: required(SIGMA), numCopies: integer(1), ...TERM, adversary: any });
  if (options.adversary !== undefined)
    checkOptions('consistency: adversary', options.adversary, {
      eps: required(positive),
      steps: integer(1),
      warmupEpochs: integer(1),
    });
  const { numCopies = 2, lambda = 5, eta = 0.5, form = 'default', adversary } = options;
  const { eps = 1, steps = 10, warmupEpochs = 10 } = adversary ?? {};
  const objective: Objective = (inputs) => {
    const attack = adversary && { eps: times(ramp(inputs.at.epoch, warmupEpochs), eps), steps };
    return consistencyTerms(withNoise(inputs, { ...options, numCopies }), { lambda, eta, form, adversary: attack })
      .loss;
  };
  return adversary ? Object.assign(objective, { box: [0, 1] as const }) : objective;
}
