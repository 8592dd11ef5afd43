import { boolean, checkOptions, integer, listOf, nonEmpty, positive, required } from '../../check/check.ts';
import { equal } from '../../ops/compare.ts';
import { indexSelect } from '../../ops/gather.ts';
import { mean } from '../../ops/reduce.ts';
import { where } from '../../ops/where.ts';
import { splitKey } from '../../random/key.ts';
import { randint } from '../../random/random.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { asLoss } from '../../losses/define.ts';
import type { Loss, LossFunction } from '../../losses/loss.ts';
import { blend, mixedLoss } from './mixing.ts';
import { drawPairs, type MixupOptions } from './mixup.ts';
import type { Objective } from '../../losses/objective.ts';

/** Options of {@link manifoldMixup}. */
export interface ManifoldMixupOptions extends Pick<MixupOptions, 'perSample'> {
  /**
   * Depths that may be mixed at, each as likely as the others: 0 is the input, d the output of the first d layers
   * of the model.
   */
  layers: readonly number[];
  /** Of the share's distribution Beta(alpha, alpha), above 0. Default: 2. */
  alpha?: number;
}

/**
 * Manifold mixup, for `fit({ objective })`: mixup at one of the depths `layers`, drawn anew in each step
 * on the device. Permutation, shares and the loss are those of `mixup` and `mixed`; with `layers: [0]` it is mixup.
 * Class weights of schedules reach the loss, and `dispose` frees it. Verma, Lamb, Beckham, Najafi, Mitliagkas,
 * Lopez-Paz, Bengio, "Manifold mixup", ICML 2019. Throws RangeError on options out of range and on a depth that the
 * model does not have before its logits.
 */
export function manifoldMixup(loss: Loss | LossFunction, given: ManifoldMixupOptions): Objective {
  checkOptions('manifoldMixup', given, {
    layers: required(nonEmpty(listOf(integer(0)))),
    alpha: positive,
    perSample: boolean,
  });
  const { layers, alpha = 2, perSample = false } = given;
  const base = asLoss(loss, 'manifoldMixup');
  const objective: Objective = ({ x, y, forward, random }) => {
    const { order, weight, drawn } = noGrad(() => ({
      ...drawPairs({ x, y, random }, alpha, perSample),
      drawn: randint([1], splitKey(random.key, 2), { low: 0, high: layers.length, first: random.first, gpu: x.gpu }),
    }));
    let deepest = 0;
    const mixedAt = (hidden: Tensor, depth: number): Tensor => {
      deepest = depth;
      const at = layers.indexOf(depth);
      if (at < 0) return hidden;
      const isHere = noGrad(() => equal(drawn, at));
      return where(isHere, blend(hidden, indexSelect(hidden, order), weight), hidden);
    };
    const logits = forward(mixedAt(x, 0), { hook: mixedAt });
    const far = layers.find((depth) => depth >= deepest);
    if (far !== undefined)
      throw new RangeError(
        `manifoldMixup: layers has ${far}, the model has ${deepest} layers, expected depths in 0..${deepest - 1}`,
      );
    return mean(mixedLoss(base, logits, y, { partner: indexSelect(y, order), weight }));
  };
  return Object.assign(objective, {
    setClassWeight: (w: ArrayLike<number> | null) => base.setClassWeight(w),
    dispose: () => base.dispose(),
  });
}
