import { groupAccuracies, type GroupOptions } from './group-accuracy.ts';
import type { HostLabels, Matrix } from './matrix.ts';

/**
 * The group of the lowest accuracy among those with rows, the first of equals. Inputs and errors as for
 * `groupAccuracy`.
 */
export function worstGroup(
  scores: Matrix,
  labels: HostLabels,
  groups: HostLabels,
  options: GroupOptions = {},
): { group: number; accuracy: number } {
  const accuracies = groupAccuracies('worstGroup', scores, labels, groups, options);
  return accuracies.reduce(
    (worst, accuracy, group) => (accuracy !== null && accuracy < worst.accuracy ? { group, accuracy } : worst),
    { group: -1, accuracy: Infinity },
  );
}
