import { atLeast, checkOptions, oneOf } from '../../check/check.ts';
import { add, mul, sub } from '../../ops/binary.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { mean, sum } from '../../ops/reduce.ts';
import { logSoftmax, softmax } from '../../ops/softmax.ts';
import { abs, exp } from '../../ops/unary.ts';
import { defineLoss } from '../define.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** Options of {@link entropyPenalty}. */
export interface EntropyPenaltyOptions extends LossOptions {
  /** Factor of the entropy. Default: 0.1. */
  lambda?: number;
  /** Over the classes: 'sum' is the entropy; 'mean', as the code of CALS, is 1 / classes of it. Default: 'sum'. */
  classReduction?: 'sum' | 'mean';
}

/** Options of {@link l1Penalty}. */
export interface L1PenaltyOptions extends LossOptions {
  /** Factor of the distance. Default: 1. */
  lambda?: number;
}

/**
 * Confidence penalty: cross-entropy - lambda H(p), H(p) = -sum_k p_k log p_k. Pereyra et al., "Regularizing neural
 * networks by penalizing confident output distributions", 2017. Throws RangeError when lambda is negative or not
 * finite.
 */
export function entropyPenalty(given: EntropyPenaltyOptions = {}): Loss {
  checkOptions('entropyPenalty', given, { lambda: atLeast(0), classReduction: oneOf('sum', 'mean'), ...LOSS_RULES });
  const { lambda = 0.1, classReduction = 'sum', ...options } = given;
  const over = classReduction === 'mean' ? mean : sum;
  return defineLoss({
    name: 'entropyPenalty',
    values: (z, labels) => {
      const logs = logSoftmax(z);
      return add(crossEntropy(z, labels, { reduction: 'none' }), mul(over(mul(exp(logs), logs), { axes: 1 }), lambda));
    },
    ...options,
  });
}

/**
 * Cross-entropy + lambda sum_k |p_k - 1 / classes|, the distance to the uniform distribution, as in the code of CALS.
 * Errors as for {@link entropyPenalty}.
 */
export function l1Penalty(given: L1PenaltyOptions = {}): Loss {
  checkOptions('l1Penalty', given, { lambda: atLeast(0), ...LOSS_RULES });
  const { lambda = 1, ...options } = given;
  return defineLoss({
    name: 'l1Penalty',
    values: (z, labels) =>
      add(
        crossEntropy(z, labels, { reduction: 'none' }),
        mul(sum(abs(sub(softmax(z), 1 / z.shape[1]!)), { axes: 1 }), lambda),
      ),
    ...options,
  });
}
