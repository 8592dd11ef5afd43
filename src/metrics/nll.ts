import { checkLabels, toProbabilityRows, type Labels, type Matrix } from './rows.ts';

/**
 * Negative log-likelihood: the mean of -log p_y over the rows; Infinity as soon as a label has probability 0.
 * probs: (rows, classes). Throws RangeError on anything but probabilities and on labels that do not fit.
 */
export function nll(probs: Matrix, labels: Labels): number {
  const { data, rows, classes } = toProbabilityRows(probs, 'nll: probs');
  checkLabels(labels, rows, classes, 'nll: labels');
  let sum = 0;
  // Entries may be a rounding error below 0, where the logarithm would be NaN.
  for (let r = 0; r < rows; r++) sum -= Math.log(Math.max(0, data[r * classes + labels[r]!]!));
  return sum / rows;
}
