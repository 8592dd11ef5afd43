import { atLeast, between, check, checkOptions, listOf } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { COUNTS, effectiveNumberWeights } from '../stats/class-weights.ts';

/** How often a sampler draws each class; see {@link classProbabilities}. */
export type SamplingRule = 'instance' | 'balanced' | 'squareRoot' | 'effectiveNumber' | 'reversed';

/**
 * Probability of each class, 0 for a class without samples. With n_c samples in class c it is proportional to
 * 'instance': n_c; 'balanced': 1; 'squareRoot': sqrt(n_c); 'reversed': 1 / n_c (Zhou et al., BBN, CVPR 2020);
 * 'effectiveNumber': n_c (1 - beta) / (1 - beta^n_c), beta 0.9999 by default: each sample is drawn by the
 * class-balanced weight of Cui et al., CVPR 2019, which differs from 'balanced' only as far as beta^n_c is not 1 - n_c
 * (1 - beta). Throws RangeError on a negative or non-finite count, without any sample, and on an unknown rule.
 */
export function classProbabilities(
  counts: ArrayLike<number>,
  rule: SamplingRule,
  options: { beta?: number } = {},
): Float64Array<ArrayBuffer> {
  expectOptions('classProbabilities', options, ['beta']);
  const { beta = 0.9999 } = options;
  check('classProbabilities', { counts }, COUNTS);
  if (!Array.from(counts).some((n) => n > 0))
    throw new RangeError('classProbabilities: counts are all 0, expected at least one sample');
  const effective = rule === 'effectiveNumber' ? effectiveNumberWeights(counts, beta) : null;
  const weightOf: Record<SamplingRule, (n: number, c: number) => number> = {
    instance: (n) => n,
    balanced: () => 1,
    squareRoot: Math.sqrt,
    effectiveNumber: (n, c) => n * effective![c]!,
    reversed: (n) => 1 / n,
  };
  if (!Object.hasOwn(weightOf, rule))
    throw new RangeError(
      `classProbabilities: rule is ${String(rule)}, expected one of ${Object.keys(weightOf).join(' ')}`,
    );
  return normalized(Float64Array.from(counts, (n, c) => (n > 0 ? weightOf[rule](n, c) : 0)));
}

/**
 * (1 - t) 'instance' + t 'balanced' of {@link classProbabilities}, for t from 0 to 1 (Kang et al., Decoupling
 * representation and classifier, ICLR 2020, progressively balanced sampling). Throws RangeError on t outside 0..1.
 */
export function progressiveProbabilities(counts: ArrayLike<number>, t: number): Float64Array<ArrayBuffer> {
  check('progressiveProbabilities', { t }, { t: between(0, 1) });
  const even = classProbabilities(counts, 'balanced');
  return classProbabilities(counts, 'instance').map((p, c) => (1 - t) * p + t * even[c]!);
}

/** Options of {@link difficultyProbabilities}. */
export interface DifficultyOptions {
  /** Exponent of the difficulty, at least 0; 0 is class-balanced. Default: 1. */
  tau?: number;
  /** Least difficulty, so that a solved class is still drawn. Default: 0.01. */
  floor?: number;
}

/**
 * P_c proportional to max(d_c, floor)^tau, with the difficulty d_c = 1 - accuracy of the class on validation data:
 * CDB-S (Sinha, Ohashi, Nakamura, IJCV 2022, as its abstract says; there is no public code). The floor is ours: without
 * it a class of accuracy 1 is not drawn at all, and accuracies that are all 1 have no probabilities.
 * Throws RangeError on a difficulty outside 0..1, tau < 0, or a floor outside (0, 1].
 */
export function difficultyProbabilities(
  difficulties: ArrayLike<number>,
  options: DifficultyOptions = {},
): Float64Array<ArrayBuffer> {
  checkOptions('difficultyProbabilities', options, { tau: atLeast(0), floor: between(0, 1, '(]') });
  const { tau = 1, floor = 0.01 } = options;
  check('difficultyProbabilities', { difficulties }, { difficulties: listOf(between(0, 1)) });
  const held = Float64Array.from(difficulties, (d) => Math.max(d, floor));
  const most = held.reduce((a, b) => Math.max(a, b), 0);
  // As parts of the largest, so that no power underflows for all.
  return normalized(held.map((d) => Math.pow(d / most, tau)));
}

/** `weights` divided by their sum. */
export function normalized(weights: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const total = weights.reduce((sum, w) => sum + w, 0);
  return weights.map((w) => w / total);
}
