import { checkOptions } from '../check/check.ts';
import { labelledRows, topConfidences } from './confidence.ts';
import type { Labels, Matrix } from './matrix.ts';
import { WEIGHT, type WeightOptions } from './weights.ts';

/**
 * Kolmogorov-Smirnov calibration error of the predicted class, without bins (Gupta et al., ICLR 2021). With rows sorted
 * by confidence it is the largest |sum of (hit - confidence) over the first i| / rows, each with its weight. Equal
 * confidences are taken at once, so that the order of the rows does not matter. At least the gap between mean
 * confidence and accuracy. probs: (rows, classes).
 * Throws RangeError on anything but probabilities, and on labels and weights that do not fit.
 */
export function ksError(probs: Matrix, labels: Labels, options: WeightOptions = {}): number {
  checkOptions('ksError', options, WEIGHT);
  const { confidence, hit, weights } = topConfidences(labelledRows(probs, labels, 'ksError', options));
  const order = Int32Array.from(hit, (_, r) => r).sort((a, b) => confidence[a]! - confidence[b]!);
  let sum = 0;
  let largest = 0;
  order.forEach((r, i) => {
    sum += weights.rows[r]! * (hit[r]! - confidence[r]!);
    if (i + 1 === order.length || confidence[order[i + 1]!]! > confidence[r]!)
      largest = Math.max(largest, Math.abs(sum));
  });
  return largest / weights.total;
}
