/** Rows of `classes`, 1 at each label; a label outside gives zeros. */
export function oneHot(labels: readonly number[], classes: number): number[] {
  return labels.flatMap((label) => Array.from({ length: classes }, (_, c) => Number(c === label)));
}
