import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { add, div, mul, sub } from '../ops/binary.ts';
import { cast } from '../ops/cast.ts';
import { equal } from '../ops/compare.ts';
import { gather } from '../ops/gather.ts';
import { reshape } from '../ops/reshape.ts';
import { slice } from '../ops/slice.ts';
import { topk } from '../ops/sort.ts';
import { where } from '../ops/where.ts';
import { expectShape, type Tensor } from '../tensor/tensor.ts';

/** Options of {@link dlrLoss}. */
export interface DlrOptions {
  /** The class that each sample should get, (n): the targeted form. Default: none. */
  targets?: Tensor<'i32'>;
}

/**
 * Difference of logits ratio of each sample, (n): -(z_y - max_{j != y} z_j) / (z_(1) - z_(3) + 1e-12), with z_(k) the
 * k-th largest of the logits (n, classes); above 0 where another class than y is on top. With `targets` t:
 * -(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2 + 1e-12). Unlike cross-entropy it does not change when all logits are
 * shifted or scaled, so that large logits do not make its gradient vanish. Croce and Hein, ICML 2020.
 * Of equal logits the one of the lower class comes first, and it alone gets the gradient. Equal largest logits of y and
 * of another class give 0. Throws RangeError below 3 classes (4 with `targets`).
 */
export function dlrLoss(logits: Tensor, labels: Tensor<'i32'>, options: DlrOptions = {}): Tensor {
  expectOptions('dlrLoss', options, ['targets']);
  const { targets } = options;
  if (logits.rank !== 2) throw new ShapeError(`dlrLoss: logits have shape [${logits.shape}], expected (n, classes)`);
  const [n, classes] = logits.shape as [number, number];
  const k = targets ? 4 : 3;
  if (classes < k)
    throw new RangeError(
      `dlrLoss: logits have ${classes} classes, expected at least ${k}${targets ? ' with targets' : ''}`,
    );
  expectShape(labels, [n], 'dlrLoss: labels');
  if (targets) expectShape(targets, [n], 'dlrLoss: targets');
  const top = topk(logits, { k });
  const column = <D extends 'f32' | 'u32'>(of: Tensor<D>, i: number): Tensor<D> =>
    slice(of, { start: i, end: i + 1, axes: 1 });
  const [first, second, third] = [0, 1, 2].map((i) => column(top.values, i)) as [Tensor, Tensor, Tensor];
  const at = (classes: Tensor<'i32'>): Tensor => gather(logits, reshape(classes, [n, 1]), { axis: 1 });
  const isTop = equal(cast(column(top.indices, 0), 'i32'), reshape(labels, [n, 1]));
  const other = targets ? at(targets) : where(isTop, second, first);
  const low = targets ? mul(add(third, column(top.values, 3)), 0.5) : third;
  return reshape(div(sub(other, at(labels)), add(sub(first, low), 1e-12)), [n]);
}
