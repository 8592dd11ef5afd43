import { clopperPearsonLower, samplesForRadius } from '../stats/index.ts';

/**
 * Counts of all classes over n noisy copies of one input that no earlier call has seen: integers that add up to n. The
 * copies must be independent of one another, and their classes must come from the classifier that is certified.
 */
export type Draw = (n: number) => Promise<ArrayLike<number>>;

/** Draws n copies, and checks the counts. */
export async function drawCounts(what: string, draw: Draw, n: number): Promise<number[]> {
  const counts = Array.from(await draw(n));
  if (!counts.every((c) => Number.isInteger(c) && c >= 0)) throw new RangeError(`${what}: draw gives counts ${counts}, expected integers of at least 0`);
  const sum = counts.reduce((a, b) => a + b, 0);
  if (sum !== n) throw new RangeError(`${what}: draw gives counts that add up to ${sum}, expected ${n}`);
  return counts;
}

/** The class with the largest count, the first of equal ones. */
export function topClass(counts: readonly number[]): number {
  return counts.indexOf(Math.max(...counts));
}

/** Throws RangeError unless value is an integer of at least `least`. */
export function expectInteger(what: string, name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`${what}: ${name} is ${value}, expected an integer of at least ${least}`);
}

/** Fewest copies whose lower bound at level 1 - alpha reaches 1/2 when all of them agree: 10 at alpha = 0.001. */
export function fewestCopies(alpha: number): number {
  let n = samplesForRadius(0, { alpha });
  // The bound is rounded down, which tells where alpha is a power of 1/2.
  while (clopperPearsonLower(n, n, alpha) < 0.5) n++;
  return n;
}

/** Throws RangeError unless `copies` is an integer and as many as can certify anything. */
export function expectCopies(what: string, name: string, copies: number, alpha: number): void {
  const least = fewestCopies(alpha);
  if (!Number.isSafeInteger(copies) || copies < least) {
    throw new RangeError(`${what}: ${name} is ${copies}, expected an integer of at least ${least}: even if all of fewer copies agree, the bound at alpha ${alpha} is below 1/2`);
  }
}

/** Throws RangeError unless 0 < value < 1. */
export function expectLevel(what: string, name: string, value: number): void {
  if (!(value > 0 && value < 1)) throw new RangeError(`${what}: ${name} is ${value}, expected 0 < ${name} < 1`);
}

/** Throws RangeError unless value is positive and finite. */
export function expectPositive(what: string, name: string, value: number): void {
  if (!(value > 0 && value < Infinity)) throw new RangeError(`${what}: ${name} is ${value}, expected a positive number`);
}
