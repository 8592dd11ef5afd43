import { between, checkOptions } from '../check/check.ts';
import { toList } from '../tensor/host-values.ts';
import { expectFlags } from './forgetting.ts';
import type { HostLabels } from './matrix.ts';

/** Whether each prediction was right: booleans or 0 / 1. An abstention counts as wrong. */
export type Correct =
  ArrayLike<boolean | number> | { readonly data: ArrayLike<number>; readonly shape: readonly number[] };

/**
 * Average certified radius: the mean over all points of radius * [correct] (Zhai et al., MACER, ICLR 2020).
 * It depends on the sample budget n, which caps every radius: compare it at equal n only.
 * Throws RangeError on an empty list, a length mismatch, a radius that is negative, NaN or infinite, or what is no
 * flag.
 */
export function averageCertifiedRadius(radii: HostLabels, correct: Correct): number {
  const own = check('averageCertifiedRadius', radii, correct);
  let sum = 0;
  for (let i = 0; i < own.radii.length; i++) if (own.correct[i]) sum += own.radii[i]!;
  return sum / own.radii.length;
}

/**
 * Certified accuracy at each radius r of `atRadii`: the fraction of points with correct prediction and radius >= r
 * (Cohen, Rosenfeld and Kolter, ICML 2019). r = 0 gives the accuracy after abstention.
 * Errors as for {@link averageCertifiedRadius}, and on a negative or NaN r.
 */
export function certifiedAccuracy(radii: HostLabels, correct: Correct, atRadii: HostLabels): number[] {
  return accuracyAt('certifiedAccuracy', radii, correct, atRadii);
}

/**
 * Lower bound, at confidence 1 - rho, on the certified accuracy that counts only points whose certificate holds:
 * a - alpha - sqrt(alpha (1 - alpha) log(1 / rho) / N) - log(1 / rho) / (3 N), with a = {@link certifiedAccuracy} and
 * N points (Cohen, Rosenfeld and Kolter, ICML 2019, appendix). May be negative.
 * Defaults: alpha 0.001, the failure probability of each certificate, and rho 0.001.
 * Errors as there, and unless 0 < alpha < 1 and 0 < rho < 1.
 */
export function certifiedAccuracyHighProb(
  radii: HostLabels,
  correct: Correct,
  atRadii: HostLabels,
  options: { alpha?: number; rho?: number } = {},
): number[] {
  checkOptions('certifiedAccuracyHighProb', options, { alpha: between(0, 1, '()'), rho: between(0, 1, '()') });
  const { alpha = 0.001, rho = 0.001 } = options;
  const plain = accuracyAt('certifiedAccuracyHighProb', radii, correct, atRadii);
  const log = Math.log(1 / rho);
  const n = toList('certifiedAccuracyHighProb: radii', radii).length;
  const margin = alpha + Math.sqrt((alpha * (1 - alpha) * log) / n) + log / (3 * n);
  return plain.map((a) => a - margin);
}

function accuracyAt(where: string, radii: HostLabels, correct: Correct, atRadii: HostLabels): number[] {
  const own = check(where, radii, correct);
  return Array.from(toList(`${where}: atRadii`, atRadii), (r, j) => {
    if (!(r >= 0)) throw new RangeError(`${where}: atRadii[${j}] is ${r}, expected a number >= 0`);
    let count = 0;
    for (let i = 0; i < own.radii.length; i++) if (own.correct[i] && own.radii[i]! >= r) count++;
    return count / own.radii.length;
  });
}

/** Radii and flags as lists. */
function check(
  where: string,
  radii: HostLabels,
  correct: Correct,
): { radii: ArrayLike<number>; correct: ArrayLike<number | boolean> } {
  const own = {
    radii: toList(`${where}: radii`, radii),
    correct: toList(`${where}: correct`, correct) as ArrayLike<number | boolean>,
  };
  if (own.radii.length === 0) throw new RangeError(`${where}: radii has 0 entries, expected at least 1`);
  if (own.correct.length !== own.radii.length)
    throw new RangeError(`${where}: correct has ${own.correct.length} entries, expected ${own.radii.length} as radii`);
  for (let i = 0; i < own.radii.length; i++) {
    const radius = own.radii[i]!;
    if (!(radius >= 0)) throw new RangeError(`${where}: radii[${i}] is ${radius}, expected a number >= 0`);
    if (radius === Infinity)
      throw new RangeError(
        `${where}: radii[${i}] is Infinity, expected a finite number: no certificate is for every input`,
      );
  }
  expectFlags(`${where}: correct`, own.correct);
  return own;
}
