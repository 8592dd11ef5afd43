import { sizeOf } from '../tensor/shape.ts';

/**
 * Scores, logits or probabilities of shape (rows, classes): an NdArray, anything with `data` and `shape`, or nested
 * arrays.
 */
export type Matrix = { readonly data: ArrayLike<number>; readonly shape: readonly number[] } | ReadonlyArray<ArrayLike<number>>;

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

/** Tolerance for entries outside [0, 1] and for row sums: float32 softmax stays far inside both. */
const ENTRY_TOLERANCE = 1e-6;
const SUM_TOLERANCE = 1e-3;

/** Row-major view of `x`. Throws RangeError, naming `where`, unless x has rank 2, at least one row and one class, and no NaN. */
export function toRows(x: Matrix, where: string): Rows {
  const { data, shape } = 'shape' in x ? x : flatten(x, where);
  if (shape.length !== 2) throw new RangeError(`${where} has shape [${shape}], expected (rows, classes)`);
  const [rows, classes] = shape as [number, number];
  if (rows === 0 || classes === 0) throw new RangeError(`${where} has shape [${shape}], expected at least one row and one class`);
  if (data.length !== sizeOf(shape)) throw new RangeError(`${where} has ${data.length} elements, expected ${sizeOf(shape)} for shape [${shape}]`);
  for (let i = 0; i < data.length; i++) {
    if (Number.isNaN(data[i])) throw new RangeError(`${where} is NaN at row ${Math.floor(i / classes)}, class ${i % classes}`);
  }
  return { what: where, data, rows, classes };
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
        throw new RangeError(`${where} is ${p} at row ${r}, class ${c}, expected probabilities in 0..1 (apply softmax to logits first)`);
      }
      sum += p;
    }
    if (Math.abs(sum - 1) > SUM_TOLERANCE) {
      throw new RangeError(`${where} sum to ${sum} in row ${r}, expected 1 (apply softmax to logits first)`);
    }
  }
  return matrix;
}

/** Throws RangeError, naming `where`, unless there are `rows` labels, all integers in 0..classes-1. */
export function checkLabels(labels: Labels, rows: number, classes: number, where: string): void {
  if (labels.length !== rows) throw new RangeError(`${where} has ${labels.length} entries, expected ${rows}, one per row`);
  for (let r = 0; r < rows; r++) {
    const label = labels[r]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new RangeError(`${where}[${r}] is ${label}, expected an integer in 0..${classes - 1}`);
    }
  }
}

function flatten(x: ReadonlyArray<ArrayLike<number>>, where: string): { data: Float64Array; shape: number[] } {
  const rows = x.length;
  const classes = x[0]?.length ?? 0;
  const data = new Float64Array(rows * classes);
  for (let r = 0; r < rows; r++) {
    const row = x[r]!;
    if (row.length !== classes) throw new RangeError(`${where} row ${r} has ${row.length} entries, expected ${classes} as in row 0`);
    data.set(row, r * classes);
  }
  return { data, shape: [rows, classes] };
}
