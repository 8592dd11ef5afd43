import { expectOptions } from '../check/options.ts';
import type { Dataset } from '../data/dataset.ts';
import { accuracy, balancedAccuracy, perClassAccuracy } from '../metrics/index.ts';
import { PREDICT_OPTIONS, type PredictOptions } from '../nn/map-batches.ts';
import type { NdArray } from '../tensor/ndarray.ts';

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

/** Predicts a dataset in evaluation mode and scores it; with `weights: average` under averaged weights. */
export async function evaluate(model: Predictor, data: Dataset, options: PredictOptions = {}): Promise<Evaluation> {
  expectOptions('evaluate', options, PREDICT_OPTIONS);
  const probabilities = await model.predict(data.x, options);
  return {
    accuracy: accuracy(probabilities, data.y),
    balancedAccuracy: balancedAccuracy(probabilities, data.y),
    perClass: perClassAccuracy(probabilities, data.y),
    probabilities,
  };
}
