import { any, integer, listOf } from '../../check/check.ts';
import { NO_CLASS } from '../../stats/class-of-row.ts';
import { clopperPearsonLower, samplesForRadius } from '../../stats/index.ts';
import { readArray, type ArrayInput } from '../../tensor/array-input.ts';
import { NdArray } from '../../tensor/ndarray.ts';
import { sizeOf } from '../../tensor/shape.ts';

/**
 * A classifier under noise: {@link Smooth}, or counts from elsewhere. The copies that it counts must be independent of
 * one another, with normal noise of deviation Math.fround(sigma), as the device draws it, and those of different
 * numbers fresh; their classes must come from the classifier that is certified.
 */
export interface NoisyClassifier {
  readonly sigma: number;
  /**
   * Counts of all classes over copies `first` .. first + n - 1 of each input, (inputs, classes): integers that add up
   * to n, less the copies to which the classifier gives no class. `indices` are the numbers of the inputs.
   */
  count(
    x: NdArray,
    options: { n: number; first: number; indices: ArrayLike<number>; signal?: AbortSignal },
  ): Promise<{ readonly data: ArrayLike<number>; readonly shape: readonly number[] }>;
  /** Keeps the classifier as it is until `release`. */
  hold?(): { release(): void };
}

/** Which random numbers the inputs get, for certifiers that draw as many copies as they need. */
export interface DrawOptions {
  /**
   * Number of each input, which decides its noise. Default: 0, 1, ... in each call, so that inputs given one at a time
   * need theirs.
   */
  indices?: ArrayLike<number>;
  /** Number of the first copy of each input: another call about the same inputs takes fresh ones. Default: 0. */
  first?: number;
  signal?: AbortSignal;
}

/** Rules of {@link DrawOptions}. */
export const DRAWS = { indices: listOf(integer(0)), first: integer(0), signal: any } as const;

/** Counts of n fresh copies of the given rows of the inputs, from copy number `from` on: a list of counts a row. */
export type Draw = (rows: readonly number[], n: number, from: number) => Promise<number[][]>;

/** `certify` with the number of inputs and draws of them, all of one classifier, whatever trains it meanwhile. */
export async function drawing<T>(
  what: string,
  classifier: NoisyClassifier,
  input: ArrayInput,
  { indices, first = 0, signal }: DrawOptions,
  certify: (count: number, draw: Draw) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const held = classifier.hold?.();
  try {
    const x = await readArray(`${what}: x`, input);
    const numbers = indices ?? Uint32Array.from({ length: x.length }, (_, i) => i);
    if (numbers.length !== x.length)
      throw new RangeError(`${what}: ${numbers.length} indices for ${x.length} inputs, expected one each`);
    return await certify(x.length, async (rows, n, from) => {
      const all: number[][] = [];
      // Fewer than 2^32 copies in one count.
      const together = Math.max(1, Math.floor((2 ** 32 - 1) / n));
      for (let start = 0; start < rows.length; start += together) {
        signal?.throwIfAborted();
        const some = rows.slice(start, start + together);
        const { data, shape } = await classifier.count(takeRows(x, some), {
          n,
          first: first + from,
          indices: some.map((row) => numbers[row]!),
          ...(signal && { signal }),
        });
        all.push(...some.map((_, i) => checkedCounts(what, data, shape[1]!, i, n)));
      }
      return all;
    });
  } finally {
    held?.release();
  }
}

/** The given rows of x. */
export function takeRows(x: NdArray, rows: readonly number[]): NdArray<Float32Array> {
  const size = sizeOf(x.shape.slice(1));
  const data = new Float32Array(rows.length * size);
  rows.forEach((row, i) => data.set(x.data.subarray(row * size, (row + 1) * size), i * size));
  return new NdArray(data, [rows.length, ...x.shape.slice(1)]);
}

function checkedCounts(what: string, data: ArrayLike<number>, classes: number, row: number, n: number): number[] {
  const counts = Array.from({ length: classes }, (_, c) => data[row * classes + c]!);
  if (!counts.every((c) => Number.isInteger(c) && c >= 0))
    throw new RangeError(`${what}: count gives ${counts}, expected integers of at least 0`);
  const sum = counts.reduce((a, b) => a + b, 0);
  if (sum > n) throw new RangeError(`${what}: count gives counts that add up to ${sum}, expected ${n} at most`);
  return counts;
}

/** The class with the largest count, the first of equal ones; NO_CLASS where all are 0. */
export function topClass(counts: ArrayLike<number>): number {
  let [top, most] = [NO_CLASS, 0];
  for (let c = 0; c < counts.length; c++) if (counts[c]! > most) [top, most] = [c, counts[c]!];
  return top;
}

/** Fewest copies whose lower bound at level 1 - alpha reaches 1/2 when all of them agree: 10 at alpha = 0.001. */
export function fewestCopies(alpha: number): number {
  let n = samplesForRadius(0, { alpha });
  // The bound is rounded down, which matters where alpha is a power of 1/2.
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
