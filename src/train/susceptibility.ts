import { any, atLeast, check, checkOptions, either, integer, oneOf } from '../check/check.ts';
import type { Moment } from '../check/moment.ts';
import type { Augmentation } from '../data/augment.ts';
import { makeDataset, subset } from '../data/dataset.ts';
import { random32, randomBelow, shuffledIndices } from '../data/shuffle.ts';
import { NonFiniteError, ShapeError } from '../gpu/errors.ts';
import type { Sequential } from '../nn/sequential.ts';
import { stack } from '../ops/concat.ts';
import { crossEntropy } from '../ops/cross-entropy.ts';
import { toLabels } from '../ops/labels.ts';
import { expectOptimizer, setRates, type Optimizer, type OptimizerState } from '../optim/optimizer.ts';
import { key, PURPOSE, splitKey } from '../random/key.ts';
import { keep } from '../tensor/copy.ts';
import type { NdArray } from '../tensor/ndarray.ts';
import { scope } from '../tensor/scope.ts';
import { sameShape } from '../tensor/shape.ts';
import { backward, noGrad } from '../tensor/tape.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Loss, LossFunction } from '../losses/loss.ts';

/** Inputs of probes; labels are read only where the probe asks for them. */
export interface ProbeInputs {
  /** (n, ...features). */
  x: NdArray<Float32Array>;
  y?: ArrayLike<number>;
  numClasses: number;
}

/**
 * The batch of the probe of an epoch, from 0: inputs (batch, ...features), and a label for each. A pure function of the
 * epoch.
 */
export type ProbeSource = (epoch: number) => { x: NdArray; y: ArrayLike<number> };

/** Options of {@link susceptibility}. */
export interface SusceptibilityOptions {
  /**
   * Of a batch out of given inputs. 'fresh': drawn from all classes alike for each probe, the true class included.
   * 'fixed': drawn once for each input. 'given': those of the inputs. Default: 'fresh'.
   */
  probeLabels?: 'fresh' | 'fixed' | 'given';
  /** Samples of a probe, drawn without replacement, afresh for each; at most all of the inputs. Default: 128. */
  batchSize?: number;
  /**
   * Takes the step with a new state, at its own rate under the schedules of the run: `sgd({ lr })` leaves momentum and
   * weight decay out. Default: the optimiser of the run with its state, as in the authors' code.
   */
  optimizer?: Optimizer;
  /** A random change of the batch, such as cropFlip(); both losses see the same. */
  augment?: Augmentation;
  /**
   * Of logits (batch, classes) and labels, a scalar; its creator frees it. Default: cross-entropy, as in the
   * authors' code.
   */
  loss?: Loss | LossFunction;
  /** Probes of `fit`: before every so many steps, from the first on. Default: before every epoch. */
  everySteps?: number;
  /** Whether dropout draws anew for the loss after the step, as in the authors' code. Default: 'redrawn'. */
  masks?: 'redrawn' | 'same';
  /** Of batches, labels, augmentation and dropout. Default: 0. */
  seed?: number;
}

/** Options of a single probe, `measure`. */
export interface MeasureOptions {
  /** State of the optimiser of the run; needed unless the probe has an optimiser of its own. */
  state?: OptimizerState;
  /** Rate of the step. */
  lr: number;
  /** Momentum of the step, where a schedule cycles it. */
  momentum?: number | undefined;
  /** Default: the number of probes so far. */
  epoch?: number;
}

/** What one probe found. */
export interface ProbeResult {
  /** Of the probe; with `everySteps` the number of the probe, from 0. */
  epoch: number;
  /** Loss of the batch before the step, and after it. */
  before: number;
  after: number;
  /** before - after: what one step learns of random labels. */
  drop: number;
  /** Mean of the drops so far. */
  zeta: number;
  lr: number;
}

/**
 * Streams of probes: the order of the inputs and the labels of each epoch, and labels that stay. Those below belong to
 * samplers.
 */
const PROBES = 2 ** 52;
const FIXED = PROBES + 2 ** 51;

