import { check } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { difficultyProbabilities, type DifficultyOptions } from './class-probabilities.ts';
import { drawByClass, type Sampler } from './sampler.ts';
import { ACCURACIES } from '../stats/class-weights.ts';

/** A sampler that follows the accuracy of the classes; see {@link cdbSampler}. */
export interface CdbSampler extends Sampler {
  /** Accuracies of the classes on validation data, for the epochs from here on; NaN keeps what the class had. */
  setClassAccuracy(accuracy: ArrayLike<number>): void;
  /** The difficulties in force, for saving; null before the first accuracies. */
  state(): number[] | null;
  /** Puts back a saved state. */
  setState(state: readonly number[] | null): void;
}

/**
 * CDB-S: draws with replacement by {@link difficultyProbabilities}. Class-balanced until the first `setClassAccuracy`,
 * which belongs at the end of each epoch:
 * `onEpoch: async () => sampler.setClassAccuracy(perClassAccuracy(await scores(), y))`. It keeps that one state,
 * which checkpoints of `fit` hold.
 */
export function cdbSampler(options: DifficultyOptions = {}): CdbSampler {
  expectOptions('cdbSampler', options, ['tau', 'floor']);
  difficultyProbabilities([1], options);
  let difficulties: Float64Array<ArrayBuffer> | null = null;
  const sample: Sampler = (data, at) => {
    if (difficulties && difficulties.length !== data.numClasses)
      throw new ShapeError(
        `cdbSampler: got ${difficulties.length} accuracies, expected ${data.numClasses}, one per class`,
      );
    // An absent class must not be the one that the others are measured by.
    const present = Float64Array.from(data.classCounts, (n, c) => (n > 0 ? (difficulties?.[c] ?? 1) : 0));
    return drawByClass(data, difficultyProbabilities(present, options), at);
  };
  const setClassAccuracy = (accuracy: ArrayLike<number>): void => {
    check('cdbSampler', { accuracy }, ACCURACIES);
    difficulties = Float64Array.from(accuracy, (a, c) => (Number.isNaN(a) ? (difficulties?.[c] ?? 1) : 1 - a));
  };
  return Object.assign(sample, {
    setClassAccuracy,
    state: () => difficulties && Array.from(difficulties),
    setState(state: readonly number[] | null) {
      if (state !== null) check('cdbSampler', { state }, ACCURACIES);
      difficulties = state && Float64Array.from(state);
    },
  });
}
