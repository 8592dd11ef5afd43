import type { Dataset } from '../data/dataset.ts';
import type { Gpu } from '../gpu/device.ts';
import { NonFiniteError, ShapeError } from '../gpu/errors.ts';
import type { Loss } from '../losses/loss.ts';
import type { Sequential } from '../nn/sequential.ts';
import { logLoss, takeBatch, type StepState } from '../ops/batch.ts';
import { takeInvalidLabels } from '../ops/cross-entropy.ts';
import type { WeightAverage } from '../optim/average.ts';
import type { Optimizer, OptimizerState } from '../optim/optimizer.ts';
import { key, PURPOSE, split, type Key } from '../random/key.ts';
import { addNormal } from '../random/random.ts';
import { capture, type Captured } from '../tensor/capture.ts';
import { copyOver } from '../tensor/copy.ts';
import { unscoped } from '../tensor/scope.ts';
import { backward } from '../tensor/tape.ts';
import { clear, empty, tensor, zeros, type Tensor } from '../tensor/tensor.ts';

/** What a captured step is made of. */
export interface TrainingStepOptions {
  loss: Loss;
  optimizer: Optimizer;
  batchSize: number;
  inputNoise: number;
  seed: number;
  /** Follows the weights after each update; its owner calls `prepare` before each `run`. */
  average?: WeightAverage | undefined;
  /** State of the optimiser to go on with; its owner frees it. Default: a new one. */
  state?: OptimizerState | undefined;
  /** Steps done before, for a run that goes on. Default: 0. */
  stepsDone?: number;
}

/** Losses kept on the device until they are read. */
const LOG = 512;

/**
 * The captured step of `fit`: take a batch by index, add noise, forward, loss, backward, update, log. What varies lies in
 * small device buffers that `run` writes: the step state and the optimiser's rates. One submit a step.
 */
export class TrainingStep {
  readonly #model: Sequential;
  readonly #options: TrainingStepOptions;
  readonly #gpu: Gpu;
  readonly #noiseKey: Key;
  readonly #dropoutKey: Key;
  readonly #x: Tensor;
  readonly #y: Tensor<'i32'>;
  readonly #order: Tensor<'u32'>;
  readonly #state: StepState;
  readonly #log: Tensor;
  readonly #optimizer: OptimizerState;
  readonly #steps = new Map<number, Captured<void>>();
  #count: number;
  #read: number;

  constructor(model: Sequential, data: Dataset, options: TrainingStepOptions) {
    this.#model = model;
    this.#options = options;
    this.#gpu = model.arena.values.gpu;
    this.#noiseKey = split(key(options.seed), PURPOSE.inputNoise);
    this.#dropoutKey = split(key(options.seed), PURPOSE.dropout);
    const gpu = this.#gpu;
    [this.#x, this.#y, this.#order, this.#state, this.#log] = unscoped(() => [
      tensor(data.x, { gpu }),
      tensor(data.y, { dtype: 'i32', gpu }),
      empty([data.y.length], { dtype: 'u32', gpu }),
      empty([4], { dtype: 'u32', gpu }),
      zeros([LOG], { gpu }),
    ]);
    options.average?.attach(model.arena);
    this.#optimizer = options.state ?? options.optimizer.attach(model.arena);
    this.#count = this.#read = options.stepsDone ?? 0;
  }

  /** Dispatches of one full step. */
  get dispatches(): number {
    return this.#steps.get(Math.min(this.#options.batchSize, this.#y.shape[0]!))?.dispatches ?? 0;
  }

  /** The order in which an epoch visits the samples. */
  setOrder(order: ArrayLike<number>): void {
    this.#order.write(order);
  }

  /** Runs step `i` of the epoch with the rate `lr`, and the momentum where a schedule cycles it. */
  run(i: number, lr: number, momentum?: number): void {
    const { batchSize } = this.#options;
    const start = i * batchSize;
    const rows = Math.min(batchSize, this.#y.shape[0]! - start);
    // The optimiser counts steps from 1; noise and dropout are numbered by sample over the whole run.
    this.#optimizer.prepare(this.#count + 1, lr, momentum);
    this.#state.write([(this.#count * batchSize) >>> 0, 0, start, this.#count % LOG]);
    this.#count++;
    const known = this.#steps.get(rows);
    if (known) known.run();
    else this.#steps.set(rows, capture(() => this.#record(rows), { gpu: this.#gpu }));
  }

  #record(rows: number): void {
    const { inputNoise, average } = this.#options;
    const { x, y } = takeBatch(this.#x, this.#y, this.#order, this.#state, rows);
    const input = inputNoise > 0 ? addNormal(x, this.#noiseKey, { std: inputNoise, first: this.#state }) : x;
    const value = this.#gradients(input, y);
    this.#optimizer.update(() => this.#again(input, y));
    average?.update();
    logLoss(value, this.#log, this.#state);
  }

  /** A second pass over the same batch; running statistics keep what the first one made of them. */
  #again(input: Tensor, y: Tensor<'i32'>): void {
    const kept = [...this.#model.namedBuffers.values()].map((buffer) => {
      const copy = empty<'f32' | 'i32'>(buffer.shape, { dtype: buffer.dtype, gpu: this.#gpu });
      copyOver(buffer, copy);
      return [copy, buffer] as const;
    });
    this.#gradients(input, y);
    for (const [copy, buffer] of kept) copyOver(copy, buffer);
  }

  /** Forward and backward at the weights as they are; returns the loss. */
  #gradients(input: Tensor, y: Tensor<'i32'>): Tensor {
    const { training } = this.#model;
    const logits = this.#model.forward(input, { training, random: { key: this.#dropoutKey, first: this.#state } });
    if (logits.rank !== 2) throw new ShapeError(`fit: the model gives shape [${logits.shape}], expected (batch, classes)`);
    const value = this.#options.loss(logits, y);
    if (value.size !== 1) throw new ShapeError(`fit: the loss has shape [${value.shape}], expected a scalar; use reduction 'mean'`);
    const { grads, parameters } = this.#model.arena;
    for (const p of parameters.values()) p.grad = null;
    backward(value);
    // A loss that reaches no parameter of the model leaves its arena alone: those gradients would be of an older pass.
    if (![...parameters.values()].some((p) => p.grad)) clear(grads);
    return value;
  }

  /** The losses of the last `count` steps that were not read yet, oldest first. */
  async readLosses(count: number): Promise<Float32Array> {
    const first = this.#read;
    this.#read += count;
    const log = await this.#log.read();
    const out = Float32Array.from({ length: count }, (_, i) => log[(first + i) % LOG]!);
    const bad = out.findIndex((v) => !Number.isFinite(v));
    if (bad >= 0) throw new NonFiniteError(`fit: the loss of step ${first + bad + 1} is ${out[bad]}; lower the learning rate, or check the inputs`);
    return out;
  }

  /** Throws when the device met a label outside the classes of the model. */
  async checkLabels(): Promise<void> {
    const count = await takeInvalidLabels(this.#gpu);
    if (count) throw new RangeError(`fit: ${count} labels lie outside the classes of the model; does its last layer have one output for each class?`);
  }

  dispose(): void {
    for (const step of this.#steps.values()) step.dispose();
    if (!this.#options.state) this.#optimizer.dispose();
    for (const t of [this.#x, this.#y, this.#order, this.#state, this.#log]) t.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
