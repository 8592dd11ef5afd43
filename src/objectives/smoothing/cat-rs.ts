import { any, atLeast, checkOptions, integer, oneOf, positive, required } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import type { Objective } from '../../losses/objective.ts';
import { add, div, expand, maximum, mul, sub } from '../../ops/binary.ts';
import { cast } from '../../ops/cast.ts';
import { equal, greaterEqual, less } from '../../ops/compare.ts';
import { indexSelect } from '../../ops/gather.ts';
import { klDiv } from '../../ops/kl-div.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { argmax, max, mean, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { logSoftmax } from '../../ops/softmax.ts';
import { sort } from '../../ops/sort.ts';
import { sqrt, square } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { splitKey } from '../../random/key.ts';
import { bernoulli } from '../../random/random.ts';
import { scope } from '../../tensor/scope.ts';
import { gradients, noGrad, requireGrad, withGrad } from '../../tensor/tape.ts';
import { tensor, type Tensor } from '../../tensor/tensor.ts';
import { intoBall, lengths } from './adversarial-path.ts';
import {
  DRAW,
  entropies,
  noisy,
  perImage,
  withNoise,
  type LossTerms,
  type NoiseOptions,
  type NoisyInputs,
} from './noisy-inputs.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';

/** Options of {@link catRs}. */
export interface CatRsOptions extends NoiseOptions {
  /**
   * Smoothed predictions of a model trained with {@link gaussian}, (rows of the dataset, classes): see
   * {@link smoothedPredictions}.
   */
  targets: Tensor;
  /** Default: 4. */
  numCopies?: number;
  /** Weight of the worst-case term. Default: 1. */
  lambda?: number;
  /** l2 radius of the attack on the noise. Default: 1. */
  eps?: number;
  /** Default: 4. */
  steps?: number;
  /**
   * Whose confidence decides how many copies to trust: the share of 'copies' that are right, or what the 'targets' give
   * the label. Default: 'copies'.
   */
  confidence?: 'copies' | 'targets';
}

/** What {@link catRsTerms} takes besides the noise. */
export interface CatRsInputs extends NoisyInputs {
  /** Smoothed predictions of the batch, (batch, classes). */
  target: Tensor;
  /** How many of the m copies to trust, 0..m, (batch), from the confidence of each image. */
  accept(share: Tensor): Tensor;
}

/** What {@link catRs} adds up. */
export interface CatRsTerms extends LossTerms {
  low: Tensor;
  high: Tensor;
  /** The noise after the attack. */
  attacked: Tensor;
}

const CAT_RS = {
  sigma: required(SIGMA),
  numCopies: integer(1),
  targets: required(any),
  lambda: atLeast(0),
  eps: positive,
  steps: integer(1),
  confidence: oneOf('copies', 'targets'),
} as const;

/**
 * The loss of {@link catRs} for given noise. The clean copies pass before the attack, as running statistics see them.
 */
export function catRsTerms(
  inputs: CatRsInputs,
  options: Pick<CatRsOptions, 'lambda' | 'eps' | 'steps' | 'confidence'> = {},
): CatRsTerms {
  checkOptions('catRsTerms', options as Partial<CatRsOptions>, { ...CAT_RS, sigma: any, targets: any });
  const { lambda = 1, eps = 1, steps = 4, confidence = 'copies' } = options;
  const { x, y, forward, noise, target, accept } = inputs;
  const [batch, m] = noise.shape as [number, number];
  const logits = forward(noisy(x, noise));
  if (target.shape[1] !== logits.shape[1])
    throw new ShapeError(`catRs: targets have shape [${target.shape}], the model gives ${logits.shape[1]} classes`);
  const trusted = noGrad(() => {
    if (confidence === 'targets') return maximum(accept(sum(mul(target, oneHot(y, target.shape[1]!)), { axes: 1 })), 1);
    const right = equal(reshape(argmax(logits), [batch, m]), reshape(cast(y, 'u32'), [batch, 1]));
    return maximum(accept(mean(cast(right, 'f32'), { axes: 1 })), 1);
  });
  // The k smallest of m cross-entropies, over m.
  const { values } = sort(entropies(logits, y), { axis: 1 });
  const ranks = tensor(
    Float32Array.from({ length: m }, (_, j) => j),
    { shape: [1, m], gpu: x.gpu },
  );
  const low = mean(where(less(ranks, reshape(trusted, [batch, 1])), values, 0));

  const attacked = attackNoise(inputs, eps, steps);
  const divergence = divergences(forward(noisy(x, attacked)), target);
  const high = div(sum(where(greaterEqual(trusted, m), max(divergence, { axes: 1 }), 0)), batch);
  return { loss: add(low, mul(high, lambda)), low, high, attacked };
}

