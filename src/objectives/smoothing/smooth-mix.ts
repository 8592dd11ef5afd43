import { any, atLeast, checkOptions, integer, nullOr, positive, required } from '../../check/check.ts';
import type { Objective } from '../../losses/objective.ts';
import { add, div, mul, sub } from '../../ops/binary.ts';
import { cast } from '../../ops/cast.ts';
import { equal } from '../../ops/compare.ts';
import { klDiv } from '../../ops/kl-div.ts';
import { argmax, mean, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { logSoftmax } from '../../ops/softmax.ts';
import { clamp } from '../../ops/unary.ts';
import { splitKey } from '../../random/key.ts';
import { uniform } from '../../random/random.ts';
import { BOX } from '../../stats/box.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { adversarialPath, intoBall, times, type Scalar } from './adversarial-path.ts';
import {
  DRAW,
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

/** Options of {@link smoothMix}. */
export interface SmoothMixOptions extends NoiseOptions {
  /** Steps T of the path. Default: 8. */
  steps?: number;
  /** Length of a step, the paper's alpha. Default: 1. */
  stepSize?: number;
  /** Weight of the mixed term. Default: 1. */
  eta?: number;
  /**
   * The point of the path that takes the place of the clean image: 0, or 1 for the one-step adversary. Below `steps`.
   * Default: 0.
   */
  mixStep?: number;
  /** l2 ball around x that the path stays in. Default: null, none. */
  maxNorm?: number | null;
  /** l2 ball that the point of `mixStep` is brought into, times the warm-up. Default: stepSize * mixStep. */
  maxNormInit?: number;
  /** Epochs over which eta and maxNormInit grow. Default: 10. */
  warmupEpochs?: number;
  /** Interval of the pixels, in which the images must lie. Default: [0, 1]. */
  box?: readonly [number, number];
}

/** What {@link smoothMixTerms} takes besides the noise. */
export interface SmoothMixInputs extends NoisyInputs {
  /** Uniforms of [0, 1), (batch): twice the share of the adversary in the mix. */
  mixing: Tensor;
}

/** What {@link smoothMix} adds up, and the points it uses. */
export interface SmoothMixTerms extends LossTerms {
  natural: Tensor;
  mixed: Tensor;
  path: Tensor[];
  /** The point in place of the clean image. */
  init: Tensor;
  xMix: Tensor;
  /** The smoothed probabilities at `init`, and the target they give. */
  probability: Tensor;
  target: Tensor;
  /** 1 where the smoothed prediction is the label. */
  correct: Tensor;
}

const SMOOTH_MIX = {
  sigma: required(SIGMA),
  numCopies: integer(1),
  steps: integer(0),
  stepSize: positive,
  eta: atLeast(0),
  mixStep: integer(0),
  maxNorm: nullOr(atLeast(0)),
  maxNormInit: atLeast(0),
  warmupEpochs: integer(1),
  box: BOX,
} as const;

/**
 * The loss of {@link smoothMix} for given noise and mixing; `warmup` is the factor itself. As in the code, mixStep >=
 * steps leaves the clean image.
 */
export function smoothMixTerms(
  inputs: SmoothMixInputs,
  options: Omit<SmoothMixOptions, keyof NoiseOptions | 'warmupEpochs'> & { warmup?: Scalar } = {},
): SmoothMixTerms {
  checkOptions('smoothMixTerms', options as Partial<SmoothMixOptions> & { warmup?: Scalar }, {
    ...SMOOTH_MIX,
    sigma: any,
    warmup: any,
  });
  const { x, y, forward, noise, mixing } = inputs;
  const {
    steps = 8,
    stepSize = 1,
    eta = 1,
    mixStep = 0,
    maxNorm = null,
    maxNormInit = stepSize * mixStep,
    warmup = 1,
    box = [0, 1],
  } = options;
  const batch = x.shape[0]!;
  const path = adversarialPath(inputs, { steps, stepSize, radius: maxNorm, box });
  const init =
    mixStep > 0 && mixStep < steps ? clamp(intoBall(x, path[mixStep]!, times(warmup, maxNormInit)), ...box) : x;

  const clean = forward(noisy(init, noise));
  const natural = mean(entropies(clean, y));
  const probability = smoothed(clean, batch);
  const classes = probability.shape[1]!;

  const share = mul(mixing, 0.5);
  const xMix = add(init, mul(reshape(share, [batch, ...x.shape.slice(1).map(() => 1)]), sub(path.at(-1)!, init)));
  const part = reshape(share, [batch, 1]);
  // Not detached: the gradient reaches the target too.
  const target = add(mul(probability, sub(1, part)), div(part, classes));
  // The mean over the copies of KL(target || softmax): the target is the same for all of them.
  const logits = mean(perImage(logSoftmax(forward(noisy(xMix, noise))), batch), { axes: 1 });
  const correct = cast(equal(argmax(probability), cast(y, 'u32')), 'f32');
  const mixed = mean(mul(correct, sum(klDiv(logits, target, { reduction: 'none' }), { axes: 1 })));
  return {
    loss: add(natural, mul(mul(mixed, eta), warmup)),
    natural,
    mixed,
    path,
    init,
    xMix,
    probability,
    target,
    correct,
  };
}

/**
 * SmoothMix. Jeong, Park, Kim, Lee, Kim, Shin, "SmoothMix: training confidence-calibrated smoothed classifiers for
 * certified robustness", NeurIPS 2021. An adversarial path of the smoothed classifier leads from each image to where it
 * is over-confident; the image is mixed with the end of the path, its smoothed prediction with the uniform
 * distribution, by a share lam ~ U[0, 1/2]:
 *
 *   loss = mean CE(f(z + noise), y) + eta w mean c KL((1 - lam) pbar + lam / K || softmax f(xMix + noise))
 *
 * with pbar the mean softmax over the m copies, c = [argmax pbar = y], the same noise in path and both passes, and w
 * the warm-up. Default: m = 1 draw; the paper has 4 on MNIST, 2 on CIFAR-10.
 */
export function smoothMix(options: SmoothMixOptions): Objective {
  checkOptions('smoothMix', options, SMOOTH_MIX);
  const { steps = 8, mixStep = 0, warmupEpochs = 10 } = options;
  if (mixStep > 0 && mixStep >= steps)
    throw new RangeError(
      `smoothMix: mixStep is ${mixStep}, expected less than steps, ${steps}; else the clean image would stay`,
    );
  const box = options.box ?? ([0, 1] as const);
  const objective: Objective = (inputs) => {
    const { x, random, at } = inputs;
    const mixing = uniform([x.shape[0]!], splitKey(random.key, DRAW.mixing), { first: random.first, gpu: x.gpu });
    return smoothMixTerms(
      { ...withNoise(inputs, options), mixing },
      { ...options, warmup: ramp(at.epoch, warmupEpochs) },
    ).loss;
  };
  return Object.assign(objective, { box });
}
