import { checkOptions } from '../check/check.ts';
import { labelledRows, topConfidences } from './confidence.ts';
import type { HostLabels, Matrix } from './matrix.ts';
import { WEIGHT, type WeightOptions } from './weights.ts';

/**
 * Mean confidence max_k p_k less accuracy: above 0 over-confident, below 0 under-confident. The signed calibration
 * error of one bin. probs: (rows, classes). Throws RangeError on anything but probabilities, and on labels and weights
 * that do not fit.
 */
export function overconfidence(probs: Matrix, labels: HostLabels, options: WeightOptions = {}): number {
  checkOptions('overconfidence', options, WEIGHT);
  const { confidence, hit, weights } = topConfidences(labelledRows(probs, labels, 'overconfidence', options));
  return confidence.reduce((sum, c, r) => sum + weights.rows[r]! * c - weights.rows[r]! * hit[r]!, 0) / weights.total;
}

/**
 * Area under the ROC curve of confidence as a test for right predictions: how often a right row is surer than a wrong
 * one, ties counting half. Temperature scaling of two classes leaves it as it is. NaN when all rows are right, or none.
 * Errors as for {@link overconfidence}.
 */
export function confidenceAuroc(probs: Matrix, labels: HostLabels, options: WeightOptions = {}): number {
  checkOptions('confidenceAuroc', options, WEIGHT);
  const { confidence, hit, weights } = topConfidences(labelledRows(probs, labels, 'confidenceAuroc', options));
  const order = Int32Array.from(hit, (_, r) => r).sort((a, b) => confidence[a]! - confidence[b]!);
  let [wrongBelow, rightBelow, pairs] = [0, 0, 0];
  for (let start = 0, end = 0; start < order.length; start = end) {
    let [right, wrong] = [0, 0];
    for (; end < order.length && confidence[order[end]!] === confidence[order[start]!]; end++) {
      const weight = weights.rows[order[end]!]!;
      if (hit[order[end]!]) right += weight;
      else wrong += weight;
    }
    pairs += right * (wrongBelow + wrong / 2);
    wrongBelow += wrong;
    rightBelow += right;
  }
  return pairs / (wrongBelow * rightBelow);
}
