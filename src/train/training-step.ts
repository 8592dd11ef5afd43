import { holderOf, type Claim } from '../check/claim.ts';
import type { Augmentation } from '../data/augment.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Gpu } from '../gpu/device.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { NonFiniteError, ShapeError } from '../gpu/errors.ts';
import type { Objective, ObjectiveInputs } from '../losses/objective.ts';
import { walkLayers, type Layer } from '../nn/layer.ts';
import { frozen } from '../nn/pass-weights.ts';
import type { Sequential } from '../nn/sequential.ts';
import { logLoss, stepState, takeBatch, writeState, type StepState } from '../ops/batch.ts';
import { mul } from '../ops/binary.ts';
import { countingInvalidLabels } from '../ops/cross-entropy.ts';
import type { Precision } from '../ops/precision.ts';
import type { AveragedWeights } from '../optim/average.ts';
import { gradScaler, type LossScale } from '../optim/grad-scaler.ts';
import { setRates, type Optimizer, type OptimizerState } from '../optim/optimizer.ts';
import { key, PURPOSE, splitKey, type Key } from '../random/key.ts';
import { addNormal } from '../random/random.ts';
import { AnomalyWatch } from '../tensor/anomaly.ts';
import { capture, rehearse, type Captured } from '../tensor/capture.ts';
import { keep } from '../tensor/copy.ts';
import { unscoped } from '../tensor/scope.ts';
import { sameShape } from '../tensor/shape.ts';
import { backward } from '../tensor/tape.ts';
import { clear, empty, tensor, zeros, Tensor } from '../tensor/tensor.ts';
import type { Loss, LossFunction } from '../losses/loss.ts';
import { LossLog } from './loss-log.ts';
import { claimsOf, firstBad, stepsPerEpoch } from './run-checks.ts';

/** Options that `fit` and {@link TrainingStep} share. */
export interface TrainingOptions {
  /**
   * Of logits and labels, such as crossEntropyLoss() or a function of your own. Exactly one of `loss` and `objective`
   * is given.
   */
  loss?: Loss | LossFunction | undefined;
  /**
   * Of inputs, labels and the model, such as smoothMix(); class weights of schedules need one around a loss, such as
   * mixed().
   */
  objective?: Objective | undefined;
  optimizer: Optimizer;
  /** A running average of the weights of this model, such as `ema().for(model)`; whoever made it frees it. */
  weightAverage?: AveragedWeights | undefined;
  /**
   * State of `optimizer` for this model, for a caller who saves or restores it. Default: a new one, freed at the end.
   */
  state?: OptimizerState | undefined;
  /**
   * 'mixed': in the training passes and their gradients products round their operands to f16; weights, sums and all
   * else stay f32. The loss is scaled, and a step with gradients that are not finite is skipped: see
   * {@link LossScale}. `evaluate` of an objective stays f32. Default: 'f32'.
   */
  precision?: Precision | undefined;
  /**
   * The loss scale of precision 'mixed', for a caller who saves or restores it. Default: a new one, freed at the end.
   */
  gradScaler?: LossScale | undefined;
  /** Default: 128. The last batch of an epoch may be smaller. */
  batchSize?: number | undefined;
  /**
   * Batches whose gradients a step adds up, for batches that memory does not hold: the step is that of one batch of all
   * their rows, in schedules and reports too, except for statistics of a batch, such as those of batch norm. The last
   * step of an epoch may have fewer. Default: 1.
   */
  accumulate?: number | undefined;
  /** Leave out the last batch of an epoch where it is smaller: batch norm cannot train on one row. Default: false. */
  dropLast?: boolean | undefined;
  /** Standard deviation of normal noise added to each input, fresh in every step. Default: 0. */
  inputNoise?: number | undefined;
  /** A random change of each batch before the noise, such as cropFlip(), fresh in every step. */
  augment?: Augmentation | undefined;
  /** Of the order, the noise, and the parameters if the model is not initialised yet. Default: 0. */
  seed?: number | undefined;
  /**
   * Inspect every result and gradient of every step, and reject with the op that first produced a NaN or an infinity.
   * Slow. Default: false.
   */
  detectAnomaly?: boolean | undefined;
}

