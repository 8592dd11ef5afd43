import { checkOptions, oneOf } from '../check/check.ts';
import type { Dataset } from '../data/dataset.ts';
import { checkLabels, toProbabilityRows, toRows, type Labels, type Matrix } from '../metrics/matrix.ts';
import { rowWeights, WEIGHT_RULES, type WeightOptions } from '../metrics/weights.ts';
import { PREDICT_RULES, type PredictOptions } from '../nn/map-batches.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { softmaxRows } from './temperature.ts';

/**
 * What the scores given to a calibrator are. Default: 'logits'; probabilities are turned into their logarithms, at
 * least 1e-38.
 */
export interface ScoreOptions {
  input?: 'logits' | 'probabilities';
}

/** What can be calibrated: anything that gives logits of host data. */
export interface LogitModel {
  logits(x: NdArray, options?: PredictOptions): Promise<NdArray>;
}

/** A calibrator: plain numbers, and a map from scores to probabilities. */
export interface Calibrator<State = unknown> {
  /** JSON for `loadCalibrator`. */
  readonly state: State;
  /** Calibrated probabilities (rows, classes) of scores (rows, classes), which are what its `input` says. */
  probabilities(scores: Matrix): NdArray<Float64Array>;
  /** The model with this calibrator on its outputs. */
  wrap(model: LogitModel): CalibratedModel<Calibrator<State>>;
}

/** A calibrator and how its fit went. */
export interface FittedCalibrator<State = unknown> extends Calibrator<State> {
  /** Mean negative log-likelihood of the calibration data, before and after, weighted as the fit is. */
  readonly nllBefore: number;
  readonly nllAfter: number;
  /**
   * False when the search stopped before the minimum, and on data that the calibrator separates, where there is none.
   */
  readonly converged: boolean;
}

/** A model with a calibrator on its outputs. */
export interface CalibratedModel<C extends Calibrator = Calibrator> {
  readonly calibrator: C;
  /** Calibrated probabilities of inputs x (n, ...): (n, classes). */
  predict(x: NdArray, options?: PredictOptions): Promise<NdArray<Float64Array>>;
}

/** A method of calibration, to be fitted to data that the model was not trained on. */
export interface CalibrationMethod<C extends Calibrator> {
  /** The calibrator of scores (rows, classes) and their labels. `weights` say how much each row counts. */
  fit(scores: Matrix, labels: Labels, weights?: WeightOptions): C;
  /** The model with the calibrator that fits the logits it gives to held-out data. */
  fit(model: LogitModel, calib: Dataset, options?: WeightOptions & PredictOptions): Promise<CalibratedModel<C>>;
}

/** Rule of the option `input`. */
export const INPUT = oneOf('logits', 'probabilities');

/**
 * The method `what`, which fits checked calibration data by `fitted`. Its `fit` throws RangeError on scores, labels and
 * weights that do not fit together.
 */
export function calibrationMethod<C extends Calibrator>(
  what: string,
  input: ScoreOptions['input'],
  fitted: (data: CalibrationData) => C,
): CalibrationMethod<C> {
  const of = (scores: Matrix, labels: Labels, weights: WeightOptions): C =>
    fitted(calibrationData(scores, labels, what, { input, ...weights }));
  const ofModel = async (
    model: LogitModel,
    calib: Dataset,
    { sampleWeight, prior, ...predicting }: WeightOptions & PredictOptions,
  ): Promise<CalibratedModel<C>> => {
    if (!(calib?.y?.length > 0))
      throw new RangeError(`${what}: the calibration set is empty, expected at least one sample`);
    const calibrator = of(await scoresOf(model, calib.x, input, predicting), calib.y, { sampleWeight, prior });
    return { ...calibrator.wrap(model), calibrator };
  };
  function fit(scores: Matrix, labels: Labels, weights?: WeightOptions): C;
  function fit(
    model: LogitModel,
    calib: Dataset,
    options?: WeightOptions & PredictOptions,
  ): Promise<CalibratedModel<C>>;
  function fit(
    source: Matrix | LogitModel,
    labels: Labels | Dataset,
    options: WeightOptions & PredictOptions = {},
  ): C | Promise<CalibratedModel<C>> {
    const isModel = typeof (source as LogitModel | null)?.logits === 'function';
    if (isModel) checkOptions(`${what}.fit`, options, { ...WEIGHT_RULES, ...PREDICT_RULES });
    else checkOptions<WeightOptions>(`${what}.fit`, options, WEIGHT_RULES);
    return isModel
      ? ofModel(source as LogitModel, labels as Dataset, options)
      : of(source as Matrix, labels as Labels, options);
  }
  return { fit };
}

