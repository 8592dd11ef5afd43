import { checkBins, fillBins, type BinOptions, type ReliabilityBin } from './bins.ts';
import { classConfidences, labelledRows, topConfidences, type Confidences } from './confidence.ts';
import type { Labels, Matrix } from './rows.ts';

/** How the gaps of the bins become one number. */
export type CalibrationNorm = 'l1' | 'l2' | 'max' | 'mean';

/** Options of {@link reliabilityDiagram}. */
export interface ReliabilityOptions extends BinOptions {
  /** The diagram of this class against the rest, by its own probability. Default: of the predicted class. */
  classIndex?: number;
}

/** Options of {@link calibrationError}. */
export interface CalibrationErrorOptions extends BinOptions {
  /** Default: 'l1'. */
  norm?: CalibrationNorm;
  /**
   * Takes from each squared gap of norm 'l2' what sampling adds to it on average, accuracy (1 - accuracy) / (count - 1), in bins of two rows
   * or more; at least 0 in all. Default: false. Kumar, Liang, Ma, "Verified uncertainty calibration", NeurIPS 2019.
   */
  debias?: boolean;
}

/** Options of {@link classwiseCalibrationError}. */
export interface ClasswiseOptions extends CalibrationErrorOptions {
  /** 'classes': the mean over all classes; 'labels': weighted by how often a class is the label. Default: 'classes'. */
  average?: 'classes' | 'labels';
}

/**
 * Reliability diagram: rows binned by confidence max_k p_k into `nBins` (default 15) bins of equal width, (lo, hi] with
 * the first closed at 0, so that confidences 0 and 1 are counted; `binning: 'mass'` makes bins of equal count, see
 * {@link BinOptions}. probs: (rows, classes).
 * Throws RangeError on anything but probabilities (NaN, an entry outside [0, 1] by more than 1e-6, a row sum off by more
 * than 1e-3), on labels that do not fit, and unless nBins is an integer >= 1.
 */
export function reliabilityDiagram(probs: Matrix, labels: Labels, { classIndex, ...bins }: ReliabilityOptions = {}): ReliabilityBin[] {
  checkBins('reliabilityDiagram', bins);
  const matrix = labelledRows(probs, labels, 'reliabilityDiagram');
  if (classIndex === undefined) return filled(topConfidences(matrix), bins);
  if (!(Number.isInteger(classIndex) && classIndex >= 0 && classIndex < matrix.classes)) {
    throw new RangeError(`reliabilityDiagram: classIndex is ${classIndex}, expected an integer in 0..${matrix.classes - 1}`);
  }
  return filled(classConfidences(matrix, classIndex), bins);
}

/**
 * Calibration error of the predicted class. With the gap |accuracy - confidence| of each bin and its share of the rows,
 * norm 'l1' (default) is sum share * gap, the expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015; Guo
 * et al., ICML 2017); 'l2' is sqrt(sum share * gap^2); 'max' is the largest gap of a bin that is not empty (MCE); 'mean' the
 * plain mean of those gaps (ACE). With `binning: 'mass'` 'l1' is the adaptive ECE. Bins and errors as for
 * {@link reliabilityDiagram}. torchmetrics closes its bins on the left instead, which differs for confidences on an edge.
 */
export function calibrationError(probs: Matrix, labels: Labels, { norm = 'l1', debias = false, ...bins }: CalibrationErrorOptions = {}): number {
  check('calibrationError', norm, bins, debias);
  return errorOf(topConfidences(labelledRows(probs, labels, 'calibrationError')), norm, bins, debias);
}

/** Calibration error of each class against the rest, by its own probability. Options and errors as for {@link calibrationError}. */
export function perClassCalibrationError(probs: Matrix, labels: Labels, { norm = 'l1', debias = false, ...bins }: CalibrationErrorOptions = {}): number[] {
  check('perClassCalibrationError', norm, bins, debias);
  return perClass(probs, labels, norm, bins, debias, 'perClassCalibrationError');
}

/**
 * Class-wise calibration error: the mean of {@link perClassCalibrationError} (Kull et al., NeurIPS 2019; Nixon et al., 2019).
 * A class that is no label still has predictions to judge and counts; the code of MbLS and CALS averages over
 * max(labels) + 1 classes, as `compat: 'released-code'` does, beside its bins.
 */
export function classwiseCalibrationError(probs: Matrix, labels: Labels, { norm = 'l1', average = 'classes', debias = false, ...bins }: ClasswiseOptions = {}): number {
  const where = 'classwiseCalibrationError';
  check(where, norm, bins, debias);
  if (average !== 'classes' && average !== 'labels') throw new RangeError(`${where}: average is ${String(average)}, expected 'classes' or 'labels'`);
  const errors = perClass(probs, labels, norm, bins, debias, where);
  if (average === 'labels') return Array.from(labels).reduce((sum, y) => sum + errors[y]!, 0) / labels.length;
  const counted = bins.compat ? errors.slice(0, Array.from(labels).reduce((a, b) => Math.max(a, b)) + 1) : errors;
  return counted.reduce((sum, e) => sum + e, 0) / counted.length;
}

function perClass(probs: Matrix, labels: Labels, norm: CalibrationNorm, bins: BinOptions, debias: boolean, where: string): number[] {
  const matrix = labelledRows(probs, labels, where);
  return Array.from({ length: matrix.classes }, (_, c) => errorOf(classConfidences(matrix, c), norm, bins, debias));
}

function check(where: string, norm: CalibrationNorm, bins: BinOptions, debias: boolean): void {
  if (!['l1', 'l2', 'max', 'mean'].includes(norm)) throw new RangeError(`${where}: norm is ${String(norm)}, expected 'l1', 'l2', 'max' or 'mean'`);
  if (debias && norm !== 'l2') throw new RangeError(`${where}: debias is true with norm '${norm}', expected norm 'l2'`);
  checkBins(where, bins);
}

const filled = ({ confidence, hit }: Confidences, bins: BinOptions): ReliabilityBin[] => fillBins(confidence, hit, bins);

function errorOf(of: Confidences, norm: CalibrationNorm, bins: BinOptions, debias: boolean): number {
  const full = filled(of, bins).filter(({ count }) => count > 0);
  const gaps = full.map(({ confidence, accuracy }) => Math.abs(accuracy - confidence));
  const share = (i: number): number => full[i]!.count / of.hit.length;
  if (norm === 'max') return gaps.reduce((a, b) => Math.max(a, b), 0);
  if (norm === 'mean') return gaps.reduce((a, b) => a + b, 0) / Math.max(1, gaps.length);
  if (norm === 'l1') return gaps.reduce((sum, gap, i) => sum + share(i) * gap, 0);
  const added = (i: number): number => (debias && full[i]!.count > 1 ? (full[i]!.accuracy * (1 - full[i]!.accuracy)) / (full[i]!.count - 1) : 0);
  return Math.sqrt(Math.max(0, gaps.reduce((sum, gap, i) => sum + share(i) * (gap * gap - added(i)), 0)));
}
