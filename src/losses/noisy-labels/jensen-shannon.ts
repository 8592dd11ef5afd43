import { between, checkOptions } from '../../check/check.ts';
import { sigmoid, softplus } from '../../ops/activations.ts';
import { add, mul, sub } from '../../ops/binary.ts';
import { log, neg } from '../../ops/unary.ts';
import { defineLoss } from '../define.ts';
import { labelMargin } from '../label-margin.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** Options of {@link jensenShannon}. */
export interface JensenShannonOptions extends LossOptions {
  /**
   * Weight of the one-hot label in the mixture, in (0, 1): towards 0 cross-entropy, towards 1 the absolute error 1 - p.
   * Default: 0.5.
   */
  pi?: number;
}

/**
 * Jensen-Shannon divergence of the one-hot label e and the softmax p, (H(pi e + (1 - pi) p) - (1 - pi) H(p)) / -((1 -
 * pi) log(1 - pi)), which depends on p_y alone: with m = pi + (1 - pi) p_y it is (p_y log(p_y / m) - pi / (1 - pi) log
 * m) / -log(1 - pi) + 1 - p_y. Englesson, Azizpour, "Generalized Jensen-Shannon divergence loss for learning with noisy
 * labels", NeurIPS 2021. Throws RangeError unless 0 < pi < 1.
 */
export function jensenShannon(given: JensenShannonOptions = {}): Loss {
  checkOptions('jensenShannon', given, { pi: between(0, 1, '()'), ...LOSS_RULES });
  const { pi = 0.5, ...options } = given;
  return defineLoss({
    name: 'jensenShannon',
    values: (z, labels) => {
      const margin = labelMargin(z, labels);
      const [p, rest, logP] = [sigmoid(margin), sigmoid(neg(margin)), neg(softplus(neg(margin)))];
      // m = 1 - (1 - pi) (1 - p), without cancellation near p = 1.
      const logM = log(sub(1, mul(rest, 1 - pi)));
      const divergence = sub(mul(p, sub(logP, logM)), mul(logM, pi / (1 - pi)));
      return add(mul(divergence, -1 / Math.log1p(-pi)), rest);
    },
    ...options,
  });
}
