import { indicesByClass, makeDataset, subset, type Dataset } from './dataset.ts';
import { cumulative, pick } from './sampler.ts';
import { random32, randomBelow, shuffledIndices, shuffleInPlace, type Random32 } from './shuffle.ts';
import { confusions, confusionTransition, expectRate, relabellingTransition, symmetricTransition, type ConfusionName, type Confusions, type Transition } from './transition.ts';
import { sizeOf } from '../tensor/shape.ts';
import { NdArray } from '../tensor/ndarray.ts';

/** What a noise model reads of a training set. */
export type CleanLabels = Pick<Dataset, 'y' | 'numClasses'>;

/** Labels with noise; the clean ones stay as they are. A training set of them: `makeDataset(data.x, y, data)`. */
export interface NoisyLabels {
  y: Int32Array<ArrayBuffer>;
  /** 1 where the label is wrong. */
  mask: Uint8Array<ArrayBuffer>;
}

/** Noise that depends on the class alone. */
export interface ClassNoise extends NoisyLabels {
  /** Expected probability of each noisy label (column) given the clean one (row), for classes of equal size. */
  transition: Transition;
}

/** Rate and seed of a noise model. */
export interface NoiseOptions {
  /** Share of the labels that the model takes up, in 0..1. */
  rate: number;
  /** Default: 0. */
  seed?: number;
}

/** First stream of the noise models; each class of a model has one of its own. */
const STREAMS = 2 ** 24;

/** The random numbers of a noise model. */
export function noiseStream(seed: number, stream = 0): Random32 {
  return random32(seed, STREAMS + stream);
}

/** floor(share n), where 0.29 * 100 is 29. */
export function countOf(share: number, n: number): number {
  return Math.floor(share * n + 1e-9);
}

/** The wrong labels marked. */
export function marked({ y: clean }: CleanLabels, y: Int32Array<ArrayBuffer>): NoisyLabels {
  return { y, mask: Uint8Array.from(y, (label, i) => Number(label !== clean[i])) };
}

/** Throws RangeError, naming `where`, on clean labels outside the classes. */
function checkClean(where: string, { y, numClasses }: CleanLabels): void {
  const bad = y.findIndex((label) => !(label >= 0 && label < numClasses));
  if (bad >= 0) throw new RangeError(`${where}: y[${bad}] is ${y[bad]}, expected an integer in 0..${numClasses - 1}`);
}

function at(data: CleanLabels, indices: Iterable<number>, label: (clean: number) => number): NoisyLabels {
  const y = Int32Array.from(data.y);
  for (const i of indices) y[i] = label(y[i]!);
  return marked(data, y);
}

/** Options of {@link symmetricNoise}. */
export interface SymmetricNoiseOptions extends NoiseOptions {
  /**
   * Which labels are flipped. 'exactCount': floor(rate n) of all, so that the rate is met exactly (LogitClip, alpha-loss).
   * 'classBalanced': floor(rate n / classes) of each class, at most all of it (ALFs, APL). 'bernoulli': each with
   * probability `rate` (phuber). Default: 'exactCount'.
   */
  draw?: 'exactCount' | 'classBalanced' | 'bernoulli';
}

/** Labels flipped to another class, every other class alike; a flipped label is always wrong. Two classes at least. */
export function symmetricNoise(data: CleanLabels, { rate, seed = 0, draw = 'exactCount' }: SymmetricNoiseOptions): ClassNoise {
  const transition = symmetricTransition(data.numClasses, rate);
  checkClean('symmetricNoise', data);
  if (draw === 'bernoulli') return transitionNoise(data, transition, { seed });
  const random = noiseStream(seed);
  const other = (clean: number): number => (clean + 1 + randomBelow(random, data.numClasses - 1)) % data.numClasses;
  if (draw === 'classBalanced') {
    const each = countOf(rate, data.y.length / data.numClasses);
    return { ...at(data, ofEachClass(data, seed, () => each), other), transition };
  }
  if (draw !== 'exactCount') throw new RangeError(`symmetricNoise: draw is ${String(draw)}, expected 'exactCount', 'classBalanced' or 'bernoulli'`);
  return { ...at(data, chosen(data.y.length, rate, seed), other), transition };
}

/** The indices of floor(rate n) samples, each as likely as the others. */
export function chosen(n: number, rate: number, seed: number): Uint32Array {
  return shuffledIndices(n, seed, STREAMS + 1).subarray(0, countOf(rate, n));
}

/** Indices of random samples of each class, `count` of them where it has as many. */
function ofEachClass(data: CleanLabels, seed: number, count: (size: number) => number): number[] {
  return indicesByClass(data).flatMap((indices, c) => shuffleInPlace(indices, noiseStream(seed, 2 + c)).slice(0, count(indices.length)));
}

/** Options of {@link asymmetricNoise}. */
export interface AsymmetricNoiseOptions extends NoiseOptions {
  /** Which class each class is mistaken for. */
  map: ConfusionName | Confusions;
  /**
   * Which labels are flipped. 'perClass': floor(rate n_c) of each class that is mistaken (ALFs). 'bernoulli': each of these
   * with probability `rate`. 'exactCount': floor(rate n) labels of all classes are taken and those of the other classes keep
   * their label, so that less than `rate` is wrong (LogitClip: half, for CIFAR-10). Default: 'perClass'.
   */
  draw?: 'perClass' | 'bernoulli' | 'exactCount';
}

