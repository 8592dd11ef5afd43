import type { Tensor } from '../tensor/tensor.ts';

/** The flat memory that an optimiser works on: values and gradients of all parameters, of equal length. */
export interface ParameterArena {
  readonly values: Tensor;
  readonly grads: Tensor;
}

/** An optimiser bound to the parameters of one model. */
export interface OptimizerState {
  /** Writes what varies from step to step: `step` counts from 1, `lr` is the rate of this step. */
  prepare(step: number, lr: number): void;
  /** Records the update of all parameters: one dispatch. */
  update(): void;
  /** The slots (momentum, second moment, ...), for saving and restoring. */
  readonly slots: Readonly<Record<string, Tensor>>;
  dispose(): void;
}

/** A description of an optimiser, such as `sgd({ lr: 0.1 })`; `attach` makes its state for a model. */
export interface Optimizer {
  readonly name: string;
  readonly lr: number;
  attach(arena: ParameterArena): OptimizerState;
}

/** Throws unless `value` is a finite number of at least `least`. */
export function expectNumber(value: number, what: string, least = 0, below = Infinity): void {
  if (!Number.isFinite(value) || value < least || value >= below) {
    throw new RangeError(`${what} is ${value}, expected a number of at least ${least}${below < Infinity ? ` and below ${below}` : ''}`);
  }
}
