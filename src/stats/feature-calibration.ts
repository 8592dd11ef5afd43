import {
  any,
  atLeast,
  between,
  boolean,
  check,
  checkOptions,
  finite,
  integer,
  listOf,
  oneOf,
  positive,
  required,
  rule,
  worded,
} from '../check/check.ts';
import {
  checkedRows,
  covarianceOf,
  deviationsOf,
  meanOf,
  type ClassStatistics,
  type RowMatrix,
} from './class-statistics.ts';

/** Normal distributions of features, one for each class or point that is to be enriched. */
export interface Gaussians {
  width: number;
  /** (count, width). */
  means: Float64Array;
  /** (count, width, width). */
  covariances: Float64Array;
}

/**
 * Tukey's ladder of powers: x^lambda, and log(x + eps) for lambda = 0. Throws RangeError on a negative number, for
 * which a power means nothing: features must come after a relu.
 */
export function tukey(x: ArrayLike<number>, lambda: number, options: { eps?: number } = {}): Float64Array {
  check('tukey', { x, lambda }, { x: listOf(feature), lambda: atLeast(0) });
  checkOptions('tukey', options, { eps: atLeast(0) });
  const { eps = 1e-6 } = options;
  return Float64Array.from(x, (v) => (lambda === 0 ? Math.log(v + eps) : v ** lambda));
}

const feature = rule('a number >= 0; take features after a relu', (v: number) => v >= 0);

/** Options of {@link nearestMeans}. */
export interface NearestMeansOptions {
  /** Nearest classes whose statistics are lent. */
  k?: number;
  /** Added to every entry of the covariance, as both codes do; it makes none positive definite. */
  alpha?: number;
  /** Added to its diagonal. */
  jitter?: number;
}

/**
 * A Gaussian for each point: mean (x + the means of the k nearest classes) / (k + 1), covariance the mean of theirs
 * plus alpha. Distances are Euclidean. `nearest`: (points, k), the nearest first; of equal ones the lower class.
 * Free Lunch (Yang, Liu, Xu, ICLR 2021): k = 2, alpha = .21 (the defaults), points raised to the power 1/2, base
 * statistics of features as they are. TailCalib (Vigneswaran et al., ICVGIP 2021): k = 1, alpha = 0, jitter = 1e-4,
 * power .9, and the own class may be the nearest. Throws RangeError when k is not 1..classes, and where a class that is
 * chosen has fewer than two rows.
 */
export function nearestMeans(
  statistics: ClassStatistics,
  points: RowMatrix,
  options: NearestMeansOptions = {},
): Gaussians & { nearest: number[][] } {
  const { classes, width, counts } = statistics;
  checkOptions('nearestMeans', options, { k: integer(1), alpha: atLeast(0), jitter: atLeast(0) });
  const { k = 2, alpha = 0.21, jitter = 0 } = options;
  check('nearestMeans', { k }, { k: integer(1, classes) });
  const [rows, columns] = checkedRows('nearestMeans: points', points);
  if (columns !== width) throw new RangeError(`nearestMeans: points have width ${columns}, the statistics ${width}`);
  const means = new Float64Array(rows * width);
  const covariances = new Float64Array(rows * width * width);
  const nearest: number[][] = [];
  for (let r = 0; r < rows; r++) {
    const x = Float64Array.from({ length: width }, (_, i) => points.data[r * width + i]!);
    const distances = Array.from({ length: classes }, (_, c) => squaredDistance(meanOf(statistics, c), x));
    const chosen = ranked(distances.map((d, c) => (counts[c] === 0 ? Infinity : d))).slice(0, k);
    nearest.push(chosen);
    const mean = means.subarray(r * width, (r + 1) * width);
    const covariance = covariances.subarray(r * width * width, (r + 1) * width * width);
    x.forEach((v, i) => (mean[i] = v / (k + 1)));
    covariance.fill(alpha);
    for (const c of chosen) {
      if (counts[c]! < 2)
        throw new RangeError(
          `nearestMeans: class ${c} is among the nearest and has ${counts[c]} rows, expected at least 2 for ` +
            'a covariance',
        );
      addScaled(mean, meanOf(statistics, c), 1 / (k + 1));
      addScaled(covariance, fullCovariance(statistics, c), 1 / k);
    }
    addDiagonal(covariance, width, jitter);
  }
  return { width, means, covariances, nearest };
}

