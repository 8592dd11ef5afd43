import {
  any,
  between,
  boolean,
  check,
  checkOptions,
  finite,
  listOf,
  nonEmpty,
  oneOf,
  positive,
  required,
} from '../check/check.ts';
import { checkLabels, toProbabilityRows, type Labels, type Matrix, type Rows } from '../metrics/matrix.ts';
import { byMass, rowWeights, WEIGHT_RULES, type WeightOptions } from '../metrics/weights.ts';
import { ranking, setPredictor, uniforms, type SetPredictor } from './label-sets.ts';
import { expectState, INFINITE } from '../check/state.ts';

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
  /**
   * A quantile for each class, which covers each class (Mondrian). A class of fewer than 1 / alpha - 1 rows has an
   * infinite one: it is in every set, and `warnings` says so. Default: one for all.
   */
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
  /**
   * One, or one for each class: a class is in the set when its score is at most this. The largest number stands for
   * Infinity.
   */
  quantiles: number[];
}

/** What {@link conformal} fits. */
export interface ConformalPredictor extends SetPredictor<ConformalState> {
  /** One, or one for each class; Infinity for a class that is in every set. */
  readonly quantiles: readonly number[];
  /** A sentence for each class whose calibration rows are too few, so that it is in every set. */
  readonly warnings: readonly string[];
}

/**
 * The smallest score with a share of 1 - alpha of the weights, that of the row to come included; Infinity when there is
 * none. For n weights of 1 it is the ceil((n + 1) (1 - alpha))-th smallest.
 */
function quantileOf(scores: ArrayLike<number>, weight: Float64Array, toCome: number, alpha: number): number {
  return byMass(scores, weight)((weight.reduce((a, b) => a + b, 0) + toCome) * (1 - alpha));
}

function expectFinite(where: string, quantile: number, rows: number, alpha: number): number {
  if (quantile < Infinity) return quantile;
  throw new RangeError(
    `${where}: got ${rows} calibration rows, too few for alpha ${alpha}, expected at least ` +
      `${Math.ceil(1 / alpha - 1 - 1e-9)}`,
  );
}

