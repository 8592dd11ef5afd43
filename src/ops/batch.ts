import kernel, { module, type State } from '../../shaders/batch.wgsl';
import { wordsOf } from '../gpu/kernel.ts';
import type { Gpu } from '../gpu/device.ts';
import { sizeOf } from '../tensor/shape.ts';
import { empty, expectShape, zeros, type Tensor } from '../tensor/tensor.ts';

/**
 * What a captured step reads and {@link writeState} writes before each run, the struct `State` of the shader: a tensor
 * of its words. Random ops take it as the place of their first item.
 */
export type StepState = Tensor<'u32'>;

/** The fields of a {@link StepState}, as the shader has them. */
export interface StepFields {
  first: number;
  stream: number;
  position: number;
  log: number;
}

/** A state whose fields are all 0, for `gpu`. */
export function stepState(gpu: Gpu): StepState {
  return zeros([STATE.size / 4], { dtype: 'u32', gpu });
}

/**
 * Sets all fields of a state: `first`, the number of the first sample of the batch over the whole run, modulo 2^32, and
 * `stream`, of its random numbers; `position` of the batch in the order of the epoch; `log`, the place of its loss.
 */
export function writeState(state: StepState, fields: StepFields): void {
  state.write(wordsOf('writeState', STATE, { ...fields } satisfies State));
}

const STATE = module.structs!.State!;

/**
 * The batch whose rows are data[index[b]], index[b] = order[state.position + b], with labels and index; data: (n, ...),
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

/** history[state.log] = loss, a scalar. */
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
