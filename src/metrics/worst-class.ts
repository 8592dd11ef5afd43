import { confusion, recalls } from './accuracy.ts';
import type { HostLabels, Matrix } from './matrix.ts';

/**
 * The class of the lowest accuracy among those that occur in the labels, the first of equals. scores: (rows, classes).
 * Errors as for `accuracy`.
 */
export function worstClass(scores: Matrix, labels: HostLabels): { class: number; accuracy: number } {
  const accuracies = recalls(confusion(scores, labels, 'worstClass'));
  return accuracies.reduce((worst, accuracy, c) => (accuracy < worst.accuracy ? { class: c, accuracy } : worst), {
    class: -1,
    accuracy: Infinity,
  });
}
