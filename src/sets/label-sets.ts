import { any, atLeast, boolean, check, checkOptions, integer, listOf, oneOf, required } from '../check/check.ts';
import { checkLabels, toProbabilityRows, type Labels, type Matrix, type Rows } from '../metrics/matrix.ts';
import { rowWeights, WEIGHT_RULES, type WeightOptions } from '../metrics/weights.ts';
import { key, PURPOSE, splitKey } from '../random/key.ts';
import { philox } from '../random/philox.ts';
import { expectState, plain, type FieldRule } from '../check/state.ts';

/** Sets of classes, one a row, each in ascending order. */
export interface LabelSets {
  sets: number[][];
  meanSize: number;
}

/** How {@link SetPredictor} treats the rows it is given. */
export interface SetsOptions {
  /**
   * Number of the first row, which decides the random numbers of a rule that has any. Default: `next`, so that each row
   * of each call has numbers of its own. Give it to get the sets of known rows again: row i of a data set is
   * `first: i`.
   */
  first?: number;
  /** False adds the most probable class to empty sets, which makes the mean size larger. Default: true. */
  allowEmpty?: boolean;
}

/**
 * A rule that turns class probabilities into sets of classes: `topKPredictor` and `averageK` fix the size, `conformal`
 * fixes the coverage.
 */
export interface SetPredictor<State = unknown> {
  /** JSON for `loadSetPredictor`. */
  readonly state: State;
  /**
   * Number of the next row: 0 at first, also of a loaded rule, and after each call that of its last row and one more.
   */
  readonly next: number;
  /** Sets of probs (rows, classes). Rows of the same numbers get the same sets. */
  sets(probs: Matrix, options?: SetsOptions): LabelSets;
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
  /**
   * Rows with a set of 0, 1, ... classes, counted without weights, and the coverage of those; NaN where there is none.
   */
  sizes: number[];
  sizeCoverage: number[];
  emptyShare: number;
  singletonShare: number;
}