/** Options of {@link ladc}: all that can be varied, since the paper's code is not public. */
export interface LadcOptions {
  /** Classes that lend their statistics. */
  head: readonly number[];
  /** Classes that are calibrated. */
  tail: readonly number[];
  /** Head classes that a tail class takes from. Default: 2. */
  m?: number;
  /**
   * Of the class means: negative squared distance, cosine; or minus the squared Wasserstein distance of diagonal
   * Gaussians. Default: 'euclidean'.
   */
  similarity?: 'euclidean' | 'cosine' | 'w2';
  /** Weights grow with the size of the head class to this power. Default: 0. */
  kappa?: number;
  /** Of the softmax over similarities. Default: 1. */
  temperature?: number;
  /** A tail class of n rows keeps the share n / (n + nu) of its own statistics; 0: all. Default: 10. */
  nu?: number;
  /** Added to the diagonal of each covariance. Default: 0.01. */
  alpha?: number;
  /** Keep the tail class's own mean. Default: false. */
  keepMean?: boolean;
}

/** What {@link ladc} found for one tail class. */
export interface LadcClass {
  class: number;
  /** To each head class. */
  similarity: number[];
  /** The m most similar head classes, the most similar first, and their weights. */
  selected: number[];
  weights: number[];
  /** n / (n + nu). */
  confidence: number;
}

/**
 * Head-to-tail calibration in the manner of label-aware distribution calibration (LADC, Liu et al., TNNLS 2022), whose
 * formulas are not public; these are ours. For tail class t the m most similar head classes have the weights
 *   w_h ~ n_h^kappa softmax(similarity / temperature),  c = n_t / (n_t + nu),
 *   mean_t' = c mean_t + (1 - c) sum w_h mean_h,  cov_t' = c cov_t + (1 - c) sum w_h cov_h + alpha I.
 * Throws RangeError on options out of range, classes that are both head and tail or twice in one, and head classes with
 * fewer than two rows.
 */
export function ladc(statistics: ClassStatistics, options: LadcOptions): Gaussians & { classes: LadcClass[] } {
  checkOptions('ladc', options, {
    head: required(any),
    tail: required(any),
    m: integer(1),
    similarity: oneOf('euclidean', 'cosine', 'w2'),
    kappa: finite,
    temperature: positive,
    nu: atLeast(0),
    alpha: atLeast(0),
    keepMean: boolean,
  });
  const {
    head,
    tail,
    m = 2,
    similarity = 'euclidean',
    kappa = 0,
    temperature = 1,
    nu = 10,
    alpha = 0.01,
    keepMean = false,
  } = options;
  const { width, counts, classes } = statistics;
  checkParts('ladc', classes, head, tail);
  const poor = head.find((c) => counts[c]! < 2);
  if (poor !== undefined)
    throw new RangeError(`ladc: head class ${poor} has ${counts[poor]} rows, expected at least 2`);
  const missing = tail.find((c) => counts[c] === 0);
  if (missing !== undefined) throw new RangeError(`ladc: tail class ${missing} has no rows, expected at least 1`);
  const most = integer(1, head.length);
  check('ladc', { m }, { m: worded(most, `${most.expected}, the head classes`) });
  const means = new Float64Array(tail.length * width);
  const covariances = new Float64Array(tail.length * width * width);
  const found = tail.map((t, at): LadcClass => {
    const similarities = head.map((h) => similarityOf(statistics, t, h, similarity));
    const order = ranked(similarities.map((s) => -s)).slice(0, m);
    const most = similarities[order[0]!]!;
    // Logarithms, of which the largest is taken away: n^kappa may overflow.
    const logs = order.map((i) => kappa * Math.log(counts[head[i]!]!) + (similarities[i]! - most) / temperature);
    const top = Math.max(...logs);
    const raw = logs.map((v) => Math.exp(v - top));
    const total = raw.reduce((a, b) => a + b);
    const weights = raw.map((w) => w / total);
    const confidence = counts[t]! / (counts[t]! + nu);
    const mean = means.subarray(at * width, (at + 1) * width);
    const covariance = covariances.subarray(at * width * width, (at + 1) * width * width);
    addScaled(mean, meanOf(statistics, t), keepMean ? 1 : confidence);
    addScaled(covariance, fullCovariance(statistics, t), confidence);
    order.forEach((i, j) => {
      const h = head[i]!;
      if (!keepMean) addScaled(mean, meanOf(statistics, h), (1 - confidence) * weights[j]!);
      addScaled(covariance, fullCovariance(statistics, h), (1 - confidence) * weights[j]!);
    });
    addDiagonal(covariance, width, alpha);
    return { class: t, similarity: similarities, selected: order.map((i) => head[i]!), weights, confidence };
  });
  return { width, means, covariances, classes: found };
}

