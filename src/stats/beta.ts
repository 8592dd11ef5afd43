import { between, check, positive } from '../check/check.ts';
import { logGamma, stirlingCorrection } from './log-gamma.ts';
import { normalQuantile } from './normal.ts';

const LOG_MIN = -745; // exp of anything below underflows to 0

/** log B(a, b) = log Gamma(a) + log Gamma(b) - log Gamma(a + b) for a, b > 0. */
export function logBeta(a: number, b: number): number {
  check('logBeta', { a, b }, positive);
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/**
 * Density of Beta(a, b) at x: x^(a-1) (1-x)^(b-1) / B(a, b); may be Infinity at an end where a or b is below 1.
 * Throws RangeError unless a, b are positive and finite and 0 <= x <= 1.
 */
export function betaPdf(x: number, a: number, b: number): number {
  check('betaPdf', { x, a, b }, { x: between(0, 1), a: positive, b: positive });
  if (x === 0 || x === 1) {
    const here = x === 0 ? a : b;
    return here < 1 ? Infinity : here > 1 ? 0 : x === 0 ? b : a;
  }
  return frontFactor(x, 1 - x, a, b) / x / (1 - x);
}

/**
 * Regularised incomplete beta function I_x(a, b), the distribution function of Beta(a, b) at x.
 * Continued fraction of DiDonato and Morris (ACM TOMS 1992) on the side of the mean where it converges, in
 * O(sqrt(max(a, b))) steps. About 1e-12 relative for a, b up to 1e6.
 * Throws RangeError unless a, b are positive and finite and 0 <= x <= 1.
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  check('incompleteBeta', { x, a, b }, { x: between(0, 1), a: positive, b: positive });
  return tails(x, 1 - x, a, b).lower;
}

/**
 * The q-quantile of Beta(a, b): the x with I_x(a, b) = q, to about 1e-12 relative for a, b up to 1e6.
 * Solved for the smaller of x and 1 - x on a logarithmic scale by Newton's method inside a shrinking bracket.
 * Throws RangeError unless a, b are positive and finite and 0 <= q <= 1.
 */
export function betaQuantile(q: number, a: number, b: number): number {
  check('betaQuantile', { q, a, b }, { q: between(0, 1), a: positive, b: positive });
  if (q === 0 || q === 1) return q;
  const atHalf = tails(0.5, 0.5, a, b);
  // The comparison uses the smaller tail, which is the accurate one.
  const inLowerHalf = q <= 0.5 ? atHalf.lower >= q : atHalf.upper <= 1 - q;
  return inLowerHalf ? smallQuantile(q, 1 - q, a, b) : 1 - smallQuantile(1 - q, q, b, a);
}

/** x in (0, 1/2] with I_x(a, b) = q, where p = 1 - q. */
function smallQuantile(q: number, p: number, a: number, b: number): number {
  let low = LOG_MIN;
  let high = -Math.LN2;
  let t = Math.min(high, Math.max(low, startingPoint(q, a, b)));
  for (let i = 0; i < 200; i++) {
    const x = Math.exp(t);
    const { lower, upper, density } = tails(x, 1 - x, a, b);
    const tooHigh = q <= 0.5 ? lower > q : upper < p;
    if (tooHigh) high = t;
    else low = t;
    // Newton on log of the smaller tail; d/dt = x d/dx because t = log x.
    const newton =
      q <= 0.5 ? (Math.log(q / lower) * lower) / (density * x) : (Math.log(upper / p) * upper) / (density * x);
    const next = t + newton;
    const inside = next >= low && next <= high; // false for NaN, from a tail that underflowed
    const previous = t;
    t = inside ? next : 0.5 * (low + high);
    if (Math.abs(t - previous) <= 1e-16 * Math.max(1, Math.abs(t))) break;
  }
  return t <= LOG_MIN ? 0 : Math.exp(t);
}

/** log of a first guess: normal approximation, or the leading term x^a / (a B(a, b)) when a is small. */
function startingPoint(q: number, a: number, b: number): number {
  const leading = (Math.log(q) + Math.log(a) + logBeta(a, b)) / a;
  if (a < 2) return leading;
  const mean = a / (a + b);
  const deviation = Math.sqrt((mean * (1 - mean)) / (a + b + 1));
  const guess = mean + deviation * normalQuantile(q);
  return guess > 0.1 * mean ? Math.log(guess) : leading;
}

/** Both tails of Beta(a, b) at x, the smaller one accurate, and the density; y = 1 - x. */
function tails(x: number, y: number, a: number, b: number): { lower: number; upper: number; density: number } {
  if (x <= 0) return { lower: 0, upper: 1, density: 0 };
  if (y <= 0) return { lower: 1, upper: 0, density: 0 };
  const excess = excessOf(x, y, a, b);
  const front = frontFactor(x, y, a, b);
  const density = front / x / y;
  if (x <= (a + 1) / (a + b + 2)) {
    const lower = Math.min(1, front / continuedFraction(x, excess, a, b));
    return { lower, upper: 1 - lower, density };
  }
  const upper = Math.min(1, front / continuedFraction(y, -excess, b, a));
  return { lower: 1 - upper, upper, density };
}

/**
 * x^a y^b / B(a, b). For large a and b it is written with deviances from the mean and Stirling corrections, so that
 * the exponent is never a difference of numbers of size a log a (Loader, Fast and accurate computation of binomial
 * probabilities, 2000).
 */
function frontFactor(x: number, y: number, a: number, b: number): number {
  if (Math.min(a, b) < 1)
    return Math.exp(a * Math.log(x) + b * (y === 1 ? Math.log1p(-x) : Math.log(y)) - logBeta(a, b));
  const n = a + b;
  const excess = excessOf(x, y, a, b);
  const exponent =
    stirlingCorrection(n) -
    stirlingCorrection(a) -
    stirlingCorrection(b) -
    deviance(excess, n * x) -
    deviance(-excess, n * y);
  return Math.sqrt((a / n) * (b / (2 * Math.PI))) * Math.exp(exponent);
}

/** a - (a + b) x = (a + b) y - b, from the smaller of x and y = 1 - x. */
function excessOf(x: number, y: number, a: number, b: number): number {
  return x < y ? a - (a + b) * x : (a + b) * y - b;
}

/** k log(k / m) - (k - m) with k = m + excess: m ((1 + t) log(1 + t) - t), t = excess / m. */
function deviance(excess: number, m: number): number {
  const t = excess / m;
  if (Math.abs(t) > 0.1) return m * ((1 + t) * Math.log1p(t) - t);
  let power = t * t;
  let sum = 0;
  for (let j = 2; j < 40; j++) {
    const term = power / (j * (j - 1));
    sum += term;
    if (Math.abs(term) <= 1e-17 * Math.abs(sum)) break;
    power *= -t;
  }
  return m * sum;
}

/**
 * x^a y^b / (B(a, b) I_x(a, b)) by Lentz's method, for x at most about the mean. This form of the fraction
 * (DiDonato and Morris, ACM TOMS 1992, section 4) sees x through `excess` = a - (a + b) x, which does not cancel.
 */
function continuedFraction(x: number, excess: number, a: number, b: number): number {
  const tiny = 1e-300;
  let value = (a * (excess + 1)) / (a + 1);
  let c = value;
  let d = 0;
  for (let m = 1; m < 100_000; m++) {
    const odd = a + 2 * m - 1;
    const alpha = ((a + m - 1) / odd) * ((a + b + m - 1) / odd) * m * (b - m) * x * x;
    const beta = m + (m * (b - m) * x) / odd + ((a + m) * (excess + 1 + m * (2 - x))) / (odd + 2);
    d = 1 / nonZero(beta + alpha * d, tiny);
    c = nonZero(beta + alpha / c, tiny);
    const factor = c * d;
    value *= factor;
    if (Math.abs(factor - 1) <= 2e-16) break;
  }
  return value;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}