/** KL(target || softmax) of each copy, (batch, m). */
function divergences(logits: Tensor, target: Tensor): Tensor {
  const [batch, classes] = target.shape as [number, number];
  const each = perImage(logSoftmax(logits), batch);
  return sum(klDiv(each, expand(reshape(target, [batch, 1, classes]), each.shape), { reduction: 'none' }), { axes: 2 });
}

/**
 * Ascent of each noise vector on its divergence; after a step it has the mean and the mean square of the draw again.
 */
function attackNoise({ x, evaluate, noise, target }: CatRsInputs, eps: number, steps: number): Tensor {
  const [batch, m, ...features] = noise.shape as [number, number, ...number[]];
  const drawn = reshape(noise, [batch * m, ...features]).detach();
  const axes = features.map((_, i) => i + 1);
  const moments = (z: Tensor): [Tensor, Tensor] => [
    mean(z, { axes, keepDim: true }),
    sqrt(mean(square(z), { axes, keepDim: true })),
  ];
  return noGrad(() => {
    const [mean0, rms0] = moments(drawn);
    let at = drawn;
    for (let i = 0; i < steps; i++) {
      const before = at;
      at = scope(() => {
        const point = requireGrad(before.detach());
        const loss = withGrad(() => div(sum(divergences(evaluate(noisy(x, reshape(point, noise.shape))), target)), m));
        const [slope] = gradients(loss, [point]) as [Tensor];
        const moved = intoBall(drawn, add(before, mul(div(slope, add(lengths(slope), 1e-8)), (2 * eps) / steps)), eps);
        const [mean1, rms1] = moments(moved);
        return add(mean0, mul(div(sub(moved, mean1), rms1), rms0));
      });
    }
    return reshape(at, noise.shape);
  });
}

/**
 * CAT-RS. Jeong, Kim, Shin, "Confidence-aware training of smoothed classifiers for certified robustness", AAAI 2023.
 * With w the share of the m noisy copies that are classified right and k ~ max(1, Bin(m, w)):
 *
 *   loss = mean over images of (sum of the k smallest CE) / m
 *        + lambda [k = m] max_i KL(target || softmax f(x + noise_i*))
 *
 * where noise* is the noise after ascent on that divergence. The targets take a pass of a smoothed model over the
 * training set.
 */
export function catRs(options: CatRsOptions): Objective {
  checkOptions('catRs', options, CAT_RS);
  const { numCopies = 4, targets } = options;
  if (targets.rank !== 2)
    throw new ShapeError(`catRs: targets have shape [${targets.shape}], expected (rows of the dataset, classes)`);
  const objective: Objective = (inputs) => {
    const { x, index, random } = inputs;
    const batch = x.shape[0]!;
    // Bin(m, w) as m draws of one copy's chance.
    const accept = (share: Tensor): Tensor =>
      sum(
        bernoulli([batch, numCopies], splitKey(random.key, DRAW.acceptance), {
          p: expand(reshape(share, [batch, 1]), [batch, numCopies]),
          first: random.first,
          gpu: x.gpu,
        }),
        { axes: 1 },
      );
    return catRsTerms(
      { ...withNoise(inputs, { ...options, numCopies }), target: indexSelect(targets, index), accept },
      options,
    ).loss;
  };
  return Object.assign(objective, { rows: targets.shape[0]! });
}
