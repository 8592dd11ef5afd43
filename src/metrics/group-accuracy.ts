import { check, checkOptions, integer, listOf } from '../check/check.ts';
import { toList } from '../tensor/host-values.ts';
import { argmaxOf } from './predictions.ts';
import { toLabels, toRows, type HostLabels, type Labels, type Matrix } from './matrix.ts';

/** Options of metrics over groups. */
export interface GroupOptions {
  /** Groups are 0..numGroups-1. Default: up to the largest that occurs. */
  numGroups?: number;
}

/**
 * Accuracy within each group; null for a group without rows. scores: (rows, classes); `groups`: an integer a row, often
 * the pair label * attributes + attribute. Throws RangeError as `accuracy` does, and on groups that do not fit.
 */
export function groupAccuracy(
  scores: Matrix,
  labels: HostLabels,
  groups: HostLabels,
  options: GroupOptions = {},
): (number | null)[] {
  return groupAccuracies('groupAccuracy', scores, labels, groups, options);
}

/** {@link groupAccuracy} under the name of the calling function. */
export function groupAccuracies(
  where: string,
  scores: Matrix,
  labels: HostLabels,
  groups: HostLabels,
  options: GroupOptions,
): (number | null)[] {
  checkOptions(where, options, { numGroups: integer(1) });
  const { numGroups } = options;
  const { correct, of, count } = countGroups(where, scores, labels, groups, numGroups);
  return Array.from({ length: count }, (_, g) => {
    let [right, all] = [0, 0];
    for (let r = 0; r < correct.length; r++) {
      if (of[r] !== g) continue;
      all++;
      if (correct[r]) right++;
    }
    return all === 0 ? null : right / all;
  });
}

/**
 * Which rows are right, labels and groups as lists, and how many groups there are, after the checks of
 * {@link groupAccuracy}.
 */
export function countGroups(
  where: string,
  scores: Matrix,
  labels: HostLabels,
  groups: HostLabels,
  numGroups?: number,
): { correct: boolean[]; own: Labels; of: ArrayLike<number>; count: number; classes: number } {
  const rows = toRows(scores, `${where}: scores`);
  const own = toLabels(labels, rows.rows, rows.classes, `${where}: labels`);
  const of = toList(`${where}: groups`, groups);
  const group = integer(0, numGroups === undefined ? Infinity : numGroups - 1);
  check(where, { groups: of }, { groups: listOf(group, rows.rows, 'one per row') });
  let count = numGroups ?? 1;
  for (let r = 0; r < of.length; r++) {
    count = Math.max(count, of[r]! + 1);
  }
  const predicted = argmaxOf(rows);
  return { correct: Array.from(predicted, (p, r) => p === own[r]), own, of, count, classes: rows.classes };
}
