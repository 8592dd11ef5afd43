import { between, boolean, check, worded } from '../check/check.ts';
import { nearest } from '../check/options.ts';
import { apportion, partSizes } from './apportion.ts';
import { indicesByClass, subset, type Dataset } from './dataset.ts';
import { random32, shuffledIndices, shuffleInPlace } from './shuffle.ts';

/** First stream of the shuffles; those below belong to `longTail`, which often runs before with the same seed. */
const FIRST_STREAM = 2 ** 16;

/** Stream of the order in which classes of equal remainders are served. */
const TIES = 2 ** 20;

/** Fractions of the parts by name, besides `seed` (default 0) and `stratified` (default true). */
export interface RandomSplitOptions {
  seed?: number;
  stratified?: boolean;
  [part: string]: number | boolean | undefined;
}

/** The parts, under the names of their fractions. */
export type RandomSplit<O> = { [Part in Exclude<keyof O, 'seed' | 'stratified'>]: Dataset };

/**
 * Splits a data set into disjoint random parts: `randomSplit(data, { train: 0.8, calib: 0.1, test: 0.1, seed: 0 })`.
 * The parts have n * fraction examples, rounded by largest remainder (ties: the part named first), the first at least
 * one. Stratified: each class has its share of each part, rounded up or down by largest remainders over classes and
 * parts (ties by `seed`), so that 100 classes of 5 at 0.8, 0.1, 0.1 give 400, 50 and 50; a class keeps an example in
 * the part named first wherever these totals allow it. Examples keep the order of `data` within a part. Fractions that
 * sum to less than 1 leave examples out.
 * Throws RangeError unless there is a part, every fraction is in (0, 1], and they sum to at most 1.
 */
export function randomSplit<const O extends RandomSplitOptions>(data: Dataset, options: O): RandomSplit<O> {
  const { seed = 0, stratified = true, ...fractions } = options;
  check('randomSplit', { stratified }, boolean);
  const names = Object.keys(fractions);
  for (const name of names) {
    const meant = nearest(name, ['seed', 'stratified']);
    if (meant) throw new TypeError(`randomSplit: unknown option '${name}', did you mean '${meant}'?`);
  }
  const shares = names.map((name) => {
    const fraction = fractions[name] as number;
    check<Record<string, number>>(
      'randomSplit',
      { [name]: fraction },
      worded(between(0, 1, '(]'), 'a fraction in (0, 1]'),
    );
    return fraction;
  });
  if (names.length === 0)
    throw new RangeError('randomSplit: options name no part, expected at least one fraction, such as train: 0.8');
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (total > 1 + 1e-9) throw new RangeError(`randomSplit: fractions sum to ${total}, expected at most 1`);

  const parts = names.map((): number[] => []);
  const groups = stratified ? indicesByClass(data) : [Array.from(data.y, (_, i) => i)];
  sizesOf(
    groups.map((group) => group.length),
    shares,
    seed,
  ).forEach((sizes, c) => {
    const indices = shuffleInPlace(groups[c]!, random32(seed, FIRST_STREAM + c));
    let at = 0;
    sizes.forEach((size, part) => {
      for (const end = at + size; at < end; at++) parts[part]!.push(indices[at]!);
    });
  });
  const sorted = parts.map((indices) =>
    subset(
      data,
      indices.sort((i, j) => i - j),
    ),
  );
  return Object.fromEntries(names.map((name, part) => [name, sorted[part]!])) as RandomSplit<O>;
}

/** Examples of each group (row) for each part (column). */
function sizesOf(counts: readonly number[], shares: readonly number[], seed: number): number[][] {
  const n = counts.reduce((sum, count) => sum + count, 0);
  const totals = partSizes(n, shares);
  if (counts.length === 1) return [totals];
  // What no part takes is a part of its own, the last.
  const rest = n - totals.reduce((sum, size) => sum + size, 0);
  const all = [...shares, Math.max(0, 1 - shares.reduce((sum, share) => sum + share, 0))];
  return apportion(counts, all, [...totals, rest], shuffledIndices(counts.length, seed, TIES)).map((row) =>
    row.slice(0, -1),
  );
}
