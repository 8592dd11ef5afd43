import { confusion } from './accuracy.ts';
import type { HostLabels, Matrix } from './matrix.ts';

/** How one class fares. */
export interface ClassReport {
  /** Rows with this label. */
  support: number;
  /** Rows predicted as this class. */
  predicted: number;
  /** Part of the rows with this label that is predicted so; null without such a row. */
  recall: number | null;
  /** Part of the rows predicted so that has this label; null without such a row. */
  precision: number | null;
  /** 2 correct / (support + predicted), the harmonic mean of both; null when the class is in neither. */
  f1: number | null;
}

/** Recall, precision and F1 of each class. scores: (rows, classes). Errors as for `accuracy`. */
export function classReport(scores: Matrix, labels: HostLabels): ClassReport[] {
  return reportOf(confusion(scores, labels, 'classReport'));
}

/** {@link classReport} out of a confusion matrix. */
export function reportOf(matrix: readonly (readonly number[])[]): ClassReport[] {
  return matrix.map((row, c) => {
    const support = row.reduce((sum, n) => sum + n, 0);
    const predicted = matrix.reduce((sum, other) => sum + other[c]!, 0);
    const part = (count: number, of: number): number | null => (of === 0 ? null : count / of);
    return {
      support,
      predicted,
      recall: part(row[c]!, support),
      precision: part(row[c]!, predicted),
      f1: part(2 * row[c]!, support + predicted),
    };
  });
}
