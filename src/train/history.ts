import type { ProbeResult } from './susceptibility.ts';

/** What `fit` finds on its validation data after an epoch: `nll`, `accuracy`, `balancedAccuracy` and own metrics. */
export type ValidationScores = Readonly<Record<string, number>>;

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
  /** With `fit({ validation })`. */
  validation?: ValidationScores;
}

/** The course of a run. */
export interface History {
  /** Mean training loss of each epoch. */
  loss: number[];
  /** Of each epoch, with `fit({ probe })`. */
  probe?: ProbeResult[];
  /** Of each epoch, with `fit({ validation })`. */
  validation?: ValidationScores[];
  /** The best epoch, from 0, and its score, with earlyStopping(). */
  best?: { epoch: number; score: number };
  /** Why a hook ended the run early. */
  stopped?: string;
  steps: number;
  seconds: number;
  stepsPerSecond: number;
}
