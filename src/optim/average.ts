import { atLeast, between, checkOptions } from '../check/check.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { claim, type Claim } from '../check/claim.ts';
import type { Moment } from '../check/moment.ts';
import { elementsOf, elementwiseUpdate, firstOf } from '../tensor/elementwise.ts';
import { unscoped } from '../tensor/scope.ts';
import { empty, tensor, viewOf, zeros, type Tensor } from '../tensor/tensor.ts';
import { segmentsOf } from './layout.ts';
import { arenaOf, type ParameterArena, type SavedState, type Segment, type Trainable } from './optimizer.ts';
import { UNIT } from './schedule.ts';

/** A description of an average of weights, such as `ema({ decay: 0.999 })`; `for` makes the average of a model. */
export interface WeightAverage {
  readonly name: string;
  /** Binds it to the parameters of a model, which is initialised if nobody did; free the result with `dispose`. */
  for(model: Trainable): AveragedWeights;
}

/**
 * The weight of the newest parameters in the average, after `count` of them; 0 leaves the average as it is. `at` is
 * where the run of `fit` stands, null in a loop of one's own.
 */
type WeightOf = (count: number, at: Moment | null) => number;

/**
 * A running average of the weights of one model, kept on the device at the cost of one dispatch a step; a captured step
 * does it in that of the update. Pass it to `fit`, or call `step` after that of the optimiser; then
 * `model.predict(x, { weights: average })` evaluates with the averaged weights, at any time and while anything else
 * runs; `during` puts them into the model for a while, for whatever takes no weights, and `swap` leaves them there.
 * Batch-norm statistics are not averaged. Free it with `dispose`. PyTorch's AveragedModel.
 */
export class AveragedWeights implements SavedState {
  readonly name: string;
  /** The parameters that are averaged. */
  readonly segments: readonly Segment[];
  /** Weights averaged so far; `step` is what the file format calls it. */
  readonly progress = { step: 0 };
  readonly #weightOf: WeightOf;
  readonly #arena: ParameterArena;
  readonly #average: Tensor;
  /** Weight of the newest parameters, outside captured steps. */
  readonly #hyper: Tensor;
  #at: Moment | null = null;
  #isDisposed = false;
  #isSwapped = false;
  /** Calls of `during` under way, and what they borrow. */
  #users = 0;
  #borrowed: { claim: Claim; swaps: boolean } | null = null;
  readonly #views = new Map<Tensor, Tensor>();

