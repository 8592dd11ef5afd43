import { any, between, check, checkOptions, oneOf, required } from '../check/check.ts';
import {
  checkLabels,
  toFiniteRows,
  toProbabilityRows,
  type Labels,
  type Matrix,
  type Rows,
} from '../metrics/matrix.ts';
import { rowWeights, WEIGHT_RULES, type WeightOptions } from '../metrics/weights.ts';
import { kthvalue } from '../ops/kthvalue.ts';
import { isFinite } from '../ops/compare.ts';
import { all, max, min, sum } from '../ops/reduce.ts';
import { scope } from '../tensor/scope.ts';
import { expectRank, Tensor } from '../tensor/tensor.ts';
import { setPredictor, uniforms, type SetPredictor } from './label-sets.ts';
import { expectState, INFINITE } from '../check/state.ts';
import { weighedThreshold } from './weighed-threshold.ts';

/** Options of {@link averageK}. */
export interface AverageKOptions {
  /** Classes in a set on average: real, 0 < k <= classes. floor(k rows) scores are taken. */
  k: number;
  /**
   * 'midpoint' (default) puts the threshold between the last score taken and the next, as the authors' code does: ties
   * there make sets larger than asked. 'conservative' is the smallest score whose mean size does not exceed k. 'random'
   * takes scores equal to the threshold with the probability that makes the mean size k on the calibration rows.
   */
  tie?: 'midpoint' | 'conservative' | 'random';
  /** Of random ties. Default: 0. */
  seed?: number;
  /**
   * 'scores' accepts any numbers, such as logits or sigmoids of a multi-label head. Default: 'probabilities', whose
   * rows sum to 1.
   */
  input?: 'probabilities' | 'scores';
}

/** {@link averageK}, to be fitted to scores (rows, classes) of a calibration split. */
export interface AverageKMethod {
  /**
   * `weights` say how much each row counts, so that the mean size of the sets is k where classes come as `prior` says;
   * it needs the labels, which else do not matter.
   */
  fit(probs: Matrix, labels?: Labels | null, weights?: WeightOptions): SetPredictor<AverageKState>;
  /**
   * Of f32 scores on the device: a radix select finds the threshold, and three numbers are read; with weights the
   * scores are read and sorted on the host. The result is that of the host on the same scores.
   */
  fit(probs: Tensor, labels?: Labels | null, weights?: WeightOptions): Promise<SetPredictor<AverageKState>>;
}

/**
 * State of {@link averageK}: sets are the scores above `threshold`, and those equal to it with probability `tieShare`.
 */
export interface AverageKState {
  kind: 'averageK';
  k: number;
  classes: number;
  threshold: number;
  tieShare: number;
  seed: number;
  input: 'probabilities' | 'scores';
}

/** A score by its place in falling order, from 1, with the numbers of larger and of equal scores. */
interface Placed {
  value: number;
  before: number;
  equal: number;
}

function expectK(k: number, classes: number): void {
  check('averageK', { k }, { k: between(0, classes, '(]') });
}

function settingsOf({
  k,
  tie = 'midpoint',
  seed = 0,
  input = 'probabilities',
}: AverageKOptions): Required<AverageKOptions> {
  return { k, tie, seed, input };
}

function rowsOf(x: Matrix, input: AverageKOptions['input'], where: string): Rows {
  return input === 'scores' ? toFiniteRows(x, where) : toProbabilityRows(x, where);
}

/** Threshold and tie share; asks for scores by place, so that host and device share the rule. */
function* threshold(
  rows: number,
  classes: number,
  { k, tie, input }: Required<AverageKOptions>,
): Generator<number, { threshold: number; tieShare: number }, Placed> {
  const size = rows * classes;
  // 1.1 * 10 is 11.000000000000002
  const exact = Math.abs(k * rows - Math.round(k * rows)) < 1e-9 * size ? Math.round(k * rows) : k * rows;
  const taken = Math.floor(exact);
  if (taken === size) return { threshold: input === 'scores' ? -INFINITE : 0, tieShare: 1 };
  if (tie === 'random') {
    const { value, before, equal } = yield Math.ceil(exact);
    return { threshold: value, tieShare: (exact - before) / equal };
  }
  if (taken === 0) return { threshold: INFINITE, tieShare: 1 };
  const next = yield taken + 1;
  if (tie === 'midpoint') return { threshold: 0.5 * ((yield taken).value + next.value), tieShare: 1 };
  return next.before === 0
    ? { threshold: INFINITE, tieShare: 1 }
    : { threshold: (yield next.before).value, tieShare: 1 };
}

/**
 * Sets of k classes on average (Lorieul, Joly and Shasha 2021, arXiv 2112.08851): the best such sets are {c: p_c >=
 * threshold}, with the threshold of a calibration split: `averageK({ k: 2 }).fit(calibProbs).sets(probs)`.
 */
export function averageK(options: AverageKOptions): AverageKMethod {
  checkOptions('averageK', options, {
    k: required(any),
    tie: oneOf('midpoint', 'conservative', 'random'),
    seed: any,
    input: oneOf('probabilities', 'scores'),
  });
  const settings = settingsOf(options);
  function fit(probs: Matrix, labels?: Labels | null, weights?: WeightOptions): SetPredictor<AverageKState>;
  function fit(probs: Tensor, labels?: Labels | null, weights?: WeightOptions): Promise<SetPredictor<AverageKState>>;
  function fit(
    probs: Matrix | Tensor,
    labels: Labels | null = null,
    weights: WeightOptions = {},
  ): SetPredictor<AverageKState> | Promise<SetPredictor<AverageKState>> {
    checkOptions('averageK.fit', weights, WEIGHT_RULES);
    if (weights.prior !== undefined && !labels)
      throw new RangeError('averageK: prior is given without labels, expected the labels of the rows');
    return probs instanceof Tensor
      ? fitOnDevice(probs, labels, weights, settings)
      : fitOnHost(probs, labels, weights, settings);
  }
  return { fit };
}