/** A calibrator of checked `state`, whose `map` gives the probabilities of logits. */
export function calibrator<State extends { input: 'logits' | 'probabilities'; classes: number }>(
  state: State,
  map: (logits: Logits) => NdArray<Float64Array>,
): Calibrator<State> {
  const own: Calibrator<State> = {
    state,
    probabilities: (scores) => map(toLogits(scores, 'probabilities: scores', state.input, state.classes)),
    wrap: (model) => ({
      calibrator: own,
      predict: async (x, options) => own.probabilities(await scoresOf(model, x, state.input, options)),
    }),
  };
  return own;
}

async function scoresOf(
  model: LogitModel,
  x: NdArray,
  input: ScoreOptions['input'],
  options?: PredictOptions,
): Promise<Matrix> {
  const logits = await model.logits(x, options);
  return input === 'probabilities' ? softmaxRows(logits) : logits;
}

/** Scores as finite logits, with their sizes. */
export interface Logits {
  data: Float64Array;
  rows: number;
  classes: number;
}

/** Checked scores as logits. Throws RangeError, naming `where`, below two classes and on values that are not finite. */
export function toLogits(
  scores: Matrix,
  where: string,
  input: ScoreOptions['input'] = 'logits',
  expected?: number,
): Logits {
  const { data, rows, classes } = input === 'logits' ? toRows(scores, where) : toProbabilityRows(scores, where);
  if (classes < 2 || (expected !== undefined && classes !== expected))
    throw new RangeError(`${where} has ${classes} classes, expected ${expected ?? 'at least 2'}`);
  const out = Float64Array.from(data, input === 'logits' ? (z) => z : (p) => Math.log(Math.max(p, 1e-38)));
  const bad = out.findIndex((z) => !Number.isFinite(z));
  if (bad >= 0)
    throw new RangeError(
      `${where} is ${out[bad]} at row ${Math.floor(bad / classes)}, class ${bad % classes}, expected finite numbers`,
    );
  return { data: out, rows, classes };
}

/** What a calibrator is fitted to: logits with their labels, and weights above 0 of mean 1. */
export interface CalibrationData extends Logits {
  labels: Int32Array;
  weight: Float64Array;
}

/** Checked calibration data, without the rows of weight 0. */
export function calibrationData(
  scores: Matrix,
  labels: Labels,
  where: string,
  { input, ...weights }: ScoreOptions & WeightOptions,
): CalibrationData {
  const { data, rows, classes } = toLogits(scores, `${where}: scores`, input);
  checkLabels(labels, rows, classes, `${where}: labels`);
  const { rows: weight } = rowWeights(labels, classes, weights, where);
  const kept = Array.from(weight.keys()).filter((r) => weight[r]! > 0);
  if (kept.length === rows) return { data, rows, classes, labels: Int32Array.from(labels), weight };
  return {
    data: Float64Array.from(
      { length: kept.length * classes },
      (_, i) => data[kept[Math.floor(i / classes)]! * classes + (i % classes)]!,
    ),
    rows: kept.length,
    classes,
    labels: Int32Array.from(kept, (r) => labels[r]!),
    weight: Float64Array.from(kept, (r) => (weight[r]! * kept.length) / rows),
  };
}

/** Mean of -log softmax(z)_y, which stays finite where the softmax is 0. */
export function logitNll({ data, rows, classes, labels, weight }: CalibrationData): number {
  let sum = 0;
  for (let r = 0; r < rows; r++)
    sum += weight[r]! * (logSumExp(data, r * classes, classes) - data[r * classes + labels[r]!]!);
  return sum / rows;
}

/**
 * Unit of values for a search: 1 up to a magnitude of 32, else such that they reach it. Slopes grow with the values,
 * and a search from where the softmax is saturated does not see its minimum.
 */
export function searchUnit(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  return Math.max(1, largest / 32);
}

/** log of the sum of exp over `count` entries from `first` on. */
export function logSumExp(data: Float64Array, first: number, count: number): number {
  let max = -Infinity;
  for (let c = 0; c < count; c++) max = Math.max(max, data[first + c]!);
  let sum = 0;
  for (let c = 0; c < count; c++) sum += Math.exp(data[first + c]! - max);
  return max + Math.log(sum);
}

/** Mean of -log p_y. */
export function meanNll({ data, shape }: NdArray<Float64Array>, labels: Int32Array, weight: Float64Array): number {
  const [rows, classes] = shape as [number, number];
  let sum = 0;
  for (let r = 0; r < rows; r++) sum -= weight[r]! * Math.log(data[r * classes + labels[r]!]!);
  return sum / rows;
}
