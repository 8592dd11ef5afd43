import { atLeast, between, checkOptions } from '../check/check.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import kernel from '../../shaders/average.wgsl';
import { claim, type Claim } from '../check/claim.ts';
import { unscoped } from '../tensor/scope.ts';
import { empty, viewOf, zeros, type Tensor } from '../tensor/tensor.ts';
import { segmentsOf } from './layout.ts';
import { type ParameterArena, type SavedState, type Segment } from './optimizer.ts';
import type { Moment } from './schedule.ts';
import { UNIT } from './schedule.ts';

interface Attached {
  arena: ParameterArena;
  segments: readonly Segment[];
  average: Tensor;
  hyper: Tensor;
}

/**
 * A running average of the weights of one model, kept on the device at the cost of one dispatch a step. Pass it to
 * `fit`; then `model.predict(x, { weights: average })` evaluates with the averaged weights, at any time and beside
 * whatever else runs; `during` puts them into the model for a while, for whatever takes no weights, and `swap` leaves
 * them there. Batch-norm statistics are not averaged. Free it with `dispose`.
 */
export class WeightAverage implements SavedState {
  readonly name: string;
  /** Weights averaged so far; `step` is what the file format calls it. */
  readonly progress = { step: 0 };
  readonly #weightOf: (count: number, at: Moment) => number;
  #attached: Attached | null = null;
  #isSwapped = false;
  /** Calls of `during` under way, and what they borrow. */
  #users = 0;
  #borrowed: { claim: Claim; swaps: boolean } | null = null;
  readonly #views = new Map<Tensor, Tensor>();

  /** `weightOf` gives the weight of the newest parameters, after `count` of them; 0 leaves the average as it is. */
  constructor(name: string, weightOf: (count: number, at: Moment) => number) {
    this.name = name;
    this.#weightOf = weightOf;
  }

  /** The parameters that are averaged. */
  get segments(): readonly Segment[] {
    return this.#state().segments;
  }

