import { any, checkOptions } from '../check/check.ts';
import type { Dataset } from '../data/dataset.ts';
import { balancedAccuracy, type Labels, type Matrix } from '../metrics/index.ts';
import { PREDICT_RULES, type PredictOptions } from '../nn/map-batches.ts';
import type { Predictor } from './evaluate.ts';
import type { EpochReport } from './history.ts';

/** A score and the epoch, from 0, after which the model had it. */
export interface EpochScore {
  epoch: number;
  score: number;
}

/** What `fit` calls as `onEpoch`, and what it found; see {@link epochScores}. */
export interface EpochScores {
  (report: Pick<EpochReport, 'epoch'>): Promise<void>;
  /** Of each epoch so far. */
  readonly all: readonly EpochScore[];
  /** Of the latest epoch: the figure to report. Throws RangeError before the first. */
  readonly last: EpochScore;
  /**
   * The largest, the first of equals: what a selection on these data would give. Throws RangeError before the first
   * epoch.
   */
  readonly best: EpochScore;
}

/** Options of {@link epochScores}. */
export interface EpochScoresOptions extends PredictOptions {
  /** Of probabilities (n, classes) and labels; larger is better. Default: balancedAccuracy. */
  score?: (probabilities: Matrix, labels: Labels) => number;
}

/**
 * Scores a model after each epoch, for `fit({ onEpoch })`. The model stays that of the last epoch. Papers on long tails
 * often report the best test epoch, which is a selection on the test set: report `last`, and
 * `best` only to compare with them.
 */
export function epochScores(model: Predictor, data: Dataset, options: EpochScoresOptions = {}): EpochScores {
  checkOptions('epochScores', options, { ...PREDICT_RULES, score: any });
  const { score = balancedAccuracy, ...predicting } = options;
  const all: EpochScore[] = [];
  const seen = (): readonly EpochScore[] => {
    if (all.length === 0) throw new RangeError('epochScores: no epoch was scored, expected at least one');
    return all;
  };
  const onEpoch = async ({ epoch }: Pick<EpochReport, 'epoch'>): Promise<void> => {
    all.push({ epoch, score: score(await model.predict(data.x, predicting), data.y) });
  };
  return Object.defineProperties(onEpoch, {
    all: { value: all },
    last: { get: () => seen().at(-1)! },
    best: { get: () => seen().reduce((a, b) => (b.score > a.score ? b : a)) },
  }) as EpochScores;
}
