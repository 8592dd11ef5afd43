import { atLeast, checkOptions, oneOf } from '../../check/check.ts';
import { add, mul, sub } from '../../ops/binary.ts';
import { relu } from '../../ops/activations.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { gather } from '../../ops/gather.ts';
import { argmax, mean, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { defineLoss } from '../define.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** Options of {@link mbls}. */
export interface MblsOptions extends LossOptions {
  /** Largest gap max z - z_k that costs nothing. Default: 10. */
  margin?: number;
  /** Factor of the penalty. Default: 0.1. */
  lambda?: number;
  /**
   * Over the classes: 'mean' as the released code, 'sum' as the paper's formula, which is `classes` times as strong.
   * Default: 'mean'.
   */
  classReduction?: 'mean' | 'sum';
}

/** d_k = max_j z_j - z_k of logits (rows, classes); of equal largest logits the first takes the gradient. */
export function logitGaps(z: Tensor): Tensor {
  return sub(gather(z, reshape(argmax(z), [z.shape[0]!, 1])), z);
}

/**
 * Margin-based label smoothing: cross-entropy + lambda mean_k max(0, max z - z_k - margin). Label smoothing asks for
 * equal logits; this asks only that they lie within a margin. Liu, Ben Ayed, Galdran, Dolz, "The devil is in the
 * margin", CVPR 2022. Throws RangeError when margin or lambda is negative or not finite.
 */
export function mbls(given: MblsOptions = {}): Loss {
  checkOptions('mbls', given, {
    margin: atLeast(0),
    lambda: atLeast(0),
    classReduction: oneOf('mean', 'sum'),
    ...LOSS_RULES,
  });
  const { margin = 10, lambda = 0.1, classReduction = 'mean', ...options } = given;
  const over = classReduction === 'mean' ? mean : sum;
  return defineLoss({
    name: 'mbls',
    values: (z, labels) =>
      add(
        crossEntropy(z, labels, { reduction: 'none' }),
        mul(over(relu(sub(logitGaps(z), margin)), { axes: 1 }), lambda),
      ),
    ...options,
  });
}