function fitOnHost(
  probs: Matrix,
  labels: Labels | null,
  { sampleWeight, prior }: WeightOptions,
  settings: Required<AverageKOptions>,
): SetPredictor<AverageKState> {
  const { data, rows, classes } = rowsOf(probs, settings.input, 'averageK: probs');
  expectK(settings.k, classes);
  if (labels) checkLabels(labels, rows, classes, 'averageK: labels');
  if (sampleWeight !== undefined || prior !== undefined) {
    // Without a prior the labels do not matter.
    const { rows: weight } = rowWeights(labels ?? new Int32Array(rows), classes, { sampleWeight, prior }, 'averageK');
    return sets(classes, weighedThreshold(data, classes, weight, settings.k, settings), settings);
  }
  const sorted = Float64Array.from(data).sort();
  const place = (n: number): Placed => {
    const value = sorted[sorted.length - n]!;
    const above = sorted.length - upper(sorted, value);
    return { value, before: above, equal: sorted.length - above - lower(sorted, value) };
  };
  const search = threshold(rows, classes, settings);
  let step = search.next();
  while (!step.done) step = search.next(place(step.value));
  return sets(classes, step.value, settings);
}

async function fitOnDevice(
  probs: Tensor,
  labels: Labels | null,
  weights: WeightOptions,
  settings: Required<AverageKOptions>,
): Promise<SetPredictor<AverageKState>> {
  const [rows, classes] = expectRank(probs, 2, 'averageK: probs') as [number, number];
  if (rows === 0 || classes === 0)
    throw new RangeError(`averageK: probs has shape [${probs.shape}], expected at least one row and one class`);
  if (weights.sampleWeight !== undefined || weights.prior !== undefined)
    return fitOnHost(await probs.array(), labels, weights, settings);
  expectK(settings.k, classes);
  if (labels) checkLabels(labels, rows, classes, 'averageK: labels');
  await expectFinite(probs);
  if (settings.input === 'probabilities') await expectProbabilities(probs);
  const place = async (n: number): Promise<Placed> => {
    const { value, before, equal } = scope(() => kthvalue(probs, { k: n, largest: true }));
    const read = [value, before, equal].map((t) => t.read().finally(() => t.dispose()));
    const [v, b, e] = await Promise.all(read);
    return { value: v![0]!, before: b![0]!, equal: e![0]! };
  };
  const search = threshold(rows, classes, settings);
  let step = search.next();
  while (!step.done) step = search.next(await place(step.value));
  return sets(classes, step.value, settings);
}

function sets(
  classes: number,
  { threshold, tieShare }: { threshold: number; tieShare: number },
  { k, seed, input }: Required<AverageKOptions>,
): SetPredictor<AverageKState> {
  return averageKSets({ kind: 'averageK', k, classes, threshold: threshold + 0, tieShare, seed, input });
}

async function expectFinite(probs: Tensor): Promise<void> {
  const finite = scope(() => all(isFinite(probs)));
  const [isEach] = await finite.read().finally(() => finite.dispose());
  if (!isEach) throw new RangeError('averageK: probs holds NaN or Infinity, expected finite numbers');
}

async function expectProbabilities(probs: Tensor): Promise<void> {
  const made = scope(() => {
    const sums = sum(probs, { axes: -1 });
    return [min(probs), max(probs), min(sums), max(sums)];
  });
  const [low, high, least, most] = (await Promise.all(made.map((t) => t.read().finally(() => t.dispose())))).map(
    (v) => v[0]!,
  ) as [number, number, number, number];
  if (!(low >= -1e-6 && high <= 1 + 1e-6 && least >= 1 - 1e-3 && most <= 1 + 1e-3)) {
    throw new RangeError(
      `averageK: probs lie in ${low}..${high} with row sums in ${least}..${most}, expected probabilities ` +
        '(apply softmax to logits first)',
    );
  }
}

/** The predictor of a stored state. */
export function averageKSets(state: AverageKState): SetPredictor<AverageKState> {
  const { k, threshold, tieShare, seed, input, classes } = expectState('averageK', state, {
    kind: ['averageK'],
    threshold: 'number',
    k: 'number',
    classes: 'positive',
    tieShare: [0, 1],
    seed: 'integer',
    input: ['probabilities', 'scores'],
  });
  expectK(k, classes);
  const random = uniforms(seed, 1);
  const checked = (probs: Matrix): Rows => {
    const matrix = rowsOf(probs, input, 'averageK: probs');
    if (matrix.classes !== classes)
      throw new RangeError(`averageK: probs have ${matrix.classes} classes, expected ${classes}`);
    return matrix;
  };
  const isIn = (p: number, number: number, c: number): boolean =>
    p > threshold || (p === threshold && (tieShare === 1 || random(number, c) < tieShare));
  return setPredictor(state, checked, ({ data }, r, number) =>
    Array.from({ length: classes }, (_, c) => c).filter((c) => isIn(data[r * classes + c]!, number, c)),
  );
}

/** First index whose value is at least, and is above, `v` in a rising list. */
function lower(list: Float64Array, v: number): number {
  return bisect(list, (x) => x >= v);
}
function upper(list: Float64Array, v: number): number {
  return bisect(list, (x) => x > v);
}
function bisect(list: Float64Array, isPast: (x: number) => boolean): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const mid = (low + high) >>> 1;
    if (isPast(list[mid]!)) high = mid;
    else low = mid + 1;
  }
  return low;
}
