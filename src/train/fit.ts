import { any, checkOptions, integer, required } from '../check/check.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Sequential } from '../nn/sequential.ts';
import { decodeCheckpoint, expectSettings } from './checkpoint-file.ts';
import { checkRun, FIT_RULES, type FitOptions } from './fit-options.ts';
import type { History } from './history.ts';
import { TrainingRun } from './training-run.ts';

/**
 * Trains a model on a dataset. The step (batch, noise, forward, backward, update) is captured once and then one submit
 * each; data stay on the device, losses come back in the background. Same adapter, same seed: bit-equal results.
 * Throws on bad options before anything is allocated; rejects with NonFiniteError when a loss is not finite, naming the
 * step, or, after an epoch, a parameter or gradient, by its name. What it rejects with has the history so far as
 * `history`; what is no object is the `cause` of an Error. The model may be evaluated, attacked and certified
 * meanwhile, with the weights of the moment; a second `fit` of it at the same time is refused.
 */
export async function fit(model: Sequential, data: Dataset, options: FitOptions): Promise<History> {
  checkOptions('fit', options, { ...FIT_RULES, optimizer: required(any), epochs: required(integer(1)) });
  checkRun(data, options);
  const { signal, resume, seed = 0 } = options;
  signal?.throwIfAborted();
  const resumed = resume ? decodeCheckpoint(resume) : null;
  if (!model.isInitialized) model.init({ seed });
  if (resumed) expectSettings(resumed, { model, data, options });
  using run = new TrainingRun(model, data, options, resumed);
  const { step, losses } = run;
  step.expectRows();
  try {
    if (resumed) run.restore(resumed);
    await run.call('start');
    while (run.goesOn) {
      if (!run.isInsideEpoch) await run.call('epochStart');
      run.openEpoch();
      while (run.hasSteps) {
        // Nothing is half done here, so that a checkpoint can be taken of a run that is stopped.
        run.isWhole = true;
        signal?.throwIfAborted();
        run.isWhole = false;
        // Throws when the model was disposed meanwhile.
        void model.arena;
        const at = run.moment;
        run.resetRates();
        const before = run.call('beforeStep', at);
        if (before) await before;
        run.runStep();
        const after = run.call('afterStep', at);
        if (after) await after;
        const read = losses.wait();
        if (read) await read;
      }
      await losses.finish();
      // Stopped by a hook inside the epoch.
      if (!run.isEpochDone) break;
      await step.check();
      const last = run.closeEpoch();
      step.isWaiting = true;
      await run.call('epochEnd', last);
      step.isWaiting = false;
    }
  } catch (error) {
    run.error = error ?? new Error('fit: the run was stopped without a reason');
  }
  await run.end();
  return run.history;
}
