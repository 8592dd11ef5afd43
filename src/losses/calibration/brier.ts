import { checkOptions } from '../../check/check.ts';
import { sub } from '../../ops/binary.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { sum } from '../../ops/reduce.ts';
import { softmax } from '../../ops/softmax.ts';
import { square } from '../../ops/unary.ts';
import { defineLoss } from '../define.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/**
 * Brier loss sum_k (p_k - [k = y])^2 of the softmax, in [0, 2]: a proper score that does not reward saturation. Brier,
 * 1950.
 */
export function brierLoss(options: LossOptions = {}): Loss {
  checkOptions('brierLoss', options, LOSS_RULES);
  return defineLoss({
    name: 'brierLoss',
    values: (z, labels) => sum(square(sub(softmax(z), oneHot(labels, z.shape[1]!))), { axes: 1 }),
    ...options,
  });
}