/** Options of {@link TrainingStep}, whose owner calls `prepare` of an objective and of an average before each `run`. */
export interface TrainingStepOptions extends TrainingOptions {
  /** Whether class weights of the loss change in the run, so that no other may use it. Default: false. */
  setsClassWeight?: boolean | undefined;
  /** Steps done before, for a run that goes on. Default: 0. */
  stepsDone?: number;
}

/** Inputs as the loss sees them, labels, indices and state of a batch. */
type Batch = [input: Tensor, y: Tensor<'i32'>, index: Tensor<'u32'>, state: StepState];

/**
 * The captured step of `fit`: take a batch by index, add noise, forward, loss, backward, update, log. What varies lies
 * in small device buffers that `run` writes: the step state and the optimiser's rates. One submit a step. It holds the
 * parameters of the model, and a loss or objective with state, for itself until it is disposed.
 */
export class TrainingStep {
  readonly #model: Sequential;
  readonly #options: TrainingStepOptions &
    Required<Pick<TrainingOptions, 'batchSize' | 'accumulate' | 'inputNoise' | 'seed'>>;
  readonly #gpu: Gpu;
  readonly #watch: AnomalyWatch | null;
  readonly #augmentKey: Key;
  readonly #noiseKey: Key;
  readonly #dropoutKey: Key;
  readonly #objectiveKey: Key;
  readonly #x: Tensor;
  readonly #y: Tensor<'i32'>;
  readonly #labels: Int32Array;
  readonly #order: Tensor<'u32'>;
  /** That of each batch of a step. */
  readonly #states: readonly StepState[];
  readonly #log: LossLog;
  /** Labels outside the classes that this run met. */
  readonly #invalid: Tensor<'u32'>;
  readonly #claims: readonly [model: Claim, ...rest: Claim[]];
  readonly #at: { epoch: Tensor; step: Tensor };
  readonly #optimizer: OptimizerState;
  /** null: f32. */
  readonly #scaler: LossScale | null;
  readonly #steps = new Map<number, Captured<void>>();
  /** Layers whose computation may change from step to step. */
  readonly #changing: readonly Layer[];
  /** The computation, and the frozen parameters, that `#steps` were captured under. */
  #graph = '';
  #count: number;

