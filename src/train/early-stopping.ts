import { any, atLeast, boolean, checkOptions, integer, oneOf } from '../check/check.ts';
import type { History } from './history.ts';
import type { Hook } from './hook.ts';

/** Options of {@link earlyStopping}. */
export interface EarlyStoppingOptions {
  /**
   * A score of the validation data, such as 'nll', 'accuracy' or one of `metrics`; 'loss': that of training. Default:
   * 'nll'.
   */
  monitor?: string;
  /** Whether larger is better. Default: 'min' for 'nll' and 'loss', 'max' for all others. */
  mode?: 'min' | 'max';
  /** Epochs without a better score after which the run ends. Default: 3. */
  patience?: number;
  /** By how much a score must be better to count. Default: 0. */
  minDelta?: number;
  /** Whether the model has the weights of the best epoch after the run. Default: true. */
  restoreBest?: boolean;
}

/** The epoch with the best score. */
export interface BestEpoch {
  /** From 0. */
  epoch: number;
  score: number;
  /** Weights and running statistics of then, a file for `model.load`. */
  weights: Uint8Array<ArrayBuffer>;
}

/** A hook that keeps the best weights; see {@link earlyStopping}. */
export interface EarlyStopping extends Hook {
  /** null before the first epoch. */
  readonly best: BestEpoch | null;
}

/**
 * Ends a run when a score has not got better for `patience` epochs, and puts the weights of the best epoch, the first
 * of equals, back into the model: `fit({ validation, hooks: [earlyStopping({ monitor: 'accuracy' })] })`. A run that
 * ends by itself restores them too; one that breaks off keeps its last weights, and `best.weights` has the others. With
 * `patience: Infinity` it only keeps the best weights. Keras's EarlyStopping.
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): EarlyStopping {
  checkOptions('earlyStopping', options, {
    monitor: any,
    mode: oneOf('min', 'max'),
    patience: PATIENCE,
    minDelta: atLeast(0),
    restoreBest: boolean,
  });
  const { monitor = 'nll', patience = 3, minDelta = 0, restoreBest = true } = options;
  const { mode = monitor === 'nll' || monitor === 'loss' ? 'min' : 'max' } = options;
  const sign = mode === 'min' ? -1 : 1;
  let best: BestEpoch | null = null;
  return {
    name: 'earlyStopping',
    get best() {
      return best;
    },
    async epochEnd({ epoch }, run) {
      const score = scoreOf(run.history, monitor);
      if (!best || sign * score > sign * best.score + minDelta) {
        best = { epoch, score, weights: await run.model.save() };
        run.history.best = { epoch, score };
      } else if (epoch - best.epoch >= patience) run.stop(`${monitor} was best, ${best.score}, in epoch ${best.epoch}`);
    },
    end(_, { model, error }) {
      if (restoreBest && best && error === undefined) model.load(best.weights);
    },
    state: () => best,
    setState: (saved: BestEpoch | null) => void (best = saved),
  };
}

const PATIENCE = { ...integer(1), accepts: (v: number) => v === Infinity || (Number.isSafeInteger(v) && v >= 1) };

/** The last value of a score. Throws a RangeError where there is none of that name, or it is NaN. */
function scoreOf({ loss, validation }: History, monitor: string): number {
  const scores: Readonly<Record<string, number>> = { ...validation?.at(-1), loss: loss.at(-1)! };
  const score = Object.hasOwn(scores, monitor) ? scores[monitor]! : NaN;
  if (Number.isNaN(score))
    throw new RangeError(
      `earlyStopping: monitor '${monitor}' is ${monitor in scores ? 'NaN' : 'no score of this run'}, expected one of ` +
        `${Object.keys(scores).join(', ')}${validation ? '' : '; nll and others need fit({ validation })'}`,
    );
  return score;
}
