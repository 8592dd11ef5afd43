import { check, integer, listOf } from '../check/check.ts';
import { toList } from '../tensor/host-values.ts';

/** How training has gone for each sample of a set; see {@link forgetting}. */
export interface Forgetting {
  /**
   * Takes whether the net classified samples right when it met them: `correct` holds a number or boolean for each,
   * `index` the samples, which may repeat; default: all, in order. Throws RangeError on what is no flag (true, false,
   * 1, 0), and on lengths or indices that do not fit, before anything is counted.
   */
  update(correct: ArrayLike<number | boolean>, index?: ArrayLike<number>): void;
  /** Forgetting events of each sample: right at one meeting, wrong at the next. */
  readonly counts: Int32Array<ArrayBuffer>;
  /** The meeting, from 0, at which each sample was first right; -1: never. */
  readonly learned: Int32Array<ArrayBuffer>;
  /** Meetings of each sample. */
  readonly seen: Int32Array<ArrayBuffer>;
  /** Samples that were right once and never wrong thereafter. */
  unforgettable(): number[];
  /** All samples, from the least forgotten: those never right are last, equal ones keep their order. */
  order(): number[];
}

/**
 * Counts forgetting events of `n` samples over training (Toneva et al., "An empirical study of example forgetting
 * during deep neural network learning", ICLR 2019): samples with wrong labels are forgotten most, and unforgettable
 * ones can be left out. The paper counts at each batch with its outputs in training; a pass over the set after each
 * epoch serves too.
 */
export function forgetting(n: number): Forgetting {
  check('forgetting', { n }, { n: integer(1) });
  const counts = new Int32Array(n);
  const learned = new Int32Array(n).fill(-1);
  const seen = new Int32Array(n);
  const wasRight = new Uint8Array(n);
  const rank = (i: number): number => (learned[i]! < 0 ? Infinity : counts[i]!);
  return {
    counts,
    learned,
    seen,
    update: (flags, at) => {
      const correct = toList('forgetting: correct', flags) as ArrayLike<number | boolean>;
      const index = at && toList('forgetting: index', at);
      expectIndex('forgetting', n, correct.length, index);
      expectFlags('forgetting: correct', correct);
      for (let k = 0; k < correct.length; k++) {
        const i = index ? index[k]! : k;
        const isRight = Boolean(correct[k]);
        if (isRight && learned[i]! < 0) learned[i] = seen[i]!;
        if (wasRight[i] && !isRight) counts[i]!++;
        wasRight[i] = Number(isRight);
        seen[i]!++;
      }
    },
    unforgettable: () => Array.from(counts.keys()).filter((i) => rank(i) === 0),
    order: () => Array.from(counts.keys()).sort((i, j) => (rank(i) === rank(j) ? i - j : rank(i) - rank(j))),
  };
}

/** Throws RangeError, naming `what`, unless all values are booleans, 0 or 1. */
export function expectFlags(what: string, values: ArrayLike<number | boolean>): void {
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== true && values[i] !== false && values[i] !== 0 && values[i] !== 1)
      throw new RangeError(`${what}[${i}] is ${String(values[i])}, expected true, false, 1 or 0`);
  }
}

/** Throws RangeError unless `count` values belong to the samples of `index`, or to all `n`. */
export function expectIndex(where: string, n: number, count: number, index?: ArrayLike<number>): void {
  const expected = index ? index.length : n;
  if (count !== expected)
    throw new RangeError(`${where}: got ${count} values, expected ${expected}, one for each sample`);
  if (index) check(where, { index }, { index: listOf(integer(0, n - 1)) });
}
