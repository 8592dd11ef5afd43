import { checkLabels, toProbabilityRows, type Labels, type Matrix, type Rows } from '../metrics/rows.ts';
import { collectSets, ranking, uniforms, type SetPredictor } from './label-sets.ts';

/**
 * How unusual a class is for a row, with probabilities p in falling order, rank j from 1 and u uniform for each row:
 * 'lac' 1 - p_j; 'aps' sum_{i < j} p_i + u p_j; 'raps' the same plus lambda (j - kReg)_+; 'saps' u p_1 for j = 1, else
 * p_1 + (j - 2 + u) lambda, which keeps of the probabilities only the largest.
 */
export type ConformalScore = 'lac' | 'aps' | 'raps' | 'saps';

/** Options of {@link conformal}. */
export interface ConformalOptions {
  /** Share of labels that sets may miss, in (0, 1). */
  alpha: number;
  /** Default: 'aps'. */
  score?: ConformalScore;
  /** False takes u = 1 in all but 'lac': larger sets, none random, coverage above 1 - alpha. Default: true. */
  randomized?: boolean;
  /** Of 'raps', which needs both: see `rapsSettings`; 'saps' needs lambda, a number > 0. */
  lambda?: number;
  kReg?: number;
  /** A quantile for each class, which covers each class (Mondrian). Default: one for all. */
  perClass?: boolean;
  /** Of u. Default: 0. */
  seed?: number;
}

/** State of {@link conformal}. */
export interface ConformalState {
  kind: 'conformal';
  score: ConformalScore;
  alpha: number;
  randomized: boolean;
  lambda: number;
  kReg: number;
  seed: number;
  classes: number;
  /** One, or one for each class: a class is in the set when its score is at most this. */
  quantiles: number[];
}

/** The ceil((n + 1) (1 - alpha))-th smallest of n scores. Throws RangeError, naming `where`, when n is too small for that. */
function quantileOf(scores: Float64Array, alpha: number, where: string): number {
  const n = scores.length;
  const place = Math.ceil((n + 1) * (1 - alpha) - 1e-9);
  if (place > n) throw new RangeError(`conformal: ${where} ${n} calibration rows, too few for alpha ${alpha}, expected at least ${Math.ceil(1 / alpha - 1 - 1e-9)}`);
  return scores.sort()[place - 1]!;
}

function expectAlpha(where: string, alpha: number): void {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`${where}: alpha is ${alpha}, expected a number in (0, 1)`);
}

/** Scores of all classes of a row. */
function scoresOf({ score, randomized, lambda, kReg }: Pick<ConformalState, 'score' | 'randomized' | 'lambda' | 'kReg'>, matrix: Rows, row: number, u: () => number): Float64Array {
  const { data, classes } = matrix;
  const out = new Float64Array(classes);
  if (score === 'lac') return out.map((_, c) => 1 - data[row * classes + c]!);
  const part = randomized ? u() : 1;
  const order = ranking(matrix, row);
  const largest = data[row * classes + order[0]!]!;
  let before = 0;
  order.forEach((c, j) => {
    const p = data[row * classes + c]!;
    if (score === 'saps') out[c] = j === 0 ? part * p : largest + (j - 1 + part) * lambda;
    else out[c] = before + part * p + (score === 'raps' ? lambda * Math.max(0, j + 1 - kReg) : 0);
    before += p;
  });
  return out;
}

/**
 * Split conformal sets: calibrated on rows that the model has not seen, they miss the label of a new row of the same
 * distribution with probability at most alpha, on average over calibration splits, whatever the model. Vovk, Gammerman and
 * Shafer 2005; LAC: Sadinle, Lei and Wasserman 2019; APS: Romano, Sesia and Candes 2020; RAPS: Angelopoulos et al. 2021;
 * SAPS: Huang et al. 2024.
 */
