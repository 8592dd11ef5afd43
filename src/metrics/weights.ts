import { any, atLeast, checkValue, listOf } from '../check/check.ts';
import type { Labels } from './matrix.ts';

/** How much each row counts. Weights matter up to a common factor; a row of weight 0 does not count at all. */
export interface WeightOptions {
  /** One number a row, at least 0 and not all 0. Default: all alike. */
  sampleWeight?: ArrayLike<number>;
  /**
   * Classes where the probabilities are used, when they are not those of the labels: 'balanced' (all alike), or a
   * probability or count for each class, such as `estimatePrior` gives. A row of class c then counts prior_c / share of
   * c among the rows, times its `sampleWeight`; a class without rows gets no share. Default: the classes of the labels.
   */
  prior?: 'balanced' | ArrayLike<number>;
}

/** Keys of {@link WeightOptions}. */
export const WEIGHT_RULES = { sampleWeight: any, prior: any } as const;

/** Rules of {@link WeightOptions}; the lists are checked against the rows. */
export const WEIGHT = { sampleWeight: any, prior: any } as const;

/** Weights of mean 1. */
export interface Weights {
  /** Of each row. */
  rows: Float64Array;
  /** Sum of `rows`. */
  total: number;
  /** Whether they were asked for. */
  isGiven: boolean;
  /**
   * Of a row to come, by its class: under a prior the largest weight in the class, Infinity for a class without rows
   * that the prior expects; else the largest of all.
   */
  toCome: Float64Array;
}

/** Checked weights of rows with checked labels. Throws RangeError, naming `where`, on weights that do not fit. */
export function rowWeights(
  labels: Labels,
  classes: number,
  { sampleWeight, prior }: WeightOptions,
  where: string,
): Weights {
  const n = labels.length;
  const rows =
    sampleWeight === undefined
      ? new Float64Array(n).fill(1)
      : checked(sampleWeight, n, 'row', `${where}: sampleWeight`);
  const perClass = prior === undefined ? null : priorFactors(rows, labels, classes, prior, where);
  // 0 stays 0 where the factor of a class without weight is infinite.
  if (perClass) for (let r = 0; r < n; r++) if (rows[r]! > 0) rows[r]! *= perClass[labels[r]!]!;
  const sum = rows.reduce((a, b) => a + b, 0);
  if (!(sum > 0))
    throw new RangeError(
      `${where}: prior is 0 for every class that has rows of positive weight, expected a positive one`,
    );
  for (let r = 0; r < n; r++) rows[r]! *= n / sum;
  const toCome = new Float64Array(classes).fill(perClass ? 0 : rows.reduce((a, b) => Math.max(a, b), 0));
  if (perClass) {
    for (let r = 0; r < n; r++) toCome[labels[r]!] = Math.max(toCome[labels[r]!]!, rows[r]!);
    perClass.forEach((factor, c) => factor === Infinity && (toCome[c] = Infinity));
  }
  return {
    rows,
    total: rows.reduce((a, b) => a + b, 0),
    isGiven: sampleWeight !== undefined || prior !== undefined,
    toCome,
  };
}

/** prior_c / weight of class c; Infinity for a class without weight that the prior expects. */
function priorFactors(
  rows: Float64Array,
  labels: Labels,
  classes: number,
  prior: NonNullable<WeightOptions['prior']>,
  where: string,
): Float64Array {
  const wanted = prior === 'balanced' ? new Float64Array(classes).fill(1) : checkPrior(prior, classes, where);
  const mass = new Float64Array(classes);
  for (let r = 0; r < rows.length; r++) mass[labels[r]!]! += rows[r]!;
  return wanted.map((p, c) => (p > 0 ? p / mass[c]! : 0));
}

/** A list of class probabilities or counts as f64. Throws RangeError, naming `where`, on one that does not fit. */
export function checkPrior(prior: ArrayLike<number>, classes: number, where: string): Float64Array {
  if (typeof prior !== 'object' || prior === null || typeof prior.length !== 'number') {
    throw new RangeError(`${where}: prior is ${String(prior)}, expected 'balanced' or a list of ${classes} numbers`);
  }
  return checked(prior, classes, 'class', `${where}: prior`);
}

function checked(list: ArrayLike<number>, count: number, of: 'row' | 'class', where: string): Float64Array {
  checkValue(where, list, listOf(atLeast(0), count, `one per ${of}`));
  let largest = 0;
  for (let i = 0; i < count; i++) largest = Math.max(largest, list[i]!);
  if (largest === 0) throw new RangeError(`${where} is 0 for every ${of}, expected a positive one`);
  // Divided by the largest, so that sums neither overflow nor vanish; exact where all are 1.
  return Float64Array.from(list, (v) => v / largest);
}

/**
 * The smallest of the values that, with all below it, has a mass of weights; for weights of 1 the ceil(mass)-th
 * smallest. Infinity above the mass of all. Weights are of mean 1, and masses equal to 1e-9.
 */
export function byMass(values: ArrayLike<number>, weight: ArrayLike<number>): (mass: number) => number {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i)
    .filter((i) => weight[i]! > 0)
    .sort((a, b) => values[a]! - values[b]!);
  const sums = new Float64Array(order.length);
  order.forEach((r, i) => (sums[i] = (sums[i - 1] ?? 0) + weight[r]!));
  return (mass) => {
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! >= mass - 1e-9) high = middle;
      else low = middle + 1;
    }
    return low < order.length ? values[order[low]!]! : Infinity;
  };
}
