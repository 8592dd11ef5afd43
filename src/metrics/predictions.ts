import { classOfRow, NO_CLASS } from '../stats/class-of-row.ts';
import { toRows, type Matrix, type Rows } from './matrix.ts';

/**
 * Predicted class of every row: the first index of the largest entry. x: (rows, classes) logits or probabilities.
 * Throws RangeError, naming the row, where there is no class: on NaN, and where an infinity that two entries share is
 * the largest; also on a rank other than 2, and an empty matrix.
 */
export function argmaxRows(x: Matrix): Int32Array {
  return argmaxOf(toRows(x, 'argmaxRows: x'));
}

/** {@link argmaxRows} of an already checked matrix. */
export function argmaxOf({ what, data, rows, classes }: Rows): Int32Array {
  return Int32Array.from({ length: rows }, (_, r) => {
    const found = classOfRow(data, r, classes);
    if (found === NO_CLASS)
      throw new RangeError(
        `${what} have no class in row ${r}, the largest is ` +
          `${Math.max(...Array.from({ length: classes }, (_, c) => data[r * classes + c]!))} twice; expected ` +
          'finite numbers, or one infinity',
      );
    return found;
  });
}