/** Labels flipped to the class that theirs is mistaken for. */
export function asymmetricNoise(data: CleanLabels, { rate, map, seed = 0, draw = 'perClass' }: AsymmetricNoiseOptions): ClassNoise {
  const target = confusions(map, data.numClasses);
  checkClean('asymmetricNoise', data);
  const transition = confusionTransition(target, rate);
  if (draw === 'bernoulli') return transitionNoise(data, transition, { seed });
  if (draw !== 'perClass' && draw !== 'exactCount') throw new RangeError(`asymmetricNoise: draw is ${String(draw)}, expected 'perClass', 'bernoulli' or 'exactCount'`);
  const indices = draw === 'exactCount' ? chosen(data.y.length, rate, seed) : ofEachClass(data, seed, (size) => countOf(rate, size));
  return { ...at(data, indices, (clean) => target[clean]!), transition };
}

/** Labels flipped to the next class: {@link asymmetricNoise} with map 'next'. */
export function pairFlipNoise(data: CleanLabels, options: Omit<AsymmetricNoiseOptions, 'map'>): ClassNoise {
  return asymmetricNoise(data, { ...options, map: 'next' });
}

/**
 * Each label is drawn anew from all classes, its own included, with probability `rate`, as in the code of Forouzesh et al. (ICLR
 * 2023): only rate (classes - 1) / classes of the labels are wrong, 45 % for a rate of 50 % and ten classes.
 */
export function randomRelabelling(data: CleanLabels, { rate, seed = 0 }: NoiseOptions): ClassNoise {
  return transitionNoise(data, relabellingTransition(data.numClasses, rate), { seed });
}

/** Each label is drawn from the row of its class. Throws RangeError unless rows are probabilities that sum to 1, one for each class. */
export function transitionNoise(data: CleanLabels, transition: Transition, { seed = 0 }: { seed?: number } = {}): ClassNoise {
  checkClean('transitionNoise', data);
  if (transition.length !== data.numClasses) throw new RangeError(`transitionNoise: transition has ${transition.length} rows, the labels have ${data.numClasses} classes`);
  const upTo = transition.map((row, c) => {
    if (row.length !== data.numClasses) throw new RangeError(`transitionNoise: row ${c} of transition has ${row.length} entries, expected ${data.numClasses}`);
    const total = row.reduce((sum, p) => sum + p, 0);
    if (!(row.every((p) => p >= 0) && Math.abs(total - 1) < 1e-6)) throw new RangeError(`transitionNoise: row ${c} of transition is [${row}], expected probabilities that sum to 1`);
    return cumulative(Float64Array.from(row));
  });
  const random = noiseStream(seed);
  return { ...marked(data, data.y.map((clean) => pick(upTo[clean]!, random)) as Int32Array<ArrayBuffer>), transition };
}

/** Labels that people or another source gave, such as CIFAR-N, as a noise model: the transition is that of the counts. */
export function recordedNoise(data: CleanLabels, labels: ArrayLike<number>): ClassNoise {
  const { numClasses } = data;
  checkClean('recordedNoise', data);
  if (labels.length !== data.y.length) throw new RangeError(`recordedNoise: got ${labels.length} labels, expected ${data.y.length}, one per sample`);
  const counts = Array.from({ length: numClasses }, () => new Array<number>(numClasses).fill(0));
  const y = Int32Array.from(labels, (label, i) => {
    if (!(Number.isInteger(label) && label >= 0 && label < numClasses)) throw new RangeError(`recordedNoise: labels[${i}] is ${label}, expected an integer in 0..${numClasses - 1}`);
    counts[data.y[i]!]![label]!++;
    return label;
  });
  const transition = counts.map((row, c) => {
    const n = row.reduce((sum, v) => sum + v, 0);
    return row.map((v, j) => (n === 0 ? Number(c === j) : v / n));
  });
  return { ...marked(data, y), transition };
}

/** A training set with images that belong to none of its classes. */
export interface OpenSetNoise {
  data: Dataset;
  /** 1 where the input was replaced. */
  mask: Uint8Array<ArrayBuffer>;
}

/**
 * floor(rate n) inputs replaced by inputs of `other`, labels kept. Those are drawn without replacement while they last.
 * Throws RangeError when the inputs differ in shape or `other` is empty.
 */
export function openSetNoise(data: Dataset, other: Dataset, { rate, seed = 0 }: NoiseOptions): OpenSetNoise {
  expectRate('openSetNoise', rate);
  const features = data.x.shape.slice(1);
  if (String(other.x.shape.slice(1)) !== String(features)) throw new RangeError(`openSetNoise: other has inputs of shape [${other.x.shape.slice(1)}], expected [${features}]`);
  if (other.x.length === 0) throw new RangeError('openSetNoise: other has 0 inputs, expected at least 1');
  const size = sizeOf(features);
  const x = Float32Array.from(data.x.data);
  const mask = new Uint8Array(data.y.length);
  const order = shuffledIndices(other.x.length, seed, STREAMS);
  chosen(data.y.length, rate, seed).forEach((i, k) => {
    const from = order[k % order.length]! * size;
    x.set(other.x.data.subarray(from, from + size), i * size);
    mask[i] = 1;
  });
  return { data: makeDataset(new NdArray(x, data.x.shape), data.y, data), mask };
}

/** The samples whose labels are right, and those whose labels are wrong, as two sets. */
export function splitByMask(data: Dataset, mask: ArrayLike<number>): { clean: Dataset; noisy: Dataset } {
  if (mask.length !== data.y.length) throw new RangeError(`splitByMask: mask has ${mask.length} entries, expected ${data.y.length}, one per sample`);
  const all = Array.from(data.y, (_, i) => i);
  return { clean: subset(data, all.filter((i) => !mask[i])), noisy: subset(data, all.filter((i) => mask[i])) };
}