/** Scores of all classes of a row. */
function scoresOf(
  { score, randomized, lambda, kReg }: Pick<ConformalState, 'score' | 'randomized' | 'lambda' | 'kReg'>,
  matrix: Rows,
  row: number,
  u: () => number,
): Float64Array {
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

/** {@link conformal}, to be fitted to probabilities (rows, classes) and labels of a calibration split. */
export interface ConformalMethod {
  /**
   * Under a `prior` the classes come as it says, while rows of one class are as in the calibration data: each class
   * then has a quantile of its own, of the scores weighted by prior_c / share_c, its own weight included (Podkopaev and
   * Ramdas, UAI 2021). With `sampleWeight` the row to come is taken to weigh as much as the heaviest, which errs on the
   * side of large sets.
   */
  fit(probs: Matrix, labels: Labels, weights?: WeightOptions): ConformalPredictor;
}

/**
 * Split conformal sets: calibrated on rows that the model has not seen, they miss the label of a new row of the same
 * distribution with probability at most alpha, on average over calibration splits, whatever the model. Vovk, Gammerman
 * and Shafer 2005; LAC: Sadinle, Lei and Wasserman 2019; APS: Romano, Sesia and Candes 2020; RAPS: Angelopoulos et al.
 * 2021; SAPS: Huang et al. 2024. `conformal({ alpha: 0.1 }).fit(calibProbs, calibLabels).sets(probs)`.
 */
export function conformal(options: ConformalOptions): ConformalMethod {
  checkOptions('conformal', options, {
    alpha: required(between(0, 1, '()')),
    score: oneOf('lac', 'aps', 'raps', 'saps'),
    randomized: boolean,
    lambda: any,
    kReg: any,
    perClass: boolean,
    seed: any,
  });
  const { alpha, score = 'aps', randomized = true, lambda, kReg, perClass = false, seed = 0 } = options;
  if (score === 'saps') check('conformal', { lambda: lambda! }, positive);
  if (score === 'raps' && !(lambda! >= 0 && Number.isFinite(lambda) && kReg! >= 0 && Number.isFinite(kReg))) {
    throw new RangeError(
      `conformal: lambda is ${lambda} and kReg ${kReg}, expected finite numbers of at least 0, such as those ` +
        'of rapsSettings()',
    );
  }
  const rule = {
    kind: 'conformal',
    score,
    alpha,
    randomized,
    lambda: (lambda ?? 0) + 0,
    kReg: (kReg ?? 0) + 0,
    seed,
  } as const;
  return {
    fit(probs, labels, weights = {}) {
      checkOptions('conformal.fit', weights, WEIGHT_RULES);
      const matrix = toProbabilityRows(probs, 'conformal: probs');
      const { rows, classes } = matrix;
      checkLabels(labels, rows, classes, 'conformal: labels');
      const random = uniforms(seed, 2);
      const own = Float64Array.from(
        { length: rows },
        (_, r) => scoresOf(rule, matrix, r, () => random(r))[labels[r]!]!,
      );
      const weighed = rowWeights(labels, classes, weights, 'conformal');
      const forClass = (c: number): number =>
        quantileOf(
          own,
          perClass ? weighed.rows.map((w, r) => (labels[r] === c ? w : 0)) : weighed.rows,
          weighed.toCome[c]!,
          alpha,
        );
      const quantiles =
        perClass || weights.prior !== undefined
          ? Array.from({ length: classes }, (_, c) => forClass(c))
          : [expectFinite('conformal', forClass(0), rows, alpha)];
      return conformalSets({ ...rule, classes, quantiles: quantiles.map((q) => Math.min(q, INFINITE) + 0) });
    },
  };
}

/** The predictor of a stored state. */
export function conformalSets(state: ConformalState): ConformalPredictor {
  const { classes, seed, alpha } = expectState('conformal', state, {
    kind: ['conformal'],
    score: ['lac', 'aps', 'raps', 'saps'],
    alpha: [0, 1],
    randomized: 'boolean',
    lambda: [0, Infinity],
    kReg: [0, Infinity],
    seed: 'integer',
    classes: 'positive',
    quantiles: 'list',
  });
  check('conformal', { alpha }, { alpha: between(0, 1, '()') });
  if (state.score === 'saps' && state.lambda === 0)
    throw new RangeError('conformal: lambda is 0, expected a finite number > 0');
  const list = state.quantiles;
  if (list.length !== 1 && list.length !== classes)
    throw new RangeError(`conformal: quantiles has ${list.length} entries, expected 1 or ${classes}`);
  check('conformal', { quantiles: list }, { quantiles: listOf(finite) });
  const quantiles = list.map((q) => (q === INFINITE ? Infinity : q));
  const random = uniforms(seed, 3);
  const checked = (probs: Matrix): Rows => {
    const matrix = toProbabilityRows(probs, 'conformal: probs');
    if (matrix.classes !== classes)
      throw new RangeError(`conformal: probs have ${matrix.classes} classes, expected ${classes}`);
    return matrix;
  };
  const predictor = setPredictor(state, checked, (matrix, r, number) => {
    const scores = scoresOf(state, matrix, r, () => random(number));
    return Array.from(scores.keys()).filter((c) => scores[c]! <= quantiles[quantiles.length === 1 ? 0 : c]!);
  });
  const warnings = quantiles.flatMap((q, c) =>
    q < Infinity
      ? []
      : [`conformal: class ${c} has too few calibration rows for alpha ${alpha}, so that it is in every set`],
  );
  return Object.assign(predictor, { quantiles, warnings });
}

/** Penalty of 'raps' for {@link conformal}. */
export interface RapsSettings {
  lambda: number;
  kReg: number;
}

/**
 * The penalty of 'raps' from a tuning split of its own (the calibration split must stay untouched), as its authors
 * choose it: kReg is the 1 - alpha quantile of the ranks of the labels, lambda the one of `lambdas` with the smallest
 * sets.
 */
export function rapsSettings(
  probs: Matrix,
  labels: Labels,
  options: { alpha: number; lambdas?: readonly number[]; seed?: number } & WeightOptions,
): RapsSettings {
  checkOptions('rapsSettings', options, {
    alpha: required(between(0, 1, '()')),
    lambdas: nonEmpty(listOf(any)),
    seed: any,
    ...WEIGHT_RULES,
  });
  const { alpha, lambdas = [0.001, 0.01, 0.1, 0.2, 0.5], seed = 0, sampleWeight, prior } = options;
  const matrix = toProbabilityRows(probs, 'rapsSettings: probs');
  const { rows, classes } = matrix;
  checkLabels(labels, rows, classes, 'rapsSettings: labels');
  const { rows: weight, total } = rowWeights(labels, classes, { sampleWeight, prior }, 'rapsSettings');
  const ranks = Float64Array.from({ length: rows }, (_, r) => 1 + ranking(matrix, r).indexOf(labels[r]!));
  const kReg = expectFinite('rapsSettings', quantileOf(ranks, weight, 1, alpha), rows, alpha);
  const sizes = lambdas.map((lambda) => {
    const { sets } = conformal({ alpha, score: 'raps', lambda, kReg, seed })
      .fit(probs, labels, { sampleWeight, prior })
      .sets(probs);
    return sets.reduce((sum, set, r) => sum + weight[r]! * set.length, 0) / total;
  });
  return { lambda: lambdas[sizes.indexOf(Math.min(...sizes))]!, kReg };
}
