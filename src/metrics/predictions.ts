import { toRows, type Matrix, type Rows } from './rows.ts';

/**
 * Predicted class of every row: the first index of the largest entry. x: (rows, classes) logits or probabilities.
 * Throws RangeError on NaN, a rank other than 2, or an empty matrix.
 */
export function argmaxRows(x: Matrix): Int32Array {
  return argmaxOf(toRows(x, 'argmaxRows: x'));
}

/** {@link argmaxRows} of an already checked matrix. */
export function argmaxOf({ data, rows, classes }: Rows): Int32Array {
  const out = new Int32Array(rows);
  for (let r = 0; r < rows; r++) {
    let best = 0;
    for (let c = 1; c < classes; c++) {
      if (data[r * classes + c]! > data[r * classes + best]!) best = c;
    }
    out[r] = best;
  }
  return out;
}
