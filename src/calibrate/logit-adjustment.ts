import { any, check, checkOptions, finite, listOf, positive, required } from '../check/check.ts';
import { affine, type AffineCalibrator } from './affine.ts';
import type { ScoreOptions } from './calibrator.ts';
import { plain } from '../check/state.ts';
import { INPUT } from './calibrator.ts';
import { COUNTS } from '../stats/class-weights.ts';

/** Options of {@link logitAdjustment}. */
export interface LogitAdjustmentOptions extends ScoreOptions {
  /** Training samples of each class; a class without any counts as one with a single sample. */
  classCounts: ArrayLike<number>;
  /** Factor of the log prior. Default: 1. */
  tau?: number;
  /**
   * Classes where the model is used: 'balanced' (all alike, the default), or a positive probability or count for each,
   * such as `estimatePrior` gives.
   */
  testPrior?: 'balanced' | ArrayLike<number>;
}

/**
 * Post-hoc logit adjustment: softmax(z_c - tau (log pi_c - log rho_c)), pi the training prior, rho the test prior, for
 * a model trained with plain cross-entropy. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021. Nothing
 * is fitted, so that this is a calibrator already: `logitAdjustment({ classCounts }).wrap(model).predict(x)`.
 * Throws RangeError on negative or non-finite counts, a tau that is not finite, and a test prior that does not fit.
 */
export function logitAdjustment(options: LogitAdjustmentOptions): AffineCalibrator {
  checkOptions('logitAdjustment', options, {
    classCounts: required(COUNTS),
    tau: finite,
    testPrior: any,
    input: INPUT,
  });
  const { classCounts, tau = 1, input = 'logits' } = options;
  const testPrior = options.testPrior === 'balanced' ? undefined : options.testPrior;
  const classes = classCounts.length;
  if (classes < 2) throw new RangeError(`logitAdjustment: classCounts has ${classes} entries, expected at least 2`);
  if (testPrior) check('logitAdjustment', { testPrior }, { testPrior: listOf(positive, classes, 'one per class') });
  const train = logShares(Array.from(classCounts, (n) => (n === 0 ? 1 : n)));
  const test = testPrior ? logShares(Array.from(testPrior)) : train.map(() => 0);
  return affine({
    kind: 'vector',
    input,
    classes,
    weight: train.map(() => 1),
    bias: plain(train.map((v, c) => -tau * (v - test[c]!))),
  });
}

function logShares(values: readonly number[]): number[] {
  const total = values.reduce((a, b) => a + b);
  return values.map((v) => Math.log(v / total));
}
