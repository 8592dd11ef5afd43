import { expectOptions } from '../check/options.ts';
import type { Dataset } from '../data/dataset.ts';
import { WEIGHT_KEYS, type WeightOptions } from '../metrics/weights.ts';
import type { BatchOptions } from '../nn/map-batches.ts';
import type { NdArray } from '../tensor/ndarray.ts';
import { fitTemperature, softmaxRows } from './temperature.ts';

/** What can be calibrated: anything that gives logits of host data. */
export interface LogitModel {
  logits(x: NdArray, options?: BatchOptions): Promise<NdArray>;
}

/** A model whose logits are divided by a temperature before the softmax. */
export interface TemperatureScaled {
  readonly temperature: number;
  /** Mean negative log-likelihood on the calibration data, before and after, weighted as the fit is. */
  readonly nllBefore: number;
  readonly nllAfter: number;
  /** False where no finite temperature above 0 is best, as in `fitTemperature`. */
  readonly converged: boolean;
  /** Calibrated probabilities, (n, classes); the predicted classes are those of the model. */
  predict(x: NdArray, options?: BatchOptions): Promise<NdArray<Float64Array>>;
}

/**
 * Temperature scaling: one number that divides all logits, found on held-out data by minimising the negative
 * log-likelihood. Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2.
 * The search is a bracketed one in 1/T, where the objective is convex, so it cannot diverge. `prior: 'balanced'` fits
 * for a test set where all classes are alike, though the calibration data are long-tailed.
 */
export function temperatureScaling(weights: WeightOptions = {}): {
  fit(model: LogitModel, calib: Dataset, options?: BatchOptions): Promise<TemperatureScaled>;
} {
  expectOptions('temperatureScaling', weights, WEIGHT_KEYS);
  return {
    async fit(model, calib, options) {
      if (!(calib?.y?.length > 0))
        throw new RangeError('temperatureScaling: the calibration set is empty, expected at least one sample');
      const found = fitTemperature(await model.logits(calib.x, options), calib.y, weights);
      return {
        ...found,
        predict: async (x, batch) => softmaxRows(await model.logits(x, batch), found.temperature),
      };
    },
  };
}
