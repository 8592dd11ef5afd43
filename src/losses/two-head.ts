import { any, atLeast, between, check, checkOptions, integer, required } from '../check/check.ts';
import { ShapeError } from '../gpu/errors.ts';
import { softplus } from '../ops/activations.ts';
import { add, maximum, mul, sub } from '../ops/binary.ts';
import { cast } from '../ops/cast.ts';
import { greaterEqual } from '../ops/compare.ts';
import { crossEntropy } from '../ops/cross-entropy.ts';
import { kthvalue } from '../ops/kthvalue.ts';
import { oneHot } from '../ops/one-hot.ts';
import { sum } from '../ops/reduce.ts';
import { slice } from '../ops/slice.ts';
import { softmax } from '../ops/softmax.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { noGrad } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { defineLoss } from './define.ts';
import type { Loss, LossOptions } from './loss.ts';
import { LOSS_RULES } from './loss-options.ts';

/** Options of {@link twoHead}. */
export interface TwoHeadOptions extends LossOptions {
  numClasses: number;
  /** Classes of a set on average: a real number, 0 < k <= classes. */
  k: number;
  /** Factor of the multi-label part. Default: 1. */
  lambda?: number;
}

/**
 * Two-head loss for average-k sets: logits (..., 2 classes) hold a softmax head s and a multi-label head m on one
 * trunk; the value is CE(s, y) + lambda sum_c BCE(sigmoid(m_c), b_c), b_c = 1 for the label and for the entries among
 * the floor(k rows) largest softmax scores of the batch, without a gradient (equal ones all count). Sets are `averageK`
 * of the second of {@link splitHeads}, with input 'scores'. After Garcin, Servajean, Joly, Salmon, "A two-head loss
 * function for deep average-K classification", 2023, arXiv 2303.18118: pseudo-labels by thresholding the first head so
 * that k classes are returned on average; the factor and the rule for a batch are not stated where it could be read,
 * and are a reconstruction. Rows without a label in range have no pseudo-labels of their own but count as rows. Throws
 * RangeError on k outside (0, classes] and a lambda that is negative or not finite.
 */
export function twoHead(given: TwoHeadOptions): Loss {
  checkOptions('twoHead', given, {
    k: required(any),
    lambda: atLeast(0),
    ...LOSS_RULES,
    numClasses: required(integer(1)),
  });
  const { numClasses, k, lambda = 1, ...options } = given;
  check('twoHead', { k }, { k: between(0, numClasses, '(]') });
  const values = (z: Tensor, labels: Tensor<'i32'>): Tensor => {
    const head = (i: number): Tensor => slice(z, { axes: 1, start: i * numClasses, end: (i + 1) * numClasses });
    const [s, m] = [head(0), head(1)];
    const targets = noGrad(() => pseudoLabels(s, labels, k));
    // BCE(sigmoid(m), b) = softplus(m) - b m
    return add(
      crossEntropy(s, labels, { reduction: 'none' }),
      mul(sum(sub(softplus(m), mul(targets, m)), { axes: 1 }), lambda),
    );
  };
  return defineLoss({ name: 'twoHead', values, ...options, numClasses, heads: 2 });
}

/** 1 for the label of each row and for the floor(k rows) largest softmax scores of all, (rows, classes). */
function pseudoLabels(s: Tensor, labels: Tensor<'i32'>, k: number): Tensor {
  const [rows, classes] = s.shape as [number, number];
  const hot = oneHot(labels, classes);
  const place = Math.floor(k * rows + 1e-9);
  if (place === 0) return hot;
  const scores = mul(softmax(s), sum(hot, { axes: 1, keepDim: true }));
  return maximum(hot, cast(greaterEqual(scores, kthvalue(scores, { k: place, largest: true }).value), 'f32'));
}

/**
 * Logits (rows, 2 classes) of a net for {@link twoHead}, on the host, as its softmax head and its multi-label head,
 * (rows, classes) each.
 */
export function splitHeads({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }): {
  softmax: NdArray<Float32Array>;
  multiLabel: NdArray<Float32Array>;
} {
  const [rows, width] = shape as [number, number];
  if (shape.length !== 2 || !(width > 0 && width % 2 === 0))
    throw new ShapeError(`splitHeads: logits have shape [${shape}], expected (rows, 2 classes)`);
  const classes = width / 2;
  const head = (i: number): NdArray<Float32Array> =>
    new NdArray(
      Float32Array.from(
        { length: rows * classes },
        (_, j) => data[Math.floor(j / classes) * width + i * classes + (j % classes)]!,
      ),
      [rows, classes],
    );
  return { softmax: head(0), multiLabel: head(1) };
}
