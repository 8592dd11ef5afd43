import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { equalMask, mul, sub } from './binary.ts';
import { cast } from './cast.ts';
import { gather, indexSelect } from './gather.ts';
import { expectOneOf } from './element.ts';
import { weighRows } from './held-logits.ts';
import { IGNORED, toLabels } from './labels.ts';
import { expectReduction, meanOf, REDUCTIONS, type Reduction } from './reduction.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { neg } from './unary.ts';

/** Options of {@link nllLoss}. */
export interface NllLossOptions {
  /** (classes): weight of samples of each class. Default: 1. */
  weight?: Tensor;
  /** Rows with this label count for nothing. Default: -100. */
  ignoreIndex?: number;
  /** 'mean' divides by the rows that count, 'weightedMean' (PyTorch's mean) by their weights. Default: 'mean'. */
  reduction?: Reduction;
}

/**
 * -weight_y logProbs_y for log-probabilities (..., classes) and labels (...), an i32 tensor or integers. On the device
 * a label outside the classes has the value 0; a mean over no rows is 0.
 */
export function nllLoss(
  logProbs: Tensor,
  labels: Tensor<'i32'> | ArrayLike<number>,
  options: NllLossOptions = {},
): Tensor {
  expectOptions('nllLoss', options, ['weight', 'ignoreIndex', 'reduction']);
  const { weight, ignoreIndex = IGNORED, reduction = 'mean' } = options;
  expectReduction('nllLoss', reduction, REDUCTIONS);
  expectOneOf(logProbs, ['f32'], 'nllLoss: logProbs');
  if (logProbs.rank < 1)
    throw new ShapeError(`nllLoss: logProbs have shape [${logProbs.shape}], expected (..., classes)`);
  const lead = logProbs.shape.slice(0, -1);
  const rows = sizeOf(lead);
  const index = reshape(toLabels('nllLoss', labels, logProbs, { ignoreIndex }), [rows]);
  const counts = sub(1, equalMask(cast(index, 'f32'), ignoreIndex));
  const weights = weight ? mul(counts, indexSelect(weight, index)) : counts;
  const picked = reshape(gather(reshape(logProbs, [rows, logProbs.shape.at(-1)!]), reshape(index, [rows, 1])), [rows]);
  const values = neg(weights.tracksGrad ? mul(weights, picked) : weighRows(picked, weights));
  if (reduction === 'none') return reshape(values, lead);
  const total = sum(values);
  return reduction === 'sum' ? total : meanOf(total, sum(reduction === 'mean' ? counts : weights));
}
