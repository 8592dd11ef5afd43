import { expectFlags } from './forgetting.ts';

/** Whether each prediction was right: booleans or 0 / 1. An abstention counts as wrong. */
export type Correct = ArrayLike<boolean | number>;

/**
 * Average certified radius: the mean over all points of radius * [correct] (Zhai et al., MACER, ICLR 2020).
 * It depends on the sample budget n, which caps every radius: compare it at equal n only.
 * Throws RangeError on an empty list, a length mismatch, a radius that is negative, NaN or infinite, or what is no flag.
 */
export function averageCertifiedRadius(radii: ArrayLike<number>, correct: Correct): number {
  check('averageCertifiedRadius', radii, correct);
  let sum = 0;
  for (let i = 0; i < radii.length; i++) if (correct[i]) sum += radii[i]!;
  return sum / radii.length;
}

/**
 * Certified accuracy at each radius r of `atRadii`: the fraction of points with correct prediction and radius >= r
 * (Cohen, Rosenfeld and Kolter, ICML 2019). r = 0 gives the accuracy after abstention.
 * Errors as for {@link averageCertifiedRadius}, and on a negative or NaN r.
 */
export function certifiedAccuracy(radii: ArrayLike<number>, correct: Correct, atRadii: ArrayLike<number>): number[] {
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
  radii: ArrayLike<number>,
  correct: Correct,
  atRadii: ArrayLike<number>,
  { alpha = 0.001, rho = 0.001 }: { alpha?: number; rho?: number } = {},
): number[] {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`certifiedAccuracyHighProb: alpha is ${alpha}, expected 0 < alpha < 1`);
  if (!(rho > 0 && rho < 1)) throw new RangeError(`certifiedAccuracyHighProb: rho is ${rho}, expected 0 < rho < 1`);
  const plain = accuracyAt('certifiedAccuracyHighProb', radii, correct, atRadii);
  const log = Math.log(1 / rho);
  const margin = alpha + Math.sqrt((alpha * (1 - alpha) * log) / radii.length) + log / (3 * radii.length);
  return plain.map((a) => a - margin);
}

function accuracyAt(where: string, radii: ArrayLike<number>, correct: Correct, atRadii: ArrayLike<number>): number[] {
  check(where, radii, correct);
  return Array.from(atRadii, (r, j) => {
    if (!(r >= 0)) throw new RangeError(`${where}: atRadii[${j}] is ${r}, expected a number >= 0`);
    let count = 0;
    for (let i = 0; i < radii.length; i++) if (correct[i] && radii[i]! >= r) count++;
    return count / radii.length;
  });
}

function check(where: string, radii: ArrayLike<number>, correct: Correct): void {
  if (radii.length === 0) throw new RangeError(`${where}: radii has 0 entries, expected at least 1`);
  if (correct.length !== radii.length) throw new RangeError(`${where}: correct has ${correct.length} entries, expected ${radii.length} as radii`);
  for (let i = 0; i < radii.length; i++) {
    if (!(radii[i]! >= 0)) throw new RangeError(`${where}: radii[${i}] is ${radii[i]}, expected a number >= 0`);
    if (radii[i] === Infinity) throw new RangeError(`${where}: radii[${i}] is Infinity, expected a finite number: no certificate is for every input`);
  }
  expectFlags(`${where}: correct`, correct);
}
