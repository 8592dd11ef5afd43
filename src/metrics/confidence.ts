import { argmaxOf } from './predictions.ts';
import { toLabels, toProbabilityRows, type HostLabels, type Labels, type Matrix, type Rows } from './matrix.ts';
import { rowWeights, type WeightOptions, type Weights } from './weights.ts';

/** One confidence a row, and whether what it speaks of came true (1 or 0). */
export interface Confidences {
  confidence: Float64Array;
  hit: Uint8Array;
  weights: Weights;
}

/** Checked probabilities with their labels and weights. */
export interface LabelledRows extends Rows {
  labels: Labels;
  weights: Weights;
}

/** Throws RangeError, naming `where`, on anything but probabilities, and on labels and weights that do not fit. */
export function labelledRows(
  probs: Matrix,
  labels: HostLabels,
  where: string,
  { sampleWeight, prior }: WeightOptions = {},
): LabelledRows {
  const matrix = toProbabilityRows(probs, `${where}: probs`);
  const own = toLabels(labels, matrix.rows, matrix.classes, `${where}: labels`);
  return { ...matrix, labels: own, weights: rowWeights(own, matrix.classes, { sampleWeight, prior }, where) };
}

/** The largest probability of each row, and whether it is at the label. */
export function topConfidences(matrix: LabelledRows): Confidences {
  const predicted = argmaxOf(matrix);
  return {
    confidence: Float64Array.from(predicted, (p, r) => unit(matrix.data[r * matrix.classes + p]!)),
    hit: Uint8Array.from(predicted, (p, r) => Number(p === matrix.labels[r])),
    weights: matrix.weights,
  };
}

/** The probability of class c in each row, and whether the label is c. */
export function classConfidences({ data, rows, classes, labels, weights }: LabelledRows, c: number): Confidences {
  return {
    confidence: Float64Array.from({ length: rows }, (_, r) => unit(data[r * classes + c]!)),
    hit: Uint8Array.from({ length: rows }, (_, r) => Number(labels[r] === c)),
    weights,
  };
}

/** Probabilities may leave [0, 1] by a rounding error. */
const unit = (p: number): number => Math.min(1, Math.max(0, p));
