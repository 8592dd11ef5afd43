import { between, checkOptions, positive, required } from '../../check/check.ts';
import { relu } from '../../ops/activations.ts';
import { add, mul, sub } from '../../ops/binary.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { max, mean, sum } from '../../ops/reduce.ts';
import { defineLoss } from '../../losses/define.ts';
import type { Loss, LossOptions } from '../../losses/loss.ts';
import { LOSS_RULES } from '../../losses/loss-options.ts';

/** Options of {@link linfHinge}. */
export interface LinfHingeOptions extends LossOptions {
  /** Radius that training asks for, in the units of the model's input. */
  epsTrain: number;
  /**
   * Share of the largest margin against the mean over the classes. Default: 0.75; the authors take 1 on Fashion-MNIST.
   */
  mix?: number;
}

/**
 * mix max_j max(0, m_j) + (1 - mix) mean_j max(0, m_j), m_j = g_j - g_y + 2 epsTrain and m_y = 0: the hinge that
 * trained the first l-infinity-distance nets, for outputs g that are 1-Lipschitz. Zero when the margin is 2 epsTrain.
 * The mean counts the label, as in the authors' code. Default reduction: 'mean'. Zhang, Cai, Lu, He and Wang, ICML
 * 2021.
 */
export function linfHinge(given: LinfHingeOptions): Loss {
  checkOptions('linfHinge', given, { epsTrain: required(positive), mix: between(0, 1), ...LOSS_RULES });
  const { epsTrain, mix = 0.75, reduction = 'mean', ...rest } = given;
  return defineLoss({
    name: 'linfHinge',
    values: (g, labels) => {
      const own = oneHot(labels, g.shape[1]!);
      const label = sum(mul(g, own), { axes: 1, keepDim: true });
      const margins = relu(add(sub(g, label), mul(sub(1, own), 2 * epsTrain)));
      return add(mul(max(margins, { axes: 1 }), mix), mul(mean(margins, { axes: 1 }), 1 - mix));
    },
    reduction,
    ...rest,
  });
}
