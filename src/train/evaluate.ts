import { any, checkOptions } from '../check/check.ts';
import { accuracy, balancedAccuracy, perClassAccuracy } from '../metrics/index.ts';
import { PREDICT_RULES, type PredictOptions } from '../nn/map-batches.ts';
import { readArray, readLabels, type ArrayInput, type LabelsInput } from '../tensor/array-input.ts';
import { NdArray } from '../tensor/ndarray.ts';

/** How a classifier does on a dataset. */
export interface Evaluation {
  /** Share of samples whose most probable class is the label. */
  accuracy: number;
  /** Mean over classes of the accuracy in the class. */
  balancedAccuracy: number;
  /** Accuracy in each class; NaN for a class without samples. */
  perClass: number[];
  /** What each function in `metrics` gave. */
  scores: Record<string, number>;
  /** (n, classes). */
  probabilities: NdArray<Float32Array | Float64Array>;
}

/** A metric, of probabilities (n, classes) and labels (n): one of `evenkeel/metrics`, or a function of your own. */
export type Metric = (probabilities: NdArray<Float32Array | Float64Array>, labels: ArrayLike<number>) => number;

/** Options of {@link evaluate}. */
export interface EvaluateOptions extends PredictOptions {
  /** More metrics by name, for `scores`. Default: none. */
  metrics?: Readonly<Record<string, Metric>>;
}

/** Anything that gives class probabilities of host data: a model, or a calibrated one. */
export interface Predictor {
  predict(x: NdArray, options?: PredictOptions): Promise<NdArray<Float32Array | Float64Array>>;
}

/**
 * Predicts a dataset in evaluation mode and scores it, with `weights: average` under averaged weights; x and y may be
 * Tensors, NdArrays or nested arrays.
 */
export async function evaluate(
  model: Predictor,
  data: { x: ArrayInput; y: LabelsInput },
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkOptions('evaluate', options, { ...PREDICT_RULES, metrics: any });
  const { metrics = {}, ...predicting } = options;
  for (const [name, metric] of Object.entries(metrics))
    if (typeof metric !== 'function')
      throw new TypeError(`evaluate: metric ${name} is ${String(metric)}, expected a function`);
  // What is on the host is predicted at once, with the weights of this moment.
  const x = data.x instanceof NdArray ? data.x : await readArray('evaluate: x', data.x);
  const probabilities = await model.predict(x, predicting);
  const y = await readLabels('evaluate: y', data.y);
  return {
    accuracy: accuracy(probabilities, y),
    balancedAccuracy: balancedAccuracy(probabilities, y),
    perClass: perClassAccuracy(probabilities, y),
    scores: Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [name, metric(probabilities, y)])),
    probabilities,
  };
}
