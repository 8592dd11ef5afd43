import { expectOptions } from '../check/options.ts';
import { expectShape, type Tensor } from '../tensor/tensor.ts';
import { div, sub } from './binary.ts';
import { greater } from './compare.ts';
import { reduced, expectReduction, type ElementReduction } from './reduction.ts';
import { sum } from './reduce.ts';
import { times } from './times.ts';
import { exp, log } from './unary.ts';
import { where } from './where.ts';

/** Options of {@link klDiv}. */
export interface KlDivOptions {
  /**
   * 'batchmean' divides the sum by the first axis: the mathematical divergence. Default: 'mean', over all elements, as
   * PyTorch.
   */
  reduction?: ElementReduction | 'batchmean';
  /** The target is a log-probability too. Default: false. */
  logTarget?: boolean;
}

/**
 * target (log target - input), where a target of 0 counts for nothing, against -Infinity too; `input` are
 * log-probabilities, `target` probabilities of the same shape. The order of arguments is PyTorch's kl_div: KL(target ||
 * exp(input)). Both have gradients.
 */
export function klDiv(input: Tensor, target: Tensor, options: KlDivOptions = {}): Tensor {
  expectOptions('klDiv', options, ['reduction', 'logTarget']);
  const { reduction = 'mean', logTarget = false } = options;
  expectReduction('klDiv', reduction, ['mean', 'batchmean', 'sum', 'none']);
  expectShape(target, input.shape, 'klDiv: target');
  const values = logTarget
    ? ofLogs(input, target)
    : times(target, sub(log(where(greater(target, 0), target, 1)), input));
  if (reduction !== 'batchmean') return reduced(values, reduction);
  return div(sum(values), input.shape[0] ?? 1);
}

/** e^target (target - input); target -Infinity less input -Infinity must not be NaN. */
function ofLogs(input: Tensor, target: Tensor): Tensor {
  const p = exp(target);
  return times(p, sub(where(p, target, 0), input));
}
