import { any, check, checkOptions, finite, listOf, positive, required } from '../../check/check.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { adjustedCrossEntropy } from '../adjusted-cross-entropy.ts';
import { COUNTS } from '../../stats/class-weights.ts';
import { defineKernelLoss } from '../kernel-loss.ts';
import type { Loss } from '../loss.ts';

/** Options that the losses of adjusted logits share. */
export interface AdjustedLossOptions {
  /** Training samples of each class; a class without any counts as one with a single sample. */
  classCounts: ArrayLike<number>;
  /** Class weights omega; `drw` sets them by epoch. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean', as the official code. */
  reduction?: Reduction;
}

/** Options of {@link vs}. */
export interface VsOptions extends AdjustedLossOptions {
  /** Exponent of the factors. Default: 0.3. */
  gamma?: number;
  /** Factor of the shifts. Default: 1. */
  tau?: number;
}

/** Options of {@link logitAdjusted}. */
export interface LogitAdjustedOptions extends AdjustedLossOptions {
  /** Default: 1. */
  tau?: number;
  /**
   * Classes where the model will be used: 'balanced' (all alike, the default), or a positive probability or count for
   * each, such as `estimatePrior` gives.
   */
  testPrior?: 'balanced' | ArrayLike<number>;
}

/** Options of {@link cdt}. */
export interface CdtOptions extends AdjustedLossOptions {
  /** Exponent of the factors. Default: 0.3. */
  gamma?: number;
}

/** Rules of {@link AdjustedLossOptions}. */
export const ADJUSTED = { classCounts: required(COUNTS), weight: any, reduction: any } as const;

const VS = { gamma: finite, tau: finite, ...ADJUSTED } as const;

/**
 * Factors (n_c / n_max)^gamma and shifts tau log(n_c / N) from counts, an empty class counted as one sample. The
 * options of {@link vs} will do.
 */
export function vsAdjustments(
  counts: ArrayLike<number>,
  given: Partial<VsOptions> = {},
): { classScale: Float64Array; shift: Float64Array } {
  checkOptions('vsAdjustments', given, { ...VS, classCounts: any });
  check('vsAdjustments', { counts }, COUNTS);
  const { gamma = 0.3, tau = 1 } = given;
  return adjustments(counts, gamma, tau);
}

/** {@link vsAdjustments} of arguments that were checked. */
export function adjustments(
  counts: ArrayLike<number>,
  gamma: number,
  tau: number,
): { classScale: Float64Array; shift: Float64Array } {
  const held = Float64Array.from(counts, (n) => Math.max(n, 1));
  const most = held.reduce((a, b) => Math.max(a, b));
  const total = held.reduce((a, b) => a + b);
  return { classScale: held.map((n) => Math.pow(n / most, gamma)), shift: held.map((n) => tau * Math.log(n / total)) };
}

/**
 * Vector-scaling loss: cross-entropy of Delta_c z_c + iota_c, Delta_c = (n_c / n_max)^gamma, iota_c = tau log(n_c / N),
 * times omega_y. Factors keep their effect late in training, where shifts and weights lose theirs; shifts make up for
 * what small factors cost the rare classes early. Prediction is argmax z, without either.
 * gamma = 0: {@link logitAdjusted}; tau = 0: {@link cdt}; both 0, or equal counts: cross-entropy.
 * Kini, Paraskevas, Oymak, Thrampoulidis, "Label-imbalanced and group-sensitive classification under
 * overparameterization", NeurIPS 2021; defaults of the official code. Throws RangeError on bad counts, and on gamma or
 * tau that is not finite.
 */
export function vs(given: VsOptions): Loss {
  checkOptions('vs', given, VS);
  const { classCounts, gamma = 0.3, tau = 1, weight, reduction } = given;
  return defineKernelLoss({
    name: 'vs',
    kernel: adjustedCrossEntropy(adjustments(classCounts, gamma, tau)),
    weight,
    reduction,
    numClasses: classCounts.length,
  });
}

/**
 * Logit-adjusted cross-entropy: of z_c + tau (log pi_c - log rho_c), pi the training prior, rho the test prior, which
 * cancels when all its entries are alike. tau = 1 without test prior is {@link balancedSoftmax}.
 * Menon et al., "Long-tail learning via logit adjustment", ICLR 2021. Errors as for {@link vs}.
 */
export function logitAdjusted(given: LogitAdjustedOptions): Loss {
  checkOptions('logitAdjusted', given, { tau: finite, testPrior: any, ...ADJUSTED });
  const { classCounts, tau = 1, testPrior, weight, reduction } = given;
  return defineKernelLoss({
    name: 'logitAdjusted',
    kernel: adjustedCrossEntropy({ shift: priorShift('logitAdjusted', classCounts, tau, testPrior) }),
    weight,
    reduction,
    numClasses: classCounts.length,
  });
}

/** tau (log pi - log rho) of each class; without rho, tau log pi. */
export function priorShift(
  where: string,
  counts: ArrayLike<number>,
  tau: number,
  testPrior: 'balanced' | ArrayLike<number> = 'balanced',
): Float64Array {
  const { shift } = adjustments(counts, 0, tau);
  if (!testPrior || testPrior === 'balanced') return shift;
  const rho = priorLogs(where, testPrior, counts.length);
  return shift.map((v, c) => v - tau * rho[c]!);
}

function priorLogs(where: string, prior: ArrayLike<number>, classes: number): Float64Array {
  check(where, { testPrior: prior }, { testPrior: listOf(positive, classes, 'one per class') });
  const p = Float64Array.from(prior);
  const total = p.reduce((a, b) => a + b);
  return p.map((v) => Math.log(v / total));
}

/**
 * Balanced softmax: cross-entropy of z_c + log n_c. Ren et al., "Balanced meta-softmax for long-tailed visual
 * recognition", NeurIPS 2020. Errors as for {@link vs}.
 */
export function balancedSoftmax(given: AdjustedLossOptions): Loss {
  checkOptions('balancedSoftmax', given, ADJUSTED);
  const { classCounts, weight, reduction } = given;
  return defineKernelLoss({
    name: 'balancedSoftmax',
    kernel: adjustedCrossEntropy({ shift: adjustments(classCounts, 0, 1).shift }),
    weight,
    reduction,
    numClasses: classCounts.length,
  });
}

/**
 * Class-dependent temperatures: cross-entropy of z_c (n_c / n_max)^gamma. Ye, Chen, Zhan, Chao, "Identifying and
 * compensating for feature deviation in imbalanced deep learning", 2020. Errors as for {@link vs}.
 */
export function cdt(given: CdtOptions): Loss {
  checkOptions('cdt', given, { gamma: finite, ...ADJUSTED });
  const { classCounts, gamma = 0.3, weight, reduction } = given;
  return defineKernelLoss({
    name: 'cdt',
    kernel: adjustedCrossEntropy({ classScale: adjustments(classCounts, gamma, 0).classScale }),
    weight,
    reduction,
    numClasses: classCounts.length,
  });
}
