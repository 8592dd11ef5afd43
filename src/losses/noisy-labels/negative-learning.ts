import { checkOptions } from '../../check/check.ts';
import { softplus } from '../../ops/activations.ts';
import { defineLoss } from '../define.ts';
import { labelMargin } from '../label-margin.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/**
 * Negative learning: -log(1 - p_c) for a class c that the sample does not have. The labels of a call are such
 * complementary ones, usually drawn from all classes but the given label, afresh in each epoch. Kim, Yim, Yun, Kim,
 * "NLNL: negative learning for noisy labels", ICCV 2019.
 */
export function negativeLearning(options: LossOptions = {}): Loss {
  checkOptions('negativeLearning', options, LOSS_RULES);
  return defineLoss({ name: 'negativeLearning', values: (z, labels) => softplus(labelMargin(z, labels)), ...options });
}
