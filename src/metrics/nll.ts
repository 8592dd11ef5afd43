import { toLabels, toProbabilityRows, type HostLabels, type Matrix } from './rows.ts';

/**
 * Negative log-likelihood: the mean of -log p_y over the rows; Infinity as soon as a label has probability 0.
 * probs: (rows, classes). Throws RangeError on anything but probabilities and on labels that do not fit.
 */
export function nll(probs: Matrix, labels: HostLabels): number {
  const { data, rows, classes } = toProbabilityRows(probs, 'nll: probs');
  const own = toLabels(labels, rows, classes, 'nll: labels');
  let sum = 0;
  // Entries may be a rounding error below 0, where the logarithm would be NaN.
  for (let r = 0; r < rows; r++) sum -= Math.log(Math.max(0, data[r * classes + own[r]!]!));
  return sum / rows;
}
