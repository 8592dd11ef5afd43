import type { Gpu } from '../../gpu/device.ts';
import { GpuError, ShapeError } from '../../gpu/errors.ts';
import type { Key } from '../../random/key.ts';
import { Captured, capture } from '../../tensor/capture.ts';
import { NdArray } from '../../tensor/ndarray.ts';
import { sameShape, sizeOf } from '../../tensor/shape.ts';
import { unscoped } from '../../tensor/scope.ts';
import { noGrad } from '../../tensor/tape.ts';
import { empty, zeros, type Tensor } from '../../tensor/tensor.ts';
import type { HeldWeights } from '../../nn/pass-weights.ts';
import { expectFiniteModel, isSameMark, markOf, type ValuesMark, type WithValues } from '../finite-model.ts';
import { countVotes, noisyCopies, type CopyState } from './noisy-copies.ts';
import { expectPowers, powersOf } from '../../nn/powers.ts';

/** What can be smoothed: anything that maps a batch (n, ...) to logits (n, classes) on the device. */
export interface BaseClassifier extends WithValues {
  /** Names the computation where it can change: what was captured under another name is captured anew. */
  readonly graph?: string;
  /** The context asks for evaluation mode, and for the weights of `snapshot`. */
  forward(x: Tensor, context?: { readonly training: boolean; readonly weights?: HeldWeights }): Tensor;
  /**
   * Holds the weights as they are: a certificate takes many passes, and the model may be in training. Default: the
   * model does not change.
   */
  snapshot?(): HeldWeights;
  /** Models or layers inside this one. */
  readonly children?: Readonly<Record<string, object>>;
}

/** Inputs on the device, with room for more, and the votes on them: phases 0 and 1 after one another. */
interface Inputs {
  room: number;
  x: Tensor;
  streams: Tensor<'u32'>;
  counts: Tensor<'u32'>;
}

/** `copies` noisy copies of each input, from copy `first` on. */
export interface Phase {
  first: number;
  copies: number;
}

/** What is counted: phases of at most two, and a number for each input, which decides its noise. */
interface Request {
  indices: ArrayLike<number>;
  phases: readonly Phase[];
  batchSize: number;
  signal?: AbortSignal | undefined;
}

/**
 * Counts, on the device, the classes that a classifier gives to noisy copies of inputs; arguments are checked by the
 * caller.
 */
export class NoisyVotes {
  readonly #model: BaseClassifier;
  readonly #options: { classes: number; sigma: number; key: Key; gpu: Gpu };
  readonly #state: CopyState;
  readonly #steps = new Map<number, Captured<void>>();
  #inputs: Inputs | null = null;
  #weights: HeldWeights | null = null;
  /** Of the values that #weights has once all that is queued has run. */
  #mark: ValuesMark | null = null;
  /** Under which the steps were captured. */
  #graph: string | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #holds = 0;
  /** The p of the model at the first of the holds. */
  #heldPowers = '';
  #isDisposed = false;

  constructor(model: BaseClassifier, options: { classes: number; sigma: number; key: Key; gpu: Gpu }) {
    this.#model = model;
    this.#options = options;
    this.#state = unscoped(() => empty([5], { dtype: 'u32', gpu: options.gpu }));
  }