export function conformal(probs: Matrix, labels: Labels, options: ConformalOptions): SetPredictor<ConformalState> {
  const { alpha, score = 'aps', randomized = true, lambda, kReg, perClass = false, seed = 0 } = options;
  const matrix = toProbabilityRows(probs, 'conformal: probs');
  const { rows, classes } = matrix;
  checkLabels(labels, rows, classes, 'conformal: labels');
  expectAlpha('conformal', alpha);
  if (!['lac', 'aps', 'raps', 'saps'].includes(score)) throw new RangeError(`conformal: score is ${String(score)}, expected 'lac', 'aps', 'raps' or 'saps'`);
  if (score === 'saps' && !(lambda! > 0 && lambda! < Infinity)) throw new RangeError(`conformal: lambda is ${lambda}, expected a finite number > 0`);
  if (score === 'raps' && !(lambda! >= 0 && Number.isFinite(lambda) && kReg! >= 0 && Number.isFinite(kReg))) {
    throw new RangeError(`conformal: lambda is ${lambda} and kReg ${kReg}, expected finite numbers of at least 0, such as those of rapsSettings()`);
  }
  const state = { kind: 'conformal', score, alpha, randomized, lambda: lambda ?? 0, kReg: kReg ?? 0, seed, classes } as const;
  const random = uniforms(seed, 2);
  const own = Float64Array.from({ length: rows }, (_, r) => scoresOf(state, matrix, r, () => random(r))[labels[r]!]!);
  const quantiles = perClass
    ? Array.from({ length: classes }, (_, c) => quantileOf(own.filter((_, r) => labels[r] === c), alpha, `class ${c} has`))
    : [quantileOf(own, alpha, 'got')];
  return conformalSets({ ...state, quantiles });
}

/** The predictor of a stored state. */
export function conformalSets(state: ConformalState): SetPredictor<ConformalState> {
  const { classes, quantiles, seed } = state;
  if (quantiles?.length !== 1 && quantiles?.length !== classes) throw new RangeError(`conformal: quantiles has ${quantiles?.length ?? 0} entries, expected 1 or ${classes}`);
  const bad = quantiles.findIndex((q) => !Number.isFinite(q));
  if (bad >= 0) throw new RangeError(`conformal: quantiles[${bad}] is ${quantiles[bad]}, expected a finite number`);
  const random = uniforms(seed, 3);
  return {
    state,
    predict(probs, options = {}) {
      const matrix = toProbabilityRows(probs, 'conformal: probs');
      if (matrix.classes !== classes) throw new RangeError(`conformal: probs have ${matrix.classes} classes, expected ${classes}`);
      return collectSets(matrix, options, (r, number) => {
        const scores = scoresOf(state, matrix, r, () => random(number));
        return Array.from(scores.keys()).filter((c) => scores[c]! <= quantiles[quantiles.length === 1 ? 0 : c]!);
      });
    },
  };
}

/** Penalty of 'raps' for {@link conformal}. */
export interface RapsSettings {
  lambda: number;
  kReg: number;
}

/**
 * The penalty of 'raps' from a tuning split of its own (the calibration split must stay untouched), as its authors choose it: kReg is
 * the 1 - alpha quantile of the ranks of the labels, lambda the one of `lambdas` with the smallest sets.
 */
export function rapsSettings(probs: Matrix, labels: Labels, { alpha, lambdas = [0.001, 0.01, 0.1, 0.2, 0.5], seed = 0 }: { alpha: number; lambdas?: readonly number[]; seed?: number }): RapsSettings {
  const matrix = toProbabilityRows(probs, 'rapsSettings: probs');
  const { rows, classes } = matrix;
  checkLabels(labels, rows, classes, 'rapsSettings: labels');
  expectAlpha('rapsSettings', alpha);
  if (lambdas.length === 0) throw new RangeError('rapsSettings: lambdas is empty, expected at least one number');
  const ranks = Float64Array.from({ length: rows }, (_, r) => 1 + ranking(matrix, r).indexOf(labels[r]!));
  const kReg = quantileOf(ranks, alpha, 'got');
  const sizes = lambdas.map((lambda) => conformal(probs, labels, { alpha, score: 'raps', lambda, kReg, seed }).predict(probs).meanSize);
  return { lambda: lambdas[sizes.indexOf(Math.min(...sizes))]!, kReg };
}
