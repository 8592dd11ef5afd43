import type { Loss } from '../losses/loss.ts';
import { any, atLeast, boolean, check, checkOptions, integer, required, worded } from '../check/check.ts';
import type { Moment } from '../check/moment.ts';
import { claim } from '../check/claim.ts';
import type { Dataset } from '../data/dataset.ts';
import { epochOrder, type Sampler } from '../data/sampler.ts';
import { ShapeError } from '../gpu/errors.ts';
import type { Sequential } from '../nn/sequential.ts';
import { PRECISION } from '../ops/precision.ts';
import { ratesAt, type Schedule } from '../optim/schedule.ts';
import { firstOutside } from '../stats/box.ts';
import type { EpochReport, History, StepReport } from './history.ts';
import type { Susceptibility } from './susceptibility.ts';
import { stepsPerEpoch as stepsOf } from './run-checks.ts';
import { TrainingStep, type TrainingOptions } from './training-step.ts';

/** Options of {@link fit}. */
export interface FitOptions extends TrainingOptions {
  /**
   * Schedules; each takes the rate from the one before it, and the last with momentum or class weights decides those.
   */
  schedule?: Schedule | readonly Schedule[];
  epochs: number;
  /**
   * Epochs done before, for a run that goes on: orders, noise and schedules are those of the epochs from here on. With
   * the model, the state and the average restored, the run goes on bit by bit (dropout draws from its start). Default:
   * 0.
   */
  startEpoch?: number;
  /** The order of each epoch, such as classBalancedSampler(). Default: every sample once. */
  sampler?: Sampler;
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
  batchSize: integer(1),
  accumulate: integer(1),
  dropLast: boolean,
  inputNoise: atLeast(0),
  augment: any,
  sampler: any,
  probe: any,
  seed: any,
  detectAnomaly: any,
  signal: any,
  onStep: any,
  onEpoch: any,
} as const;

/** Steps that may lie in the queue before the host waits for the device. */
const MOST_AHEAD = 128;
/** Milliseconds of work between two reports. */
const REPORT_EVERY = 100;

/**
 * Trains a model on a dataset. The step (batch, noise, forward, backward, update) is captured once and then one submit
 * each; data stay on the device, losses come back in the background. Same adapter, same seed: bit-equal results.
 * Throws on bad options before anything is allocated; rejects with NonFiniteError when a loss is not finite, naming the
 * step, or, after an epoch, a parameter or gradient, by its name. The model may be evaluated, attacked and certified
 * meanwhile, with the weights of the moment; a second `fit` of it at the same time is refused.
 */
