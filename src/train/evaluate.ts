import { accuracy, balancedAccuracy, perClassAccuracy } from '../metrics/index.ts';
import type { BatchOptions } from '../nn/map-batches.ts';
import { readArray, readLabels, type ArrayInput, type LabelsInput } from '../tensor/array-input.ts';
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
  predict(x: NdArray, options?: BatchOptions): Promise<NdArray<Float32Array | Float64Array>>;
}

/** Predicts a dataset in evaluation mode and scores it; x and y may be Tensors, NdArrays or nested arrays. */
export async function evaluate(model: Predictor, data: { x: ArrayInput; y: LabelsInput }, options: BatchOptions = {}): Promise<Evaluation> {
  const y = await readLabels('evaluate: y', data.y);
  const probabilities = await model.predict(await readArray('evaluate: x', data.x), options);
  return {
    accuracy: accuracy(probabilities, y),
    balancedAccuracy: balancedAccuracy(probabilities, y),
    perClass: perClassAccuracy(probabilities, y),
    probabilities,
  };
}
