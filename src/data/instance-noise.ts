import { between, check, checkOptions, integer, listOf, oneOf, positive, required } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { hostNormal } from '../random/random.ts';
import { key, splitKey } from '../random/key.ts';
import { normalCdf, normalQuantile } from '../stats/normal.ts';
import { NdArray } from '../tensor/ndarray.ts';
import type { Dataset } from './dataset.ts';
import { chosen, marked, type LabelNoiseOptions, type NoisyLabels } from './label-noise.ts';
import { DRAW, noiseChild, noiseStreams } from './noise-streams.ts';
import { cumulative, pick } from './sampler.ts';
import { randomUnit } from './shuffle.ts';

/** Noise that depends on the input. */
export interface InstanceNoise extends NoisyLabels {
  /** Probability of each label for each sample, (n, classes), before the draw. */
  probabilities: NdArray<Float64Array<ArrayBuffer>>;
}

/** Options of {@link instanceProbabilities}. */
export interface InstanceProbabilitiesOptions {
  /**
   * 'shared': w is (features, classes). 'perClass': w is (classes, features, classes), a matrix for each clean label.
   */
  weights: 'shared' | 'perClass';
  /** Probability that the label of each sample is flipped. */
  flipRate: ArrayLike<number>;
}

/**
 * Probability of each label for each sample, (n, classes): the clean label keeps 1 - q_i, and q_i is shared among the
 * others as softmax of x_i w. x: n rows of features; y: n labels. Throws RangeError on lists that do not fit, on labels
 * outside the classes, and on inputs that are not finite.
 */
export function instanceProbabilities(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  w: ArrayLike<number>,
  numClasses: number,
  options: InstanceProbabilitiesOptions,
): NdArray<Float64Array<ArrayBuffer>> {
  checkOptions('instanceProbabilities', options, {
    weights: required(oneOf('shared', 'perClass')),
    flipRate: required(listOf(between(0, 1), y.length, 'one per label')),
  });
  check('instanceProbabilities', { y }, listOf(integer(0, numClasses - 1)));
  const { weights, flipRate } = options;
  const n = y.length;
  const d = n === 0 ? 0 : x.length / n;
  const size = (weights === 'perClass' ? numClasses : 1) * d * numClasses;
  if (!Number.isInteger(d))
    throw new RangeError(
      `instanceProbabilities: x has ${x.length} entries, expected a multiple of ${n}, the number of labels`,
    );
  if (w.length !== size) throw new RangeError(`instanceProbabilities: w has ${w.length} entries, expected ${size}`);
  const out = new Float64Array(n * numClasses);
  const logits = new Float64Array(numClasses);
  for (let i = 0; i < n; i++) {
    const clean = y[i]!;
    const start = weights === 'perClass' ? clean * d * numClasses : 0;
    logits.fill(0);
    for (let f = 0; f < d; f++) {
      const v = x[i * d + f]!;
      if (v === 0) continue;
      if (!Number.isFinite(v))
        throw new RangeError(`instanceProbabilities: x is ${v} in row ${i}, expected finite numbers`);
      for (let c = 0; c < numClasses; c++) logits[c]! += v * w[start + f * numClasses + c]!;
    }
    let largest = -Infinity;
    for (let c = 0; c < numClasses; c++) if (c !== clean) largest = Math.max(largest, logits[c]!);
    let total = 0;
    for (let c = 0; c < numClasses; c++) total += logits[c] = c === clean ? 0 : Math.exp(logits[c]! - largest);
    for (let c = 0; c < numClasses; c++)
      out[i * numClasses + c] = c === clean ? 1 - flipRate[i]! : (flipRate[i]! * logits[c]!) / total;
  }
  return new NdArray(out, [n, numClasses]);
}

/** The value below which a normal number, restricted to low..high, lies with probability u. */
export function truncatedNormalQuantile(
  u: number,
  options: { mean: number; std: number; low: number; high: number },
): number {
  expectOptions('truncatedNormalQuantile', options, ['mean', 'std', 'low', 'high']);
  const { mean, std, low, high } = options;
  const [a, b] = [normalCdf((low - mean) / std), normalCdf((high - mean) / std)];
  return Math.min(high, Math.max(low, mean + std * normalQuantile(a + u * (b - a))));
}

/** Options of {@link instanceNoise}. */
export interface InstanceNoiseOptions extends LabelNoiseOptions {
  /**
   * 'cores': every label is flipped with a probability of its own, normal around `rate` within 0..1, by one projection
   * of the inputs (Cheng et al., ICLR 2021). What is cut off below 0 raises the mean of a small rate: with std 0.1 a
   * rate of 0.02 flips 0.088 of the labels, 0.1 flips 0.129 and 0.2 flips 0.206; `std: rate / 4` keeps it. 'logitclip':
   * floor(rate n) labels are flipped, by a projection for each clean class
   * (Wei et al., ICML 2023). Default: 'cores'.
   */
  model?: 'cores' | 'logitclip';
  /** Deviation of the flip rates of 'cores'. Default: 0.1. */
  std?: number;
  /**
   * Factor of the inputs before the projection: the larger, the surer the wrong class. Released code projects pixels of
   * 0..255 ('cores') or standardised and augmented images ('logitclip'), where a flipped label is nearly always the
   * likeliest one. Default: 1.
   */
  scale?: number;
}

/** Labels flipped to classes that a random projection of the input finds likely. Two classes at least. */
export function instanceNoise(data: Dataset, options: InstanceNoiseOptions): InstanceNoise {
  checkOptions('instanceNoise', options, {
    rate: required(between(0, 1)),
    model: oneOf('cores', 'logitclip'),
    std: positive,
    scale: positive,
    ...DRAW,
  });
  const { rate, seed = 0, stream = 0, model = 'cores', std = 0.1, scale = 1 } = options;
  const { x, y, numClasses } = data;
  if (numClasses < 2) throw new RangeError(`instanceNoise: the labels have ${numClasses} class, expected at least 2`);
  const streams = noiseStreams(`instanceNoise ${model}`, options);
  const random = streams(0);
  const d = y.length === 0 ? 0 : x.data.length / y.length;
  const isPerClass = model === 'logitclip';
  const w = hostNormal(
    isPerClass ? numClasses : 1,
    d * numClasses,
    splitKey(key(seed), noiseChild(`instanceNoise ${model}`, stream)),
    { std: scale },
  );
  const flipRate = new Float64Array(y.length);
  if (isPerClass) for (const i of chosen(y.length, rate, streams(1))) flipRate[i] = 1;
  else
    for (let i = 0; i < y.length; i++)
      flipRate[i] = truncatedNormalQuantile(randomUnit(random), { mean: rate, std, low: 0, high: 1 });
  const probabilities = instanceProbabilities(x.data, y, w, numClasses, {
    weights: isPerClass ? 'perClass' : 'shared',
    flipRate,
  });
  const noisy = y.map((_, i) =>
    pick(cumulative(probabilities.data.slice(i * numClasses, (i + 1) * numClasses)), random),
  );
  return { ...marked(data, noisy as Int32Array<ArrayBuffer>), probabilities };
}
