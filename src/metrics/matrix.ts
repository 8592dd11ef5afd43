import { checkValue, integer, listOf } from '../check/check.ts';
import { toHost, toList } from '../tensor/host-values.ts';

/**
 * Scores, logits or probabilities of shape (rows, classes): an NdArray, anything with `data` and `shape`, or nested
 * arrays.
 */
export type Matrix =
  { readonly data: ArrayLike<number>; readonly shape: readonly number[] } | ReadonlyArray<ArrayLike<number>>;

/** A matrix in row-major form. */
export interface Rows {
  /** The matrix for the reader, such as `accuracy: scores`. */
  what: string;
  data: ArrayLike<number>;
  rows: number;
  classes: number;
}

/** Integer class labels. */
export type Labels = ArrayLike<number>;

/** Labels as a list, or as an NdArray with one axis. */
export type HostLabels = Labels | { readonly data: ArrayLike<number>; readonly shape: readonly number[] };

/** Tolerance for entries outside [0, 1] and for row sums: float32 softmax stays far inside both. */
const ENTRY_TOLERANCE = 1e-6;
const SUM_TOLERANCE = 1e-3;

/**
 * Row-major view of `x`. Throws RangeError, naming `where`, unless x has rank 2, at least one row and one class, and no
 * NaN, TypeError on what holds no numbers.
 */
export function toRows(x: Matrix, where: string): Rows {
  const host = toHost(where, x);
  const data = host.data;
  // An empty list has no rows to tell the classes.
  const shape = data.length === 0 && host.shape.length === 1 ? [0, 0] : host.shape;
  if (shape.length !== 2) throw new RangeError(`${where} has shape [${shape}], expected (rows, classes)`);
  const [rows, classes] = shape as [number, number];
  if (rows === 0 || classes === 0)
    throw new RangeError(`${where} has shape [${shape}], expected at least one row and one class`);
  for (let i = 0; i < data.length; i++) {
    if (Number.isNaN(data[i]))
      throw new RangeError(`${where} is NaN at row ${Math.floor(i / classes)}, class ${i % classes}`);
  }
  return { what: where, data, rows, classes };
}

/** As {@link toRows}, for finite numbers: throws RangeError, naming row and class, on others. */
export function toFiniteRows(x: Matrix, where: string): Rows {
  const matrix = toRows(x, where);
  const { data, classes } = matrix;
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i]))
      throw new RangeError(
        `${where} is ${data[i]} at row ${Math.floor(i / classes)}, class ${i % classes}, expected finite numbers`,
      );
  }
  return matrix;
}

/**
 * As {@link toRows}, for probabilities: entries may leave [0, 1] by 1e-6 and row sums 1 by 1e-3.
 * Logits are refused with an error instead of being guessed.
 */
export function toProbabilityRows(x: Matrix, where: string): Rows {
  const matrix = toRows(x, where);
  const { data, rows, classes } = matrix;
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let c = 0; c < classes; c++) {
      const p = data[r * classes + c]!;
      if (p < -ENTRY_TOLERANCE || p > 1 + ENTRY_TOLERANCE) {
        throw new RangeError(
          `${where} is ${p} at row ${r}, class ${c}, expected probabilities in 0..1 (apply softmax to logits first)`,
        );
      }
      sum += p;
    }
    if (Math.abs(sum - 1) > SUM_TOLERANCE) {
      throw new RangeError(`${where} sum to ${sum} in row ${r}, expected 1 (apply softmax to logits first)`);
    }
  }
  return matrix;
}

/**
 * The labels as a list. Throws RangeError, naming `where`, unless there are `rows` of them, all integers in
 * 0..classes-1.
 */
export function toLabels(labels: HostLabels, rows: number, classes: number, where: string): Labels {
  const list = toList(where, labels);
  checkValue(where, list, listOf(integer(0, classes - 1), rows, 'one per row'));
  return list;
}

/** {@link toLabels}, for labels that are a list already. */
export function checkLabels(labels: Labels, rows: number, classes: number, where: string): void {
  if (toLabels(labels, rows, classes, where) !== labels)
    throw new TypeError(`${where} is an NdArray, expected a list; pass its data`);
}
