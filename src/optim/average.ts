import { symbolDispose } from '../gpu/dispose.ts';
import kernel from '../../shaders/average.wgsl';
import { unscoped } from '../tensor/scope.ts';
import { empty, zeros, type Tensor } from '../tensor/tensor.ts';
import { segmentsOf, type Segment } from './layout.ts';
import { expectNumber, type ParameterArena, type SavedState } from './optimizer.ts';
import type { Moment } from './schedule.ts';

interface Attached {
  arena: ParameterArena;
  segments: readonly Segment[];
  average: Tensor;
  hyper: Tensor;
}

/**
 * A running average of the weights of one model, kept on the device at the cost of one dispatch a step. Pass it to `fit`;
 * afterwards `during` evaluates or saves with the averaged weights, and `swap` leaves them in the model. Batch-norm
 * statistics are not averaged. Free it with `dispose`.
 */
export class WeightAverage implements SavedState {
  readonly name: string;
  /** Weights averaged so far; `step` is what the file format calls it. */
  readonly progress = { step: 0 };
  readonly #weightOf: (count: number, at: Moment) => number;
  #attached: Attached | null = null;
  #isSwapped = false;

  /** `weightOf` gives the weight of the newest parameters, after `count` of them; 0 leaves the average as it is. */
  constructor(name: string, weightOf: (count: number, at: Moment) => number) {
    this.name = name;
    this.#weightOf = weightOf;
  }

  /** The parameters that are averaged. */
  get segments(): readonly Segment[] {
    return this.#state().segments;
  }

  /** The averages, as one slot over the arena. */
  get slots(): Readonly<Record<string, Tensor>> {
    return { average: this.#state().average };
  }

  /** True while the averaged weights are in the model. */
  get isSwapped(): boolean {
    return this.#isSwapped;
  }

  /** Binds the average to a model; `fit` does it. Again for the same model: goes on where it was. */
  attach(arena: ParameterArena): this {
    if (this.#attached && this.#attached.arena !== arena) throw new Error(`${this.name}: attached to another model already, expected one average for each model`);
    const { gpu, shape } = arena.values;
    this.#attached ??= unscoped(() => ({ arena, segments: segmentsOf(arena), average: zeros(shape, { gpu }), hyper: empty([1], { gpu }) }));
    return this;
  }

  /** Writes the weight of the parameters that the step at `at` will give. The first ones are copied. */
  prepare(at: Moment): void {
    const { hyper } = this.#state();
    if (this.#isSwapped) throw new Error(`${this.name}: the averaged weights are in the model, expected swap() before training goes on`);
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

  /** Exchanges the weights of the model with the averaged ones, bit for bit; a second call undoes the first. */
  swap(): void {
    const { arena, average } = this.#state();
    if (this.progress.step === 0) throw new Error(`${this.name}: no weights are averaged yet`);
    const quads = average.size / 4;
    kernel.swap({ quads }, { left: arena.values, right: average }, [quads]);
    this.#isSwapped = !this.#isSwapped;
  }

  /** Runs `fn` with the averaged weights in the model, then puts the trained ones back, whatever happens. */
  async during<T>(fn: () => T | Promise<T>): Promise<T> {
    this.swap();
    try {
      return await fn();
    } finally {
      this.swap();
    }
  }

  /** Frees the average; the model keeps the weights that it has. Idempotent. */
  dispose(): void {
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
    if (!this.#attached) throw new Error(`${this.name}: not attached to a model; pass it to fit, or call attach(model.arena)`);
    return this.#attached;
  }
}

/** Exponential moving average: a = decay a + (1 - decay) p after every step; the first step copies p. Default decay: 0.999. */
export function ema({ decay = 0.999 }: { decay?: number } = {}): WeightAverage {
  expectNumber(decay, 'ema: decay', 0, 1);
  return new WeightAverage('ema', () => 1 - decay);
}

/**
 * Stochastic weight averaging: the equal average of the weights at the end of each epoch from `from` on (default 0), or
 * after each step. Izmailov et al., UAI 2018; use it with the schedule `swaLr`.
 */
export function swa({ from = 0, by = 'epoch' }: { from?: number; by?: 'epoch' | 'step' } = {}): WeightAverage {
  expectNumber(from, 'swa: from');
  return new WeightAverage('swa', (count, { epoch, step, stepsPerEpoch }) =>
    epoch < from || (by === 'epoch' && (step + 1) % stepsPerEpoch !== 0) ? 0 : 1 / (count + 1),
  );
}
