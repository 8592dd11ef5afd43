import { NO_CLASS } from '../stats/class-of-row.ts';
import { clopperPearsonLower, samplesForRadius } from '../stats/index.ts';

/**
 * Counts of all classes over n noisy copies of one input that no earlier call has seen: integers that add up to n, less
 * the copies to which the classifier gives no class. The copies must be independent of one another, with noise of
 * deviation Math.fround(sigma), as the device draws it, and their classes must come from the classifier that is
 * certified.
 */
export type Draw = (n: number) => Promise<ArrayLike<number>>;

/** Draws n copies, and checks the counts. */
export async function drawCounts(what: string, draw: Draw, n: number): Promise<number[]> {
  const counts = Array.from(await draw(n));
  if (!counts.every((c) => Number.isInteger(c) && c >= 0))
    throw new RangeError(`${what}: draw gives counts ${counts}, expected integers of at least 0`);
  const sum = counts.reduce((a, b) => a + b, 0);
  if (sum > n) throw new RangeError(`${what}: draw gives counts that add up to ${sum}, expected ${n} at most`);
  return counts;
}

/** The class with the largest count, the first of equal ones; NO_CLASS where all are 0. */
export function topClass(counts: ArrayLike<number>): number {
  let [top, most] = [NO_CLASS, 0];
  for (let c = 0; c < counts.length; c++) if (counts[c]! > most) [top, most] = [c, counts[c]!];
  return top;
}

/** Throws RangeError unless value is an integer of at least `least`. */
export function expectInteger(what: string, name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new RangeError(`${what}: ${name} is ${value}, expected an integer of at least ${least}`);
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
    throw new RangeError(
      `${what}: ${name} is ${copies}, expected an integer of at least ${least}: even if all of fewer copies ` +
        `agree, the bound at alpha ${alpha} is below 1/2`,
    );
  }
}

/** Throws RangeError unless 0 < value < 1. */
export function expectLevel(what: string, name: string, value: number): void {
  if (!(value > 0 && value < 1)) throw new RangeError(`${what}: ${name} is ${value}, expected 0 < ${name} < 1`);
}

/** Throws RangeError unless value is positive and finite. */
export function expectPositive(what: string, name: string, value: number): void {
  if (!(value > 0 && value < Infinity))
    throw new RangeError(`${what}: ${name} is ${value}, expected a positive number`);
}

/**
 * The deviation of the noise as the device has it, in f32: what a radius is a multiple of. Throws RangeError unless it
 * is positive and a normal number there.
 */
export function expectSigma(what: string, sigma: number): number {
  expectPositive(what, 'sigma', sigma);
  const onDevice = Math.fround(sigma);
  if (!(onDevice >= 2 ** -126 && onDevice < Infinity))
    throw new RangeError(
      `${what}: sigma is ${sigma}, in f32 ${onDevice}; expected a number from 2^-126 to 3.4e38, since noise ` +
        'is drawn in f32',
    );
  return onDevice;
}
