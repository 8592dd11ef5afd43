import { argmaxOf } from './predictions.ts';
import { checkLabels, toRows, type Labels, type Matrix } from './rows.ts';

/**
 * Fraction of rows whose largest score is at the label. scores: (rows, classes) logits or probabilities.
 * Throws RangeError on a row without a class, by NaN or by an infinity twice, as {@link argmaxRows}, on a length mismatch, or on labels
 * outside 0..classes-1.
 */
export function accuracy(scores: Matrix, labels: Labels): number {
  const { predicted } = predict(scores, labels, 'accuracy');
  let correct = 0;
  for (let r = 0; r < predicted.length; r++) if (predicted[r] === labels[r]) correct++;
  return correct / predicted.length;
}

/** Accuracy within each class (recall); NaN for classes without a label. Errors as for {@link accuracy}. */
export function perClassAccuracy(scores: Matrix, labels: Labels): number[] {
  return recalls(confusion(scores, labels, 'perClassAccuracy'));
}

/** Mean of the per-class accuracies over the classes that occur among the labels. Errors as for {@link accuracy}. */
export function balancedAccuracy(scores: Matrix, labels: Labels): number {
  return meanOfPresent(recalls(confusion(scores, labels, 'balancedAccuracy')))!;
}

/** Counts[i][j] of rows with label i and prediction j. Errors as for {@link accuracy}. */
export function confusionMatrix(scores: Matrix, labels: Labels): number[][] {
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
export function confusion(scores: Matrix, labels: Labels, where: string): number[][] {
  const { predicted, classes } = predict(scores, labels, where);
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let r = 0; r < predicted.length; r++) matrix[labels[r]!]![predicted[r]!]!++;
  return matrix;
}

function predict(scores: Matrix, labels: Labels, where: string): { predicted: Int32Array; classes: number } {
  const rows = toRows(scores, `${where}: scores`);
  checkLabels(labels, rows.rows, rows.classes, `${where}: labels`);
  return { predicted: argmaxOf(rows), classes: rows.classes };
}