  /** The averages, as one slot over the arena, wherever they are now. */
  get slots(): Readonly<Record<string, Tensor>> {
    const { arena, average } = this.#state();
    return { average: this.#isSwapped ? arena.values : average };
  }

  /** True while the averaged weights are in the model. */
  get isSwapped(): boolean {
    return this.#isSwapped;
  }

  /** Binds the average to a model; `fit` does it. Again for the same model: goes on where it was. */
  attach(arena: ParameterArena): this {
    if (this.#attached && this.#attached.arena !== arena)
      throw new Error(`${this.name}: attached to another model already, expected one average for each model`);
    const { gpu, shape } = arena.values;
    this.#attached ??= unscoped(() => ({
      arena,
      segments: segmentsOf(arena),
      average: zeros(shape, { gpu }),
      hyper: empty([1], { gpu }),
    }));
    return this;
  }

  /** Writes the weight of the parameters that the step at `at` will give. The first ones are copied. */
  prepare(at: Moment): void {
    const { hyper } = this.#state();
    if (this.#isSwapped)
      throw new Error(`${this.name}: the averaged weights are in the model, expected swap() before training goes on`);
    const weight = this.#weightOf(this.progress.step, at);
    if (weight > 0) this.progress.step++;
    hyper.write([weight > 0 && this.progress.step === 1 ? 1 : weight]);
  }

  /** Records the update of the average: one dispatch, after that of the optimiser. */
  update(): void {
    const { arena, average, hyper } = this.#state();
    const quads = average.size / 4;
    kernel.update({ quads }, { hyper, p: arena.values, a: average }, [quads]);
  }

  /**
   * The averaged values of a parameter of the model: for `forward(x, { weights: average })`, which leaves the model as
   * it is.
   */
  parameter(own: Tensor): Tensor | null {
    const { arena, average } = this.#averaged();
    if (own.storage !== arena.values.storage) return null;
    let view = this.#views.get(own);
    // After `swap` the averaged ones are in the model.
    const source = this.#isSwapped ? arena.values : average;
    if (view?.storage !== source.storage) {
      view?.dispose();
      view = unscoped(() => viewOf(source, own.shape, own.offset));
      this.#views.set(own, view);
    }
    return view;
  }

  /**
   * Exchanges the weights of the model with the averaged ones, bit for bit; a second call undoes the first. Throws an
   * Error while `during`, or a run of `fit`, has the weights of the model.
   */
  swap(): void {
    const { arena } = this.#averaged();
    if (this.#users > 0)
      throw new Error(`${this.name}: swap while during() is under way, expected to await that first`);
    claim(arena, `${this.name}.swap`, (holder) => this.#refusal('swap', holder), { borrows: true }).release();
    this.#exchange();
  }

  /**
   * Runs `fn` with the averaged weights in the model, then puts the trained ones back, whatever happens. Calls may
   * overlap, lie within one another, and come after `swap`: the trained weights are back when the last one ends.
   * Rejects while a run of `fit` goes on; its `onEpoch` may call and await it.
   */
  async during<T>(fn: () => T | Promise<T>): Promise<T> {
    const { arena } = this.#averaged();
    if (this.#users === 0) {
      const own = claim(arena, `${this.name}.during`, (holder) => this.#refusal('during', holder), { borrows: true });
      this.#borrowed = { claim: own, swaps: !this.#isSwapped };
      if (this.#borrowed.swaps) this.#exchange();
    }
    this.#users++;
    try {
      return await fn();
    } finally {
      if (--this.#users === 0) this.#giveBack();
    }
  }

  #giveBack(): void {
    if (this.#attached && this.#borrowed?.swaps) this.#exchange();
    this.#borrowed?.claim.release();
    this.#borrowed = null;
  }

  #exchange(): void {
    const { arena, average } = this.#state();
    const quads = average.size / 4;
    kernel.swap({ quads }, { left: arena.values, right: average }, [quads]);
    this.#isSwapped = !this.#isSwapped;
  }

  #averaged(): Attached {
    if (this.#state() && this.progress.step === 0) throw new Error(`${this.name}: no weights are averaged yet`);
    return this.#state();
  }

  #refusal(what: string, holder: string): Error {
    return new Error(
      `${this.name}: ${what} while ${holder} has the weights of the model; await it, call ${what} in ` +
        'onEpoch, or pass { weights: average } to predict',
    );
  }

  /** Frees the average; the model keeps the weights that it has. Idempotent. */
  dispose(): void {
    this.#borrowed?.claim.release();
    this.#borrowed = null;
    for (const view of this.#views.values()) view.dispose();
    this.#views.clear();
    this.#attached?.average.dispose();
    this.#attached?.hyper.dispose();
    this.#attached = null;
    this.#isSwapped = false;
    this.progress.step = 0;
  }

  [symbolDispose](): void {
    this.dispose();
  }

  #state(): Attached {
    if (!this.#attached)
      throw new Error(`${this.name}: not attached to a model; pass it to fit, or call attach(model.arena)`);
    return this.#attached;
  }
}

/**
 * Exponential moving average: a = decay a + (1 - decay) p after every step; the first step copies p. Default decay:
 * 0.999.
 */
export function ema(options: { decay?: number } = {}): WeightAverage {
  checkOptions('ema', options, { decay: between(0, 1, '[)') });
  const { decay = 0.999 } = options;
  return new WeightAverage('ema', () => 1 - decay);
}

/**
 * Stochastic weight averaging: the equal average of the weights at the end of each epoch from `from` on (default 0), or
 * after each step. Izmailov et al., UAI 2018; use it with the schedule `swaLr`.
 */
export function swa(options: { from?: number; by?: 'epoch' | 'step' } = {}): WeightAverage {
  checkOptions('swa', options, { from: atLeast(0), by: UNIT });
  const { from = 0, by = 'epoch' } = options;
  return new WeightAverage('swa', (count, { epoch, step, stepsPerEpoch }) =>
    epoch < from || (by === 'epoch' && (step + 1) % stepsPerEpoch !== 0) ? 0 : 1 / (count + 1),
  );
}
