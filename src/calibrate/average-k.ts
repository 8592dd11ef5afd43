import { checkLabels, toProbabilityRows, type Labels, type Matrix } from '../metrics/rows.ts';

/** Options of {@link averageK}. */
export interface AverageKOptions {
  /**
   * 'midpoint' (default) lies between the last score taken and the next, as in the authors' code, so that ties there make sets
   * larger than asked; 'conservative' is the smallest score whose mean size does not exceed k.
   */
  tie?: 'midpoint' | 'conservative';
}

/** Sets of classes, one a row. */
export interface LabelSets {
  sets: number[][];
  meanSize: number;
}

/**
 * Threshold on class probabilities for sets of k classes on average (Lorieul, Joly and Shasha 2021, arXiv 2112.08851): the best such
 * sets are {c: p_c >= threshold}. probs: (rows, classes) of a calibration split; k: real, 0 < k <= classes; floor(k rows)
 * scores are taken.
 */
export function averageK(probs: Matrix, k: number, { tie = 'midpoint' }: AverageKOptions = {}): number {
  const { data, rows, classes } = toProbabilityRows(probs, 'averageK: probs');
  if (!(k > 0 && k <= classes)) throw new RangeError(`averageK: k is ${k}, expected 0 < k <= ${classes}`);
  if (tie !== 'midpoint' && tie !== 'conservative') throw new RangeError(`averageK: tie is ${String(tie)}, expected 'midpoint' or 'conservative'`);
  const scores = Float64Array.from(data).sort().reverse();
  let taken = Math.floor(k * rows);
  if (taken === scores.length) return 0;
  if (tie === 'midpoint') return taken === 0 ? Infinity : 0.5 * (scores[taken - 1]! + scores[taken]!);
  while (taken > 0 && scores[taken - 1] === scores[taken]) taken--;
  return taken === 0 ? Infinity : scores[taken - 1]!;
}

/** The sets {c: p_c >= threshold} of probs (rows, classes); a set may be empty. */
export function predictSets(probs: Matrix, threshold: number): LabelSets {
  const { data, rows, classes } = toProbabilityRows(probs, 'predictSets: probs');
  if (Number.isNaN(threshold)) throw new RangeError('predictSets: threshold is NaN, expected a number');
  const all = Array.from({ length: classes }, (_, c) => c);
  const sets = Array.from({ length: rows }, (_, r) => all.filter((c) => data[r * classes + c]! >= threshold));
  return { sets, meanSize: sets.reduce((sum, set) => sum + set.length, 0) / rows };
}

/** Fraction of rows whose set lacks the label. */
export function setError({ sets }: LabelSets, labels: Labels): number {
  checkLabels(labels, sets.length, Infinity, 'setError: labels');
  return sets.filter((set, r) => !set.includes(labels[r]!)).length / sets.length;
}