  constructor(model: Sequential, data: Dataset, options: TrainingStepOptions) {
    this.#model = model;
    const { batchSize = 128, accumulate = 1, inputNoise = 0, seed = 0, weightAverage } = options;
    this.#options = { ...options, batchSize, accumulate, inputNoise, seed };
    if (weightAverage && typeof weightAverage.isOf !== 'function')
      throw new TypeError('fit: weightAverage is bound to no model, expected for example ema().for(model)');
    if (weightAverage?.isOf(model.arena) === false)
      throw new Error('fit: weightAverage is that of another model, or of this one before it was initialised anew');
    expectPrecisionOptions(model, options);
    this.#claims = claimsOf(model, options);
    this.#gpu = model.arena.values.gpu;
    this.#changing = [...walkLayers(model)].map(([, layer]) => layer).filter((layer) => layer.graph !== undefined);
    this.#augmentKey = splitKey(key(seed), PURPOSE.augmentation);
    this.#noiseKey = splitKey(key(seed), PURPOSE.inputNoise);
    this.#dropoutKey = splitKey(key(seed), PURPOSE.dropout);
    this.#objectiveKey = splitKey(key(seed), PURPOSE.objective);
    this.#labels = data.y;
    const gpu = this.#gpu;
    let watch: AnomalyWatch | null = null;
    try {
      watch = options.detectAnomaly ? new AnomalyWatch(gpu) : null;
      [this.#x, this.#y, this.#order, this.#states, this.#log, this.#invalid, this.#at, this.#scaler, this.#optimizer] =
        unscoped(() => [
          tensor(data.x, { gpu }),
          tensor(data.y, { dtype: 'i32', gpu }),
          empty([data.y.length], { dtype: 'u32', gpu }),
          Array.from({ length: accumulate }, () => stepState(gpu)),
          new LossLog(gpu, { batches: accumulate, first: options.stepsDone ?? 0, precision: options.precision }),
          tensor([0], { dtype: 'u32', gpu }),
          { epoch: zeros([], { gpu }), step: zeros([], { gpu }) },
          options.precision === 'mixed' ? (options.gradScaler ?? gradScaler(model)) : null,
          options.state ?? options.optimizer.for(model),
        ]);
    } catch (error) {
      watch?.dispose();
      for (const claim of this.#claims) claim.release();
      throw error;
    }
    this.#watch = watch;
    this.#count = options.stepsDone ?? 0;
  }

  /** Dispatches of one full step. */
  get dispatches(): number {
    return this.#steps.get(this.#rowsOf(0))?.dispatches ?? 0;
  }

  /** The loss scale of mixed precision; null: f32. */
  get gradScaler(): LossScale | null {
    return this.#scaler;
  }

  /** State of the optimiser, as the steps so far left it. */
  get optimizer(): OptimizerState {
    return this.#optimizer;
  }

  /** Rows of step `i` of an epoch. */
  #rowsOf(i: number): number {
    const { batchSize, accumulate, dropLast } = this.#options;
    const n = this.#labels.length;
    const used = dropLast ? n - (n % batchSize) : n;
    return Math.min(batchSize * accumulate, used - i * batchSize * accumulate);
  }

  /** Steps of an epoch. */
  get stepsPerEpoch(): number {
    return stepsPerEpoch(this.#labels.length, this.#options);
  }

  /** Lets others borrow the weights until it is given false, which throws an Error when one of them still has them. */
  set isWaiting(on: boolean) {
    const [model] = this.#claims;
    model.isWaiting = on;
    if (!on && !model.isTop)
      throw new Error(
        `fit: ${holderOf(this.#model.arena)!.by} has the weights of the model, expected onEpoch to await it`,
      );
  }

  /**
   * Throws a ShapeError where the last batch of an epoch has one row, which the model or the loss cannot take. Nothing
   * runs on the device.
   */
  expectRows(): void {
    const { batchSize } = this.#options;
    const n = this.#labels.length;
    const last = this.#rowsOf(this.stepsPerEpoch - 1) % batchSize;
    if (last !== 1 && batchSize !== 1) return;
    try {
      rehearse(() => this.#value(...this.#batch(1, this.#states[0]!)), this.#gpu);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      const [which, todo] =
        batchSize === 1
          ? ['each batch', 'take a larger batchSize']
          : n === 1
            ? ['the dataset', 'add more']
            : ['the last batch of an epoch', 'pass dropLast: true, or another batchSize'];
      error.message = `fit: ${which} has 1 row: ${error.message}; ${todo}`;
      throw error;
    }
  }

  /** The order in which an epoch visits the samples. */
  setOrder(order: ArrayLike<number>): void {
    this.#order.write(order);
  }

  /** Runs step `i` of the epoch with the rate `lr`, and the momentum where a schedule cycles it. */
  run(i: number, lr: number, momentum?: number): void {
    const { batchSize, accumulate } = this.#options;
    const rows = this.#rowsOf(i);
    this.#log.note(
      this.#count,
      this.#split(rows).map((size) => this.#shareOf(size, rows)),
    );
    setRates(this.#optimizer, lr, momentum ?? this.#options.optimizer.momentum);
    this.#states.forEach((state, k) => {
      writeState(state, {
        // Noise and dropout are numbered by sample over the whole run.
        first: ((this.#count * accumulate + k) * batchSize) >>> 0,
        stream: 0,
        position: (i * accumulate + k) * batchSize,
        log: this.#log.placeOf(this.#count, k),
      });
    });
    if (this.#options.objective) {
      this.#at.epoch.write([Math.floor(this.#count / this.stepsPerEpoch)]);
      this.#at.step.write([this.#count]);
    }
    this.#count++;
    const frozen = Array.from(this.#model.arena.parameters.values(), (p) => Number(!p.requiresGrad));
    this.#forgetOthers([...this.#changing.map((layer) => layer.graph), frozen.join('')].join());
    const known = this.#steps.get(rows);
    if (known) known.run();
    else
      this.#steps.set(
        rows,
        capture(() => this.#quietly(() => this.#record(rows)), { gpu: this.#gpu }),
      );
  }

  /** Frees the steps that were captured under another graph, or with other parameters frozen. */
  #forgetOthers(graph: string): void {
    if (graph === this.#graph) return;
    for (const step of this.#steps.values()) step.dispose();
    this.#steps.clear();
    this.#graph = graph;
  }

  /** Records with the counter, and the watch, of this run. */
  #quietly(record: () => void): void {
    countingInvalidLabels(this.#invalid, () => (this.#watch ? this.#watch.run(record) : record()));
  }

  /** Inputs as the loss sees them, labels, indices and state of a batch. */
  #batch(rows: number, state: StepState): Batch {
    const { inputNoise, augment } = this.#options;
    const { x: taken, y, index } = takeBatch(this.#x, this.#y, this.#order, state, rows);
    const x = augment ? augment(taken, { key: this.#augmentKey, first: state }) : taken;
    if (!sameShape(x.shape, taken.shape))
      throw new ShapeError(`fit: augment gave shape [${x.shape}], expected that of the batch, [${taken.shape}]`);
    const input = inputNoise > 0 ? addNormal(x, this.#noiseKey, { std: inputNoise, first: state }) : x;
    return [input, y, index, state];
  }

  /** Rows of each batch of a step of `rows` rows. */
  #split(rows: number): number[] {
    const { batchSize } = this.#options;
    return Array.from({ length: Math.ceil(rows / batchSize) }, (_, k) => Math.min(batchSize, rows - k * batchSize));
  }

  #record(rows: number): void {
    const batches: Batch[] = [];
    for (const [k, size] of this.#split(rows).entries()) {
      const state = this.#states[k]!;
      const batch = this.#batch(size, state);
      logLoss(this.#gradients(batch, rows, k > 0), this.#log.losses, state);
      batches.push(batch);
    }
    (this.#scaler ?? unscaled).step(this.#optimizer, () => this.#again(batches, rows));
    this.#options.weightAverage?.step();
  }

  /** A second pass over the same batches; running statistics keep the values of the first one. */
  #again(batches: readonly Batch[], rows: number): void {
    const restore = keep(this.#model.namedBuffers.values());
    batches.forEach((batch, k) => void this.#gradients(batch, rows, k > 0));
    restore();
  }

  /**
   * Forward and backward of a batch at the weights as they are; returns its loss. Its share of the gradient of a step
   * of `rows` rows is put in the place of what is there, or added to it.
   */
  #gradients(batch: Batch, rows: number, accumulate: boolean): Tensor {
    const value = this.#value(...batch);
    const { grads, parameters } = this.#model.arena;
    if (!accumulate) for (const p of parameters.values()) p.grad = null;
    const share = this.#shareOf(batch[0].shape[0]!, rows);
    const loss = share === 1 ? value : mul(value, share);
    backward(this.#scaler ? this.#scaler.scale(loss) : loss, { accumulate });
    // A loss that reaches no parameter of the model leaves its arena alone: those gradients would be of an older pass.
    if (![...parameters.values()].some((p) => p.grad)) clear(grads);
    return value;
  }

  /** What the loss of a batch counts for in that of a step of `rows` rows: sums are added, means by their rows. */
  #shareOf(size: number, rows: number): number {
    const { loss } = this.#options;
    return loss && 'reduction' in loss && loss.reduction === 'sum' ? 1 : size / rows;
  }

  /** The loss, a scalar. */
  #value(...[input, y, index, state]: Batch): Tensor {
    const { loss, objective } = this.#options;
    let calls = 0;
    const forward: ObjectiveInputs['forward'] = (x, options) =>
      this.#forward(x, [input.shape[0]!, state], calls++, options);
    const random = { key: this.#objectiveKey, first: state };
    const value = objective
      ? objective({ x: input, y, index, forward, evaluate: (x) => this.#evaluate(x), random, at: this.#at })
      : loss!(forward(input), y);
    if (!(value instanceof Tensor))
      throw new TypeError(
        `fit: the ${objective ? 'objective' : 'loss'} gives ${typeof value}, expected a scalar tensor; is it ` +
          'one of evenkeel? then call it first, as in crossEntropyLoss()',
      );
    if (value.size !== 1)
      throw new ShapeError(
        `fit: the ${objective ? 'objective' : 'loss'} has shape [${value.shape}], expected a scalar; use ` +
          `reduction 'mean'`,
      );
    return value;
  }

  /** Logits in training mode. Each call in a step has dropout masks of its own, and so has each copy of a sample. */
  #forward(
    x: Tensor,
    [batch, state]: [number, StepState],
    call: number,
    options: Parameters<ObjectiveInputs['forward']>[1] = {},
  ): Tensor {
    const copies = Math.ceil(x.shape[0]! / batch);
    const key = call === 0 ? this.#dropoutKey : splitKey(this.#dropoutKey, 2 ** 32 + call);
    const first = copies === 1 ? state : mul(state, copies);
    const { precision = 'f32' } = this.#options;
    return this.#expectLogits(
      this.#model.forward(x, { training: true, random: { key, first }, precision, ...options }),
    );
  }

  /** Logits in evaluation mode; the parameters are constants, so that a gradient goes to the input alone. */
  #evaluate(x: Tensor): Tensor {
    return this.#expectLogits(frozen(this.#model).forward(x));
  }

  /** Checked when the step is recorded: not every loss counts labels that lie outside. */
  #expectLogits(logits: Tensor): Tensor {
    if (logits.rank !== 2)
      throw new ShapeError(`fit: the model gives shape [${logits.shape}], expected (batch, classes)`);
    refuseLabels(this.#labels.reduce((n, label) => n + Number(label >= logits.shape[1]!), 0));
    return logits;
  }

  /** The losses of the last `count` steps that were not read yet, oldest first. */
  async readLosses(count: number): Promise<Float32Array> {
    const losses = this.#log.read(count);
    // An anomaly says more than the loss that came of it.
    losses.catch(() => {});
    await this.#watch?.check();
    return losses;
  }

  /**
   * Rejects when the device met a label outside the classes of the model, and with a NonFiniteError, naming it, when
   * the bits of a parameter, a gradient or a running statistic are not those of a finite number. Losses alone do not
   * tell.
   */
  async check(): Promise<void> {
    const [invalid, bad, isExhausted] = await Promise.all([
      this.#invalid.read(),
      firstBad(this.#model),
      this.#scaler?.isExhausted(),
    ]);
    refuseLabels(invalid[0]!);
    if (isExhausted)
      throw new NonFiniteError(
        `fit: the gradients are not finite at the least loss scale either, so that steps up to ${this.#count} were ` +
          'skipped; lower the learning rate, check the inputs, or train in f32',
      );
    if (bad)
      throw new NonFiniteError(
        `fit: ${bad} is not finite after step ${this.#count}; lower the learning rate, or check the inputs`,
      );
  }

  dispose(): void {
    for (const step of this.#steps.values()) step.dispose();
    this.#watch?.dispose();
    for (const held of this.#claims) held.release();
    if (!this.#options.state) this.#optimizer.dispose();
    if (!this.#options.gradScaler) this.#scaler?.dispose();
    const { epoch, step } = this.#at;
    for (const t of [this.#x, this.#y, this.#order, ...this.#states, this.#log, this.#invalid, epoch, step])
      t.dispose();
  }

  [symbolDispose](): void {
    this.dispose();
  }
}

/** A step in f32, as a {@link LossScale} does it. */
const unscaled: Pick<LossScale, 'step'> = { step: (state, closure) => state.step(closure) };

/** Throws where a loss scale is not that of the model, or something else does not go together with `precision`. */
function expectPrecisionOptions(model: Sequential, { precision, gradScaler, detectAnomaly }: TrainingOptions): void {
  if (detectAnomaly && precision === 'mixed')
    throw new TypeError(
      "fit: detectAnomaly with precision 'mixed', which takes gradients that are not finite as a sign to lower the " +
        'loss scale; look for anomalies in f32',
    );
  if (!gradScaler) return;
  if (precision !== 'mixed') throw new TypeError("fit: got a gradScaler without precision 'mixed', which needs one");
  if (typeof gradScaler.isOf !== 'function')
    throw new TypeError('fit: gradScaler is bound to no model, expected for example gradScaler(model)');
  if (!gradScaler.isOf(model.arena))
    throw new Error('fit: gradScaler is that of another model, or of this one before it was initialised anew');
}

function refuseLabels(count: number): void {
  if (count)
    throw new RangeError(
      `fit: ${count} labels lie outside the classes of the model; does its last layer have one output for each class?`,
    );
}
