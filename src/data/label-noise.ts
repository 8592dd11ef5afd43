import { any, between, check, checkOptions, integer, listOf, oneOf, required, type Rule } from '../check/check.ts';
import { indicesByClass, makeDataset, subset, type Dataset } from './dataset.ts';
import { cumulative, pick } from './sampler.ts';
import { DRAW, noiseStreams, type NoiseDraw } from './noise-streams.ts';
import { randomBelow, shuffleInPlace, type Random32 } from './shuffle.ts';
import {
  confusions,
  confusionTransition,
  relabellingTransition,
  symmetricTransition,
  type ConfusionName,
  type Confusions,
  type Transition,
} from './transition.ts';
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

/** Rate and draw of a noise model. */
export interface LabelNoiseOptions extends NoiseDraw {
  /** Share of the labels that the model takes up, in 0..1. */
  rate: number;
}

/** floor(share n), where 0.29 * 100 is 29. */
export function countOf(share: number, n: number): number {
  return Math.floor(share * n + 1e-9);
}

/** The wrong labels marked. */
export function marked({ y: clean }: CleanLabels, y: Int32Array<ArrayBuffer>): NoisyLabels {
  return { y, mask: Uint8Array.from(y, (label, i) => Number(label !== clean[i])) };
}

/** Rule of the labels of `numClasses` classes. */
export const labelsOf = (numClasses: number): Rule<ArrayLike<number>> => listOf(integer(0, numClasses - 1));

function at(data: CleanLabels, indices: Iterable<number>, label: (clean: number) => number): NoisyLabels {
  const y = Int32Array.from(data.y);
  for (const i of indices) y[i] = label(y[i]!);
  return marked(data, y);
}

/** Options of {@link symmetricNoise}. */
export interface SymmetricNoiseOptions extends LabelNoiseOptions {
  /**
   * Which labels are flipped. 'exactCount': floor(rate n) of all, so that the rate is met exactly (LogitClip,
   * alpha-loss). 'classBalanced': floor(rate n / classes) of each class, at most all of it (ALFs, APL). 'bernoulli':
   * each with probability `rate` (phuber). Default: 'exactCount'.
   */
  draw?: 'exactCount' | 'classBalanced' | 'bernoulli';
}

/** Labels flipped to another class, every other class alike; a flipped label is always wrong. Two classes at least. */
export function symmetricNoise(data: CleanLabels, options: SymmetricNoiseOptions): ClassNoise {
  checkOptions('symmetricNoise', options, {
    rate: required(any),
    draw: oneOf('exactCount', 'classBalanced', 'bernoulli'),
    ...DRAW,
  });
  const { rate, draw = 'exactCount' } = options;
  const transition = symmetricTransition(data.numClasses, rate);
  check('symmetricNoise', { y: data.y }, labelsOf(data.numClasses));
  const streams = noiseStreams('symmetricNoise', options);
  const random = streams(0);
  if (draw === 'bernoulli') return drawn(data, transition, random);
  const other = (clean: number): number => (clean + 1 + randomBelow(random, data.numClasses - 1)) % data.numClasses;
  if (draw === 'classBalanced') {
    const each = countOf(rate, data.y.length / data.numClasses);
    return {
      ...at(
        data,
        ofEachClass(data, streams, () => each),
        other,
      ),
      transition,
    };
  }
  return { ...at(data, chosen(data.y.length, rate, streams(1)), other), transition };
}

/** The indices of floor(rate n) samples, each as likely as the others. */
export function chosen(n: number, rate: number, random: Random32): Uint32Array {
  return shuffleInPlace(
    Uint32Array.from({ length: n }, (_, i) => i),
    random,
  ).subarray(0, countOf(rate, n));
}

/** Indices of random samples of each class, `count` of them where it has as many. */
function ofEachClass(data: CleanLabels, streams: (use: number) => Random32, count: (size: number) => number): number[] {
  return indicesByClass(data).flatMap((indices, c) =>
    shuffleInPlace(indices, streams(2 + c)).slice(0, count(indices.length)),
  );
}

/** Options of {@link asymmetricNoise}. */
export interface AsymmetricNoiseOptions extends LabelNoiseOptions {
  /** Which class each class is mistaken for. */
  map: ConfusionName | Confusions;
  /**
   * Which labels are flipped. 'perClass': floor(rate n_c) of each class that is mistaken (ALFs). 'bernoulli': each of
   * these with probability `rate`. 'exactCount': floor(rate n) labels of all classes are taken and those of the other
   * classes keep their label, so that less than `rate` is wrong (LogitClip: half, for CIFAR-10). Default: 'perClass'.
   */
  draw?: 'perClass' | 'bernoulli' | 'exactCount';
}

const MISTAKEN = { rate: required(any), draw: oneOf('perClass', 'bernoulli', 'exactCount'), ...DRAW } as const;

/** Labels flipped to the class that theirs is mistaken for. */
export function asymmetricNoise(data: CleanLabels, options: AsymmetricNoiseOptions): ClassNoise {
  checkOptions('asymmetricNoise', options, { map: required(any), ...MISTAKEN });
  return mistaken('asymmetricNoise', data, options, noiseStreams('asymmetricNoise', options));
}

