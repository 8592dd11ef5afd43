import { expectOptions } from '../check/options.ts';
import { checkLabels, toProbabilityRows, type Labels, type Matrix } from '../metrics/rows.ts';
import { WEIGHT_KEYS, type WeightOptions } from '../metrics/weights.ts';
import { averageK, type AverageKOptions } from './average-k.ts';
import { evaluateSets, topK, type LabelSets } from './label-sets.ts';

/** What {@link ambiguity} says of one size. */
export interface Ambiguity {
  k: number;
  /** Of the sets of k classes on average, ties taken at random. */
  threshold: number;
  tieShare: number;
  /**
   * Errors that the probabilities expect of the k most probable classes, and of the best sets of k classes on average.
   */
  topKError: number;
  averageKError: number;
  /** topKError - averageKError, as the sum over rows of what lies on the wrong side of the threshold. */
  gain: number;
  /** Share of rows whose k-th probability is below the threshold, or the next above: whose sets differ, ties aside. */
  changed: number;
  /**
   * The k-th and the (k + 1)-th probability of each row, each in rising order: average-k gains where their laws
   * overlap.
   */
  kth: Float64Array;
  next: Float64Array;
}

/**
 * The ambiguity curve: for each integer k below the number of classes, by how much average-k beats top-k if the
 * probabilities are right, gain = E[sum_{j <= k} (t - p_(j))_+ + sum_{j > k} (p_(j) - t)_+]. Zero where every row is
 * equally ambiguous.
 */
export function ambiguity(probs: Matrix, ks?: readonly number[]): Ambiguity[] {
  const matrix = toProbabilityRows(probs, 'ambiguity: probs');
  const { data, rows, classes } = matrix;
  const sorted = Float64Array.from({ length: rows * classes });
  for (let r = 0; r < rows; r++)
    sorted.set(
      Float64Array.from({ length: classes }, (_, c) => data[r * classes + c]!)
        .sort()
        .reverse(),
      r * classes,
    );
  return (ks ?? Array.from({ length: classes - 1 }, (_, i) => i + 1)).map((k) => {
    if (!(Number.isInteger(k) && k >= 1 && k < classes))
      throw new RangeError(`ambiguity: k is ${k}, expected an integer in 1..${classes - 1}`);
    const { threshold: t, tieShare } = averageK(probs, k, { tie: 'random' }).state;
    const column = (j: number): Float64Array =>
      Float64Array.from({ length: rows }, (_, r) => sorted[r * classes + j]!).sort();
    let [topKError, averageKError, gain, changed] = [0, 0, 0, 0];
    for (let r = 0; r < rows; r++) {
      const p = sorted.subarray(r * classes, (r + 1) * classes);
      topKError += 1;
      averageKError += 1;
      p.forEach((v, j) => {
        if (j < k) topKError -= v;
        if (v >= t) averageKError -= v > t ? v : tieShare * v;
        gain += Math.max(0, j < k ? t - v : v - t);
      });
      if (p[k - 1]! < t || p[k]! > t) changed++;
    }
    return {
      k,
      threshold: t,
      tieShare,
      topKError: topKError / rows,
      averageKError: averageKError / rows,
      gain: gain / rows,
      changed: changed / rows,
      kth: column(k - 1),
      next: column(k),
    };
  });
}

/** One point of {@link errorCurves}. */
export interface ErrorPoint {
  k: number;
  threshold: number;
  averageKError: number;
  /** Realised mean size of the average-k sets. */
  meanSize: number;
  /** Null where k is no integer. */
  topKError: number | null;
}

/**
 * Errors of average-k and top-k on labelled rows over sizes `ks`, by weight; thresholds from the rows of `calib`, which
 * have no weights, default the same rows, with theirs.
 */
export function errorCurves(
  probs: Matrix,
  labels: Labels,
  options: { ks: readonly number[]; calib?: Matrix; tie?: AverageKOptions['tie'] } & WeightOptions,
): ErrorPoint[] {
  expectOptions('errorCurves', options, ['ks', 'calib', 'tie', ...WEIGHT_KEYS]);
  const { ks, calib = probs, tie = 'midpoint', sampleWeight, prior } = options;
  const { rows, classes } = toProbabilityRows(probs, 'errorCurves: probs');
  checkLabels(labels, rows, classes, 'errorCurves: labels');
  return ks.map((k) => {
    const rule = averageK(calib, k, calib === probs ? { tie, labels, sampleWeight, prior } : { tie });
    const report = (sets: LabelSets) => evaluateSets(sets, labels, { classes, sampleWeight, prior });
    const { error, meanSize } = report(rule.predict(probs));
    return {
      k,
      threshold: rule.state.threshold,
      averageKError: error,
      meanSize,
      topKError: Number.isInteger(k) ? report(topK(k).predict(probs)).error : null,
    };
  });
}
