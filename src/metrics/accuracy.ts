import { argmaxOf } from './predictions.ts';
import { toLabels, toRows, type HostLabels, type Labels, type Matrix } from './matrix.ts';

/**
 * Fraction of rows whose largest score is at the label. scores: (rows, classes) logits or probabilities.
 * Throws RangeError on a row without a class, by NaN or by an infinity twice, as {@link argmaxRows}, on a length
 * mismatch, or on labels outside 0..classes-1.
 */
export function accuracy(scores: Matrix, labels: HostLabels): number {
  const { predicted, own } = predict(scores, labels, 'accuracy');
  let correct = 0;
  for (let r = 0; r < predicted.length; r++) if (predicted[r] === own[r]) correct++;
  return correct / predicted.length;
}

/** Accuracy within each class (recall); NaN for classes without a label. Errors as for {@link accuracy}. */
export function perClassAccuracy(scores: Matrix, labels: HostLabels): number[] {
  return recalls(confusion(scores, labels, 'perClassAccuracy'));
}

/** Mean of the per-class accuracies over the classes that occur among the labels. Errors as for {@link accuracy}. */
export function balancedAccuracy(scores: Matrix, labels: HostLabels): number {
  return meanOfPresent(recalls(confusion(scores, labels, 'balancedAccuracy')))!;
}

/** Counts[i][j] of rows with label i and prediction j. Errors as for {@link accuracy}. */
export function confusionMatrix(scores: Matrix, labels: HostLabels): number[][] {
  return confusion(scores, labels, 'confusionMatrix');
}

/** Per-class accuracies out of a confusion matrix; NaN for empty rows. */
export function recalls(matrix: readonly (readonly number[])[]): number[] {
  return matrix.map((row, c) => row[c]! / row.reduce((sum, n) => sum + n, 0));
}

/** Mean of the entries that are not NaN; null when there is none. */
export function meanOfPresent(values: readonly number[]): number | null {
  const present = values.filter((value) => !Number.isNaN(value));
  return present.length === 0 ? null : present.reduce((sum, value) => sum + value, 0) / present.length;
}

/** {@link confusionMatrix} under the name of the calling function. */
export function confusion(scores: Matrix, labels: HostLabels, where: string): number[][] {
  const { predicted, own, classes } = predict(scores, labels, where);
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let r = 0; r < predicted.length; r++) matrix[own[r]!]![predicted[r]!]!++;
  return matrix;
}

function predict(
  scores: Matrix,
  labels: HostLabels,
  where: string,
): { predicted: Int32Array; own: Labels; classes: number } {
  const rows = toRows(scores, `${where}: scores`);
  const own = toLabels(labels, rows.rows, rows.classes, `${where}: labels`);
  return { predicted: argmaxOf(rows), own, classes: rows.classes };
}
