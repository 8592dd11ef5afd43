import { argmaxOf } from './predictions.ts';
import { checkLabels, toProbabilityRows, type Labels, type Matrix } from './rows.ts';

/** One bin of a reliability diagram. */
export interface ReliabilityBin {
  /** The bin is (lo, hi]; the first one also holds 0. */
  lo: number;
  hi: number;
  /** Rows whose confidence falls into the bin. */
  count: number;
  /** Mean confidence; NaN when the bin is empty. */
  confidence: number;
  /** Fraction correct; NaN when the bin is empty. */
  accuracy: number;
}

/**
 * Reliability diagram: rows binned by confidence max_k p_k into `nBins` (default 15) bins of equal width, (lo, hi] with
 * the first closed at 0, so that confidences 0 and 1 are counted. probs: (rows, classes).
 * Throws RangeError on anything but probabilities (NaN, an entry outside [0, 1] by more than 1e-6, a row sum off by more
 * than 1e-3), on labels that do not fit, and unless nBins is an integer >= 1.
 */
export function reliabilityDiagram(probs: Matrix, labels: Labels, { nBins = 15 }: { nBins?: number } = {}): ReliabilityBin[] {
  return bins(probs, labels, nBins, 'reliabilityDiagram');
}

/**
 * Calibration error of the predicted class. With the gap |accuracy - confidence| of each bin and its share of the rows,
 * norm 'l1' (default) is sum share * gap, the expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015; Guo
 * et al., ICML 2017); 'l2' is sqrt(sum share * gap^2); 'max' is the largest gap of a bin that is not empty.
 * Bins and errors as for {@link reliabilityDiagram}. torchmetrics closes its bins on the left instead, which differs for
 * confidences on an edge.
 */
export function calibrationError(probs: Matrix, labels: Labels, { nBins = 15, norm = 'l1' }: { nBins?: number; norm?: 'l1' | 'l2' | 'max' } = {}): number {
  if (norm !== 'l1' && norm !== 'l2' && norm !== 'max') throw new RangeError(`calibrationError: norm is ${String(norm)}, expected 'l1', 'l2' or 'max'`);
  const filled = bins(probs, labels, nBins, 'calibrationError').filter(({ count }) => count > 0);
  const rows = filled.reduce((sum, { count }) => sum + count, 0);
  let error = 0;
  for (const { count, confidence, accuracy } of filled) {
    const gap = Math.abs(accuracy - confidence);
    if (norm === 'max') error = Math.max(error, gap);
    else error += (count / rows) * (norm === 'l1' ? gap : gap * gap);
  }
  return norm === 'l2' ? Math.sqrt(error) : error;
}

function bins(probs: Matrix, labels: Labels, nBins: number, where: string): ReliabilityBin[] {
  if (!(Number.isSafeInteger(nBins) && nBins >= 1)) throw new RangeError(`${where}: nBins is ${nBins}, expected an integer >= 1`);
  const matrix = toProbabilityRows(probs, `${where}: probs`);
  checkLabels(labels, matrix.rows, matrix.classes, `${where}: labels`);
  const predicted = argmaxOf(matrix);
  const out = Array.from({ length: nBins }, (_, i) => ({ lo: i / nBins, hi: (i + 1) / nBins, count: 0, confidence: 0, accuracy: 0 }));
  for (let r = 0; r < matrix.rows; r++) {
    const confidence = Math.min(1, matrix.data[r * matrix.classes + predicted[r]!]!);
    const bin = out[binOf(confidence, nBins)]!;
    bin.count++;
    bin.confidence += confidence;
    if (predicted[r] === labels[r]) bin.accuracy++;
  }
  for (const bin of out) {
    bin.confidence /= bin.count; // 0 / 0 is the NaN of an empty bin
    bin.accuracy /= bin.count;
  }
  return out;
}

/** The i with i / nBins < confidence <= (i + 1) / nBins, by the very edges that are reported; 0 for confidence <= 0. */
function binOf(confidence: number, nBins: number): number {
  let i = Math.min(nBins - 1, Math.max(0, Math.ceil(confidence * nBins) - 1));
  while (i > 0 && confidence <= i / nBins) i--;
  while (i < nBins - 1 && confidence > (i + 1) / nBins) i++;
  return i;
}
