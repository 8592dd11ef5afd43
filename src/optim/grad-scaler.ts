import kernel from '../../shaders/grad-scaler.wgsl';
import { checkOptions, integer, required, rule } from '../check/check.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { mul } from '../ops/binary.ts';
import { markNonFinite } from '../tensor/anomaly.ts';
import { unscoped } from '../tensor/scope.ts';
import { tensor, viewOf, zeros, type Tensor } from '../tensor/tensor.ts';
import { arenaOf, type OptimizerState, type ParameterArena, type Trainable } from './optimizer.ts';

/** Bounds of the scale; shaders/grad-scaler.wgsl agrees. */
const [LEAST, MOST] = [2 ** -14, 2 ** 32];
/** Largest count that f32 holds. */
const MOST_STEPS = 2 ** 24;

const SCALE = rule(
  'a power of two from 2^-14 to 2^32',
  (v: number) => Number.isInteger(Math.log2(v)) && v === 2 ** Math.log2(v) && v >= LEAST && v <= MOST,
);

/** Options of {@link gradScaler}, named and with the defaults of PyTorch's GradScaler. */
export interface GradScalerOptions {
  /** The first scale, a power of two from 2^-14 to 2^32. Default: 65,536. */
  initScale?: number;
  /** Steps in a row with finite gradients after which the scale is doubled. Default: 2000. */
  growthInterval?: number;
}

/** What a {@link LossScale} has found so far, for `JSON.stringify` and `load`. */
export interface LossScaleState {
  scale: number;
  /** Steps in a row with finite gradients since the scale last changed. */
  goodSteps: number;
  /** Steps that were skipped, in all. */
  skippedSteps: number;
}

/**
 * The loss scale of training in mixed precision: the loss is multiplied by it, so that small gradients do not vanish
 * when products round them to f16, and the gradients of the parameters are divided by it. Where one of these is not
 * finite the step is skipped, and the scale halved; after enough steps in a row without, it is doubled. All of that is
 * on the device, in captured steps too; nothing is read back. Free it with `dispose`.
 */
export class LossScale {
  readonly #arena: ParameterArena;
  readonly #growthInterval: number;
  /** Scale, good steps, skipped steps. */
  readonly #state: Tensor;
  /** The first of these, as a scalar. */
  readonly #scale: Tensor;
  readonly #found: Tensor<'u32'>;
  readonly #skip: Tensor;

  /** Use {@link gradScaler}. */
  constructor(arena: ParameterArena, { initScale, growthInterval }: Required<GradScalerOptions>) {
    this.#arena = arena;
    this.#growthInterval = growthInterval;
    const { gpu } = arena.values;
    [this.#state, this.#found, this.#skip] = unscoped(() => [
      tensor([initScale, 0, 0], { gpu }),
      zeros([1], { dtype: 'u32', gpu }),
      zeros([1], { gpu }),
    ]);
    this.#scale = unscoped(() => viewOf(this.#state, []));
  }

  /** Whether it scales the gradients of the parameters in this memory. */
  isOf(arena: ParameterArena): boolean {
    return arena === this.#arena;
  }

  /** The loss times the scale: what `backward` is called with. */
  scale(loss: Tensor): Tensor {
    return mul(loss, this.#scale);
  }

  /**
   * A step of the optimiser `state`, on gradients of a scaled loss: they are divided by the scale, and where one is not
   * finite all become 0 and the step changes neither parameters nor slots; then the scale is updated. `closure`, for
   * rules that look at a second point, calls `backward` with a scaled loss too. On the host a skipped step counts: for
   * schedules, and for the bias correction of Adam. Throws TypeError where the optimiser cannot skip a step.
   */
  step(state: OptimizerState, closure?: () => void): void {
    if (state.skipIf === undefined)
      throw new TypeError(
        `gradScaler.step: ${state.name} cannot skip a step whose gradients overflow f16, expected a rule such as ` +
          'sgd or adam, or precision f32',
      );
    const { skipIf } = state;
    state.skipIf = this.#skip;
    try {
      this.#unscale();
      state.step(
        closure &&
          (() => {
            closure();
            this.#unscale();
          }),
      );
    } finally {
      state.skipIf = skipIf;
    }
    kernel.update(this.#params, this.#buffers, [1]);
  }

  #unscale(): void {
    markNonFinite(this.#arena.grads, this.#found);
    kernel.unscale(this.#params, this.#buffers, [this.#params.quads]);
  }

  get #params() {
    return { quads: this.#arena.grads.size / 4, interval: this.#growthInterval };
  }

  get #buffers() {
    return { state: this.#state, found: this.#found, skip: this.#skip, g: this.#arena.grads };
  }

  /** Scale and counts as the work so far left them, to save. */
  async state(): Promise<LossScaleState> {
    const [scale, goodSteps, skippedSteps] = await this.#state.read();
    return { scale: scale!, goodSteps: goodSteps!, skippedSteps: skippedSteps! };
  }

  /** Goes on from a saved state; captured steps follow. Throws RangeError on a bad one, and changes nothing. */
  load(state: LossScaleState): this {
    const count = required(integer(0, MOST_STEPS));
    checkOptions('gradScaler.load', state, { scale: required(SCALE), goodSteps: count, skippedSteps: count });
    const { scale, goodSteps, skippedSteps } = state;
    this.#state.write([scale, goodSteps, skippedSteps]);
    return this;
  }

  /**
   * True where the scale is the smallest and the last step was skipped still: gradients of numbers that f16 holds do
   * not need as small a scale.
   */
  async isExhausted(): Promise<boolean> {
    const { scale, goodSteps, skippedSteps } = await this.state();
    return scale === LEAST && goodSteps === 0 && skippedSteps > 0;
  }

  /** Idempotent. */
  dispose(): void {
    for (const t of [this.#scale, this.#state, this.#found, this.#skip]) t.dispose();
  }

  [symbolDispose](): void {
    this.dispose();
  }
}

/**
 * A loss scale for a model that is trained in mixed precision, which is initialised if nobody did: `fit({ precision:
 * 'mixed' })` makes one itself; in a loop of one's own
 *
 *     const scaler = gradScaler(model);
 *     const loss = crossEntropy(model.forward(x, { training: true, precision: 'mixed' }), y);
 *     backward(scaler.scale(loss));
 *     scaler.step(optimizer);
 *
 * Micikevicius et al., "Mixed precision training", ICLR 2018; PyTorch's torch.amp.GradScaler.
 */
export function gradScaler(model: Trainable, options: GradScalerOptions = {}): LossScale {
  checkOptions('gradScaler', options, { initScale: SCALE, growthInterval: integer(1, MOST_STEPS) });
  const { initScale = 65_536, growthInterval = 2000 } = options;
  return new LossScale(arenaOf('gradScaler', model), { initScale, growthInterval });
}
