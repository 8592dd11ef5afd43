import { binomialCdf } from 'evenkeel/stats';

/** Mean and standard deviation (n - 1); the deviation of a single value is null. */
export function meanAndDeviation(values: readonly number[]): { mean: number; sd: number | null } {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  if (values.length < 2) return { mean, sd: null };
  return { mean, sd: Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1)) };
}

/** Values of 0..1 as `85.31 ± 0.42` percent. */
export function percentWithDeviation(values: readonly number[]): string {
  const { mean, sd } = meanAndDeviation(values);
  return `${(100 * mean).toFixed(2)}${sd === null ? '' : ` ± ${(100 * sd).toFixed(2)}`}`;
}

/**
 * The least m with P[Bin(trials, rate) > m] <= 1e-6: more events than that refute that they come at most at this rate.
 */
export function eventLimit(trials: number, rate: number): number {
  let m = 0;
  while (1 - binomialCdf(m, trials, rate) > 1e-6) m++;
  return m;
}
