/** zeta(k) - 1 for k = 2, 3, ...: the Taylor coefficients of log Gamma about 2. */
const ZETA_MINUS_ONE = [
  0.644934066848226436, 0.202056903159594285, 0.0823232337111381915, 0.0369277551433699263, 0.0173430619844491397,
  0.00834927738192282684, 0.00407735619794433938, 0.00200839282608221442, 9.94575127818085337e-4,
  4.94188604119464559e-4, 2.46086553308048299e-4, 1.22713347578489147e-4, 6.12481350587048293e-5,
  3.05882363070204936e-5, 1.52822594086518717e-5, 7.63719763789976227e-6, 3.81729326499983986e-6,
  1.90821271655393893e-6, 9.53962033872796113e-7, 4.76932986787806463e-7, 2.3845050272773299e-7, 1.19219925965311073e-7,
  5.96081890512594796e-8, 2.98035035146522802e-8, 1.49015548283650412e-8,
];

/** B_2k / (2k (2k - 1)) for k = 1, 2, ...: the coefficients of Stirling's series. */
const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400];

const ONE_MINUS_EULER_GAMMA = 0.42278433509846713939;
const HALF_LOG_TWO_PI = 0.91893853320467274178;

/**
 * log Gamma(x) for x > 0, to about 1e-14 relative, also next to its zeros at 1 and 2.
 * Taylor series about 2 for 0.5 <= x <= 2.5 (coefficients zeta(k) - 1), recurrence Gamma(x + 1) = x Gamma(x) up to 10,
 * Stirling's series beyond. Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 6.1.33, 6.1.15, 6.1.41.
 * Throws RangeError unless x > 0.
 */
export function logGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`logGamma: x is ${x}, expected x > 0`);
  if (x < 0.5) return aboutTwo(x) - Math.log1p(x) - Math.log(x);
  if (x < 1.5) return aboutTwo(x - 1) - Math.log1p(x - 1);
  if (x <= 2.5) return aboutTwo(x - 2);
  if (x < 10) {
    let product = 1;
    let y = x;
    while (y > 2.5) product *= --y;
    return Math.log(product) + aboutTwo(y - 2);
  }
  // Beyond 1e17 the other terms are below one ulp, and infinity - infinity must not arise.
  if (x > 1e17) return x * (Math.log(x) - 1);
  return (x - 0.5) * Math.log(x) - x + HALF_LOG_TWO_PI + stirlingSeries(x);
}

/**
 * What Stirling's leading terms miss: log Gamma(x) - [(x - 1/2) log x - x + log(2 pi) / 2], for x > 0.
 * Ratios of large Gamma values are formed from it without cancelling numbers of size x log x.
 */
export function stirlingCorrection(x: number): number {
  if (x >= 10) return stirlingSeries(x);
  return logGamma(x) - ((x - 0.5) * Math.log(x) - x + HALF_LOG_TWO_PI);
}

/** log Gamma(2 + e) = (1 - gamma) e + sum_k (zeta(k) - 1) (-e)^k / k, for |e| <= 1/2. */
function aboutTwo(e: number): number {
  let sum = 0;
  for (let i = ZETA_MINUS_ONE.length - 1; i >= 0; i--) sum = -e * (sum + ZETA_MINUS_ONE[i]! / (i + 2));
  return e * (ONE_MINUS_EULER_GAMMA - sum);
}

/** sum_k B_2k / (2k (2k - 1) x^(2k - 1)); eight terms leave less than 1e-17 for x >= 10. */
function stirlingSeries(x: number): number {
  const inverseSquare = 1 / (x * x);
  let sum = 0;
  for (let i = STIRLING.length - 1; i >= 0; i--) sum = sum * inverseSquare + STIRLING[i]!;
  return sum / x;
}
