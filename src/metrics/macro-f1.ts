import { confusion, meanOfPresent } from './accuracy.ts';
import { reportOf } from './class-report.ts';
import type { HostLabels, Matrix } from './matrix.ts';

/**
 * Mean F1 over the classes that occur among the labels or the predictions; a class in neither is left out, as in
 * scikit-learn. scores: (rows, classes). Errors as for `accuracy`.
 */
export function macroF1(scores: Matrix, labels: HostLabels): number {
  return meanOfPresent(reportOf(confusion(scores, labels, 'macroF1')).map(({ f1 }) => f1 ?? NaN))!;
}
