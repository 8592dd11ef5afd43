import { any, boolean, callable } from '../check/check.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { unscoped } from '../tensor/scope.ts';
import type { ParameterSelection } from '../tensor/selection.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** The flat memory that an optimiser works on: values and gradients of all parameters, of equal length. */
export interface ParameterArena {
  readonly values: Tensor;
  readonly grads: Tensor;
  /**
   * The parameters by name: views of `values` that start at multiples of 64 elements. Those with requiresGrad false are
   * frozen: no decay, no momentum moves them. Default: one parameter without a name.
   */
  readonly parameters?: ReadonlyMap<string, Tensor>;
}

/** One parameter inside an arena. */
export interface Segment {
  readonly name: string;
  readonly shape: readonly number[];
  /** First element, a multiple of 64. */
  readonly start: number;
  readonly size: number;
}

/** State that `saveState` turns into bytes: named slots over the parameters of an arena, and a count of steps. */
export interface SavedState {
  /** Of the rule whose state this is: 'sgd', 'adam', 'ema', ... */
  readonly name: string;
  readonly segments: readonly Segment[];
  /** Arrays as long as the arena (momentum, second moment, ...). */
  readonly slots: Readonly<Record<string, Tensor>>;
  /**
   * Steps done so far, and of an optimiser how many of them each parameter missed while it was frozen, in the order of
   * the segments.
   */
  readonly progress: { step: number; missed?: readonly number[] };
}

/** An optimiser bound to the parameters of one model. */
export interface OptimizerState extends SavedState {
  /**
   * The rate of the next steps, at least 0; starts as that of the optimiser. Lies in device memory, so a captured step
   * follows it. Groups with a rate of their own are scaled by the same factor, as by PyTorch's schedulers.
   */
  lr: number;
  /** The momentum of the next steps (Adam-like rules: the first beta); undefined where the rule has none. */
  momentum: number | undefined;
  /**
   * Updates all trained parameters by the gradients of the last `backward`. Inside `capture` it is recorded: each run
   * of the captured step is one step, at the rate of that moment. `closure` repeats forward and backward at the values
   * as they are then, for rules that look at a second point (`sam`). Parameters with requiresGrad false stay as they
   * are; freezing one works at any time, unfreezing needs a captured step to be captured anew. A NaN gradient makes its
   * parameter NaN, as in PyTorch; `fit` rejects at the next loss that is not finite.
   */
  step(closure?: () => void): void;
  /**
   * One number on the device: where it is not 0, `step` changes no parameter and no slot, though it counts. For
   * {@link LossScale}. Default: null, every step is done; undefined where the rule cannot skip one.
   */
  skipIf?: Tensor | null | undefined;
  /** Sets all gradients to zero: the start of `backward(loss, { accumulate: true })`. */
  zeroGrad(): void;
  dispose(): void;
  [symbolDispose](): void;
}

/** What an optimiser can be bound to: a model, or flat memory. */
export type Trainable = ParameterArena | { readonly arena: ParameterArena };

/** A description of an optimiser, such as `sgd({ lr: 0.1 })`; `for` makes its state for a model. */
export interface Optimizer {
  readonly name: string;
  readonly lr: number;
  /** Where the rule has one that a schedule may cycle: the momentum, or the first beta. */
  readonly momentum?: number;
  /**
   * Binds it to the parameters of a model, which is initialised if nobody did; free the result with `dispose`. Throws
   * RangeError when a group matches no parameter, or a parameter is in two.
   */
  for(model: Trainable): OptimizerState;
}

/**
 * Parameters with settings of their own, as one of PyTorch's param_groups; what is left out is that of the optimiser.
 * Each rule has a type of groups that adds its own settings.
 */
export interface ParameterGroup {
  /** Which, by name ('head.*'), by a test of names, or the parameters themselves. */
  params: ParameterSelection;
  /** Schedules scale it as they scale that of the optimiser. */
  lr?: number;
  weightDecay?: number;
  maximize?: boolean;
}

/** Options that every rule shares. */
export interface SharedOptions<Group = ParameterGroup> {
  /** Ascends instead of descending. Default: false. */
  maximize?: boolean;
  /** Which parameters weight decay applies to, by name. Default: all, biases included, as in PyTorch. */
  decays?: (name: string) => boolean;
  /** Parameters with settings of their own; all others have those of the optimiser. No dispatch more. Default: none. */
  groups?: readonly Group[];
}

/** Rules of {@link SharedOptions}. */
export const SHARED = { maximize: boolean, decays: callable, groups: any } as const;

/** The flat memory of what an optimiser is to be bound to. */
export function arenaOf(what: string, model: Trainable): ParameterArena {
  const arena = model && ('arena' in model ? model.arena : model);
  if (!arena?.values || !arena.grads)
    throw new TypeError(`${what}: got ${String(model)}, expected a model such as Sequential(Linear(784, 10))`);
  return arena;
}

/**
 * `inner` with some of its properties replaced, and others added, as `own` makes them; all else reads and writes that
 * of `inner`. What `own` makes belongs to no scope; if it throws, that and `inner` are freed.
 */
export function extendState<T extends object>(inner: OptimizerState, own: () => T): OptimizerState & T {
  try {
    return Object.create(inner, Object.getOwnPropertyDescriptors(unscoped(own))) as OptimizerState & T;
  } catch (error) {
    inner.dispose();
    throw error;
  }
}

/** Sets the rate of the next steps, and the momentum where there is one and the rule has it. */
export function setRates(state: OptimizerState, lr: number, momentum?: number): void {
  state.lr = lr;
  if (momentum !== undefined && state.momentum !== undefined) state.momentum = momentum;
}

/** Throws unless `base` is an optimiser, for the wrappers. */
export function expectOptimizer(base: Optimizer, what: string): void {
  if (typeof base?.for !== 'function')
    throw new TypeError(`${what} is ${String(base)}, expected an optimiser such as sgd({ lr: 0.1 })`);
}
