import { any, checkOptions } from '../../check/check.ts';
import { adjustedCrossEntropy } from '../adjusted-cross-entropy.ts';
import { defineKernelLoss } from '../kernel-loss.ts';
import type { Loss } from '../loss.ts';
import { ADJUSTED, priorShift, type AdjustedLossOptions } from './vs.ts';

/** Options of {@link bayias}. */
export interface BayiasOptions extends AdjustedLossOptions {
  /**
   * Classes where the model will be used: 'balanced' (all alike, the default), or a positive probability or count for
   * each, such as `estimatePrior` gives.
   */
  testPrior?: 'balanced' | ArrayLike<number>;
}

/**
 * Bayias-compensated cross-entropy, of z_c + log pi_c - log rho_c: pi the training prior, rho the test prior.
 * Prediction and calibration use z as it is. It is `logitAdjusted` with tau = 1, and for a uniform rho
 * `balancedSoftmax`. Default reduction: 'mean'. An empty class counts as one sample. Xu, Chai, Yuan, "Towards
 * calibrated model for long-tailed visual recognition from prior perspective", NeurIPS 2021. Throws RangeError on bad
 * counts and a prior that does not fit.
 */
export function bayias(given: BayiasOptions): Loss {
  checkOptions('bayias', given, { testPrior: any, ...ADJUSTED });
  const { classCounts, testPrior, weight, reduction = 'mean' } = given;
  return defineKernelLoss({
    name: 'bayias',
    kernel: adjustedCrossEntropy({ shift: priorShift('bayias', classCounts, 1, testPrior) }),
    weight,
    reduction,
    numClasses: classCounts.length,
  });
}
