import { any, check, checkOptions, integer, listOf, required } from '../check/check.ts';
import { checkLabels, toProbabilityRows, type Labels, type Matrix } from '../metrics/matrix.ts';
import { rowWeights, WEIGHT_RULES, type WeightOptions } from '../metrics/weights.ts';
import { averageK, type AverageKOptions } from './average-k.ts';
import { evaluateSets, topKPredictor, type LabelSets } from './label-sets.ts';

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
   * The k-th and the (k + 1)-th probability of each row, each in rising order, rows of any weight alike: average-k
   * gains where their laws overlap.
   */
  kth: Float64Array;
  next: Float64Array;
}

/** Options of {@link ambiguity}. */
export interface AmbiguityOptions extends WeightOptions {
  /** Sizes, integers below the number of classes. Default: all of them. */
  ks?: readonly number[];
  /** Labels of the rows, which `prior` needs. */
  labels?: Labels;
}

/**
 * The ambiguity curve: for each integer k below the number of classes, by how much average-k beats top-k if the
 * probabilities are right, gain = E[sum_{j <= k} (t - p_(j))_+ + sum_{j > k} (p_(j) - t)_+]. Zero where every row is
 * equally ambiguous. Means and shares are over rows by weight; probs: (rows, classes).
 */
export function ambiguity(probs: Matrix, options: AmbiguityOptions = {}): Ambiguity[] {
  checkOptions('ambiguity', options, { ks: any, labels: any, ...WEIGHT_RULES });
  const matrix = toProbabilityRows(probs, 'ambiguity: probs');
  const { data, rows, classes } = matrix;
  const { labels = null, sampleWeight, prior } = options;
  const ks = options.ks ?? Array.from({ length: classes - 1 }, (_, i) => i + 1);
  if (labels) checkLabels(labels, rows, classes, 'ambiguity: labels');
  else if (prior !== undefined)
    throw new RangeError('ambiguity: prior is given without labels, expected the labels of the rows');
  const { rows: weight } = rowWeights(labels ?? new Int32Array(rows), classes, { sampleWeight, prior }, 'ambiguity');
  const sorted = Float64Array.from({ length: rows * classes });
  for (let r = 0; r < rows; r++)
    sorted.set(
      Float64Array.from({ length: classes }, (_, c) => data[r * classes + c]!)
        .sort()
        .reverse(),
      r * classes,
    );
  check('ambiguity', { ks }, { ks: listOf(integer(1, classes - 1)) });
  return ks.map((k) => {
    const { threshold: t, tieShare } = averageK({ k, tie: 'random' }).fit(probs, labels, { sampleWeight, prior }).state;
    const column = (j: number): Float64Array =>
      Float64Array.from({ length: rows }, (_, r) => sorted[r * classes + j]!).sort();
    let [topKError, averageKError, gain, changed] = [0, 0, 0, 0];
    for (let r = 0; r < rows; r++) {
      const p = sorted.subarray(r * classes, (r + 1) * classes);
      const w = weight[r]!;
      topKError += w;
      averageKError += w;
      p.forEach((v, j) => {
        if (j < k) topKError -= w * v;
        if (v >= t) averageKError -= w * (v > t ? v : tieShare * v);
        gain += w * Math.max(0, j < k ? t - v : v - t);
      });
      if (p[k - 1]! < t || p[k]! > t) changed += w;
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
  checkOptions('errorCurves', options, { ks: required(any), calib: any, tie: any, ...WEIGHT_RULES });
  const { ks, calib = probs, tie = 'midpoint', sampleWeight, prior } = options;
  const { rows, classes } = toProbabilityRows(probs, 'errorCurves: probs');
  checkLabels(labels, rows, classes, 'errorCurves: labels');
  return ks.map((k) => {
    const method = averageK({ k, tie });
    const rule = calib === probs ? method.fit(calib, labels, { sampleWeight, prior }) : method.fit(calib);
    const report = (sets: LabelSets) => evaluateSets(sets, labels, { numClasses: classes, sampleWeight, prior });
    const { error, meanSize } = report(rule.sets(probs));
    return {
      k,
      threshold: rule.state.threshold,
      averageKError: error,
      meanSize,
      topKError: Number.isInteger(k) ? report(topKPredictor({ k }).sets(probs)).error : null,
    };
  });
}
