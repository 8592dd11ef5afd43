import { groupAccuracies, type GroupOptions } from './group-accuracy.ts';
import type { HostLabels, Matrix } from './matrix.ts';

/**
 * Mean over the groups of their error rates; groups without rows are left out. With groups that are pairs of label and
 * attribute it is the balanced error of Kini et al., NeurIPS 2021. Inputs and errors as for `groupAccuracy`.
 */
export function groupBalancedError(
  scores: Matrix,
  labels: HostLabels,
  groups: HostLabels,
  options: GroupOptions = {},
): number {
  const present = groupAccuracies('groupBalancedError', scores, labels, groups, options).filter((a) => a !== null);
  return present.reduce((sum, a) => sum + (1 - a), 0) / present.length;
}
