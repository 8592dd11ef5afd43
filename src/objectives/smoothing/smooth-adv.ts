import { any, boolean, checkOptions, integer, oneOf, positive, required } from '../../check/check.ts';
import type { Objective, ObjectiveInputs } from '../../losses/objective.ts';
import { mean } from '../../ops/reduce.ts';
import { splitKey, type Key } from '../../random/key.ts';
import { normal } from '../../random/random.ts';
import { BOX } from '../../stats/box.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { adversarialPath, times, type PathOptions, type Scalar } from './adversarial-path.ts';
import {
  DRAW,
  entropies,
  noisy,
  ramp,
  withNoise,
  type LossTerms,
  type NoiseOptions,
  type NoisyInputs,
} from './noisy-inputs.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';

/** Options of {@link smoothAdv}. */
export interface SmoothAdvOptions extends NoiseOptions {
  /** Radius of the attack, l2. The code's flag counts in 256ths: 255 is 0.996. Default: 255 / 256. */
  eps?: number;
  /** Steps, each of length 2 eps / steps. Default: 10. */
  steps?: number;
  /** Epochs over which eps grows. Default: 10. */
  warmupEpochs?: number;
  /** Attack by mean(-P(y) noise), without a backward pass. Default: false. */
  gradientFree?: boolean;
  /** Interval of the pixels, in which the images must lie. Default: [0, 1]. */
  box?: readonly [number, number];
  /** An image whose gradient is zero stays, or moves by a normal draw, as in the code. Default: 'stay'. */
  zeroGradient?: 'stay' | 'normal';
}

/** What {@link smoothAdv} uses. */
export interface SmoothAdvTerms extends LossTerms {
  path: Tensor[];
}

/** What fixes the attack, once noise and warm-up are given. */
export type SmoothAdvAttack = Pick<SmoothAdvOptions, 'steps' | 'gradientFree' | 'box'> &
  Pick<PathOptions, 'lost'> & { eps?: Scalar };

const SMOOTH_ADV = {
  sigma: required(SIGMA),
  numCopies: integer(1),
  eps: positive,
  steps: integer(1),
  warmupEpochs: integer(1),
  gradientFree: boolean,
  box: BOX,
  zeroGradient: oneOf('stay', 'normal'),
} as const;

/** The loss of {@link smoothAdv} for given noise; a scalar `eps` on the device may grow. */
export function smoothAdvTerms(inputs: NoisyInputs, options: SmoothAdvAttack = {}): SmoothAdvTerms {
  checkOptions('smoothAdvTerms', options as Omit<Partial<SmoothAdvOptions>, 'eps'> & SmoothAdvAttack, {
    ...SMOOTH_ADV,
    sigma: any,
    eps: any,
    lost: any,
  });
  const { eps = 255 / 256, steps = 10, ...rest } = options;
  const { y, forward, noise } = inputs;
  const path = adversarialPath(inputs, {
    ...rest,
    steps,
    stepSize: times(eps, 2 / steps),
    radius: eps,
    project: 'after',
    damping: 0,
  });
  return { loss: mean(entropies(forward(noisy(path.at(-1)!, noise)), y)), path };
}

/**
 * Adversarial training of the smoothed classifier: cross-entropy of f(x + delta + noise) with delta found by projected
 * ascent on -log mean_i softmax f(x + delta + noise_i)_y, the same noise in both. Salman et al., NeurIPS 2019. Default:
 * m = 1 draw.
 */
export function smoothAdv(options: SmoothAdvOptions): Objective {
  checkOptions('smoothAdv', options, SMOOTH_ADV);
  const { eps = 255 / 256, warmupEpochs = 10, zeroGradient = 'stay' } = options;
  const box = options.box ?? ([0, 1] as const);
  const objective: Objective = (inputs) => {
    const lost = zeroGradient === 'normal' && {
      lost: (step: number) => directions(inputs, splitKey(splitKey(inputs.random.key, DRAW.direction), step)),
    };
    return smoothAdvTerms(withNoise(inputs, options), {
      ...options,
      ...lost,
      eps: times(ramp(inputs.at.epoch, warmupEpochs), eps),
    }).loss;
  };
  return Object.assign(objective, { box });
}

function directions({ x, random }: ObjectiveInputs, key: Key): Tensor {
  return normal(x.shape, key, { first: random.first, gpu: x.gpu });
}
