import type { Moment } from '../check/moment.ts';
import type { Dataset } from '../data/dataset.ts';
import { expectOrder } from '../data/sampler.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import type { Sequential } from '../nn/sequential.ts';
import type { OptimizerState } from '../optim/optimizer.ts';
import { loadState, saveState } from '../optim/saved-state.ts';
import type { Schedule } from '../optim/schedule.ts';
import {
  averaging,
  classWeightsOf,
  isStateful,
  keepState,
  preparing,
  probing,
  reporting,
  sampling,
  scaling,
  scheduling,
  weighting,
  type Stateful,
} from './built-in-hooks.ts';
import { encodeCheckpoint, settingsOf, type CheckpointParts } from './checkpoint-file.ts';
import type { FitOptions } from './fit-options.ts';
import type { History } from './history.ts';
import { callHooks, type Hook, type HookMoment, type Run } from './hook.ts';
import { LossReader } from './loss-log.ts';
import { Progress } from './run-progress.ts';
import { stepsPerEpoch } from './run-checks.ts';
import { TrainingStep } from './training-step.ts';
import { validating } from './validation.ts';

/** What one call of `fit` holds: the captured step, the reader of its losses, hooks, history, and where it stands. */
export class TrainingRun implements Run {
  readonly model: Sequential;
  readonly data: Dataset;
  readonly seed: number;
  readonly step: TrainingStep;
  readonly losses: LossReader;
  readonly history: History;
  lr: number;
  momentum: number | undefined;
  error: unknown;
  /** False inside a step and its hooks: a run that breaks off there cannot be saved. */
  isWhole = false;
  readonly #options: FitOptions;
  readonly #hooks: readonly Hook[];
  readonly #progress: Progress;
  readonly #stepsPerEpoch: number;
  #order: ArrayLike<number> = [];
  /** Epochs done, steps done in the one at hand, and whether its `epochStart` was called. */
  #at: { epoch: number; within: number; isOpen: boolean };

