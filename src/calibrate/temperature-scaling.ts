import { checkOptions } from '../check/check.ts';
import { affineOf, type AffineCalibrator, type AffineState } from './affine.ts';
import {
  INPUT,
  calibrationMethod,
  type CalibrationMethod,
  type FittedCalibrator,
  type ScoreOptions,
} from './calibrator.ts';
import { temperatureOf } from './temperature.ts';

/** What {@link temperatureScaling} fits. */
export interface TemperatureCalibrator extends AffineCalibrator, FittedCalibrator<AffineState> {
  /** What logits are divided by. 1 when no temperature that was looked at lowers the NLL. */
  readonly temperature: number;
  /**
   * False where no finite temperature above 0 is best: on separable data, where every label has the largest logit and
   * the NLL falls for ever as T falls, and on logits no better than chance, where it falls as T grows. The end of the
   * search is then returned.
   */
  readonly converged: boolean;
}

/**
 * Temperature scaling: softmax(logits / T), with the number T > 0 that minimises the mean negative log-likelihood of
 * held-out data. Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2. The
 * search is a bracketed one in 1/T, where the objective is convex, so it cannot diverge. The predicted classes are
 * those of the model.
 *
 *     const scaled = await temperatureScaling().fit(model, calib, { prior: 'balanced' });
 *     const { temperature } = temperatureScaling().fit(logits, labels);
 *
 * `prior: 'balanced'` fits for a test set where all classes are alike, though the calibration data are long-tailed.
 * Throws RangeError on scores that are not finite, and on labels and weights that do not fit.
 */
export function temperatureScaling(options: ScoreOptions = {}): CalibrationMethod<TemperatureCalibrator> {
  checkOptions('temperatureScaling', options, { input: INPUT });
  const { input = 'logits' } = options;
  return calibrationMethod('temperatureScaling', input, (of) => {
    const found = temperatureOf(of, of.labels, of.weight);
    const { classes } = of;
    return {
      ...affineOf({
        kind: 'temperature',
        input,
        classes,
        weight: new Array<number>(classes).fill(1 / found.temperature),
        bias: new Array<number>(classes).fill(0),
      }),
      ...found,
    };
  });
}
