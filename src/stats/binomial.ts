import { between, check, integer } from '../check/check.ts';
import { betaPdf, betaQuantile, incompleteBeta } from './beta.ts';
import { roundDown } from './rounding.ts';

/**
 * Relative slack on alpha in the Clopper-Pearson bounds. It exceeds the error of `incompleteBeta` (below 1e-12 for
 * n <= 1e6), so that the bound errs to the safe side; it moves the bound by less than 2e-11 relative.
 */
const SAFETY = 1e-11;

const level = between(0, 1, '()');
const counts = (n: number) => ({ n: integer(1), k: integer(0, n) });

/**
 * One-sided Clopper-Pearson lower bound on a success probability, at confidence 1 - alpha, from k successes in n
 * trials: the p with P[Bin(n, p) >= k] = alpha, that is BetaInv(alpha; k, n - k + 1); 0 at k = 0, alpha^(1/n) at k = n.
 *
 * Rounded down: the result never exceeds the exact bound and is below it by less than 2e-11 relative.
 * Clopper and Pearson, Biometrika 1934; used by CERTIFY of Cohen, Rosenfeld and Kolter, ICML 2019.
 * Throws RangeError unless 0 <= k <= n are integers, n >= 1, 0 < alpha < 1.
 */
export function clopperPearsonLower(k: number, n: number, alpha: number): number {
  check('clopperPearsonLower', { n, k, alpha }, { ...counts(n), alpha: level });
  return lowerBound(k, n, alpha);
}

/**
 * One-sided Clopper-Pearson upper bound at confidence 1 - alpha: BetaInv(1 - alpha; k + 1, n - k); 1 at k = n.
 * Rounded up: never below the exact bound. Computed as 1 - lower bound of the n - k failures.
 * Throws RangeError unless 0 <= k <= n are integers, n >= 1, 0 < alpha < 1.
 */
export function clopperPearsonUpper(k: number, n: number, alpha: number): number {
  check('clopperPearsonUpper', { n, k, alpha }, { ...counts(n), alpha: level });
  if (k === n) return 1;
  return Math.min(1, -roundDown(lowerBound(n - k, n, alpha) - 1, 2));
}

/**
 * One-sided lower bound on a success probability by the randomised test, at confidence 1 - alpha exactly: the p with
 * P[Bin(n, p) > k] + u P[Bin(n, p) = k] = alpha, for one draw u uniform on [0, 1]. At u = 1 it is
 * {@link clopperPearsonLower}, else above it and at most that of k + 1. The claim holds only for a u that is drawn
 * once, independently of k: who draws again, or looks for a small u, has none. Rounded down, and below 1. Voracek,
 * "Treatment of statistical estimation problems in randomized smoothing for adversarial robustness", 2024; the test is
 * that of Lehmann, "Testing statistical hypotheses", 1959. Throws RangeError unless 0 <= k <= n are integers, n >= 1, 0
 * < alpha < 1, 0 <= u <= 1.
 */
export function randomizedClopperPearsonLower(k: number, n: number, alpha: number, u: number): number {
  check('randomizedClopperPearsonLower', { n, k, alpha, u }, { ...counts(n), alpha: level, u: between(0, 1) });
  const limit = alpha * (1 - SAFETY);
  const rejects = (p: number): boolean => (1 - u) * atLeast(k + 1, n, p) + u * atLeast(k, n, p) <= limit;
  let [low, high] = [lowerBound(k, n, alpha), k === n ? 1 : lowerBound(k + 1, n, alpha)];
  for (let middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (rejects(middle)) low = middle;
    else high = middle;
  }
  return roundDown(low, 4);
}

/**
 * P[Bin(n, p) = k] = betaPdf(p; k + 1, n - k + 1) / (n + 1), which stays accurate for n up to 1e6.
 * Throws RangeError unless 0 <= k <= n are integers, n >= 1, 0 <= p <= 1.
 */
export function binomialPmf(k: number, n: number, p: number): number {
  check('binomialPmf', { n, k, p }, { ...counts(n), p: between(0, 1) });
  if (p === 0 || p === 1) return k === n * p ? 1 : 0;
  return betaPdf(p, k + 1, n - k + 1) / (n + 1);
}

/** P[Bin(n, p) <= k]. Throws RangeError unless 0 <= k <= n are integers, n >= 1, 0 <= p <= 1. */
export function binomialCdf(k: number, n: number, p: number): number {
  check('binomialCdf', { n, k, p }, { ...counts(n), p: between(0, 1) });
  return k === n ? 1 : incompleteBeta(1 - p, n - k, k + 1);
}

/**
 * Two-sided exact binomial test of P[success] = p (default 1/2): the total probability of the outcomes that are at most
 * as likely as k. Masses within a relative 1e-7 count as equal, as in SciPy's `binomtest`. At p = 1/2 this is
 * min(1, 2 P[Bin(n, 1/2) >= max(k, n - k)]), the test of PREDICT (Cohen et al., ICML 2019; Hung and Fithian, 2019).
 * Throws RangeError unless 0 <= k <= n are integers, n >= 1, 0 <= p <= 1.
 */
export function binomialTest(k: number, n: number, p = 0.5): number {
  check('binomialTest', { n, k, p }, { ...counts(n), p: between(0, 1) });
  const mean = n * p;
  if (k === mean) return 1;
  const limit = binomialPmf(k, n, p) * (1 + 1e-7);
  if (k < mean) {
    // Masses fall from the mean upwards: the first one at most as likely as k starts the other tail.
    const start = firstWhere(Math.ceil(mean), n + 1, (i) => binomialPmf(i, n, p) <= limit);
    return Math.min(1, atMost(k, n, p) + atLeast(start, n, p));
  }
  const end = firstWhere(0, Math.floor(mean) + 1, (i) => binomialPmf(i, n, p) > limit) - 1;
  return Math.min(1, atMost(end, n, p) + atLeast(k, n, p));
}

function lowerBound(k: number, n: number, alpha: number): number {
  if (k === 0) return 0;
  if (k === n) return roundDown(Math.pow(alpha, 1 / n), 4);
  return roundDown(betaQuantile(alpha * (1 - SAFETY), k, n - k + 1), 4);
}

function atMost(k: number, n: number, p: number): number {
  return k < 0 ? 0 : binomialCdf(k, n, p);
}

function atLeast(k: number, n: number, p: number): number {
  if (k > n) return 0;
  return k === 0 ? 1 : incompleteBeta(p, k, n - k + 1);
}

/** The least integer in [low, high) that satisfies a predicate which stays true once true; `high` if none does. */
function firstWhere(low: number, high: number, holds: (i: number) => boolean): number {
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
