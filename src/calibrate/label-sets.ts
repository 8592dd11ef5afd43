import { checkLabels, toProbabilityRows, type Labels, type Matrix, type Rows } from '../metrics/rows.ts';
import { key, PURPOSE, split } from '../random/key.ts';
import { philox } from '../random/philox.ts';

/** Sets of classes, one a row, each in ascending order. */
export interface LabelSets {
  sets: number[][];
  meanSize: number;
}

/** How {@link SetPredictor} treats the rows it is given. */
export interface PredictSetsOptions {
  /** Number of the first row: rows that are predicted in several calls get random numbers of their own. Default: 0. */
  first?: number;
  /** False adds the most probable class to empty sets, which makes the mean size larger. Default: true. */
  allowEmpty?: boolean;
}

/** A rule that turns class probabilities into sets of classes: `topK` and `averageK` fix the size, `conformal` fixes the coverage. */
export interface SetPredictor<State = unknown> {
  /** JSON for `loadSetPredictor`. */
  readonly state: State;
  /** Sets of probs (rows, classes). The same rows get the same sets. */
  predict(probs: Matrix, options?: PredictSetsOptions): LabelSets;
}

/** What {@link evaluateSets} finds. */
export interface SetReport {
  /** Share of rows whose set lacks the label, and whose set has it. */
  error: number;
  coverage: number;
  /** Mean over the classes that occur of the error of their rows. */
  macroError: number;
  /** Coverage of the rows of each class; NaN for a class without rows. */
  classCoverage: number[];
  meanSize: number;
  /** Rows with a set of 0, 1, ... classes, and the coverage of those; NaN where there is none. */
  sizes: number[];
  sizeCoverage: number[];
  emptyShare: number;
  singletonShare: number;
}

/** Uniform numbers in [0, 1) of 53 bits, by row and column, of one stream of a seed. */
export function uniforms(seed: number, stream: number): (row: number, column?: number) => number {
  const root = split(key(seed), PURPOSE.sets);
  return (row, column = 0) => {
    const [a, b] = philox([row, column, stream, 0], root);
    return ((a >>> 5) * 2 ** 26 + (b >>> 6)) * 2 ** -53;
  };
}

/** Classes by falling value of a row; equal values by class, or by `breakTies` first. */
export function ranking({ data, classes }: Rows, row: number, breakTies?: (c: number) => number): number[] {
  const at = row * classes;
  const order = Array.from({ length: classes }, (_, c) => c);
  const ties = breakTies && order.map(breakTies);
  return order.sort((a, b) => data[at + b]! - data[at + a]! || (ties ? ties[a]! - ties[b]! : 0) || a - b);
}

/** Sets from `setOf` each row, with the options of a prediction. */
export function collectSets(matrix: Rows, { first = 0, allowEmpty = true }: PredictSetsOptions, setOf: (row: number, number: number) => number[]): LabelSets {
  if (!(Number.isSafeInteger(first) && first >= 0)) throw new RangeError(`predict: first is ${first}, expected an integer of at least 0`);
  const sets = Array.from({ length: matrix.rows }, (_, r) => {
    const set = setOf(r, first + r).sort((a, b) => a - b);
    return set.length === 0 && !allowEmpty ? [ranking(matrix, r)[0]!] : set;
  });
  return { sets, meanSize: sets.reduce((sum, set) => sum + set.length, 0) / matrix.rows };
}

/** State of {@link topK}. */
export interface TopKState {
  kind: 'topK';
  k: number;
  tie: 'first' | 'random';
  seed: number;
}

/** Options of {@link topK}. */
export interface TopKOptions {
  /** Of equal probabilities the lower classes are taken ('first', default), or any of them, alike ('random'). */
  tie?: TopKState['tie'];
  /** Of random ties. Default: 0. */
  seed?: number;
}

/** The k most probable classes of every row; k is a positive integer, at most the number of classes. */
export function topK(k: number, { tie = 'first', seed = 0 }: TopKOptions = {}): SetPredictor<TopKState> {
  if (!(Number.isInteger(k) && k >= 1)) throw new RangeError(`topK: k is ${k}, expected a positive integer`);
  if (tie !== 'first' && tie !== 'random') throw new RangeError(`topK: tie is ${String(tie)}, expected 'first' or 'random'`);
  const random = uniforms(seed, 0);
  return {
    state: { kind: 'topK', k, tie, seed },
    predict(probs, options = {}) {
      const matrix = toProbabilityRows(probs, 'topK: probs');
      if (k > matrix.classes) throw new RangeError(`topK: k is ${k}, expected at most ${matrix.classes}, the number of classes`);
      return collectSets(matrix, options, (r, number) => ranking(matrix, r, tie === 'random' ? (c) => random(number, c) : undefined).slice(0, k));
    },
  };
}

/** Fraction of rows whose set lacks the label. */
export function setError({ sets }: LabelSets, labels: Labels): number {
  checkLabels(labels, sets.length, Infinity, 'setError: labels');
  return sets.filter((set, r) => !set.includes(labels[r]!)).length / sets.length;
}

function expectClasses(where: string, sets: readonly (readonly number[])[], classes: number): void {
  sets.forEach((set, r) => set.forEach((c) => {
    if (!(Number.isInteger(c) && c >= 0 && c < classes)) throw new RangeError(`${where}: set ${r} has the class ${c}, expected one in 0..${classes - 1}`);
  }));
}

/** Error that the probabilities themselves expect: the mean over rows of the probability outside the set. */
export function expectedSetError({ sets }: LabelSets, probs: Matrix): number {
  const { data, rows, classes } = toProbabilityRows(probs, 'expectedSetError: probs');
  if (rows !== sets.length) throw new RangeError(`expectedSetError: probs have ${rows} rows, expected ${sets.length}, one per set`);
  expectClasses('expectedSetError', sets, classes);
  return sets.reduce((sum, set, r) => sum + 1 - set.reduce((p, c) => p + data[r * classes + c]!, 0), 0) / rows;
}

/** Error, coverage and sizes of sets against labels in 0..classes-1. */
export function evaluateSets({ sets, meanSize }: LabelSets, labels: Labels, { classes }: { classes: number }): SetReport {
  if (!(Number.isInteger(classes) && classes >= 1)) throw new RangeError(`evaluateSets: classes is ${classes}, expected a positive integer`);
  checkLabels(labels, sets.length, classes, 'evaluateSets: labels');
  expectClasses('evaluateSets', sets, classes);
  const hits = sets.map((set, r) => Number(set.includes(labels[r]!)));
  const shareOf = (group: (r: number) => number, groups: number): [rows: number[], coverage: number[]] => {
    const rows = new Array<number>(groups).fill(0);
    const hit = new Array<number>(groups).fill(0);
    hits.forEach((h, r) => {
      rows[group(r)]!++;
      hit[group(r)]! += h;
    });
    return [rows, hit.map((h, g) => h / rows[g]!)];
  };
  const [rowsOf, classCoverage] = shareOf((r) => labels[r]!, classes);
  const [sizes, sizeCoverage] = shareOf((r) => sets[r]!.length, classes + 1);
  const present = classCoverage.filter((_, c) => rowsOf[c]! > 0);
  const coverage = hits.reduce((sum, h) => sum + h, 0) / sets.length;
  return {
    error: 1 - coverage,
    coverage,
    macroError: 1 - present.reduce((sum, c) => sum + c, 0) / present.length,
    classCoverage,
    meanSize,
    sizes,
    sizeCoverage,
    emptyShare: sizes[0]! / sets.length,
    singletonShare: sizes[1]! / sets.length,
  };
}
