import kernel from '../../shaders/batch.wgsl';
import { sizeOf } from '../tensor/shape.ts';
import { empty, expectShape, type Tensor } from '../tensor/tensor.ts';

/**
 * Four u32 that a captured step reads and the host writes before each run:
 * [first random item, random stream, position, log position].
 */
export type StepState = Tensor<'u32'>;

/**
 * The batch whose rows are data[index[b]], index[b] = order[state[2] + b], with labels and index; data: (n, ...),
 * labels: (n) i32, order: (n) u32.
 */
export function takeBatch(
  data: Tensor,
  labels: Tensor<'i32'>,
  order: Tensor<'u32'>,
  state: StepState,
  batch: number,
): { x: Tensor; y: Tensor<'i32'>; index: Tensor<'u32'> } {
  expectShape(labels, [data.shape[0]!], 'takeBatch: labels');
  const x = empty([batch, ...data.shape.slice(1)], { gpu: data.gpu });
  const y = empty([batch], { dtype: 'i32', gpu: data.gpu });
  const index = empty([batch], { dtype: 'u32', gpu: data.gpu });
  const features = sizeOf(data.shape.slice(1));
  kernel.take({ batch, features }, { state, data, labels, order, x, y, index }, [batch * features]);
  return { x, y, index };
}

/** history[state[3]] = loss, a scalar. */
export function logLoss(loss: Tensor, history: Tensor, state: StepState): void {
  kernel.log_({}, { state, data: loss, x: history }, [1]);
}

/**
 * table[index[b]] = rows[b], in place and without a gradient; table: (n, ...features), index: (batch) u32, rows:
 * (batch, ...features). Of equal places the last row is kept; a place outside the table is left out.
 */
export function writeRows(table: Tensor, index: Tensor<'u32'>, rows: Tensor): void {
  expectShape(rows, [index.size, ...table.shape.slice(1)], 'writeRows: rows');
  const features = sizeOf(table.shape.slice(1));
  if (table.size > 0) kernel.put({ batch: index.size, features }, { order: index, data: rows, x: table }, [rows.size]);
}
