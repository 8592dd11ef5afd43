import { atLeast, checkOptions, oneOf } from '../../check/check.ts';
import { softplus } from '../../ops/activations.ts';
import { add, mul, sub } from '../../ops/binary.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { neg } from '../../ops/unary.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { defineLoss } from '../define.ts';
import { ofLabel } from '../label-margin.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** Options of {@link cpc}. */
export interface CpcOptions extends LossOptions {
  /** Factor of the discrimination constraints. Default: 0.1. */
  lambdaBdc?: number;
  /** Factor of the exclusion constraints. Default: 1. */
  lambdaBec?: number;
  /**
   * 'released-code': adds log 2 / (2 (classes - 2)), from pairs of a class with itself that the code sums; the gradient
   * is the same.
   */
  compat?: 'released-code';
}

/**
 * Pairwise constraints: cross-entropy - lambdaBdc mean_{k != y} log sigmoid(z_y - z_k) - lambdaBec / 2 mean_{k, l} log
 * sigmoid(z_k - z_l) over ordered pairs of distinct classes other than the label, which is smallest where their logits
 * are equal. The last term needs three classes and is 0 below. Cheng and Vasconcelos, "Calibrating deep neural networks
 * by pairwise constraints", CVPR 2022. The cost is rows classes^2. Throws RangeError when a factor is negative or not
 * finite.
 */
export function cpc(given: CpcOptions = {}): Loss {
  checkOptions('cpc', given, {
    lambdaBdc: atLeast(0),
    lambdaBec: atLeast(0),
    compat: oneOf('released-code'),
    ...LOSS_RULES,
  });
  const { lambdaBdc = 0.1, lambdaBec = 1, compat, ...options } = given;
  const values = (z: Tensor, labels: Tensor<'i32'>): Tensor => {
    const [rows, k] = z.shape as [number, number];
    const others = noGrad(() => sub(1, oneHot(labels, k)));
    const target = reshape(ofLabel(z, labels), [rows, 1]);
    const bdc = mul(sum(mul(softplus(sub(z, target)), others), { axes: 1 }), lambdaBdc / Math.max(1, k - 1));
    const base = add(crossEntropy(z, labels, { reduction: 'none' }), bdc);
    if (k < 3) return base;
    const pairs = noGrad(() => {
      const all = mul(reshape(others, [rows, k, 1]), reshape(others, [rows, 1, k]));
      return mul(
        all,
        sub(
          1,
          oneHot(
            Array.from({ length: k }, (_, c) => c),
            k,
          ),
        ),
      );
    });
    const apart = softplus(neg(sub(reshape(z, [rows, k, 1]), reshape(z, [rows, 1, k]))));
    const bec = mul(sum(mul(apart, pairs), { axes: [1, 2] }), lambdaBec / (2 * (k - 1) * (k - 2)));
    return add(base, compat ? add(bec, (lambdaBec * Math.LN2) / (2 * (k - 2))) : bec);
  };
  return defineLoss({ name: 'cpc', values, ...options });
}
