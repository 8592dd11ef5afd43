import { between, check, integer } from '../check/check.ts';
import { stirlingCorrection } from './log-gamma.ts';
import { roundDown } from './rounding.ts';

/** Constant terms of log M: log sqrt(2 pi) of Stirling's formula, and log B(1/2, 1/2) = log pi. */
const CONSTANT = 0.5 * Math.log(2 * Math.PI) - Math.log(Math.PI);

const inside = between(0, 1, '()');
const counts = (n: number) => ({ n: integer(0), k: integer(0, n) });

/** More than the error of `logMixture` after n trials: a few ulps of each of n summands, and of the rest. */
const slack = (n: number): number => 1e-12 + 4e-15 * n;

/**
 * log M_n(p) of the Beta(1/2, 1/2)-binomial mixture after k successes in n trials:
 * M_n(p) = [B(k + 1/2, n - k + 1/2) / B(1/2, 1/2)] / [p^k (1 - p)^(n - k)], and M_0 = 1.
 *
 * If p is the true probability, M is a non-negative martingale of mean 1 (a likelihood ratio of a mixture against p),
 * so by Ville's inequality P[there is an n with M_n(p) >= 1/alpha] <= alpha. Hence {p: M_n(p) < 1/alpha} is an interval
 * that contains the truth at all n at once with probability 1 - alpha: one may look after each trial and stop at will.
 * Ville, "Étude critique de la notion de collectif", 1939; Robbins, Ann. Math. Stat. 1970; for smoothing: Voracek,
 * "Treatment of statistical estimation problems in randomized smoothing for adversarial robustness", 2024.
 * Throws RangeError unless 0 <= k <= n are integers and 0 < p < 1.
 */
export function logMixtureMartingale(k: number, n: number, p: number): number {
  check('logMixtureMartingale', { n, k, p }, { ...counts(n), p: inside });
  return logMixture(k, n, p, 1 - p);
}

/**
 * Lower end of the confidence sequence at level 1 - alpha: with probability 1 - alpha it is below the true probability
 * at every n at once, and so is the largest one seen so far. 0 at k = 0. Rounded down. See
 * {@link logMixtureMartingale}. Throws RangeError unless 0 <= k <= n are integers, 0 < alpha < 1.
 */
export function confidenceSequenceLower(k: number, n: number, alpha: number): number {
  check('confidenceSequenceLower', { n, k, alpha }, { ...counts(n), alpha: inside });
  return lowerBound(k, n, alpha);
}

/**
 * Upper end of the confidence sequence at level 1 - alpha, valid together with the lower end at the same alpha. 1 at
 * k = n. Rounded up. Throws RangeError unless 0 <= k <= n are integers, 0 < alpha < 1.
 */
export function confidenceSequenceUpper(k: number, n: number, alpha: number): number {
  check('confidenceSequenceUpper', { n, k, alpha }, { ...counts(n), alpha: inside });
  return k === n ? 1 : Math.min(1, -roundDown(lowerBound(n - k, n, alpha) - 1, 2));
}

/**
 * Is the success probability above p0 or below it? 1: above, -1: below, 0: not known yet. May be asked after each
 * trial; the probability that it ever answers wrongly is at most alpha.
 *
 * 1 needs k/n > p0 and M_n(p0) >= 1/alpha. M_n falls in p up to k/n, so that a true p <= p0 has M_n(p) >= 1/alpha too:
 * this happens, at any n, with probability alpha at most. The same holds of -1 and a true p >= p0. alpha is not split
 * between the two, since for one p only one of them is wrong, and at p = p0 both are the one event M_n(p0) >= 1/alpha.
 * Throws RangeError unless 0 <= k <= n are integers, 0 < p0 < 1, 0 < alpha < 1.
 */
export function sequentialSide(k: number, n: number, p0: number, alpha: number): -1 | 0 | 1 {
  check('sequentialSide', { n, k, p0, alpha }, { ...counts(n), p0: inside, alpha: inside });
  if (logMixture(k, n, p0, 1 - p0) < slack(n) - Math.log(alpha)) return 0;
  return k / n > p0 ? 1 : -1;
}

/** log M_n(p), q = 1 - p. Stirling's formula in a = k + 1/2 and b = n - k + 1/2 leaves no large terms that cancel. */
function logMixture(k: number, n: number, p: number, q: number): number {
  if (n === 0) return 0;
  const [a, b, all] = [k + 0.5, n - k + 0.5, n + 1];
  const ratio = k * Math.log(a / (all * p)) + (n - k) * Math.log(b / (all * q));
  return (
    ratio - 0.5 * Math.log(all) + CONSTANT + stirlingCorrection(a) + stirlingCorrection(b) - stirlingCorrection(all)
  );
}

/** The largest p below k/n, to the last place, that log M excludes at level alpha. */
function lowerBound(k: number, n: number, alpha: number): number {
  if (k === 0) return 0;
  const limit = slack(n) - Math.log(alpha);
  // log M falls from infinity at 0 to at most 0 at k/n: a mixture never exceeds the largest likelihood.
  let [low, high] = [0, k / n];
  for (let middle = high / 2; middle > low && middle < high; middle = low + (high - low) / 2) {
    if (logMixture(k, n, middle, 1 - middle) >= limit) low = middle;
    else high = middle;
  }
  return roundDown(low, 4);
}
