import { boolean, check, checkOptions, integer, oneOf } from '../check/check.ts';
import { BINS, fillBins, type BinOptions, type ReliabilityBin, type WeighedBin } from './bins.ts';
import { classConfidences, labelledRows, topConfidences, type Confidences, type LabelledRows } from './confidence.ts';
import type { Labels, Matrix } from './matrix.ts';
import { WEIGHT, type WeightOptions } from './weights.ts';

/** How the gaps of the bins become one number. */
export type CalibrationNorm = 'l1' | 'l2' | 'max' | 'mean';

/** Options of {@link reliabilityDiagram}. */
export interface ReliabilityOptions extends BinOptions, WeightOptions {
  /** The diagram of this class against the rest, by its own probability. Default: of the predicted class. */
  classIndex?: number;
}

/** Options of {@link calibrationError}. */
export interface CalibrationErrorOptions extends BinOptions, WeightOptions {
  /** Default: 'l1'. */
  norm?: CalibrationNorm;
  /**
   * Takes from each squared gap of norm 'l2' what sampling adds to it on average, accuracy (1 - accuracy) / (count -
   * 1), in bins of two rows or more; at least 0 in all. Of rows of unequal weight those count that vary as much, (sum
   * w)^2 / sum w^2. Default: false. Kumar, Liang, Ma, "Verified uncertainty calibration", NeurIPS 2019.
   */
  debias?: boolean;
}

/** Options of {@link classwiseCalibrationError}. */
export interface ClasswiseOptions extends CalibrationErrorOptions {
  /** 'classes': the mean over all classes; 'labels': weighted by how often a class is the label. Default: 'classes'. */
  average?: 'classes' | 'labels';
}

/**
 * Reliability diagram: rows binned by confidence max_k p_k into `numBins` (default 15) bins of equal width, (lo, hi]
 * with the first closed at 0, so that confidences 0 and 1 are counted. Confidences and edges are compared in f32, as in
 * the field's torch code, so that f32 and f64 probabilities give the same bins. `binning: 'mass'` makes bins of equal
 * count, see {@link BinOptions}. probs: (rows, classes). Throws RangeError on anything but probabilities (NaN, an entry
 * outside [0, 1] by more than 1e-6, a row sum off by more than 1e-3), on labels and weights that do not fit, and unless
 * numBins is an integer >= 1.
 */
export function reliabilityDiagram(probs: Matrix, labels: Labels, options: ReliabilityOptions = {}): ReliabilityBin[] {
  const where = 'reliabilityDiagram';
  checkOptions(where, options, { classIndex: integer(0), ...BINS, ...WEIGHT });
  const matrix = labelledRows(probs, labels, where, options);
  expectPlain(where, options, matrix);
  const { classIndex = 0 } = options;
  check(where, { classIndex }, { classIndex: integer(0, matrix.classes - 1) });
  const bins = fillBins(
    options.classIndex === undefined ? topConfidences(matrix) : classConfidences(matrix, classIndex),
    options,
  );
  return bins.map(({ effective: _, share, ...bin }) => (matrix.weights.isGiven ? { ...bin, share } : bin));
}

const ERROR = { norm: oneOf('l1', 'l2', 'max', 'mean'), debias: boolean, ...BINS, ...WEIGHT } as const;

/**
 * Calibration error of the predicted class. With the gap |accuracy - confidence| of each bin and its share of the rows,
 * norm 'l1' (default) is sum share * gap, the expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015; Guo
 * et al., ICML 2017); 'l2' is sqrt(sum share * gap^2); 'max' is the largest gap of a bin that is not empty (MCE);
 * 'mean' the plain mean of those gaps (ACE). With `binning: 'mass'` 'l1' is the adaptive ECE. Bins and errors as for
 * {@link reliabilityDiagram}. torchmetrics closes its bins on the left instead, which differs for confidences on an
 * edge.
 */
export function calibrationError(probs: Matrix, labels: Labels, options: CalibrationErrorOptions = {}): number {
  checkOptions('calibrationError', options, ERROR);
  return errorOf(topConfidences(checked(probs, labels, options, 'calibrationError')), options);
}

/**
 * Calibration error of each class against the rest, by its own probability. Options and errors as for
 * {@link calibrationError}.
 */
export function perClassCalibrationError(
  probs: Matrix,
  labels: Labels,
  options: CalibrationErrorOptions = {},
): number[] {
  checkOptions('perClassCalibrationError', options, ERROR);
  return perClass(checked(probs, labels, options, 'perClassCalibrationError'), options);
}

/**
 * Class-wise calibration error: the mean of {@link perClassCalibrationError} (Kull et al., NeurIPS 2019; Nixon et al.,
 * 2019). A class that is no label still has predictions to judge and counts; the code of MbLS and CALS averages over
 * max(labels) + 1 classes, as `compat: 'released-code'` does, which also has its own bins.
 */
export function classwiseCalibrationError(probs: Matrix, labels: Labels, options: ClasswiseOptions = {}): number {
  const where = 'classwiseCalibrationError';
  checkOptions(where, options, { average: oneOf('classes', 'labels'), ...ERROR });
  const { average = 'classes', compat } = options;
  const matrix = checked(probs, labels, options, where);
  const errors = perClass(matrix, options);
  const { rows, total } = matrix.weights;
  if (average === 'labels') return Array.from(labels).reduce((sum, y, r) => sum + rows[r]! * errors[y]!, 0) / total;
  const counted = compat ? errors.slice(0, Array.from(labels).reduce((a, b) => Math.max(a, b)) + 1) : errors;
  return counted.reduce((sum, e) => sum + e, 0) / counted.length;
}

function perClass(matrix: LabelledRows, options: CalibrationErrorOptions): number[] {
  return Array.from({ length: matrix.classes }, (_, c) => errorOf(classConfidences(matrix, c), options));
}

function checked(probs: Matrix, labels: Labels, options: CalibrationErrorOptions, where: string): LabelledRows {
  const { norm = 'l1', debias = false } = options;
  if (debias && norm !== 'l2') throw new RangeError(`${where}: debias is true with norm '${norm}', expected norm 'l2'`);
  const matrix = labelledRows(probs, labels, where, options);
  expectPlain(where, options, matrix);
  return matrix;
}

function expectPlain(where: string, { compat }: BinOptions, { weights }: LabelledRows): void {
  if (compat && weights.isGiven)
    throw new RangeError(
      `${where}: compat is '${compat}' with weights, which the released code does not have; leave one out`,
    );
}

function errorOf(of: Confidences, options: CalibrationErrorOptions): number {
  const { norm = 'l1', debias = false } = options;
  const full = fillBins(of, options).filter(({ share }) => share > 0);
  const gaps = full.map(({ confidence, accuracy }) => Math.abs(accuracy - confidence));
  if (norm === 'max') return gaps.reduce((a, b) => Math.max(a, b), 0);
  if (norm === 'mean') return gaps.reduce((a, b) => a + b, 0) / Math.max(1, gaps.length);
  if (norm === 'l1') return gaps.reduce((sum, gap, i) => sum + full[i]!.share * gap, 0);
  const added = ({ accuracy, count, effective }: WeighedBin): number =>
    debias && count > 1 && effective > 1 ? (accuracy * (1 - accuracy)) / (effective - 1) : 0;
  return Math.sqrt(
    Math.max(
      0,
      gaps.reduce((sum, gap, i) => sum + full[i]!.share * (gap * gap - added(full[i]!)), 0),
    ),
  );
}
