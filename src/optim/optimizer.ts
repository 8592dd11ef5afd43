import type { Tensor } from '../tensor/tensor.ts';
import type { Segment } from './layout.ts';

/** The flat memory that an optimiser works on: values and gradients of all parameters, of equal length. */
export interface ParameterArena {
  readonly values: Tensor;
  readonly grads: Tensor;
  /**
   * The parameters by name: views of `values` that start at multiples of 64 elements. Those with requiresGrad false
   * when the optimiser is attached are frozen: no decay, no momentum moves them. Default: one parameter without a name.
   */
  readonly parameters?: ReadonlyMap<string, Tensor>;
}

/** State that `saveState` turns into bytes: named slots over the parameters of an arena, and a count of steps. */
export interface SavedState {
  /** Of the rule whose state this is: 'sgd', 'adam', 'ema', ... */
  readonly name: string;
  readonly segments: readonly Segment[];
  /** Arrays as long as the arena (momentum, second moment, ...). */
  readonly slots: Readonly<Record<string, Tensor>>;
  /** Steps prepared so far; a restored state continues with `prepare(progress.step + 1, ...)`. */
  readonly progress: { step: number };
}

/** An optimiser bound to the parameters of one model. */
export interface OptimizerState extends SavedState {
  /**
   * Writes what varies from step to step: `step` counts from 1, `lr` is the rate of this step, `momentum` the momentum
   * (Adam-like rules: the first beta) where a schedule cycles it.
   */
  prepare(step: number, lr: number, momentum?: number): void;
  /**
   * Records the update of all parameters; every command may be captured. `again` repeats forward and backward at the
   * values as they are then, for rules that look at a second point (`sam`). A NaN gradient makes its parameter NaN, as
   * in PyTorch; `fit` rejects at the next loss that is not finite.
   */
  update(again?: () => void): void;
  dispose(): void;
}

/** A description of an optimiser, such as `sgd({ lr: 0.1 })`; `attach` makes its state for a model. */
export interface Optimizer {
  readonly name: string;
  readonly lr: number;
  /** Where the rule has one that a schedule may cycle: the momentum, or the first beta. */
  readonly momentum?: number;
  attach(arena: ParameterArena): OptimizerState;
}

/** Options that every rule shares. */
export interface SharedOptions {
  /** Ascends instead of descending. Default: false. */
  maximize?: boolean;
  /** Which parameters weight decay applies to, by name. Default: all, biases included, as in PyTorch. */
  decays?: (name: string) => boolean;
}

/** Throws unless `value` is a finite number of at least `least`. */
export function expectNumber(value: number, what: string, least = 0, below = Infinity): void {
  if (!Number.isFinite(value) || value < least || value >= below) {
    throw new RangeError(
      `${what} is ${value}, expected a number of at least ${least}${below < Infinity ? ` and below ${below}` : ''}`,
    );
  }
}

/** Throws unless `base` is an optimiser, for the wrappers. */
export function expectOptimizer(base: Optimizer, what: string): void {
  if (typeof base?.attach !== 'function')
    throw new TypeError(`${what} is ${String(base)}, expected an optimiser such as sgd({ lr: 0.1 })`);
}
