/** Median and quartiles of a sample. */
export interface Spread {
  median: number;
  /** First quartile. */
  low: number;
  /** Third quartile. */
  high: number;
}

/** Quantiles by linear interpolation between order statistics, as NumPy's default. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('spread: no values');
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number): number => {
    const place = q * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/** Spread of a[i] / b[i]: the two of a pair ran in one round, so that what slows the machine slows both. */
export function pairedRatio(a: readonly number[], b: readonly number[]): Spread {
  if (a.length !== b.length) throw new RangeError(`pairedRatio: ${a.length} and ${b.length} values are no pairs`);
  return spread(a.map((x, i) => x / b[i]!));
}

/** The order of round `round`: rotated by one each round, so that none is always first. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** Calls in a sample, so that it takes `target` ms when a call takes `once` ms. */
export function callsFor(once: number, target: number): number {
  return Math.max(1, Math.min(10_000, Math.ceil(target / Math.max(once, 1e-3))));
}

/** Largest |a - b| over the largest |b|; Infinity when sizes differ or a value is not finite. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let [worst, largest] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const gap = Math.abs(a[i]! - b[i]!);
    if (!Number.isFinite(gap)) return Infinity;
    worst = Math.max(worst, gap);
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return worst === 0 ? 0 : worst / Math.max(largest, Number.MIN_VALUE);
}
