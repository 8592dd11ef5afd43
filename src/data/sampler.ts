import { any, checkOptions, integer } from '../check/check.ts';
import type { Moment } from '../check/moment.ts';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { classProbabilities, normalized, progressiveProbabilities, type SamplingRule } from './class-probabilities.ts';
import { indicesByClass, type Dataset } from './dataset.ts';
import { random32, randomBelow, randomUnit, shuffledIndices, type Random32 } from './shuffle.ts';

/** The epoch that a sampler draws for, and the seed of the run. */
export interface SampledEpoch extends Pick<Moment, 'epoch' | 'epochs'> {
  seed: number;
}

/** The labels of a training set. */
export type Labelled = Pick<Dataset, 'y' | 'numClasses' | 'classCounts'>;

/**
 * The order in which an epoch visits the samples: exactly n indices into a set of n, which may repeat. A pure function
 * of the labels, the epoch and the seed, so that a run that goes on later draws the same.
 */
export type Sampler = (data: Labelled, at: SampledEpoch) => Uint32Array<ArrayBuffer>;

/**
 * First streams of orders and of draws by class; those of class-aware rounds lie above, those below belong to the
 * builders of datasets.
 */
const EPOCHS = 2 ** 32;
const DRAWS = 2 ** 33;

/** Every sample once, in random order: what `fit` does without a sampler. */
export function instanceSampler(): Sampler {
  return ({ y }, { epoch, seed }) => shuffledIndices(y.length, seed, EPOCHS + epoch);
}

/** n draws with replacement: a class by `probabilities`, then one of its samples, all alike. */
export function drawByClass(
  data: Labelled,
  probabilities: ArrayLike<number>,
  { epoch, seed }: SampledEpoch,
): Uint32Array<ArrayBuffer> {
  const groups = indicesByClass(data);
  // An empty class cannot be drawn, whatever its probability.
  const present = normalized(Float64Array.from(groups, (group, c) => (group.length > 0 ? probabilities[c]! : 0)));
  const upTo = cumulative(present);
  const random = random32(seed, DRAWS + epoch);
  return Uint32Array.from({ length: data.y.length }, () => {
    const group = groups[pick(upTo, random)]!;
    return group[randomBelow(random, group.length)]!;
  });
}

/** Sums up to and with each entry, as thresholds for {@link pick}. */
export function cumulative(probabilities: Float64Array): Float64Array {
  let sum = 0;
  const out = probabilities.map((p) => (sum += p));
  // Rounding must not leave a gap above the last class that can be drawn.
  let last = probabilities.length - 1;
  while (last > 0 && probabilities[last] === 0) last--;
  return out.fill(1, last);
}

/** The first c with u < upTo[c], u uniform in [0, 1) with 53 bits. */
export function pick(upTo: Float64Array, random: Random32): number {
  const u = randomUnit(random);
  let [low, high] = [0, upTo.length - 1];
  while (low < high) {
    const mid = (low + high) >>> 1;
    if (u < upTo[mid]!) high = mid;
    else low = mid + 1;
  }
  return low;
}

/** Options of {@link classSampler}. */
export interface ClassSamplerOptions {
  rule: SamplingRule;
  /** Of 'effectiveNumber'. Default: 0.9999. */
  beta?: number;
}

/**
 * n draws with replacement in each epoch: a class by the rule of {@link classProbabilities}, then one of its samples.
 */
export function classSampler(options: ClassSamplerOptions): Sampler {
  expectOptions('classSampler', options, ['rule', 'beta']);
  const { rule, beta = 0.9999 } = options;
  classProbabilities([1], rule, { beta });
  return (data, at) => drawByClass(data, classProbabilities(data.classCounts, rule, { beta }), at);
}

/** Every class equally often, by draws with replacement. */
export function classBalancedSampler(): Sampler {
  return classSampler({ rule: 'balanced' });
}

/** A class in proportion to the square root of its size, by draws with replacement (Mahajan et al., ECCV 2018). */
export function squareRootSampler(): Sampler {
  return classSampler({ rule: 'squareRoot' });
}

/**
 * From instance-balanced draws in the first epoch to class-balanced ones in the last: t = epoch / (epochs - 1) of
 * {@link progressiveProbabilities} (Kang et al., ICLR 2020). All draws are with replacement.
 */
export function progressiveSampler(): Sampler {
  return (data, at) =>
    drawByClass(
      data,
      progressiveProbabilities(data.classCounts, at.epochs > 1 ? Math.min(1, at.epoch / (at.epochs - 1)) : 1),
      at,
    );
}

/** Options of {@link drs}. */
export interface DrsOptions {
  /** First epoch, from 0, that is re-sampled. Default: 160, as the published runs of 200 epochs. */
  from?: number;
  /** The sampler from then on. Default: {@link classBalancedSampler}. */
  sampler?: Sampler;
}

/** Deferred re-sampling: every sample once before epoch `from`, then `sampler` (Cao et al., LDAM, NeurIPS 2019). */
export function drs(options: DrsOptions = {}): Sampler {
  checkOptions('drs', options, { from: integer(0), sampler: any });
  const { from = 160, sampler = classBalancedSampler() } = options;
  const before = instanceSampler();
  return (data, at) => (at.epoch < from ? before : sampler)(data, at);
}

/**
 * The order of an epoch, by `sampler` or every sample once. Throws ShapeError or RangeError unless it is n indices in
 * 0..n-1.
 */
export function epochOrder(sampler: Sampler | undefined, data: Labelled, at: SampledEpoch): Uint32Array<ArrayBuffer> {
  const order = (sampler ?? instanceSampler())(data, at);
  expectOrder('the sampler', order, data.y.length);
  return order;
}

/** Throws ShapeError or RangeError unless `order`, which `who` gave, is n indices in 0..n-1. */
export function expectOrder(who: string, order: ArrayLike<number>, n: number): void {
  if (order.length !== n)
    throw new ShapeError(`fit: ${who} gave ${order.length} indices, expected ${n}, as many as there are samples`);
  for (let i = 0; i < n; i++)
    if (!(order[i]! < n))
      throw new RangeError(`fit: ${who} gave the index ${order[i]} at ${i}, expected one below ${n}`);
}