/**
 * The susceptibility of a model in training; see {@link susceptibility}. It holds its results and no device memory, and
 * may go through several runs of `fit` that continue one another.
 */
export class Susceptibility {
  readonly #results: ProbeResult[] = [];
  /** Probes whose numbers are still awaited: overlapping ones take batches of their own. */
  #underWay = 0;
  readonly #source: ProbeSource;
  readonly #options: SusceptibilityOptions;

  constructor(source: ProbeSource, options: SusceptibilityOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** What was measured so far, oldest first. */
  get results(): readonly ProbeResult[] {
    return this.#results;
  }

  /** The results, for saving. */
  state(): ProbeResult[] {
    return [...this.#results];
  }

  /** Puts back saved results, in place of its own. */
  setState(results: readonly ProbeResult[]): void {
    this.#results.splice(0, Infinity, ...results);
  }

  /** Mean of all drops so far; NaN before the first. */
  get zeta(): number {
    return this.#results.at(-1)?.zeta ?? NaN;
  }

  /** The optimiser of its own, where it has one. */
  get optimizer(): Optimizer | undefined {
    return this.#options.optimizer;
  }

  /** The number of the probe that is due before the step at hand, which chooses its batch; null where none is. */
  dueAt({ step, epoch, stepsPerEpoch }: Omit<Moment, 'epochs'>): number | null {
    const { everySteps } = this.#options;
    if (everySteps === undefined) return step === epoch * stepsPerEpoch ? epoch : null;
    return step % everySteps === 0 ? step / everySteps : null;
  }

  /**
   * One probe, in training mode: loss, step, loss. Parameters, gradients, buffers, the state of the optimiser and the
   * stream of dropout are then what they were, bit for bit, also when it fails. Two numbers are read back.
   */
  async measure(
    model: Sequential,
    { state, lr, momentum, epoch = this.#results.length + this.#underWay }: MeasureOptions,
  ): Promise<ProbeResult> {
    const { x, y } = this.#source(epoch);
    if (!(x.length > 0))
      throw new ShapeError(
        `susceptibility: the batch of epoch ${epoch} has shape [${x.shape}], expected at least one sample`,
      );
    if (y.length !== x.length)
      throw new ShapeError(
        `susceptibility: the batch of epoch ${epoch} has ${y.length} labels, expected ${x.length}, one per sample`,
      );
    check('susceptibility', { lr }, { lr: atLeast(0) });
    const own = this.optimizer?.for(model);
    const stepper = own ?? state;
    if (!stepper)
      throw new TypeError(
        'susceptibility: got no state of an optimiser, expected that of the run, or the option optimizer',
      );
    const read = async (): Promise<Float32Array> => {
      try {
        return scope(() => ({ losses: this.#probe(model, stepper, { x, y, lr, momentum, epoch }).read() })).losses;
      } finally {
        own?.dispose();
      }
    };
    this.#underWay++;
    const [before, after] = (await read().finally(() => this.#underWay--)) as unknown as [number, number];
    if (!Number.isFinite(before) || !Number.isFinite(after)) {
      throw new NonFiniteError(
        `susceptibility: the loss of the batch of epoch ${epoch} is ${before} before the step and ${after} ` +
          'after it; lower the learning rate, or check the inputs',
      );
    }
    const drop = before - after;
    const zeta = (this.#results.reduce((sum, r) => sum + r.drop, 0) + drop) / (this.#results.length + 1);
    const result = { epoch, before, after, drop, zeta, lr };
    this.#results.push(result);
    return result;
  }

  /** Both losses, (2). */
  #probe(
    model: Sequential,
    stepper: OptimizerState,
    { x, y, lr, momentum, epoch }: { x: NdArray; y: ArrayLike<number>; epoch: number } & MeasureOptions,
  ): Tensor {
    const { masks = 'redrawn', augment, seed = 0, loss: of = crossEntropy } = this.#options;
    const { values, grads, parameters } = model.arena;
    const { gpu } = values;
    const root = splitKey(splitKey(key(seed), PURPOSE.probe), epoch);
    const place = (stream: number): Tensor<'u32'> => tensor([0, stream], { dtype: 'u32', gpu });
    const restore = keep([values, grads, ...model.namedBuffers.values(), ...Object.values(stepper.slots)]);
    const held = Array.from(parameters.values(), (p) => [p, p.grad] as const);
    const progress = { ...stepper.progress };
    const rates = { lr: stepper.lr, momentum: stepper.momentum };
    try {
      const taken = tensor(x, { gpu });
      const input = augment ? augment(taken, { key: splitKey(root, 1), first: place(0) }) : taken;
      if (!sameShape(input.shape, taken.shape))
        throw new ShapeError(
          `susceptibility: augment gave shape [${input.shape}], expected that of the batch, [${taken.shape}]`,
        );
      // Each pass draws its masks from a stream of its own.
      const loss = (stream: number): Tensor => {
        const logits = model.forward(input, {
          training: true,
          random: { key: splitKey(root, 0), first: place(stream) },
        });
        if (logits.rank !== 2)
          throw new ShapeError(`susceptibility: the model gives shape [${logits.shape}], expected (batch, classes)`);
        const value = of(logits, toLabels(this.#options.loss ? 'susceptibility' : 'crossEntropy', y, logits));
        if (value.size !== 1)
          throw new ShapeError(`susceptibility: the loss has shape [${value.shape}], expected a scalar`);
        return value;
      };
      const before = loss(0);
      backward(before);
      setRates(stepper, lr, momentum);
      stepper.step(() => backward(loss(2)));
      return noGrad(() => stack([before, loss(masks === 'same' ? 0 : 1)]));
    } finally {
      restore();
      for (const [p, grad] of held) p.grad = grad;
      Object.assign(stepper.progress, progress);
      setRates(stepper, rates.lr, rates.momentum);
    }
  }
}

/**
 * Susceptibility to noisy labels (Forouzesh, Sedghi, Thiran, ICLR 2023): before an epoch, one optimiser step on a batch
 * with random labels, undone at once; zeta is the mean over epochs of how far the step lowers the cross-entropy of that
 * batch. Low: the model resists memorising. Pass it to `fit({ probe })`, or call `measure`. `inputs`: unlabelled
 * inputs, a dataset, or a function that gives the batch of an epoch. Zeta grows with the rate, the scale of the logits
 * and the cleanness of the training labels: compare models that share data, schedule and batch size.
 */
export function susceptibility(inputs: ProbeInputs | ProbeSource, options: SusceptibilityOptions = {}): Susceptibility {
  checkOptions('susceptibility', options, {
    probeLabels: oneOf('fresh', 'fixed', 'given'),
    batchSize: integer(1),
    optimizer: any,
    augment: any,
    loss: any,
    everySteps: integer(1),
    masks: oneOf('redrawn', 'same'),
    seed: any,
  });
  const { optimizer, loss } = options;
  if (loss !== undefined && typeof loss !== 'function')
    throw new TypeError(`susceptibility: loss is ${String(loss)}, expected a loss such as crossEntropyLoss()`);
  if (optimizer !== undefined) expectOptimizer(optimizer, 'susceptibility: optimizer');
  return new Susceptibility(typeof inputs === 'function' ? inputs : batchesOf(inputs, options), options);
}

function batchesOf(
  inputs: ProbeInputs,
  { probeLabels = 'fresh', batchSize = 128, seed = 0 }: SusceptibilityOptions,
): ProbeSource {
  if (!(inputs?.x?.length > 0)) throw new ShapeError('susceptibility: there are no inputs, expected at least one');
  if (probeLabels === 'given' && !inputs.y)
    throw new TypeError("susceptibility: the inputs have no labels, expected some for labels: 'given'");
  const { numClasses, x } = inputs;
  const drawn = (count: number, stream: number): Int32Array => {
    const random = random32(seed, stream);
    return Int32Array.from({ length: count }, () => randomBelow(random, numClasses));
  };
  const pool = makeDataset(
    x,
    probeLabels === 'given' ? inputs.y! : probeLabels === 'fixed' ? drawn(x.length, FIXED) : new Int32Array(x.length),
    { numClasses },
  );
  return (epoch) => {
    const batch = subset(pool, shuffledIndices(x.length, seed, PROBES + 2 * epoch).subarray(0, batchSize));
    return probeLabels === 'fresh' ? { x: batch.x, y: drawn(batch.x.length, PROBES + 2 * epoch + 1) } : batch;
  };
}

/** Options of {@link susceptibilityCurve}. */
export interface CurveOptions {
  /** What each drop is divided by: nothing, the rate of its step, or the loss before it. Default: 'none'. */
  normalize?: 'none' | 'lr' | 'loss';
  /** Mean over the last `window` probes. Default: over all. */
  window?: number;
  /**
   * 'mean': zeta[t] = (r_0 + ... + r_t) / (t + 1). 'plotted': without r_0 but divided by as many, as the authors' plots
   * have it. Default: 'mean'.
   */
  rule?: 'mean' | 'plotted';
}

/** The course of zeta over the probes of a run. */
export function susceptibilityCurve(
  results: readonly Pick<ProbeResult, 'drop' | 'before' | 'lr'>[],
  options: CurveOptions = {},
): number[] {
  checkOptions('susceptibilityCurve', options, {
    normalize: oneOf('none', 'lr', 'loss'),
    window: either(integer(1), oneOf(Infinity)),
    rule: oneOf('mean', 'plotted'),
  });
  const { normalize = 'none', window = Infinity, rule = 'mean' } = options;
  const drops = results.map(({ drop, before, lr }, t) => {
    const unit = normalize === 'lr' ? lr : normalize === 'loss' ? before : 1;
    if (!(unit > 0))
      throw new RangeError(
        `susceptibilityCurve: ${normalize === 'lr' ? 'the rate' : 'the loss before the step'} of result ${t} ` +
          `is ${unit}, expected a number above 0 to divide by`,
      );
    return rule === 'plotted' && t === 0 ? 0 : drop / unit;
  });
  return drops.map((_, t) => {
    const last = drops.slice(Math.max(0, t + 1 - window), t + 1);
    return last.reduce((sum, r) => sum + r, 0) / last.length;
  });
}

/** Where a model of a pool stands: 1 trainable and resistant, 2 trainable, 3 resistant, 4 neither. */
export type Region = 1 | 2 | 3 | 4;

/** A pool of models, divided. */
export interface PoolSelection {
  /** Means over the pool. */
  thresholds: { zeta: number; accuracy: number };
  /** Of each model. */
  regions: Region[];
  /** The models of region 1, in the order of the pool; there need not be any. */
  selected: number[];
}

/**
 * Divides models, trained on the same data, by the means of zeta and of the accuracy on their own noisy training
 * labels: resistant with zeta at most the mean, trainable with an accuracy of at least the mean. Select those that are
 * both.
 */
export function selectBySusceptibility(pool: readonly { zeta: number; accuracy: number }[]): PoolSelection {
  if (pool.length === 0) throw new RangeError('selectBySusceptibility: the pool is empty, expected at least one model');
  const mean = (name: 'zeta' | 'accuracy'): number => {
    const bad = pool.findIndex((model) => !Number.isFinite(model[name]));
    if (bad >= 0)
      throw new RangeError(
        `selectBySusceptibility: ${name} of model ${bad} is ${pool[bad]![name]}, expected a finite number`,
      );
    return pool.reduce((sum, model) => sum + model[name], 0) / pool.length;
  };
  const thresholds = { zeta: mean('zeta'), accuracy: mean('accuracy') };
  // The mean of equal numbers may differ from them by rounding.
  const atMost = (a: number, b: number): boolean => a - b <= 1e-12 * Math.abs(b);
  const regions = pool.map(({ zeta, accuracy }): Region => {
    const isResistant = atMost(zeta, thresholds.zeta);
    return atMost(thresholds.accuracy, accuracy) ? (isResistant ? 1 : 2) : isResistant ? 3 : 4;
  });
  return { thresholds, regions, selected: regions.flatMap((region, i) => (region === 1 ? [i] : [])) };
}
