import { atLeast, checkOptions, oneOf, positive } from '../../check/check.ts';
import { add, div, maximum, mul, sub } from '../../ops/binary.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { argmax, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { softmax } from '../../ops/softmax.ts';
import { abs, exp, sign, sqrt } from '../../ops/unary.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { defineLoss } from '../define.ts';
import { ofLabel } from '../label-margin.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** Options of {@link mmce}. */
export interface MmceOptions extends LossOptions {
  /** Factor of the calibration term. Default: 1. */
  lambda?: number;
  /** Width of the kernel exp(-|r_i - r_j| / width). Default: 0.4. */
  width?: number;
  /**
   * true: the weighted form, sqrt of the distance between the mean embeddings of right and of wrong rows, so that the
   * few wrong ones count; 0 where there is but one kind. 'released-code': divides by the square of their numbers, as
   * the code of CALS and of focal calibration. Default: false, sum_ij (c_i - r_i) (c_j - r_j) k_ij / rows^2.
   */
  weighted?: boolean | 'released-code';
}

/**
 * Cross-entropy + lambda MMCE, the maximum mean calibration error of the batch: r is the confidence max p, of equal
 * ones the first, c whether the prediction is right.
 * Every row gets the whole term, so that a mean adds it once; rows without a label in range take no part. The cost is
 * rows^2. Kumar, Sarawagi, Jain, "Trainable calibration measures for neural networks from kernel mean embeddings", ICML
 * 2018. Throws RangeError when lambda is negative or not finite, or the width not positive.
 */
export function mmce(given: MmceOptions = {}): Loss {
  checkOptions('mmce', given, {
    lambda: atLeast(0),
    width: positive,
    weighted: oneOf<boolean | 'released-code'>(true, false, 'released-code'),
    ...LOSS_RULES,
  });
  const { lambda = 1, width = 0.4, weighted = false, ...options } = given;
  return defineLoss({
    name: 'mmce',
    values: (z, labels) =>
      add(crossEntropy(z, labels, { reduction: 'none' }), mul(term(z, labels, width, weighted), lambda)),
    ...options,
  });
}

function term(z: Tensor, labels: Tensor<'i32'>, width: number, weighted: MmceOptions['weighted']): Tensor {
  const [rows, classes] = z.shape as [number, number];
  const predicted = argmax(z) as unknown as Tensor<'i32'>;
  const confidence = ofLabel(softmax(z), predicted);
  // Share of each row: 1 / rows, or 1 over the number of rows of its kind; rows without a label have none.
  const { right, share, isMixed } = noGrad(() => {
    const hit = ofLabel(oneHot(predicted, classes), labels);
    const valid = sum(oneHot(labels, classes), { axes: 1 });
    const miss = sub(valid, hit);
    const [all, hits, misses] = [valid, hit, miss].map((v) => sum(v)) as [Tensor, Tensor, Tensor];
    const over = (kind: Tensor, n: Tensor): Tensor =>
      div(kind, maximum(weighted === 'released-code' ? mul(n, n) : n, 1));
    return {
      right: hit,
      share: weighted ? add(over(hit, hits), over(miss, misses)) : div(valid, maximum(all, 1)),
      isMixed: sign(mul(hits, misses)),
    };
  });
  const gap = mul(sub(right, confidence), share);
  const kernel = exp(mul(abs(sub(reshape(confidence, [rows, 1]), reshape(confidence, [1, rows]))), -1 / width));
  const total = sum(mul(mul(reshape(gap, [rows, 1]), reshape(gap, [1, rows])), kernel));
  if (!weighted) return total;
  // A distance, at least 0 but for rounding; the square root has no slope at 0.
  return mul(sqrt(add(maximum(total, 0), 1e-10)), isMixed);
}