  constructor(name: string, weightOf: WeightOf, arena: ParameterArena) {
    this.name = name;
    this.#weightOf = weightOf;
    this.#arena = arena;
    this.segments = segmentsOf(arena);
    const { gpu, shape } = arena.values;
    [this.#average, this.#hyper] = unscoped(() => [zeros(shape, { gpu }), empty([1], { gpu })]);
  }

  /** The averages, as one slot over the arena, wherever they are now. */
  get slots(): Readonly<Record<string, Tensor>> {
    this.#expectLive();
    return { average: this.#isSwapped ? this.#arena.values : this.#average };
  }

  /** True while the averaged weights are in the model. */
  get isSwapped(): boolean {
    return this.#isSwapped;
  }

  /**
   * Averages in the weights that the model has now, after the step of the optimiser: one dispatch. Inside `capture` it
   * is recorded, and each run of the captured step averages. The first weights are copied.
   */
  step(): void {
    this.#expectLive();
    const { values } = this.#arena;
    const { gpu } = values;
    // Each captured step has a weight of its own, written before its runs.
    const hyper = gpu.isCapturing ? tensor([0], { gpu }) : this.#hyper;
    const { storage } = hyper;
    gpu.beforeRun(() => {
      this.#expectTrained();
      const weight = this.#weightOf(this.progress.step, this.#at);
      if (weight > 0) this.progress.step++;
      gpu.write(storage, 0, Float32Array.of(weight > 0 && this.progress.step === 1 ? 1 : weight));
    });
    const average = elementsOf(this.#average);
    elementwiseUpdate(
      {
        name: this.name,
        guard: 'weight != 0.0',
        // Bit for bit p where the weight is 1.
        body: 'average = select(average + weight * (p - average), p, weight == 1.0);',
        operands: { weight: firstOf(hyper), p: elementsOf(values), average },
        results: { average },
      },
      values.size,
    );
  }

  /**
   * Says where a run stands before its next step, as `fit` does; null: every step counts. Throws an Error while the
   * averaged weights are in the model.
   */
  prepare(at: Moment | null): void {
    this.#at = at;
    if (at) this.#expectTrained();
  }

  /** Whether it averages the parameters in this memory. */
  isOf(arena: ParameterArena): boolean {
    return arena === this.#arena;
  }

  /**
   * The averaged values of a parameter of the model: for `forward(x, { weights: average })`, which leaves the model as
   * it is.
   */
  parameter(own: Tensor): Tensor | null {
    this.#expectAveraged();
    const { values } = this.#arena;
    if (own.storage !== values.storage) return null;
    let view = this.#views.get(own);
    // After `swap` the averaged ones are in the model.
    const source = this.#isSwapped ? values : this.#average;
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
    this.#expectAveraged();
    if (this.#users > 0)
      throw new Error(`${this.name}: swap while during() is under way, expected to await that first`);
    this.#borrow('swap').release();
    this.#exchange();
  }

  /**
   * Runs `fn` with the averaged weights in the model, then puts the trained ones back, whatever happens. Calls may
   * overlap, lie within one another, and come after `swap`: the trained weights are back when the last one ends.
   * Rejects while a run of `fit` goes on; its `onEpoch` may call and await it.
   */
  async during<T>(fn: () => T | Promise<T>): Promise<T> {
    this.#expectAveraged();
    if (this.#users === 0) {
      this.#borrowed = { claim: this.#borrow('during'), swaps: !this.#isSwapped };
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
    if (!this.#isDisposed && this.#borrowed?.swaps) this.#exchange();
    this.#borrowed?.claim.release();
    this.#borrowed = null;
  }

  #exchange(): void {
    const { values } = this.#arena;
    // Words are moved, not numbers: bit for bit.
    const wordsOf = (t: Tensor) => ({ type: 'u32', from: t, to: t }) as const;
    const both = { own: wordsOf(values), average: wordsOf(this.#average) };
    elementwiseUpdate(
      { name: 'swap', body: 'let kept = own; own = average; average = kept;', operands: both, results: both },
      values.size,
    );
    this.#isSwapped = !this.#isSwapped;
  }

  #expectAveraged(): void {
    this.#expectLive();
    if (this.progress.step === 0) throw new Error(`${this.name}: no weights are averaged yet`);
  }

  #expectTrained(): void {
    this.#expectLive();
    if (this.#isSwapped)
      throw new Error(`${this.name}: the averaged weights are in the model, expected swap() before training goes on`);
  }

  #expectLive(): void {
    if (this.#isDisposed) throw new Error(`${this.name}: the average is used after dispose`);
  }

  /** The weights of the model, for `what`. */
  #borrow(what: string): Claim {
    const refusal = (holder: string): Error =>
      new Error(
        `${this.name}: ${what} while ${holder} has the weights of the model; await it, call ${what} in ` +
          'onEpoch, or pass { weights: average } to predict',
      );
    return claim(this.#arena, `${this.name}.${what}`, refusal, { borrows: true });
  }

  /** Frees the average; the model keeps the weights that it has. Idempotent. */
  dispose(): void {
    this.#isDisposed = true;
    this.#borrowed?.claim.release();
    this.#borrowed = null;
    for (const view of this.#views.values()) view.dispose();
    this.#views.clear();
    for (const t of [this.#average, this.#hyper]) t.dispose();
  }

  [symbolDispose](): void {
    this.dispose();
  }
}

function weightAverage(name: string, weightOf: WeightOf): WeightAverage {
  return { name, for: (model) => new AveragedWeights(name, weightOf, arenaOf(`${name}.for`, model)) };
}

/**
 * Exponential moving average: a = decay a + (1 - decay) p after every step; the first step copies p. Default decay:
 * 0.999.
 */
export function ema(options: { decay?: number } = {}): WeightAverage {
  checkOptions('ema', options, { decay: between(0, 1, '[)') });
  const { decay = 0.999 } = options;
  return weightAverage('ema', () => 1 - decay);
}

/**
 * Stochastic weight averaging: the equal average of the weights at each `step`, in `fit` of those at the end of each
 * epoch from `from` on (default 0), or `by` step. Izmailov et al., UAI 2018; use it with the schedule `swaLr`.
 */
export function swa(options: { from?: number; by?: 'epoch' | 'step' } = {}): WeightAverage {
  checkOptions('swa', options, { from: atLeast(0), by: UNIT });
  const { from = 0, by = 'epoch' } = options;
  const isDue = ({ epoch, step, stepsPerEpoch }: Moment): boolean =>
    epoch >= from && (by === 'step' || (step + 1) % stepsPerEpoch === 0);
  return weightAverage('swa', (count, at) => (at && !isDue(at) ? 0 : 1 / (count + 1)));
}
