import type { Moment } from '../check/moment.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Sequential } from '../nn/sequential.ts';
import type { OptimizerState } from '../optim/optimizer.ts';
import type { History, StepReport } from './history.ts';

/** A run of `fit`, as its hooks see it. */
export interface Run {
  readonly model: Sequential;
  readonly data: Dataset;
  readonly optimizer: OptimizerState;
  readonly seed: number;
  /** What the run has found so far; `fit` returns it. */
  readonly history: History;
  /** The rate of the step at hand: that of the optimiser, until `beforeStep` of a hook changes it. */
  lr: number;
  /** The momentum of the step at hand; undefined: that of the optimiser. */
  momentum: number | undefined;
  /** In `end`, what ended the run early: the reason of its signal, or what a hook or `fit` threw. */
  readonly error: unknown;
  /** In `end`, whether the signal stopped the run between two steps: it can be saved. */
  readonly isAborted: boolean;
  /** Sets the order in which the epoch visits the samples, one index a sample; in `epochStart`. */
  setOrder(order: ArrayLike<number>): void;
  /** Ends the run after the step or the epoch at hand, without an error; `history.stopped` is `why`. */
  stop(why: string): void;
  /**
   * The run as it stands, as a file for `fit({ resume })`; in `afterStep`, `epochEnd` and `end`. Rejects with
   * NonFiniteError where a number is not finite, and with Error in `end` of a run that broke off otherwise.
   */
  save(): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Part of a run: functions that `fit` calls at its moments, in the order of its list. `at` says where the run stands.
 * What returns a promise is awaited; what throws ends the run, and all hooks still get `end`.
 */
export interface Hook {
  /** For its state in a checkpoint, and for errors. Default: 'hook'. */
  readonly name?: string;
  /** Called after all hooks without it, as checkpoints are, which must see what the others did. Default: false. */
  readonly isLast?: boolean;
  /** Before the first step, `at` is that of this step: a later one where a checkpoint is resumed. */
  start?(at: Moment, run: Run): void | Promise<void>;
  /** Before the first step of an epoch, but not where a checkpoint is resumed inside one. */
  epochStart?(at: Moment, run: Run): void | Promise<void>;
  /** Before each step. */
  beforeStep?(at: Moment, run: Run): void | Promise<void>;
  /** After each step, which the device need not have done yet: what reads waits for it. */
  afterStep?(at: Moment, run: Run): void | Promise<void>;
  /** With the loss of each step, some milliseconds after it, in order. Not awaited. */
  lossRead?(report: StepReport, run: Run): void;
  /**
   * After an epoch, when its losses are read; `at` is that of its last step. Others may borrow the weights of the model
   * meanwhile.
   */
  epochEnd?(at: Moment, run: Run): void | Promise<void>;
  /** After the run, however it ended, see `run.error`; `at` is that of the step that would be next. */
  end?(at: Moment, run: Run): void | Promise<void>;
  /** What it carries from step to step, for checkpoints: what JSON holds, and typed arrays. */
  state?(): unknown;
  /** Puts back what `state` gave, before `start`. */
  setState?(state: never): void;
}

/** The moments at which hooks are called with where the run stands. */
export type HookMoment = 'start' | 'epochStart' | 'beforeStep' | 'afterStep' | 'epochEnd' | 'end';

/**
 * Calls the hooks that have a `moment`, one after the other. Returns a promise only where one of them does: a step
 * whose hooks do not wait is not interrupted.
 */
export function callHooks(hooks: readonly Hook[], moment: HookMoment, at: Moment, run: Run): Promise<void> | undefined {
  for (const [i, hook] of hooks.entries()) {
    const waits = hook[moment]?.(at, run);
    if (typeof waits?.then === 'function')
      return Promise.resolve(waits).then(() => callHooks(hooks.slice(i + 1), moment, at, run));
  }
  return undefined;
}
