import { atLeast, between, check, checkOptions, positive } from '../check/check.ts';
import { normalLogCdf, normalQuantile } from './normal.ts';
import { roundDown } from './rounding.ts';

/**
 * Certified l2 radius of a Gaussian-smoothed classifier: R = sigma * Phi^-1(pLower) if pLower >= 1/2, else 0 (abstain).
 * Rounded down: never above the exact value, below it by a few ulps only.
 * Cohen, Rosenfeld and Kolter, ICML 2019, theorem 1 with the runner-up bounded by 1 - pLower.
 * Throws RangeError unless 0 <= pLower < 1 and sigma is positive and finite.
 */
export function certifiedRadius(pLower: number, sigma: number): number {
  check('certifiedRadius', { pLower, sigma }, { pLower: between(0, 1, '[)'), sigma: positive });
  return pLower < 0.5 ? 0 : roundDown(sigma * normalQuantile(pLower), 8);
}

/**
 * Fewest samples that certify `radius` when all of them agree: the least n with sigma Phi^-1(alpha^(1/n)) >= radius,
 * n = ceil(log alpha / log Phi(radius / sigma)). Defaults: sigma 1, alpha 0.001.
 * Throws RangeError unless radius >= 0, sigma > 0, 0 < alpha < 1, or if n would not be a safe integer.
 */
export function samplesForRadius(radius: number, options: { sigma?: number; alpha?: number } = {}): number {
  checkOptions('samplesForRadius', options, { sigma: positive, alpha: between(0, 1, '()') });
  check('samplesForRadius', { radius }, { radius: atLeast(0) });
  const { sigma = 1, alpha = 0.001 } = options;
  const n = Math.max(1, Math.ceil(Math.log(alpha) / normalLogCdf(radius / sigma)));
  if (!Number.isSafeInteger(n)) {
    throw new RangeError(
      `samplesForRadius: radius is ${radius} = ${radius / sigma} sigma, expected one that fewer than 2^53 ` +
        'samples can certify',
    );
  }
  return n;
}
