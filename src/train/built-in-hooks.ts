import type { Claim } from '../check/claim.ts';
import { claim } from '../check/claim.ts';
import { epochOrder, type Sampler } from '../data/sampler.ts';
import type { Loss, LossFunction } from '../losses/loss.ts';
import type { Objective } from '../losses/objective.ts';
import type { AveragedWeights } from '../optim/average.ts';
import type { LossScale, LossScaleState } from '../optim/grad-scaler.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { ratesAt, type Schedule } from '../optim/schedule.ts';
import type { EpochReport } from './history.ts';
import type { Hook } from './hook.ts';
import type { Susceptibility } from './susceptibility.ts';

/** Something with a state that a checkpoint can keep. */
export interface Stateful {
  readonly name?: string;
  /** What JSON holds, and typed arrays; or a promise of it. */
  state(): unknown;
  setState(state: never): void;
}

/**
 * Keeps the state of `part` in checkpoints, such as that of a loss inside another. `fit` keeps that of its loss,
 * objective, sampler and probe by itself.
 */
export function keepState(part: Stateful): Hook {
  if (!isStateful(part))
    throw new TypeError('keepState: got no state() and setState(), expected for example cals({ numClasses: 10 })');
  return { name: part.name || 'state', state: () => part.state(), setState: (state) => part.setState(state) };
}

/** Whether checkpoints keep a state of `part`. */
export function isStateful(part: unknown): part is Stateful {
  const { state, setState } = (part ?? {}) as Partial<Stateful>;
  return typeof state === 'function' && typeof setState === 'function';
}

/** Keeps the loss scale of mixed precision in checkpoints. */
export function scaling(scaler: LossScale): Hook {
  return {
    name: 'gradScaler',
    state: () => scaler.state(),
    setState: (state: LossScaleState) => void scaler.load(state),
  };
}

/** Draws the order of each epoch: by `sampler`, or every sample once. */
export function sampling(sampler: Sampler | undefined): Hook {
  return {
    name: 'sampler',
    epochStart({ epoch, epochs }, run) {
      run.setOrder(epochOrder(sampler, run.data, { epoch, epochs, seed: run.seed }));
    },
  };
}

/** Sets the rate and the momentum of each step, and what else the schedules move. */
export function scheduling(schedules: readonly Schedule[]): Hook {
  return {
    name: 'schedule',
    beforeStep(at, run) {
      Object.assign(run, ratesAt(schedules, at, run.lr));
      for (const s of schedules) s.apply?.(at);
    },
  };
}

/** Sets the class weights of the loss once an epoch, those of the last schedule that has some, and takes them back. */
export function weighting(schedules: readonly Schedule[], setClassWeight: Loss['setClassWeight']): Hook {
  let weighted = -1;
  return {
    name: 'classWeight',
    beforeStep(at, { data }) {
      if (weighted === at.epoch) return;
      weighted = at.epoch;
      const start = { ...at, step: at.epoch * at.stepsPerEpoch };
      setClassWeight(
        schedules.reduce<ArrayLike<number> | null>((w, s) => s.classWeight?.(start, data.classCounts) ?? w, null),
      );
    },
    end: () => setClassWeight(null),
  };
}

/** Tells an average where the run stands before it counts the weights of a step. */
export function averaging(average: AveragedWeights): Hook {
  return { name: 'weightAverage', beforeStep: (at) => average.prepare(at), end: () => average.prepare(null) };
}

/** Lets an objective write what it moves from step to step. */
export function preparing(objective: Objective): Hook {
  return { name: 'objective', beforeStep: (at) => objective.prepare?.(at) };
}

/** Measures susceptibility where the probe is due, at the rate of the step to come. `waited` is called after each. */
export function probing(
  probe: Susceptibility,
  { schedules, optimizer, waited }: { schedules: readonly Schedule[]; optimizer: Optimizer; waited: () => void },
): Hook {
  let held: Claim | null = null;
  const measure = async (epoch: number, [at, run]: Parameters<NonNullable<Hook['beforeStep']>>): Promise<void> => {
    const rates = ratesAt(schedules, at, (probe.optimizer ?? optimizer).lr);
    const result = await probe.measure(run.model, { ...rates, state: run.optimizer, epoch });
    (run.history.probe ??= []).push(result);
    waited();
  };
  return {
    name: 'probe',
    start() {
      held = claim(probe, 'fit', () => new Error('fit: the probe serves another run; make one for each run'));
    },
    beforeStep(...given) {
      const due = probe.dueAt(given[0]);
      return due === null ? undefined : measure(due, given);
    },
    end: () => held?.release(),
  };
}

/** Reports after each epoch. */
export function reporting(onEpoch: (report: EpochReport) => void | Promise<void>): Hook {
  let started = 0;
  return {
    name: 'onEpoch',
    start: () => void (started = performance.now()),
    epochStart: () => void (started = performance.now()),
    epochEnd: ({ epoch, epochs }, { history, lr }) =>
      onEpoch({
        epoch,
        epochs,
        loss: history.loss.at(-1)!,
        lr,
        seconds: (performance.now() - started) / 1000,
        ...(history.validation && { validation: history.validation.at(-1)! }),
      }),
  };
}

/** Sets the class weights of a loss or objective; null where it takes none, as a plain function. */
export function classWeightsOf({
  loss,
  objective,
}: {
  loss?: Loss | LossFunction | undefined;
  objective?: Objective | undefined;
}): Loss['setClassWeight'] | null {
  const settable = objective ?? loss!;
  return 'setClassWeight' in settable ? settable.setClassWeight!.bind(settable) : null;
}
