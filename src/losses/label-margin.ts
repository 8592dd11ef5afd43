import { softplus } from '../ops/activations.ts';
import { mul, sub } from '../ops/binary.ts';
import { gather } from '../ops/gather.ts';
import { logsumexp } from '../ops/logsumexp.ts';
import { oneHot } from '../ops/one-hot.ts';
import { reshape } from '../ops/reshape.ts';
import { exp, neg } from '../ops/unary.ts';
import { where } from '../ops/where.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** The logit of a class that is left out: below every other, that of a masked class too. */
export const LEFT_OUT = -3e38;

/** Entry of the label in each row. values: (rows, classes); labels: (rows). Zero where the label is no class. */
export function ofLabel(values: Tensor, labels: Tensor<'i32'>): Tensor {
  return reshape(gather(values, reshape(labels, [labels.size, 1])), [labels.size]);
}

/** values (rows, classes) with the label's entry set to {@link LEFT_OUT}. */
export function withoutLabel(values: Tensor, labels: Tensor<'i32'>): Tensor {
  return where(oneHot(labels, values.shape[1]!, { dtype: 'bool' }), LEFT_OUT, values);
}

/**
 * m = z_y - logsumexp_{j != y} z_j, (rows): softmax gives the label the probability sigmoid(m), and both p and 1 - p
 * keep their digits.
 */
export function labelMargin(logits: Tensor, labels: Tensor<'i32'>): Tensor {
  return sub(ofLabel(logits, labels), logsumexp(withoutLabel(logits, labels), { axes: 1 }));
}

/** (1 - p)^gamma (-log p) for p = sigmoid(margin); finite, with a finite gradient, for every gamma >= 0. */
export function focalOf(margin: Tensor, gamma: number): Tensor {
  return mul(exp(mul(softplus(margin), -gamma)), softplus(neg(margin)));
}
