import { atLeast, between, check, listOf, nonEmpty, rule } from '../check/check.ts';

/** Training samples of each class. */
export const COUNTS = nonEmpty(listOf(atLeast(0)));

/** Accuracies of the classes, NaN for one that the validation set lacks. */
export const ACCURACIES = nonEmpty(
  listOf(rule('a number in 0..1, or NaN', (v: number) => typeof v === 'number' && !(v < 0 || v > 1))),
);

/** beta of effective numbers. */
export const BETA = between(0, 1, '[)');

/**
 * Class-balanced weights (1 - beta) / (1 - beta^n_c), scaled to sum to the number of classes C.
 * 1 - beta^n is the "effective number" up to a factor (Cui et al., Class-balanced loss, CVPR 2019); beta = 0 weighs all
 * classes alike, beta -> 1 tends to 1 / n. DRW of LDAM (Cao et al., NeurIPS 2019, released code) uses beta = 0.9999.
 * Computed as -expm1(n log beta): the plain form loses 1 % at beta = 0.999999, n = 5 in float32.
 * A class without an image has weight 0, so that it takes no share of the sum; without any image all weights are 1.
 * counts: training images per class. Throws RangeError on an empty list, a negative or non-finite count, or beta
 * outside [0, 1).
 */
export function effectiveNumberWeights(counts: ArrayLike<number>, beta: number): Float64Array {
  check('effectiveNumberWeights', { counts, beta }, { counts: COUNTS, beta: BETA });
  const logBeta = Math.log(beta);
  return ofPresent(counts, (n) => (1 - beta) / -Math.expm1(n * logBeta));
}

/**
 * Weights 1 / n_c, scaled to sum to the number of classes: the re-weighting of the LDAM paper's DRW (Cao et al.,
 * NeurIPS 2019). A class without an image has weight 0. Errors as for {@link effectiveNumberWeights}.
 */
export function inverseFrequencyWeights(counts: ArrayLike<number>): Float64Array {
  check('inverseFrequencyWeights', { counts }, COUNTS);
  return ofPresent(counts, (n) => 1 / n);
}

/**
 * Weights n_c^(-1/2), scaled to sum to the number of classes: between none and {@link inverseFrequencyWeights}. A class
 * without an image has weight 0. Errors as for {@link effectiveNumberWeights}.
 */
export function inverseSqrtWeights(counts: ArrayLike<number>): Float64Array {
  check('inverseSqrtWeights', { counts }, COUNTS);
  return ofPresent(counts, (n) => 1 / Math.sqrt(n));
}

/**
 * Weights (n_min / n_c)^gamma, scaled to sum to the number of classes: gamma 0 weighs all alike, 1/2 is
 * {@link inverseSqrtWeights}, 1 is {@link inverseFrequencyWeights}. A class without an image has weight 0. Errors as
 * for {@link effectiveNumberWeights}, and for a gamma that is negative or not finite.
 */
export function smoothWeights(counts: ArrayLike<number>, gamma: number): Float64Array {
  check('smoothWeights', { counts, gamma }, { counts: COUNTS, gamma: atLeast(0) });
  const rarest = Float64Array.from(counts).reduce(
    (least, n) => (n > 0 ? Math.min(least, Math.max(n, 1)) : least),
    Infinity,
  );
  return ofPresent(counts, (n) => Math.pow(rarest / n, gamma));
}

/**
 * Margins of LDAM: maxM * (n_min / n_c)^(1/4), so that the rarest class gets maxM (default 0.5). Cao et al., NeurIPS
 * 2019. A class without an image gets maxM and leaves the other margins as they are; the released code would give NaN.
 * Throws RangeError on an empty list, a negative or non-finite count, or a negative or non-finite maxM.
 */
export function ldamMargins(counts: ArrayLike<number>, maxM = 0.5): Float64Array {
  check('ldamMargins', { counts, maxM }, { counts: COUNTS, maxM: atLeast(0) });
  let rarest = Infinity;
  for (let c = 0; c < counts.length; c++) if (counts[c]! > 0) rarest = Math.min(rarest, counts[c]!);
  return Float64Array.from(counts, (n) => (n > 0 ? maxM * Math.pow(rarest / n, 0.25) : maxM));
}

/**
 * `of` the counts, parts of a sample as a whole one, scaled to sum to the number of classes; 0 for a class without
 * samples, and 1 for all without any.
 */
function ofPresent(counts: ArrayLike<number>, of: (n: number) => number): Float64Array {
  const weights = Float64Array.from(counts, (n) => (n > 0 ? of(Math.max(n, 1)) : 0));
  return weights.some((w) => w > 0) ? normalized(weights) : weights.fill(1);
}

/** Positive numbers scaled to sum to how many they are. */
export function normalized(weights: Float64Array): Float64Array {
  const scale = weights.length / weights.reduce((sum, w) => sum + w, 0);
  return weights.map((w) => w * scale);
}