/** Uniform numbers in [0, 1) of 53 bits, by row and column, of one stream of a seed. */
export function uniforms(seed: number, stream: number): (row: number, column?: number) => number {
  const root = splitKey(key(seed), PURPOSE.sets);
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

/** Numbers of rows are words of the random counter. */
const MOST_ROWS = 2 ** 32;

/**
 * A predictor that counts its rows, so that those of different calls have different random numbers. `checked` turns
 * probs into checked rows; `setOf` gives the classes of a row by its place and its number.
 */
export function setPredictor<State>(
  state: State,
  checked: (probs: Matrix) => Rows,
  setOf: (matrix: Rows, row: number, number: number) => number[],
): SetPredictor<State> {
  let next = 0;
  return {
    state,
    get next() {
      return next;
    },
    sets(probs, options = {}) {
      checkOptions('sets', options, { first: integer(0), allowEmpty: boolean });
      const { first = next, allowEmpty = true } = options;
      const matrix = checked(probs);
      if (first + matrix.rows > MOST_ROWS)
        throw new RangeError(`sets: first is ${first} for ${matrix.rows} rows, expected numbers below ${MOST_ROWS}`);
      const sets = Array.from({ length: matrix.rows }, (_, r) => {
        const set = setOf(matrix, r, first + r).sort((a, b) => a - b);
        return set.length === 0 && !allowEmpty ? [ranking(matrix, r)[0]!] : set;
      });
      next = first + matrix.rows;
      return { sets, meanSize: sets.reduce((sum, set) => sum + set.length, 0) / matrix.rows };
    },
  };
}

/** State of {@link topKPredictor}. */
export interface TopKPredictorState {
  kind: 'topK';
  k: number;
  tie: 'first' | 'random';
  seed: number;
  /** Only where it was given. */
  weight?: number[];
}

/** Options of {@link topKPredictor}. */
export interface TopKPredictorOptions {
  /** Classes in a set: a positive integer, at most the number of classes. */
  k: number;
  /** Of equal probabilities the lower classes are taken ('first', default), or any of them, alike ('random'). */
  tie?: TopKPredictorState['tie'];
  /** Of random ties. Default: 0. */
  seed?: number;
  /**
   * How much an error on each class counts, at least 0 and not all 0. Sets are then the classes of largest weight_c
   * p_c, which the expected weighted error is least for; prior_c / share_c makes them those of test data whose classes
   * come as `prior` says. Default: all alike.
   */
  weight?: ArrayLike<number>;
}

/**
 * The k most probable classes of every row. Nothing is fitted, so that this is a rule already:
 * `topKPredictor({ k: 5 }).sets(probs)`.
 */
export function topKPredictor(options: TopKPredictorOptions): SetPredictor<TopKPredictorState> {
  checkOptions('topKPredictor', options, {
    k: required(integer(1)),
    tie: oneOf('first', 'random'),
    seed: any,
    weight: any,
  });
  const { k, tie = 'first', seed = 0, weight } = options;
  return topKSets({ kind: 'topK', k, tie, seed, ...(weight && { weight: plain(weight) }) });
}

/** The predictor of a stored state. */
export function topKSets(state: TopKPredictorState): SetPredictor<TopKPredictorState> {
  const { k, tie, seed, weight } = expectState('topKPredictor', state, {
    kind: ['topK'],
    k: 'positive',
    tie: ['first', 'random'],
    seed: 'integer',
    ...(state.weight !== undefined && { weight: 'list' as const }),
  } as { [K in keyof Required<TopKPredictorState>]: FieldRule });
  if (weight) checkWeight(weight);
  const random = uniforms(seed, 0);
  const checked = (probs: Matrix): Rows => {
    const matrix = toProbabilityRows(probs, 'topKPredictor: probs');
    if (k > matrix.classes)
      throw new RangeError(`topKPredictor: k is ${k}, expected at most ${matrix.classes}, the number of classes`);
    if (!weight) return matrix;
    if (weight.length !== matrix.classes)
      throw new RangeError(
        `topKPredictor: weight has ${weight.length} entries, expected ${matrix.classes}, one per class`,
      );
    return { ...matrix, data: Float64Array.from(matrix.data, (p, i) => p * weight[i % matrix.classes]!) };
  };
  return setPredictor(state, checked, (matrix, r, number) =>
    ranking(matrix, r, tie === 'random' ? (c) => random(number, c) : undefined).slice(0, k),
  );
}

function checkWeight(weight: readonly number[]): void {
  check('topKPredictor', { weight }, { weight: listOf(atLeast(0)) });
  if (!weight.some((w) => w > 0))
    throw new RangeError('topKPredictor: weight is 0 for every class, expected a positive one');
}

/** Fraction of rows, by weight, whose set lacks the label. */
export function setError({ sets }: LabelSets, labels: Labels, options: WeightOptions = {}): number {
  checkOptions('setError', options, WEIGHT_RULES);
  expectSets('setError', sets);
  checkLabels(labels, sets.length, Infinity, 'setError: labels');
  const { prior } = options;
  const classes =
    prior !== undefined && prior !== 'balanced'
      ? prior.length
      : Array.from(labels).reduce((a, b) => Math.max(a, b)) + 1;
  checkLabels(labels, sets.length, classes, 'setError: labels');
  const { rows: weight, total } = rowWeights(labels, classes, options, 'setError');
  return sets.reduce((sum, set, r) => sum + (set.includes(labels[r]!) ? 0 : weight[r]!), 0) / total;
}

function expectSets(where: string, sets: readonly unknown[]): void {
  if (!(sets?.length > 0)) throw new RangeError(`${where}: there are no sets, expected at least one`);
}

function expectClasses(where: string, sets: readonly (readonly number[])[], classes: number): void {
  sets.forEach((set, r) =>
    set.forEach((c) => {
      if (!(Number.isInteger(c) && c >= 0 && c < classes))
        throw new RangeError(`${where}: set ${r} has the class ${c}, expected one in 0..${classes - 1}`);
    }),
  );
}

/** Error that the probabilities themselves expect: the mean over rows of the probability outside the set. */
export function expectedSetError({ sets }: LabelSets, probs: Matrix): number {
  const { data, rows, classes } = toProbabilityRows(probs, 'expectedSetError: probs');
  if (rows !== sets.length)
    throw new RangeError(`expectedSetError: probs have ${rows} rows, expected ${sets.length}, one per set`);
  expectClasses('expectedSetError', sets, classes);
  return sets.reduce((sum, set, r) => sum + 1 - set.reduce((p, c) => p + data[r * classes + c]!, 0), 0) / rows;
}

/** Error, coverage and sizes of sets against labels in 0..classes-1; shares and means by weight. */
export function evaluateSets(
  { sets }: LabelSets,
  labels: Labels,
  options: { numClasses: number } & WeightOptions,
): SetReport {
  checkOptions('evaluateSets', options, { numClasses: required(integer(1)), ...WEIGHT_RULES });
  const { numClasses } = options;
  expectSets('evaluateSets', sets);
  checkLabels(labels, sets.length, numClasses, 'evaluateSets: labels');
  expectClasses('evaluateSets', sets, numClasses);
  const { rows: weight, total } = rowWeights(labels, numClasses, options, 'evaluateSets');
  const hits = sets.map((set, r) => (set.includes(labels[r]!) ? weight[r]! : 0));
  /** Coverage of the rows of each group, and their share of the weights. */
  const coverageOf = (group: (r: number) => number, groups: number): [coverage: number[], share: number[]] => {
    const rows = new Array<number>(groups).fill(0);
    const hit = new Array<number>(groups).fill(0);
    hits.forEach((h, r) => {
      rows[group(r)]! += weight[r]!;
      hit[group(r)]! += h;
    });
    return [hit.map((h, g) => h / rows[g]!), rows.map((w) => w / total)];
  };
  const [classCoverage, classShare] = coverageOf((r) => labels[r]!, numClasses);
  const [sizeCoverage, sizeShare] = coverageOf((r) => sets[r]!.length, numClasses + 1);
  const sizes = new Array<number>(numClasses + 1).fill(0);
  for (const set of sets) sizes[set.length]!++;
  const present = classCoverage.filter((_, c) => classShare[c]! > 0);
  const coverage = hits.reduce((sum, h) => sum + h, 0) / total;
  return {
    error: 1 - coverage,
    coverage,
    macroError: 1 - present.reduce((sum, c) => sum + c, 0) / present.length,
    classCoverage,
    meanSize: sets.reduce((sum, set, r) => sum + weight[r]! * set.length, 0) / total,
    sizes,
    sizeCoverage,
    emptyShare: sizeShare[0]!,
    singletonShare: sizeShare[1]!,
  };
}
