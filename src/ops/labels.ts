import { DTypeError, ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { expectShape, tensor, Tensor } from '../tensor/tensor.ts';

/** The label of a row that counts for nothing, as in PyTorch. */
export const IGNORED = -100;

/**
 * Labels (...) of logits (..., classes) as an i32 tensor; `classes` is their number where the last axis holds several
 * heads. A list of the host, row by row, is checked to hold integers in 0..classes-1, or `ignoreIndex` (default -100).
 * Throws ShapeError, DTypeError or RangeError under the name of the caller.
 */
export function toLabels(
  op: string,
  labels: Tensor<'i32'> | ArrayLike<number>,
  { shape, gpu }: Tensor,
  { ignoreIndex = IGNORED, classes = shape.at(-1)! }: { ignoreIndex?: number; classes?: number } = {},
): Tensor<'i32'> {
  const lead = shape.slice(0, -1);
  if (labels instanceof Tensor) {
    if (labels.dtype !== 'i32') throw new DTypeError(`${op}: labels are ${labels.dtype as string}, expected i32`);
    expectShape(labels, lead, `${op}: labels`);
    return labels;
  }
  if (labels.length !== sizeOf(lead))
    throw new ShapeError(`${op}: got ${labels.length} labels for logits of shape [${shape}]`);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes) && label !== ignoreIndex)
      throw new RangeError(`${op}: labels[${i}] is ${label}, expected an integer in 0..${classes - 1}`);
  }
  return tensor(labels, { shape: lead, dtype: 'i32', gpu });
}
