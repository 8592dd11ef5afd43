import { any, atLeast, boolean, check, integer, worded } from '../check/check.ts';
import { suggestion } from '../check/options.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Sampler } from '../data/sampler.ts';
import { ShapeError } from '../gpu/errors.ts';
import { PRECISION } from '../ops/precision.ts';
import type { Schedule } from '../optim/schedule.ts';
import { firstOutside } from '../stats/box.ts';
import { classWeightsOf } from './built-in-hooks.ts';
import type { Metric } from './evaluate.ts';
import type { EpochReport, StepReport } from './history.ts';
import type { Hook } from './hook.ts';
import { stepsPerEpoch } from './run-checks.ts';
import type { Susceptibility } from './susceptibility.ts';
import type { TrainingOptions } from './training-step.ts';
import { checkValidation, type ValidationData } from './validation.ts';

/** Options of {@link fit}. */
export interface FitOptions extends TrainingOptions {
  /**
   * Schedules; each takes the rate from the one before it, and the last with momentum or class weights decides those.
   */
  schedule?: Schedule | readonly Schedule[];
  epochs: number;
  /**
   * Epochs done before, for a run that goes on by hand: orders, noise and schedules are those of the epochs from here
   * on. With the model, the state and the average restored, the run goes on bit by bit, as `resume` does by itself.
   * Default: 0.
   */
  startEpoch?: number;
  /**
   * A file of `modelCheckpoint` or `run.save()`: the run goes on from there, bit by bit, with the same model, data and
   * options; `epochs` may grow. null or undefined: it starts anew.
   */
  resume?: Uint8Array | null | undefined;
  /** The order of each epoch, such as classBalancedSampler(). Default: every sample once. */
  sampler?: Sampler;
  /** Labelled samples that the model is scored on after each epoch, in evaluation mode: `history.validation`. */
  validation?: ValidationData;
  /** More scores of `validation`, by name: functions of probabilities and labels. */
  metrics?: Readonly<Record<string, Metric>>;
  /** Parts of the run, such as earlyStopping() and modelCheckpoint(), in the order in which they are called. */
  hooks?: readonly Hook[];
  /**
   * Measures susceptibility before each epoch, or every so many steps, at the rate of the next step; otherwise the run
   * is the same, bit for bit.
   */
  probe?: Susceptibility;
  /**
   * Stops the run after the step at hand; `fit` then rejects with its reason and the model keeps what it has learnt.
   */
  signal?: AbortSignal;
  onStep?: (report: StepReport) => void;
  /** Awaited: the run waits for it, so it may evaluate the model. */
  onEpoch?: (report: EpochReport) => void | Promise<void>;
}

/** Rules of {@link FitOptions}. */
export const FIT_RULES = {
  loss: any,
  objective: any,
  optimizer: any,
  schedule: any,
  weightAverage: any,
  state: any,
  precision: PRECISION,
  gradScaler: any,
  epochs: integer(1),
  startEpoch: integer(0),
  resume: any,
  batchSize: integer(1),
  accumulate: integer(1),
  dropLast: boolean,
  inputNoise: atLeast(0),
  augment: any,
  sampler: any,
  validation: any,
  metrics: any,
  hooks: any,
  probe: any,
  seed: any,
  detectAnomaly: any,
  signal: any,
  onStep: any,
  onEpoch: any,
} as const;

/**
 * Throws a TypeError, RangeError or ShapeError on options of `fit` that do not go together, or not with the data.
 */
