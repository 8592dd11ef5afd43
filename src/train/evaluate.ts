import { expectOptions } from '../check/options.ts';
import { accuracy, balancedAccuracy, perClassAccuracy } from '../metrics/index.ts';
import { PREDICT_OPTIONS, type PredictOptions } from '../nn/map-batches.ts';
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
  /** (n, classes). */
  probabilities: NdArray<Float32Array | Float64Array>;
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
  options: PredictOptions = {},
): Promise<Evaluation> {
  expectOptions('evaluate', options, PREDICT_OPTIONS);
  // What is on the host is predicted at once, with the weights of this moment.
  const x = data.x instanceof NdArray ? data.x : await readArray('evaluate: x', data.x);
  const probabilities = await model.predict(x, options);
  const y = await readLabels('evaluate: y', data.y);
  return {
    accuracy: accuracy(probabilities, y),
    balancedAccuracy: balancedAccuracy(probabilities, y),
    perClass: perClassAccuracy(probabilities, y),
    probabilities,
  };
}
