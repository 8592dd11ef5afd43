import { checkOptions } from '../check/check.ts';
import { labelledRows } from './confidence.ts';
import type { HostLabels, Matrix } from './matrix.ts';
import { WEIGHT, type WeightOptions } from './weights.ts';

/**
 * Negative log-likelihood: the weighted mean of -log p_y over the rows; Infinity as soon as a label of positive weight
 * has probability 0. probs: (rows, classes). Throws RangeError on anything but probabilities, and on labels and weights
 * that do not fit.
 */
export function nll(probs: Matrix, labels: HostLabels, options: WeightOptions = {}): number {
  checkOptions('nll', options, WEIGHT);
  const { data, rows, classes, labels: own, weights } = labelledRows(probs, labels, 'nll', options);
  let sum = 0;
  // Entries may be a rounding error below 0, where the logarithm would be NaN.
  for (let r = 0; r < rows; r++)
    if (weights.rows[r]! > 0) sum -= weights.rows[r]! * Math.log(Math.max(0, data[r * classes + own[r]!]!));
  return sum / weights.total;
}