/**
 * Head-to-tail calibration of diagonal Gaussians (Chen and Su, CVPR 2023): weights softmax over head classes of -W2^2 /
 * sqrt(width), mean and deviation (1 - a) sum w head + a tail. `w2` and `weights`: (tail, head). Throws RangeError on a
 * share outside [0, 1], classes that are both head and tail, twice in one or without rows, and without a head class.
 */
export function headToTail(
  statistics: ClassStatistics,
  options: { head: readonly number[]; tail: readonly number[]; a?: number },
): { w2: number[][]; weights: number[][]; means: number[][]; deviations: number[][] } {
  checkOptions('headToTail', options, { head: required(any), tail: required(any), a: between(0, 1) });
  const { head, tail, a = 0.998 } = options;
  const { width, classes, counts } = statistics;
  checkParts('headToTail', classes, head, tail);
  if (head.length === 0) throw new RangeError('headToTail: head has no class, expected at least 1');
  const missing = [...head, ...tail].find((c) => counts[c] === 0);
  if (missing !== undefined) throw new RangeError(`headToTail: class ${missing} has no rows, expected at least 1`);
  const w2 = tail.map((t) => head.map((h) => -similarityOf(statistics, t, h, 'w2')));
  const weights = w2.map((row) => {
    const least = Math.min(...row);
    const raw = row.map((d) => Math.exp((least - d) / Math.sqrt(width)));
    const total = raw.reduce((p, q) => p + q);
    return raw.map((v) => v / total);
  });
  const mixed = (of: (c: number) => Float64Array): number[][] =>
    tail.map((t, i) => {
      const out = new Float64Array(width);
      addScaled(out, of(t), a);
      head.forEach((h, j) => addScaled(out, of(h), (1 - a) * weights[i]![j]!));
      return [...out];
    });
  return {
    w2,
    weights,
    means: mixed((c) => meanOf(statistics, c)),
    deviations: mixed((c) => deviationsOf(statistics, c)),
  };
}

function checkParts(where: string, classes: number, head: readonly number[], tail: readonly number[]): void {
  for (const c of [...head, ...tail])
    if (!(Number.isInteger(c) && c >= 0 && c < classes))
      throw new RangeError(`${where}: class ${c} is not in 0..${classes - 1}`);
  for (const [name, list] of Object.entries({ head, tail })) {
    const twice = list.find((c, i) => list.indexOf(c) !== i);
    if (twice !== undefined)
      throw new RangeError(`${where}: class ${twice} is twice in ${name}, expected each class once`);
  }
  const both = tail.find((c) => head.includes(c));
  if (both !== undefined) throw new RangeError(`${where}: class ${both} is in head and tail, expected one of them`);
}

/** Samples that each class lacks to have as many as the largest, or `target`; none for a class that has more. */
export function missingCounts(counts: ArrayLike<number>, target: number = Math.max(...Array.from(counts))): number[] {
  return Array.from(counts, (n) => Math.max(0, target - n));
}

function similarityOf(statistics: ClassStatistics, t: number, h: number, kind: 'euclidean' | 'cosine' | 'w2'): number {
  const [a, b] = [meanOf(statistics, t), meanOf(statistics, h)];
  if (kind === 'euclidean') return -squaredDistance(a, b);
  if (kind === 'w2')
    return -squaredDistance(a, b) - squaredDistance(deviationsOf(statistics, t), deviationsOf(statistics, h));
  const dot = (p: Float64Array, q: Float64Array): number => p.reduce((sum, v, i) => sum + v * q[i]!, 0);
  const length = Math.sqrt(dot(a, a) * dot(b, b));
  return length === 0 ? 0 : dot(a, b) / length;
}

function squaredDistance(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0);
}

/** Indices by ascending value; of equal ones the lower first. */
function ranked(values: readonly number[]): number[] {
  return values.map((_, i) => i).sort((i, j) => values[i]! - values[j]! || i - j);
}

function fullCovariance(statistics: ClassStatistics, c: number): Float64Array {
  const own = covarianceOf(statistics, c);
  if (!statistics.isDiagonal) return own;
  const full = new Float64Array(statistics.width ** 2);
  own.forEach((v, i) => (full[i * (statistics.width + 1)] = v));
  return full;
}

function addScaled(to: Float64Array, from: Float64Array, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * from[i]!;
}

function addDiagonal(matrix: Float64Array, width: number, value: number): void {
  for (let i = 0; i < width; i++) matrix[i * (width + 1)]! += value;
}
