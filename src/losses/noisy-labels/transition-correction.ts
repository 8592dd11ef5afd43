import { expectOptions } from '../../check/options.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { add, mul } from '../../ops/binary.ts';
import { indexSelect } from '../../ops/gather.ts';
import { logsumexp } from '../../ops/logsumexp.ts';
import { sum } from '../../ops/reduce.ts';
import { logSoftmax } from '../../ops/softmax.ts';
import { neg } from '../../ops/unary.ts';
import { defineLoss } from '../define.ts';
import { LEFT_OUT } from '../label-margin.ts';
import type { Loss, LossOptions } from '../loss.ts';

/** Options of {@link forwardCorrection} and {@link backwardCorrection}. */
export interface TransitionCorrectionOptions extends Omit<LossOptions, 'numClasses'> {
  /**
   * Probability of each noisy label (column) given the clean one (row), such as the `transition` of a noise model of
   * `evenkeel/data`.
   */
  transition: readonly (readonly number[])[];
}

/**
 * Forward correction: cross-entropy of the noisy labels' probabilities, -log sum_c p_c T[c][y], whose minimiser is that
 * of clean labels. Patrini, Rozza, Menon, Nock, Qu, "Making deep neural networks robust to label noise: a loss
 * correction approach", CVPR 2017. Throws RangeError unless rows are probabilities that sum to 1, and every label can
 * occur.
 */
export function forwardCorrection(given: TransitionCorrectionOptions): Loss {
  expectOptions('forwardCorrection', given, ['transition', 'weight', 'reduction']);
  const { transition, ...options } = given;
  const t = checked('forwardCorrection', transition);
  t.forEach((_, y) => {
    if (t.every((row) => row[y] === 0))
      throw new RangeError(`forwardCorrection: column ${y} of transition is 0, expected a label that can occur`);
  });
  return defineLoss({
    name: 'forwardCorrection',
    // log T, transposed: row y belongs to the noisy label y.
    tables: { logs: t.map((_, y) => t.map((row) => (row[y]! > 0 ? Math.log(row[y]!) : LEFT_OUT))) },
    values: (z, labels, { tables }) =>
      neg(logsumexp(add(logSoftmax(z), indexSelect(tables.logs, labels)), { axes: 1 })),
    ...options,
    numClasses: t.length,
  });
}

/**
 * Backward correction: sum_c T^-1[y][c] (-log p_c), an unbiased estimate of the clean cross-entropy; values may be
 * negative and spread more. Patrini et al., CVPR 2017. Throws RangeError unless rows are probabilities that sum to 1,
 * and on a singular matrix.
 */
export function backwardCorrection(given: TransitionCorrectionOptions): Loss {
  expectOptions('backwardCorrection', given, ['transition', 'weight', 'reduction']);
  const { transition, ...options } = given;
  const t = checked('backwardCorrection', transition);
  return defineLoss({
    name: 'backwardCorrection',
    tables: { inverse: invert(t) },
    values: (z, labels, { tables }) => neg(sum(mul(logSoftmax(z), indexSelect(tables.inverse, labels)), { axes: 1 })),
    ...options,
    numClasses: t.length,
  });
}

function checked(where: string, transition: readonly (readonly number[])[]): readonly (readonly number[])[] {
  if (!(transition?.length >= 1))
    throw new RangeError(`${where}: transition has ${transition?.length ?? 0} rows, expected one for each class`);
  transition.forEach((row, c) => {
    if (row.length !== transition.length)
      throw new ShapeError(`${where}: row ${c} of transition has ${row.length} entries, expected ${transition.length}`);
    if (!(row.every((p) => p >= 0) && Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-6))
      throw new RangeError(`${where}: row ${c} of transition is [${row}], expected probabilities that sum to 1`);
  });
  return transition;
}

/** Gauss-Jordan elimination with pivoting, f64. */
function invert(matrix: readonly (readonly number[])[]): number[][] {
  const n = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => Number(i === j))]);
  for (let c = 0; c < n; c++) {
    let pivot = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(rows[r]![c]!) > Math.abs(rows[pivot]![c]!)) pivot = r;
    if (!(Math.abs(rows[pivot]![c]!) > 1e-9))
      throw new RangeError('backwardCorrection: transition is singular, expected a matrix with an inverse');
    [rows[c], rows[pivot]] = [rows[pivot]!, rows[c]!];
    const scale = rows[c]![c]!;
    rows[c] = rows[c]!.map((v) => v / scale);
    for (let r = 0; r < n; r++)
      if (r !== c) {
        const factor = rows[r]![c]!;
        rows[r] = rows[r]!.map((v, j) => v - factor * rows[c]![j]!);
      }
  }
  return rows.map((row) => row.slice(n));
}