export function checkRun(
  data: Dataset,
  {
    epochs,
    batchSize = 128,
    optimizer,
    state,
    loss,
    objective,
    schedule = [],
    startEpoch = 0,
    resume,
    validation,
    metrics,
    hooks,
    probe,
    dropLast,
  }: FitOptions,
): void {
  if (!(data?.y?.length > 0)) throw new ShapeError('fit: the dataset is empty, expected at least one sample');
  check('fit', { startEpoch }, worded(integer(0, epochs - 1), `an integer of at least 0 and below ${epochs} epochs`));
  if (stepsPerEpoch(data.y.length, { batchSize, dropLast }) === 0)
    throw new RangeError(`fit: dropLast leaves no batch: ${data.y.length} samples, batchSize ${batchSize}`);
  if (typeof optimizer?.for !== 'function')
    throw new TypeError('fit: optimizer is missing, expected for example sgd({ lr: 0.1 })');
  if (state && state.name !== optimizer.name)
    throw new TypeError(`fit: state is that of ${state.name}, expected that of the optimizer, ${optimizer.name}`);
  if (optimizer.momentum === undefined && ([] as Schedule[]).concat(schedule).some((s) => s.momentum)) {
    throw new TypeError(
      `fit: the schedule cycles a momentum that ${optimizer.name} does not have, expected sgd({ momentum: ` +
        '0.9 }) or cycleMomentum: false',
    );
  }
  if (probe !== undefined && typeof probe?.measure !== 'function')
    throw new TypeError(`fit: probe is ${String(probe)}, expected for example susceptibility(inputs)`);
  if (objective && loss) throw new TypeError('fit: got a loss and an objective, expected one of them');
  if (typeof (objective ?? loss) !== 'function')
    throw new TypeError('fit: loss is missing, expected for example crossEntropyLoss()');
  if (!classWeightsOf({ loss, objective }) && ([] as Schedule[]).concat(schedule).some((s) => s.classWeight))
    throw new TypeError(
      `fit: the schedule sets class weights, which this ${objective ? 'objective' : 'loss'} does not take, ` +
        `expected a loss${objective ? '' : ' such as crossEntropyLoss()'}`,
    );
  if (objective?.rows !== undefined && objective.rows !== data.y.length)
    throw new ShapeError(`fit: the dataset has ${data.y.length} rows, the objective has numbers for ${objective.rows}`);
  const at = objective?.box ? firstOutside(data.x.data, objective.box) : -1;
  if (at >= 0)
    throw new RangeError(
      `fit: x is ${data.x.data[at]} in row ${Math.floor((at * data.y.length) / data.x.data.length)}, outside ` +
        `the box [${objective!.box}] of the objective`,
    );
  if (resume && startEpoch > 0)
    throw new TypeError('fit: got resume and startEpoch, expected one of them: the checkpoint says where it goes on');
  if (validation) checkValidation(validation, data);
  else if (metrics) throw new TypeError('fit: got metrics and no validation, expected data to score the model on');
  if (hooks !== undefined) checkHooks(hooks);
}

const HOOK_FUNCTIONS = [
  'start',
  'epochStart',
  'beforeStep',
  'afterStep',
  'lossRead',
  'epochEnd',
  'end',
  'state',
  'setState',
] as const;

function checkHooks(hooks: readonly Hook[]): void {
  if (!Array.isArray(hooks)) throw new TypeError(`fit: hooks is ${String(hooks)}, expected a list`);
  for (const [i, hook] of hooks.entries()) {
    if ((typeof hook !== 'object' && typeof hook !== 'function') || hook === null)
      throw new TypeError(`fit: hooks[${i}] is ${String(hook)}, expected an object such as earlyStopping()`);
    const known = HOOK_FUNCTIONS.filter((name) => hook[name] !== undefined);
    for (const name of known)
      if (typeof hook[name] !== 'function')
        throw new TypeError(`fit: ${name} of hooks[${i}] is ${String(hook[name])}, expected a function`);
    // A hook without a function is a misspelt one, or a maker that was not called.
    if (known.length === 0) {
      const [name = 'nothing'] = Object.keys(hook);
      throw new TypeError(
        `fit: hooks[${i}] has '${name}' and no function of a hook${suggestion(name, HOOK_FUNCTIONS)}`,
      );
    }
    if ((hook.state === undefined) !== (hook.setState === undefined))
      throw new TypeError(`fit: hooks[${i}] has one of state and setState, expected both`);
  }
}
