import { confusion, meanOfPresent, recalls } from './accuracy.ts';
import type { HostLabels, Matrix } from './matrix.ts';

/**
 * 1 - `balancedAccuracy`: the mean error rate over the classes that occur among the labels. Errors as for `accuracy`.
 */
export function balancedError(scores: Matrix, labels: HostLabels): number {
  return 1 - meanOfPresent(recalls(confusion(scores, labels, 'balancedError')))!;
}