/** Labels flipped to the next class: as {@link asymmetricNoise} with map 'next', from streams of its own. */
export function pairFlipNoise(data: CleanLabels, options: Omit<AsymmetricNoiseOptions, 'map'>): ClassNoise {
  checkOptions('pairFlipNoise', options, MISTAKEN);
  return mistaken('pairFlipNoise', data, { ...options, map: 'next' }, noiseStreams('pairFlipNoise', options));
}

function mistaken(
  where: string,
  data: CleanLabels,
  { rate, map, draw = 'perClass' }: AsymmetricNoiseOptions,
  streams: (use: number) => Random32,
): ClassNoise {
  const target = confusions(map, data.numClasses);
  check(where, { y: data.y }, labelsOf(data.numClasses));
  const transition = confusionTransition(target, rate);
  if (draw === 'bernoulli') return drawn(data, transition, streams(0));
  const indices =
    draw === 'exactCount'
      ? chosen(data.y.length, rate, streams(1))
      : ofEachClass(data, streams, (size) => countOf(rate, size));
  return { ...at(data, indices, (clean) => target[clean]!), transition };
}

/**
 * Each label is drawn anew from all classes, its own included, with probability `rate`, as in the code of Forouzesh et
 * al. (ICLR 2023): only rate (classes - 1) / classes of the labels are wrong, 45 % for a rate of 50 % and ten classes.
 */
export function randomRelabelling(data: CleanLabels, options: LabelNoiseOptions): ClassNoise {
  checkOptions('randomRelabelling', options, { rate: required(any), ...DRAW });
  const transition = relabellingTransition(data.numClasses, options.rate);
  check('randomRelabelling', { y: data.y }, labelsOf(data.numClasses));
  return drawn(data, transition, noiseStreams('randomRelabelling', options)(0));
}

/**
 * Each label is drawn from the row of its class. Throws RangeError unless rows are probabilities that sum to 1, one for
 * each class.
 */
export function transitionNoise(data: CleanLabels, transition: Transition, options: NoiseDraw = {}): ClassNoise {
  checkOptions('transitionNoise', options, DRAW);
  check('transitionNoise', { y: data.y }, labelsOf(data.numClasses));
  return drawn(data, transition, noiseStreams('transitionNoise', options)(0));
}

function drawn(data: CleanLabels, transition: Transition, random: Random32): ClassNoise {
  if (transition.length !== data.numClasses)
    throw new RangeError(
      `transitionNoise: transition has ${transition.length} rows, the labels have ${data.numClasses} classes`,
    );
  const upTo = transition.map((row, c) => {
    if (row.length !== data.numClasses)
      throw new RangeError(
        `transitionNoise: row ${c} of transition has ${row.length} entries, expected ${data.numClasses}`,
      );
    const total = row.reduce((sum, p) => sum + p, 0);
    if (!(row.every((p) => p >= 0) && Math.abs(total - 1) < 1e-6))
      throw new RangeError(`transitionNoise: row ${c} of transition is [${row}], expected probabilities that sum to 1`);
    return cumulative(Float64Array.from(row));
  });
  return { ...marked(data, data.y.map((clean) => pick(upTo[clean]!, random)) as Int32Array<ArrayBuffer>), transition };
}

/**
 * Labels that people or another source gave, such as CIFAR-N, as a noise model: the transition is that of the counts.
 */
export function recordedNoise(data: CleanLabels, labels: ArrayLike<number>): ClassNoise {
  const { numClasses } = data;
  check('recordedNoise', { y: data.y }, labelsOf(data.numClasses));
  check('recordedNoise', { labels }, listOf(integer(0, numClasses - 1), data.y.length, 'one per sample'));
  const counts = Array.from({ length: numClasses }, () => new Array<number>(numClasses).fill(0));
  const y = Int32Array.from(labels, (label, i) => {
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
export function openSetNoise(data: Dataset, other: Dataset, options: LabelNoiseOptions): OpenSetNoise {
  checkOptions('openSetNoise', options, { rate: required(between(0, 1)), ...DRAW });
  const { rate } = options;
  const features = data.x.shape.slice(1);
  if (String(other.x.shape.slice(1)) !== String(features))
    throw new RangeError(`openSetNoise: other has inputs of shape [${other.x.shape.slice(1)}], expected [${features}]`);
  if (other.x.length === 0) throw new RangeError('openSetNoise: other has 0 inputs, expected at least 1');
  const size = sizeOf(features);
  const x = Float32Array.from(data.x.data);
  const mask = new Uint8Array(data.y.length);
  const streams = noiseStreams('openSetNoise', options);
  const order = chosen(other.x.length, 1, streams(0));
  chosen(data.y.length, rate, streams(1)).forEach((i, k) => {
    const from = order[k % order.length]! * size;
    x.set(other.x.data.subarray(from, from + size), i * size);
    mask[i] = 1;
  });
  return { data: makeDataset(new NdArray(x, data.x.shape), data.y, data), mask };
}

/** The samples whose labels are right, and those whose labels are wrong, as two sets. */
export function splitByMask(data: Dataset, mask: ArrayLike<number>): { clean: Dataset; noisy: Dataset } {
  if (mask.length !== data.y.length)
    throw new RangeError(`splitByMask: mask has ${mask.length} entries, expected ${data.y.length}, one per sample`);
  const all = Array.from(data.y, (_, i) => i);
  return {
    clean: subset(
      data,
      all.filter((i) => !mask[i]),
    ),
    noisy: subset(
      data,
      all.filter((i) => mask[i]),
    ),
  };
}
