import { atLeast, between, checkOptions } from '../../check/check.ts';
import { less } from '../../ops/compare.ts';
import { where } from '../../ops/where.ts';
import { noGrad } from '../../tensor/tape.ts';
import { defineLoss } from '../define.ts';
import { focalOf, labelMargin } from '../label-margin.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** Options of {@link focalAdaptive}. */
export interface FocalAdaptiveOptions extends LossOptions {
  /** Exponent for confident samples. Default: 3. */
  gamma?: number;
  /** Exponent where the label's probability is below `threshold`. Default: 5. */
  gammaLow?: number;
  /** In (0, 1). Default: 0.2. */
  threshold?: number;
}

/**
 * Focal loss with an exponent chosen by sample (FLSD-53): -(1 - p_y)^g log p_y, g = gammaLow where p_y < threshold,
 * else gamma; the choice is a constant for the gradient, and the value jumps there. Mukhoti et al., "Calibrating deep
 * neural networks using focal loss", NeurIPS 2020. Throws RangeError when an exponent is negative or not finite, or the
 * threshold not in (0, 1).
 */
export function focalAdaptive(given: FocalAdaptiveOptions = {}): Loss {
  checkOptions('focalAdaptive', given, {
    gamma: atLeast(0),
    gammaLow: atLeast(0),
    threshold: between(0, 1, '()'),
    ...LOSS_RULES,
  });
  const { gamma = 3, gammaLow = 5, threshold = 0.2, ...options } = given;
  const bound = Math.log(threshold / (1 - threshold)); // p = sigmoid(margin)
  return defineLoss({
    name: 'focalAdaptive',
    values: (z, labels) => {
      const margin = labelMargin(z, labels);
      return where(
        noGrad(() => less(margin, bound)),
        focalOf(margin, gammaLow),
        focalOf(margin, gamma),
      );
    },
    ...options,
  });
}
