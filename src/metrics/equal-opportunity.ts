import { check, checkOptions, either, integer, oneOf } from '../check/check.ts';
import { countGroups } from './group-accuracy.ts';
import type { HostLabels, Matrix } from './matrix.ts';

/** Options of {@link equalOpportunityDifference}. */
export interface EqualOpportunityOptions {
  /** The class whose accuracy should be alike in all groups, or 'mean' for the mean over the classes. Default: 1. */
  positive?: number | 'mean';
}

/**
 * Difference of equal opportunity: how far the accuracy on the rows of class `positive` lies apart between groups, the
 * largest less the smallest (Hardt, Price, Srebro, NeurIPS 2016). 'mean' is the symmetric form of Kini et al., NeurIPS
 * 2021. `groups` holds the attribute of each row, not its pair with the label. A group without rows of the class is
 * left out; a class with rows in fewer than two groups has no difference: null, and left out of the mean.
 * Inputs and errors as for `groupAccuracy`, and on a `positive` that is no class.
 */
export function equalOpportunityDifference(
  scores: Matrix,
  labels: HostLabels,
  groups: HostLabels,
  options: EqualOpportunityOptions = {},
): number | null {
  checkOptions('equalOpportunityDifference', options, { positive: either(integer(0), oneOf('mean')) });
  const { positive = 1 } = options;
  const { correct, own, of, count, classes } = countGroups('equalOpportunityDifference', scores, labels, groups);
  const known = either(integer(0, classes - 1), oneOf('mean'));
  check('equalOpportunityDifference', { positive }, known);
  const cells = Array.from({ length: classes }, () => Array.from({ length: count }, () => ({ right: 0, all: 0 })));
  correct.forEach((right, r) => {
    const cell = cells[own[r]!]![of[r]!]!;
    cell.all++;
    if (right) cell.right++;
  });
  const spread = (c: number): number[] => {
    const present = cells[c]!.filter(({ all }) => all > 0).map(({ right, all }) => right / all);
    return present.length < 2 ? [] : [Math.max(...present) - Math.min(...present)];
  };
  const spreads = positive === 'mean' ? cells.flatMap((_, c) => spread(c)) : spread(positive);
  return spreads.length === 0 ? null : spreads.reduce((sum, d) => sum + d, 0) / spreads.length;
}