export async function fit(model: Sequential, data: Dataset, options: FitOptions): Promise<History> {
  checkOptions('fit', options, { ...FIT_RULES, optimizer: required(any), epochs: required(integer(1)) });
  const {
    objective,
    optimizer,
    epochs,
    batchSize = 128,
    accumulate,
    seed = 0,
    weightAverage,
    dropLast,
    startEpoch = 0,
    probe,
    signal,
    onStep,
    onEpoch,
  } = options;
  checkInputs(data, options);
  signal?.throwIfAborted();
  const schedules = ([] as Schedule[]).concat(options.schedule ?? []);
  const stepsPerEpoch = stepsOf(data.y.length, { batchSize, accumulate, dropLast });
  const steps = stepsPerEpoch * epochs;
  const stepsDone = stepsPerEpoch * startEpoch;
  if (!model.isInitialized) model.init({ seed });
  const history: History = { loss: [], steps, seconds: 0, stepsPerSecond: 0 };
  using step = new TrainingStep(model, data, {
    ...options,
    stepsDone,
    setsClassWeight: schedules.some((s) => s.classWeight),
  });
  step.expectRows();
  const probing =
    probe && claim(probe, 'fit', () => new Error('fit: the probe serves another run; make one for each run'));
  const started = performance.now();
  // The rate is that of recent steps: the first ones compile pipelines.
  const recent: { at: number; step: number }[] = [];
  const rates: number[] = [];
  let reported = stepsDone;
  let epochLoss = 0;

  const report = (losses: Float32Array): void => {
    const now = performance.now();
    recent.push({ at: now, step: reported + losses.length });
    if (recent.length > 8) recent.shift();
    const first = recent[0]!;
    const elapsed = recent.length > 1 ? now - first.at : now - started;
    history.stepsPerSecond =
      ((reported + losses.length - (recent.length > 1 ? first.step : stepsDone)) / Math.max(1e-3, elapsed)) * 1000;
    for (const value of losses) {
      const epoch = Math.floor(reported / stepsPerEpoch);
      reported++;
      epochLoss += value;
      onStep?.({
        step: reported,
        steps,
        epoch,
        epochs,
        loss: value,
        lr: rates[reported - 1]!,
        stepsPerSecond: history.stepsPerSecond,
      });
    }
  };

  const setClassWeight = classWeightsOf(options);
  try {
    let pending: Promise<Float32Array> | null = null;
    let chunk = 1;
    let queued = 0;
    let since = performance.now();
    const drain = async (): Promise<void> => {
      const next = queued > 0 ? step.readLosses(queued) : null;
      // When the losses before these are refused, nobody waits for these.
      next?.catch(() => {});
      queued = 0;
      if (pending) report(await pending);
      pending = next;
    };
    for (let epoch = startEpoch; epoch < epochs; epoch++) {
      const epochStart = performance.now();
      const at = (within: number): Moment => ({ epoch, epochs, step: epoch * stepsPerEpoch + within, stepsPerEpoch });
      step.setOrder(epochOrder(options.sampler, data, { epoch, epochs, seed }));
      setClassWeight?.(
        schedules.reduce<ArrayLike<number> | null>((w, s) => s.classWeight?.(at(0), data.classCounts) ?? w, null),
      );
      for (let i = 0; i < stepsPerEpoch; i++) {
        signal?.throwIfAborted();
        // Throws when the model was disposed meanwhile.
        void model.arena;
        const due = probe?.dueAt(at(i)) ?? null;
        if (probe && due !== null) {
          const moment = {
            ...ratesAt(schedules, at(i), (probe.optimizer ?? optimizer).lr),
            state: step.optimizer,
            epoch: due,
          };
          (history.probe ??= []).push(await probe.measure(model, moment));
          since = performance.now();
        }
        const { lr, momentum } = ratesAt(schedules, at(i), optimizer.lr);
        rates[at(i).step] = lr;
        weightAverage?.prepare(at(i));
        objective?.prepare?.(at(i));
        for (const s of schedules) s.apply?.(at(i));
        step.run(i, lr, momentum);
        queued++;
        if (queued < chunk && i < stepsPerEpoch - 1) continue;
        await drain();
        const now = performance.now();
        chunk = Math.max(1, Math.min(MOST_AHEAD, Math.round((chunk * REPORT_EVERY) / Math.max(1, now - since))));
        since = now;
      }
      await drain();
      await drain();
      await step.check();
      history.loss.push(epochLoss / stepsPerEpoch);
      epochLoss = 0;
      if (!onEpoch) continue;
      step.isWaiting = true;
      await onEpoch({
        epoch,
        epochs,
        loss: history.loss.at(-1)!,
        lr: rates.at(-1)!,
        seconds: (performance.now() - epochStart) / 1000,
      });
      step.isWaiting = false;
    }
  } finally {
    probing?.release();
    weightAverage?.prepare(null);
    setClassWeight?.(null);
  }
  history.seconds = (performance.now() - started) / 1000;
  if (history.seconds > 0) history.stepsPerSecond = (steps - stepsDone) / history.seconds;
  return history;
}

/** Sets the class weights of the loss or objective; null where it takes none, as a plain function. */
function classWeightsOf({ loss, objective }: Pick<FitOptions, 'loss' | 'objective'>): Loss['setClassWeight'] | null {
  const settable = objective ?? loss!;
  return 'setClassWeight' in settable ? settable.setClassWeight!.bind(settable) : null;
}

function checkInputs(
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
    probe,
    dropLast,
  }: FitOptions,
): void {
  if (!(data?.y?.length > 0)) throw new ShapeError('fit: the dataset is empty, expected at least one sample');
  check('fit', { startEpoch }, worded(integer(0, epochs - 1), `an integer of at least 0 and below ${epochs} epochs`));
  if (stepsOf(data.y.length, { batchSize, dropLast }) === 0)
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
}
