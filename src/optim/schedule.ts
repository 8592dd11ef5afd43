import { effectiveNumberWeights, inverseFrequencyWeights } from '../losses/class-weights.ts';
import { expectNumber } from './optimizer.ts';

/** Where a run stands; `epoch` and `step` count from 0, `step` over the whole run. */
export interface Moment {
  epoch: number;
  epochs: number;
  step: number;
  stepsPerEpoch: number;
}

/** Pure functions of the moment; several schedules multiply their rates. */
export interface Schedule {
  /** Factor of the optimiser's rate. Default: 1. */
  lr?(at: Moment): number;
  /** Weights of the classes in this epoch, from the training counts; null: all 1. */
  classWeight?(at: Moment, counts: readonly number[]): ArrayLike<number> | null;
}

/** The rate times gamma at each milestone, epochs from 0: gamma^(number of milestones <= epoch). Default gamma: 0.1. */
export function multiStep({ milestones, gamma = 0.1 }: { milestones: readonly number[]; gamma?: number }): Schedule {
  milestones.forEach((m, i) => expectNumber(m, `multiStep: milestones[${i}]`));
  expectNumber(gamma, 'multiStep: gamma');
  return { lr: ({ epoch }) => gamma ** milestones.filter((m) => m <= epoch).length };
}

/** Linear warm-up by epoch: (epoch + 1) / epochs of the rate during the first `epochs` epochs, as the LDAM code (5). */
export function warmUp({ epochs = 5 }: { epochs?: number } = {}): Schedule {
  expectNumber(epochs, 'warmUp: epochs', 1);
  return { lr: ({ epoch }) => Math.min(1, (epoch + 1) / epochs) };
}

/** Options of {@link drw}. */
export interface DrwOptions {
  /** First epoch, from 0, with class weights. Default: 160, as the published runs of 200 epochs. */
  from?: number;
  /** Of the effective number of samples. Default: 0.9999. */
  beta?: number;
  /** 'inverse' is the paper's class frequency; 'effective' is the official code. Default: 'effective'. */
  rule?: 'effective' | 'inverse';
}

/**
 * Deferred re-weighting: class weights 1 before epoch `from`, then w_c = (1 - beta) / (1 - beta^n_c), scaled to mean 1.
 * Cao et al., "Learning imbalanced datasets with label-distribution-aware margin loss", NeurIPS 2019, section 3.3; weights
 * after Cui et al., CVPR 2019. The paper weights by 1 / n_c, the official code by the effective number.
 */
export function drw({ from = 160, beta = 0.9999, rule = 'effective' }: DrwOptions = {}): Schedule {
  expectNumber(from, 'drw: from');
  expectNumber(beta, 'drw: beta', 0, 1);
  return {
    classWeight: ({ epoch }, counts) => (epoch < from ? null : rule === 'inverse' ? inverseFrequencyWeights(counts) : effectiveNumberWeights(counts, beta)),
  };
}
