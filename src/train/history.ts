import type { ProbeResult } from './susceptibility.ts';

/** What `fit` reports after each step; calls come in order, some milliseconds after the step itself. */
export interface StepReport {
  /** Steps done and steps in all, counting from 1. */
  step: number;
  steps: number;
  /** Epoch of this step, from 0. */
  epoch: number;
  epochs: number;
  loss: number;
  lr: number;
  stepsPerSecond: number;
}

/** What `fit` reports after each epoch. */
export interface EpochReport {
  /** From 0. */
  epoch: number;
  epochs: number;
  /** Mean loss of the steps of this epoch. */
  loss: number;
  lr: number;
  seconds: number;
}

/** The course of a run. */
export interface History {
  /** Mean training loss of each epoch. */
  loss: number[];
  /** Of each epoch, with `fit({ probe })`. */
  probe?: ProbeResult[];
  steps: number;
  seconds: number;
  stepsPerSecond: number;
}