  /**
   * Class counts of each phase, (inputs, classes). Overlapping calls are queued; each is recorded as a whole, with its
   * read, before the next.
   */
  async sample(x: NdArray, request: Request): Promise<NdArray<Uint32Array>[]> {
    // A call counts with the weights of its moment, also where it waits for others.
    if (this.#holds === 0) this.#queueWeights();
    const powers = this.#holds > 0 ? this.#heldPowers : powersOf(this.#model);
    const submitted = this.#queue.then(() => this.#submit(x, request, powers));
    this.#queue = submitted.catch(() => {});
    const { room, reading } = await submitted;
    const all = await reading;
    const { classes } = this.#options;
    return request.phases.map(
      (_, phase) =>
        new NdArray(all.slice(phase * room * classes, (phase * room + x.length) * classes), [x.length, classes]),
    );
  }

  async #submit(
    x: NdArray,
    { indices, phases, batchSize, signal }: Request,
    powers: string,
  ): Promise<{ room: number; reading: Promise<Uint32Array> }> {
    const expectReady = (): void => {
      this.#expectLive();
      expectPowers('Smooth', this.#model, powers);
    };
    expectReady();
    signal?.throwIfAborted();
    await expectFiniteModel('Smooth', this.#model);
    expectReady();
    if (this.#graph !== this.#model.graph) this.#forget();
    this.#graph = this.#model.graph;
    const { room, counts } = this.#place(x, indices);
    let queued = 0;
    for (const [phase, { first, copies }] of phases.entries()) {
      const total = x.length * copies;
      const size = Math.min(batchSize, total);
      for (let start = 0; start < total; start += size) {
        expectReady();
        signal?.throwIfAborted();
        this.#state.write([start, copies, first, total, phase * room]);
        this.#run(size);
        // A bounded queue keeps an abort prompt and memory flat.
        if (++queued % 16 === 0) await this.#options.gpu.sync();
      }
    }
    expectReady();
    return { room, reading: counts.read() };
  }

  #expectLive(): void {
    if (this.#isDisposed) throw new GpuError('Smooth: disposed while a call was under way; await it first');
  }

  /** The weights of the calls until `release`: those that the model has now. */
  hold(): { release(): void } {
    if (this.#holds++ === 0) {
      this.#queueWeights();
      this.#heldPowers = powersOf(this.#model);
    }
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) this.#holds--;
        isHeld = false;
      },
    };
  }

  /** What is queued from here on counts with the weights of this moment. */
  #queueWeights(): void {
    const mark = markOf(this.#model);
    if (isSameMark(mark, this.#mark)) return;
    const weights = this.#model.snapshot?.();
    this.#mark = mark;
    if (!weights) return;
    this.#queue = this.#queue.then(() => {
      try {
        if (!this.#isDisposed) this.#take(weights);
      } finally {
        weights.dispose();
      }
    });
    // A failure is reported by the call that comes next.
    this.#queue.catch(() => (this.#mark = null));
  }

  #take(weights: HeldWeights): void {
    this.#weights ??= this.#model.snapshot!();
    this.#weights.refresh(weights);
  }

  /** Puts the inputs on the device and clears the counts; grows what holds them. */
  #place(x: NdArray, indices: ArrayLike<number>): Inputs {
    const features = x.shape.slice(1);
    if (this.#inputs && (this.#inputs.room < x.length || !sameShape(this.#inputs.x.shape.slice(1), features)))
      this.#forget();
    const gpu = this.#options.gpu;
    this.#inputs ??= unscoped(() => ({
      room: x.length,
      x: empty([x.length, ...features], { gpu }),
      streams: empty([x.length], { dtype: 'u32', gpu }),
      counts: zeros([2 * x.length, this.#options.classes], { dtype: 'u32', gpu }),
    }));
    const { room, counts } = this.#inputs;
    this.#inputs.x.write(padded(x.data, room * sizeOf(features)));
    this.#inputs.streams.write(Uint32Array.from({ length: room }, (_, i) => indices[i] ?? 0));
    counts.write(new Uint32Array(counts.size));
    return this.#inputs;
  }

  #forget(): void {
    for (const step of this.#steps.values()) step.dispose();
    this.#steps.clear();
    for (const tensor of [this.#inputs?.x, this.#inputs?.streams, this.#inputs?.counts]) tensor?.dispose();
    this.#inputs = null;
  }

  #run(size: number): void {
    const known = this.#steps.get(size);
    if (known) {
      known.run();
      return;
    }
    this.#steps.set(
      size,
      capture(() => noGrad(() => this.#record(size)), { gpu: this.#options.gpu }),
    );
  }

  #record(rows: number): void {
    const { x, streams, counts } = this.#inputs!;
    const copies = noisyCopies(x, streams, this.#state, this.#options.key, { rows, sigma: this.#options.sigma });
    const logits = this.#model.forward(copies, { training: false, ...(this.#weights && { weights: this.#weights }) });
    if (logits.rank !== 2 || logits.shape[1] !== this.#options.classes) {
      throw new ShapeError(
        `Smooth: the model gives shape [${logits.shape}], expected (batch, ${this.#options.classes})`,
      );
    }
    countVotes(logits, counts, this.#state);
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#forget();
    this.#weights?.dispose();
    this.#state.dispose();
  }
}

function padded(data: ArrayLike<number>, size: number): ArrayLike<number> {
  if (data.length === size) return data;
  const all = new Float32Array(size);
  all.set(data);
  return all;
}
