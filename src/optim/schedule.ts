import {
  atLeast,
  between,
  callable,
  checkOptions,
  checkValue,
  either,
  listOf,
  oneOf,
  required,
  worded,
} from '../check/check.ts';
import type { Moment } from '../check/moment.ts';
import { effectiveNumberWeights, inverseFrequencyWeights } from '../stats/class-weights.ts';

/** Pure functions of the moment. Several schedules act one after the other, in the order given. */
export interface Schedule {
  /**
   * The rate of a step, from the rate that the schedules before give: that of the optimiser for the first. Default: as
   * it is.
   */
  lr?(at: Moment, rate: number): number;
  /** The momentum of a step (Adam-like rules: the first beta). Default: that of the optimiser. */
  momentum?(at: Moment): number;
  /** Called before each step, to change what other parts of the run hold, such as the power of distance layers. */
  apply?(at: Moment): void;
  /** Weights of the classes in this epoch, from the training counts; null: all 1. */
  classWeight?(at: Moment, counts: readonly number[]): ArrayLike<number> | null;
}

/** What a schedule counts: epochs, as PyTorch's schedulers usually do, or steps. */
export type Unit = 'epoch' | 'step';

/** Rule of {@link Unit}. */
export const UNIT = oneOf('epoch', 'step');

/**
 * Rate and momentum of a step under several schedules. Throws RangeError when a rate is no finite number of at least 0.
 */
export function ratesAt(
  schedules: readonly Schedule[],
  at: Moment,
  base: number,
): { lr: number; momentum: number | undefined } {
  let lr = base;
  let momentum: number | undefined;
  for (const s of schedules) {
    if (s.lr) lr = s.lr(at, lr);
    if (s.momentum) momentum = s.momentum(at);
  }
  checkValue(`schedule: the rate in epoch ${at.epoch}, step ${at.step}`, lr, atLeast(0));
  return { lr, momentum };
}

/**
 * The rate of PyTorch's StepLR: times gamma every `stepSize` epochs (or steps). Default gamma: 0.1. `lag` delays every
 * drop but counts from the same start: 1 for code that steps its scheduler with the number of the epoch just finished.
 */
export function stepLr(options: { stepSize: number; gamma?: number; lag?: number; by?: Unit }): Schedule {
  checkOptions('stepLr', options, { stepSize: required(atLeast(1)), gamma: atLeast(0), lag: atLeast(0), by: UNIT });
  const { stepSize, gamma = 0.1, lag = 0, by = 'epoch' } = options;
  return { lr: (at, rate) => rate * gamma ** Math.floor(Math.max(0, at[by] - lag) / stepSize) };
}

/**
 * The rate times gamma at each milestone, epochs (or steps) from 0: gamma^(number of milestones <= epoch). Default
 * gamma: 0.1.
 */
export function multiStepLr(options: { milestones: readonly number[]; gamma?: number; by?: Unit }): Schedule {
  checkOptions('multiStepLr', options, { milestones: required(listOf(atLeast(0))), gamma: atLeast(0), by: UNIT });
  const { milestones, gamma = 0.1, by = 'epoch' } = options;
  return { lr: (at, rate) => rate * gamma ** milestones.filter((m) => m <= at[by]).length };
}

/** The rate of PyTorch's ExponentialLR: times gamma in each epoch (or step). */
export function exponentialLr(options: { gamma: number; by?: Unit }): Schedule {
  checkOptions('exponentialLr', options, { gamma: required(atLeast(0)), by: UNIT });
  const { gamma, by = 'epoch' } = options;
  return { lr: (at, rate) => rate * gamma ** at[by] };
}

/** Linear warm-up by epoch: (epoch + 1) / epochs of the rate during the first `epochs` epochs, as the LDAM code (5). */
export function warmupLr(options: { epochs?: number } = {}): Schedule {
  checkOptions('warmupLr', options, { epochs: atLeast(1) });
  const { epochs = 5 } = options;
  return { lr: ({ epoch }, rate) => rate * Math.min(1, (epoch + 1) / epochs) };
}

/** Any function of the moment and the rate so far, as the rate: `lambdaLr(({ epoch }, rate) => rate / (1 + epoch))`. */
export function lambdaLr(lr: (at: Moment, rate: number) => number): Schedule {
  if (typeof lr !== 'function')
    throw new TypeError(`lambdaLr: lr is a ${typeof lr}, expected a function of the moment and the rate`);
  return { lr };
}

/** Options of {@link drw}. */
export interface DrwOptions {
  /** First epoch, from 0, with class weights. Default: 160, as the published runs of 200 epochs. */
  from?: number;
  /** Of the effective number of samples. Default: 0.9999. */
  beta?: number;
  /**
   * 'inverse' is the paper's class frequency; 'effective' is the official code. Or any function of the training counts,
   * such as `(counts) => smoothWeights(counts, 0.5)`. Default: 'effective'.
   */
  rule?: 'effective' | 'inverse' | ((counts: ArrayLike<number>) => ArrayLike<number>);
}

/**
 * Deferred re-weighting: class weights 1 before epoch `from`, then w_c = (1 - beta) / (1 - beta^n_c), scaled to mean 1.
 * Cao et al., "Learning imbalanced datasets with label-distribution-aware margin loss", NeurIPS 2019, section 3.3;
 * weights after Cui et al., CVPR 2019. The paper weights by 1 / n_c, the official code by the effective number. It
 * works with every loss that has class weights, and with objectives around one. Throws RangeError on a negative epoch,
 * a beta outside [0, 1), and an unknown rule.
 */
export function drw(options: DrwOptions = {}): Schedule {
  checkOptions('drw', options, {
    from: atLeast(0),
    beta: between(0, 1, '[)'),
    rule: either(oneOf('effective', 'inverse'), worded(callable, 'a function of the counts')),
  });
  const { from = 160, beta = 0.9999, rule = 'effective' } = options;
  const weights =
    typeof rule === 'function'
      ? rule
      : rule === 'inverse'
        ? inverseFrequencyWeights
        : (counts: ArrayLike<number>) => effectiveNumberWeights(counts, beta);
  return { classWeight: ({ epoch }, counts) => (epoch < from ? null : weights(counts)) };
}
