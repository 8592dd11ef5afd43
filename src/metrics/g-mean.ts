import { confusion, recalls } from './accuracy.ts';
import type { HostLabels, Matrix } from './matrix.ts';

/**
 * Geometric mean of the per-class accuracies over the classes that occur among the labels; 0 as soon as one of them is
 * 0 (Kubat, Matwin, ICML 1997). scores: (rows, classes). Errors as for `accuracy`.
 */
export function gMean(scores: Matrix, labels: HostLabels): number {
  const present = recalls(confusion(scores, labels, 'gMean')).filter((r) => !Number.isNaN(r));
  // By logarithms, as a product of a thousand classes underflows.
  return Math.exp(present.reduce((sum, r) => sum + Math.log(r), 0) / present.length);
}
