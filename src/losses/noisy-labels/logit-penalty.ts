import { checkOptions } from '../../check/check.ts';
import { mul } from '../../ops/binary.ts';
import { sum } from '../../ops/reduce.ts';
import { square } from '../../ops/unary.ts';
import { defineLoss } from '../define.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/**
 * Half the squared norm of the logits, 1/2 sum_k z_k^2, as a part of a sum: `combined([[1, crossEntropyLoss()], [0.01,
 * logitPenalty()]])` keeps logits small by a penalty where `logitClip` does it by a bound. Labels only say which rows
 * count.
 */
export function logitPenalty(options: LossOptions = {}): Loss {
  checkOptions('logitPenalty', options, LOSS_RULES);
  return defineLoss({ name: 'logitPenalty', values: (z) => mul(sum(square(z), { axes: 1 }), 0.5), ...options });
}
