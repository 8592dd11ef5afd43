import { between, check } from '../check/check.ts';

const SQRT_TWO_PI = 2.506628274631000502;
const HALF_LOG_TWO_PI = 0.91893853320467274178;

/** Beyond this distance from 0 the continued fraction is used, below it the series. */
const TAIL = 1.5;

/** Standard normal density phi(x) = exp(-x^2 / 2) / sqrt(2 pi), to a few ulps also where it is tiny. */
export function normalPdf(x: number): number {
  if (Math.abs(x) > 40) return 0;
  // x^2 is split so that the large part is exact: an error of one ulp in x^2 / 2 = 700 would cost 700 ulps.
  const coarse = Math.round(x * 16) / 16;
  const rest = (x - coarse) * (x + coarse);
  return (Math.exp(-0.5 * coarse * coarse) * Math.exp(-0.5 * rest)) / SQRT_TWO_PI;
}

/**
 * Standard normal distribution function Phi(x), with full relative accuracy in the lower tail.
 * Series of Marsaglia (Evaluating the normal distribution, J. Stat. Softw. 2004) for |x| < 1.5, Laplace's continued
 * fraction for Mills' ratio beyond.
 */
export function normalCdf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) < TAIL) return 0.5 + centralArea(x);
  const tail = Math.abs(x) > 40 ? 0 : normalPdf(x) * millsRatio(Math.abs(x));
  return x < 0 ? tail : 1 - tail;
}

/** log Phi(x), finite for every finite x: log(phi(x) * Mills' ratio) in the lower tail, log1p(-Phi(-x)) above 0. */
export function normalLogCdf(x: number): number {
  if (x > 0) return Math.log1p(-normalCdf(-x));
  if (x > -TAIL) return Math.log(normalCdf(x));
  if (x === -Infinity) return -Infinity;
  return -0.5 * x * x - HALF_LOG_TWO_PI + Math.log(millsRatio(-x));
}

/**
 * Phi^-1(p) for 0 <= p <= 1, to a few ulps; -Infinity at 0 and Infinity at 1.
 * Newton's method on a concave function started on its left, so every step moves right towards the root:
 * Phi(x) - 1/2 = |p - 1/2| in the middle, log Phi(x) = log p in the tails (there Phi(x) <= exp(-x^2 / 2) / 2 gives the
 * start). Throws RangeError outside [0, 1].
 */
export function normalQuantile(p: number): number {
  check('normalQuantile', { p }, { p: between(0, 1) });
  if (p === 0) return -Infinity;
  if (p === 1) return Infinity;
  const offset = p - 0.5;
  if (Math.abs(offset) < 0.4) return Math.sign(offset) * centralQuantile(Math.abs(offset));
  return offset < 0 ? lowerTailQuantile(p) : -lowerTailQuantile(1 - p);
}

function centralQuantile(area: number): number {
  let x = area * SQRT_TWO_PI;
  for (let i = 0; i < 40; i++) {
    const step = (area - centralArea(x)) / normalPdf(x);
    x += step;
    if (Math.abs(step) <= 1e-16 * x) break;
  }
  return x;
}

function lowerTailQuantile(p: number): number {
  const logP = Math.log(p);
  let x = -Math.sqrt(-2 * (logP + Math.LN2));
  for (let i = 0; i < 40; i++) {
    const slope = x < -TAIL ? 1 / millsRatio(-x) : normalPdf(x) / normalCdf(x);
    const step = (logP - normalLogCdf(x)) / slope;
    x += step;
    if (Math.abs(step) <= 1e-16 * Math.abs(x)) break;
  }
  return x;
}

/** Phi(x) - 1/2 = phi(x) (x + x^3 / 3 + x^5 / (3 * 5) + ...): all terms of one sign, no cancellation. */
function centralArea(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return sum * normalPdf(x);
}

/**
 * (1 - Phi(x)) / phi(x) = 1 / (x + 1 / (x + 2 / (x + 3 / ...))) for x >= 1.5, evaluated from the inside.
 * The number of terms for a given error falls like 1 / x^2; 30 + 600 / x^2 of them leave a few ulps.
 */
function millsRatio(x: number): number {
  let fraction = x;
  for (let k = Math.ceil(30 + 600 / (x * x)); k >= 1; k--) fraction = x + k / fraction;
  return 1 / fraction;
}
