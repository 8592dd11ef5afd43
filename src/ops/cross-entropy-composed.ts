import { sizeOf } from '../tensor/shape.ts';
import { noGrad } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { add, mul, sub } from './binary.ts';
import type { CrossEntropyOptions } from './cross-entropy.ts';
import { indexSelect } from './gather.ts';
import { holdLogits, weighRows } from './held-logits.ts';
import { oneHot } from './one-hot.ts';
import { meanOf, type Reduction } from './reduction.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { logSoftmax } from './softmax.ts';

/**
 * The value of `crossEntropy` by ops that can be differentiated any number of times; what its gradient is recorded with
 * when gradients of gradients are wanted. Ignored labels and those outside the classes have rows of zeros; a row whose
 * `dy` is 0 counts for nothing.
 */
export function composedCrossEntropy(
  logits: Tensor,
  labels: Tensor<'i32'>,
  perClass: Tensor,
  { s = 1, sampleWeight, labelSmoothing = 0, ignoreIndex = -100 }: CrossEntropyOptions,
  reduction: Reduction,
  dy: Tensor,
): Tensor {
  const classes = logits.shape.at(-1)!;
  const rows = sizeOf(labels.shape);
  const { hot, scale, shift, margin, weight, counts, valid, rowWeight } = noGrad(() => {
    const row = (i: number): Tensor => indexSelect(perClass, [i]);
    const all = reshape(oneHot(labels, classes), [rows, classes]);
    const hot = ignoreIndex >= 0 && ignoreIndex < classes ? mul(all, sub(1, oneHot([ignoreIndex], classes))) : all;
    const weight = row(3);
    const counts = sum(hot, { axes: 1 });
    const sample = sampleWeight && reshape(sampleWeight, [rows]);
    const ofLabel = sum(mul(hot, weight), { axes: 1 });
    return {
      hot,
      scale: row(0),
      shift: row(1),
      margin: row(2),
      weight,
      counts,
      valid: sample ? mul(counts, sample) : counts,
      rowWeight: sample ? mul(ofLabel, sample) : ofLabel,
    };
  });
  const own = noGrad(() =>
    mul(labelSmoothing === 0 ? rowWeight : valid, reduction === 'none' ? reshape(dy, [rows]) : 1),
  );
  const { held, kinds } = holdLogits(reshape(logits, [rows, classes]), own);
  const a = mul(sub(add(mul(scale, held), shift), mul(hot, margin)), s);
  const logs = logSoftmax(a);
  const hard = mul(sum(mul(mul(hot, weight), logs), { axes: 1 }), labelSmoothing - 1);
  const soft = mul(sum(mul(weight, logs), { axes: 1 }), -labelSmoothing / classes);
  const values = weighRows(add(hard, soft), valid, kinds);
  if (reduction === 'none') return reshape(values, labels.shape);
  const total = sum(values);
  if (reduction === 'sum') return total;
  return meanOf(
    total,
    noGrad(() => sum(reduction === 'weightedMean' ? rowWeight : counts)),
  );
}
