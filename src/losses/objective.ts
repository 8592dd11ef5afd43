import type { Moment } from '../check/moment.ts';
import type { RandomSource } from '../ops/dropout.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What an {@link Objective} works with. */
export interface ObjectiveInputs {
  /** The batch, (batch, ...). */
  x: Tensor;
  /** Labels, (batch). */
  y: Tensor<'i32'>;
  /** The rows of the dataset that the batch holds, (batch). */
  index: Tensor<'u32'>;
  /**
   * Logits in training mode, any number of rows; each call updates running statistics. `hook` gets the output of the
   * first 1, 2, .. layers of the model, in that order, and returns what the next layer is given.
   */
  forward(x: Tensor, options?: { hook?: (hidden: Tensor, depth: number) => Tensor }): Tensor;
  /** Logits in evaluation mode, with parameters that take no gradient: for attacks on the input. */
  evaluate(x: Tensor): Tensor;
  /** Random numbers of this step: draw with keys split from `key`, and `first`; item b is sample b. */
  random: RandomSource;
  /** Where the run stands, f32 scalars on the device that each run of a captured step reads. */
  at: { epoch: Tensor; step: Tensor };
}

/**
 * A training objective that sees the inputs, for `fit({ objective })`: one scalar from a batch and the model. It is
 * captured, so it must not read, and what varies from step to step must lie on the device.
 */
export interface Objective {
  (inputs: ObjectiveInputs): Tensor;
  /** Called before each step, to write device scalars of its own. */
  prepare?(at: Moment): void;
  /**
   * Replaces the class weights of the loss inside, as that of `Loss`; without it `fit` refuses schedules that set some.
   */
  setClassWeight?(weight: ArrayLike<number> | null): void;
  /** Interval in which the inputs must lie: `fit` refuses data outside. */
  readonly box?: readonly [number, number];
  /** Rows of the dataset that it keeps numbers of: `fit` refuses a dataset of another size. */
  readonly rows?: number;
  /** Frees device scalars of its own; the creator of the objective calls it. */
  dispose?(): void;
}