  /** With `resumed` it goes on from there once `restore` has been called. */
  constructor(model: Sequential, data: Dataset, options: FitOptions, resumed: CheckpointParts | null) {
    const { seed = 0, startEpoch = 0, epochs, optimizer, onStep, hooks = [] } = options;
    [this.model, this.data, this.seed, this.#options] = [model, data, seed, options];
    this.#stepsPerEpoch = stepsPerEpoch(data.y.length, options);
    this.#at = resumed?.at ?? { epoch: startEpoch, within: 0, isOpen: false };
    this.history = {
      ...(resumed?.history ?? { loss: [], seconds: 0, stepsPerSecond: 0 }),
      steps: this.#stepsPerEpoch * epochs,
    };
    this.lr = resumed?.lr ?? optimizer.lr;
    const schedules = ([] as Schedule[]).concat(options.schedule ?? []);
    const first = this.moment.step;
    this.step = new TrainingStep(model, data, {
      ...options,
      stepsDone: first,
      setsClassWeight: schedules.some((s) => s.classWeight),
    });
    const readers = hooks.filter((hook) => hook.lossRead);
    this.#progress = new Progress(
      this.history,
      { epochs, stepsPerEpoch: this.#stepsPerEpoch, first, epochLoss: resumed?.epochLoss ?? 0 },
      (report) => {
        onStep?.(report);
        for (const hook of readers) hook.lossRead!(report, this);
      },
    );
    this.losses = new LossReader(
      (count) => this.step.readLosses(count),
      (losses) => this.#progress.report(losses),
    );
    const all = [
      ...(this.step.gradScaler ? [scaling(this.step.gradScaler)] : []),
      ...builtIn(options, schedules, () => this.losses.restart()),
      ...hooks,
      ...reportingOf(options),
    ];
    this.#hooks = [...all.filter((hook) => !hook.isLast), ...all.filter((hook) => hook.isLast)];
  }

  get optimizer(): OptimizerState {
    return this.step.optimizer;
  }

  /** Where the run stands: the step that comes next. */
  get moment(): Moment {
    const { epoch, within } = this.#at;
    return {
      epoch,
      epochs: this.#options.epochs,
      step: epoch * this.#stepsPerEpoch + within,
      stepsPerEpoch: this.#stepsPerEpoch,
    };
  }

  /** Whether an epoch is left, and nobody has stopped the run. */
  get goesOn(): boolean {
    return this.#at.epoch < this.#options.epochs && this.history.stopped === undefined;
  }

  /** Whether the epoch has begun, as one that a checkpoint was taken in. */
  get isInsideEpoch(): boolean {
    return this.#at.isOpen;
  }

  /** Whether a step of the epoch is left, and nobody has stopped the run. */
  get hasSteps(): boolean {
    return !this.isEpochDone && this.history.stopped === undefined;
  }

  /** Whether all steps of the epoch were queued. */
  get isEpochDone(): boolean {
    return this.#at.within >= this.#stepsPerEpoch;
  }

  setOrder(order: ArrayLike<number>): void {
    expectOrder('setOrder', order, this.data.y.length);
    this.#order = order;
    this.step.setOrder(order);
  }

  stop(why: string): void {
    this.history.stopped = why;
  }

  get isAborted(): boolean {
    return this.error !== undefined && this.isWhole;
  }

  /** Calls the hooks at `moment`; a promise where one of them waits. */
  call(moment: HookMoment, at: Moment = this.moment): Promise<void> | undefined {
    return callHooks(this.#hooks, moment, at, this);
  }

  /** The epoch is under way: its order is set. */
  openEpoch(): void {
    this.#at.isOpen = true;
  }

  /** Puts the rate of the optimiser in place of that of the step before. */
  resetRates(): void {
    this.lr = this.#options.optimizer.lr;
    this.momentum = undefined;
  }

  /** Queues the next step at the rate of the run. */
  runStep(): void {
    const { step } = this.moment;
    this.#progress.rates[step] = this.lr;
    this.step.run(this.#at.within, this.lr, this.momentum);
    this.#at.within++;
    this.losses.add();
  }

  /**
   * Ends the epoch, whose losses are read: their mean goes into the history, and the next epoch is at hand. Returns the
   * moment of the last step.
   */
  closeEpoch(): Moment {
    const { epoch } = this.#at;
    const last = { ...this.moment, step: this.moment.step - 1 };
    this.#progress.endEpoch();
    this.#at = { epoch: epoch + 1, within: 0, isOpen: false };
    return last;
  }

  /** Calls `end` of every hook, whatever others throw, and then throws what ended the run, else the first of those. */
  async end(): Promise<void> {
    const failures: unknown[] = this.error === undefined ? [] : [this.error];
    for (const hook of this.#hooks) {
      try {
        await hook.end?.(this.moment, this);
      } catch (error) {
        failures.push(error);
      }
    }
    this.#progress.end();
    if (failures.length) throw withHistory(failures[0], this.history);
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.error !== undefined && !this.isAborted)
      throw new Error('fit: the run broke off inside a step or a hook, expected the checkpoint that was saved before');
    const { weightAverage } = this.#options;
    await this.losses.finish();
    await this.step.check();
    const at = { ...this.#at };
    const [model, optimizer, average] = await Promise.all([
      this.model.save(),
      saveState(this.optimizer),
      weightAverage ? saveState(weightAverage) : null,
    ]);
    const states: { name: string; state: unknown }[] = [];
    for (const hook of this.#stateful) states.push({ name: hook.name ?? 'hook', state: await hook.state!() });
    return encodeCheckpoint({
      settings: settingsOf(this.model, this.data, this.#options),
      at,
      lr: this.lr,
      epochLoss: this.#progress.epochLoss,
      history: this.history,
      model,
      optimizer,
      average,
      order: at.isOpen ? Uint32Array.from(this.#order) : null,
      states,
    });
  }

  /** Puts weights, states and the order of the epoch in place of what is there. */
  restore({ model, optimizer, average, order, states }: CheckpointParts): void {
    const own = this.#stateful;
    const [names, saved] = [own.map(({ name = 'hook' }) => name), states.map(({ name }) => name)];
    if (names.join() !== saved.join())
      throw new RangeError(
        `fit: the checkpoint holds the states [${saved}], expected [${names}], ` +
          'those of the loss, the sampler and the hooks of this run',
      );
    this.model.load(model);
    loadState(this.optimizer, optimizer);
    if (average) loadState(this.#options.weightAverage!, average);
    for (const [i, hook] of own.entries()) hook.setState!(states[i]!.state as never);
    if (order) this.setOrder(order);
  }

  get #stateful(): Hook[] {
    return this.#hooks.filter((hook) => hook.state && hook.setState);
  }

  dispose(): void {
    this.step.dispose();
  }

  [symbolDispose](): void {
    this.dispose();
  }
}

/** The hooks of the options that are short for one, in the order in which they act before a step. */
function builtIn(options: FitOptions, schedules: readonly Schedule[], waited: () => void): Hook[] {
  const { sampler, loss, objective, probe, optimizer, weightAverage, validation, metrics } = options;
  const setClassWeight = classWeightsOf(options);
  const parts = [objective ?? loss, sampler, probe].filter((part) => isStateful(part)) as Stateful[];
  return [
    ...parts.map(keepState),
    sampling(sampler),
    setClassWeight && weighting(schedules, setClassWeight),
    probe && probing(probe, { schedules, optimizer, waited }),
    weightAverage && averaging(weightAverage),
    objective && preparing(objective),
    scheduling(schedules),
    validation && validating(validation, metrics),
  ].filter((hook) => !!hook);
}

/** The report comes after what other hooks have found. */
function reportingOf({ onEpoch }: FitOptions): Hook[] {
  return onEpoch ? [reporting(onEpoch)] : [];
}

/** What ended a run, with its history as a property; what takes none becomes the cause of a new Error. */
function withHistory(error: unknown, history: History): unknown {
  if (typeof error === 'object' && error !== null && Object.isExtensible(error) && !('history' in error))
    return Object.assign(error, { history });
  const { name = 'Error', message = String(error) } = (error ?? {}) as Partial<Error>;
  return Object.assign(new Error(message, { cause: error }), { name, history });
}
