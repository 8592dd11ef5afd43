import { checkOptions } from '../check/check.ts';
import { assignBins, BINS, type BinOptions } from './bins.ts';
import { classConfidences, labelledRows } from './confidence.ts';
import type { HostLabels, Matrix } from './matrix.ts';
import { WEIGHT, type WeightOptions } from './weights.ts';

/** The parts of a Brier score: score = reliability - resolution + uncertainty + withinBin. */
export interface BrierDecomposition {
  score: number;
  /** Squared gaps between predicted and observed frequencies: what a calibrator can take away. */
  reliability: number;
  /** How far the observed frequencies of the bins lie from the overall ones: what the predictions tell apart. */
  resolution: number;
  /** Score of predicting the frequencies of the labels. */
  uncertainty: number;
  /** What bins hide: variance of the predictions within a bin less twice their covariance with the labels. */
  withinBin: number;
}

/**
 * Brier score: the mean of sum_k (p_k - [k = y])^2, in [0, 2] (Brier, 1950). Twice the score of the two-class form that
 * has one probability. probs: (rows, classes). Throws RangeError on anything but probabilities, and on labels and
 * weights that do not fit.
 */
export function brierScore(probs: Matrix, labels: HostLabels, options: WeightOptions = {}): number {
  checkOptions('brierScore', options, WEIGHT);
  const { data, rows, classes, labels: own, weights } = labelledRows(probs, labels, 'brierScore', options);
  let sum = 0;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < classes; c++) sum += weights.rows[r]! * (data[r * classes + c]! - Number(own[r] === c)) ** 2;
  return sum / weights.total;
}

/**
 * Murphy's decomposition of the Brier score (1973), summed over the classes, each binned by its own probability, with
 * the within-bin term of Stephenson, Coelho and Jolliffe (2008), so that the parts add up for any bins.
 * `binning: 'mass'` with numBins of at least the number of rows puts each distinct probability into a bin of its own,
 * where that term is 0. Options and errors as for `reliabilityDiagram`, without `compat`.
 */
export function brierDecomposition(
  probs: Matrix,
  labels: HostLabels,
  options: Omit<BinOptions, 'compat'> & WeightOptions = {},
): BrierDecomposition {
  const { numBins: numBins, binning } = BINS;
  checkOptions('brierDecomposition', options, { numBins: numBins, binning, ...WEIGHT });
  const matrix = labelledRows(probs, labels, 'brierDecomposition', options);
  const { rows: weight, total } = matrix.weights;
  const out = { score: 0, reliability: 0, resolution: 0, uncertainty: 0, withinBin: 0 };
  for (let c = 0; c < matrix.classes; c++) {
    const of = classConfidences(matrix, c);
    const { confidence, hit } = of;
    const { bin, edges } = assignBins(of, options);
    const sums = Array.from(edges, () => ({ n: 0, p: 0, o: 0 }));
    bin.forEach((b, r) => {
      sums[b]!.n += weight[r]!;
      sums[b]!.p += weight[r]! * confidence[r]!;
      sums[b]!.o += weight[r]! * hit[r]!;
    });
    const overall = hit.reduce((a, b, r) => a + weight[r]! * b, 0) / total;
    out.uncertainty += overall * (1 - overall);
    for (const { n, p, o } of sums) {
      if (n === 0) continue;
      out.reliability += (n / total) * ((p - o) / n) ** 2;
      out.resolution += (n / total) * (o / n - overall) ** 2;
    }
    bin.forEach((b, r) => {
      if (weight[r] === 0) return;
      const { n, p, o } = sums[b]!;
      const [dp, dO] = [confidence[r]! - p / n, hit[r]! - o / n];
      out.withinBin += (weight[r]! * (dp * dp - 2 * dp * dO)) / total;
      out.score += (weight[r]! * (confidence[r]! - hit[r]!) ** 2) / total;
    });
  }
  return out;
}
