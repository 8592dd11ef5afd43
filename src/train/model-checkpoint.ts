import { callable, checkOptions, integer, required } from '../check/check.ts';
import type { Moment } from '../check/moment.ts';
import { UNIT, type Unit } from '../optim/schedule.ts';
import type { Hook, Run } from './hook.ts';

/** Options of {@link modelCheckpoint}. */
export interface ModelCheckpointOptions {
  /** Epochs, or steps, between two checkpoints. Default: 1. */
  every?: number;
  /** What `every` counts. Default: 'epoch'. */
  by?: Unit;
  /**
   * Keeps a checkpoint, of `epoch` from 0 after so many steps: a file for `fit({ resume })`. Awaited. Write it under
   * another name and rename it, so that a crash leaves the one before.
   */
  save(bytes: Uint8Array<ArrayBuffer>, at: { epoch: number; steps: number }): void | Promise<void>;
}

/**
 * Saves the run every so many epochs or steps, and when its signal stops it: weights, optimiser, average, order,
 * history and the states of loss, sampler, probe and hooks. `fit({ ..., resume })` goes on from such a file bit by bit,
 * in another process and on another device too. A run that breaks off otherwise goes on from the checkpoint before.
 */
export function modelCheckpoint(options: ModelCheckpointOptions): Hook {
  checkOptions('modelCheckpoint', options, { every: integer(1), by: UNIT, save: required(callable) });
  const { every = 1, by = 'epoch', save } = options;
  const put = async ({ epoch }: Moment, run: Run, steps: number): Promise<void> =>
    save(await run.save(), { epoch, steps });
  return {
    name: 'modelCheckpoint',
    isLast: true,
    afterStep: (at, run) => (by === 'step' && (at.step + 1) % every === 0 ? put(at, run, at.step + 1) : undefined),
    epochEnd: (at, run) => (by === 'epoch' && (at.epoch + 1) % every === 0 ? put(at, run, at.step + 1) : undefined),
    end: (at, run) => (run.isAborted ? put(at, run, at.step) : undefined),
  };
}
