import { labelledRows, topConfidences } from './confidence.ts';
import type { HostLabels, Matrix } from './rows.ts';

/**
 * Mean confidence max_k p_k less accuracy: above 0 over-confident, below 0 under-confident. The signed calibration error of one bin. probs:
 * (rows, classes). Throws RangeError on anything but probabilities and on labels that do not fit.
 */
export function overconfidence(probs: Matrix, labels: HostLabels): number {
  const { confidence, hit } = topConfidences(labelledRows(probs, labels, 'overconfidence'));
  return confidence.reduce((sum, c, r) => sum + c - hit[r]!, 0) / hit.length;
}

/**
 * Area under the ROC curve of confidence as a test for right predictions: how often a right row is surer than a wrong one, ties counting
 * half. Temperature scaling of two classes leaves it as it is. NaN when all rows are right, or none. Errors as for {@link overconfidence}.
 */
export function confidenceAuroc(probs: Matrix, labels: HostLabels): number {
  const { confidence, hit } = topConfidences(labelledRows(probs, labels, 'confidenceAuroc'));
  const order = Int32Array.from(hit, (_, r) => r).sort((a, b) => confidence[a]! - confidence[b]!);
  let [wrongBelow, pairs] = [0, 0];
  for (let start = 0, end = 0; start < order.length; start = end) {
    let [right, wrong] = [0, 0];
    for (; end < order.length && confidence[order[end]!] === confidence[order[start]!]; end++) {
      if (hit[order[end]!]) right++;
      else wrong++;
    }
    pairs += right * (wrongBelow + wrong / 2);
    wrongBelow += wrong;
  }
  return pairs / (wrongBelow * (order.length - wrongBelow));
}
