import { any, between, checkOptions, integer, listOf, required } from '../../check/check.ts';
import { type Gpu, currentGpu } from '../../gpu/device.ts';
import { symbolDispose } from '../../gpu/dispose.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { key, PURPOSE, splitKey } from '../../random/key.ts';
import { binomialTest, clopperPearsonLower } from '../../stats/index.ts';
import { certifiedRadius } from '../../stats/radius.ts';
import type { ArrayInput } from '../../tensor/array-input.ts';
import { toNdArray, type NdArray } from '../../tensor/ndarray.ts';
import { Tensor } from '../../tensor/tensor.ts';
import { ABSTAIN, abstentions, type Certificates } from '../certificates.ts';
import { expectCopies, topClass } from './draws.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';
import { NoisyVotes, type BaseClassifier, type Phase } from './noisy-votes.ts';

const LEVEL = between(0, 1, '()');
const SAMPLE = { indices: listOf(integer(0, 2 ** 32 - 1)), batchSize: integer(1), signal: any } as const;

/** Options of {@link Smooth}. */
export interface SmoothOptions {
  numClasses: number;
  /** Standard deviation of the noise, in units of the input. Noise and radius take it as f32, Math.fround(sigma). */
  sigma: number;
  /** Of the noise. Default: 0. */
  seed?: number;
  gpu?: Gpu;
}

/** How noisy copies are drawn. */
export interface SampleOptions {
  /**
   * Number of each input, which decides its noise: an integer from 0 to 2^32 - 1. Default: 0, 1, ... in each call, so
   * that inputs given one at a time need theirs, `{ indices: [i] }`, or all share the noise of input 0.
   */
  indices?: ArrayLike<number>;
  /** Noisy copies on the device at a time, of one input or of several. Default: 1000. */
  batchSize?: number;
  signal?: AbortSignal;
}

/** Options of {@link Smooth.certify}. */
export interface CertifyOptions extends SampleOptions {
  /** Copies that choose the class. Default: 100. */
  n0?: number;
  /**
   * Fresh copies that estimate its probability; at least 10 at alpha = 0.001, for fewer cannot reach 1/2. Default:
   * 100,000.
   */
  n?: number;
  /** Probability that the certificate of an input is wrong. Default: 0.001. */
  alpha?: number;
}

/** Options of {@link Smooth.count}. */
export interface CountOptions extends SampleOptions {
  /** Copies of each input. */
  n: number;
  /** Number of the first copy: copies of equal number and index have equal noise. Default: 0. */
  first?: number;
}

/**
 * Certificates of {@link Smooth.certify}: with probability 1 - alpha the smoothed classifier is constantly `labels[i]`
 * in the open l2 ball of `radii[i]` around input i.
 */
export interface SmoothCertificates extends Certificates {
  /** Lower confidence bound of the probability of the class that the n0 copies chose. */
  pLower: Float64Array;
  /** Counts over the n estimation copies, (inputs, classes); copies without a class are in none of them. */
  counts: NdArray<Uint32Array>;
}

/** Answers of {@link Smooth.predict}. */
export interface SmoothPredictions {
  /** The class of each input, or ABSTAIN. */
  labels: Int32Array;
  /** Counts over the n copies, (inputs, classes). */
  counts: NdArray<Uint32Array>;
}

/**
 * Randomised smoothing: g(x) = the class that f(x + noise) gives most often, noise ~ N(0, sigma^2 I).
 * Cohen, Rosenfeld, Kolter, "Certified adversarial robustness via randomized smoothing", ICML 2019, procedures CERTIFY
 * and PREDICT. Noise, forward pass and counts stay on the device; only K integers come back for an input. Bounds and
 * radius are computed in f64 and rounded down. Noisy inputs are not clipped. The model is used in evaluation mode.
 * Inputs x are (inputs, ...features): a Tensor, an NdArray or nested arrays; one input is a batch of one.
 * Calls may overlap: they are queued, and the device works on one while the counts of another come back.
 *
 * A copy whose logits hold a NaN, or an infinity that two share as the largest, is a vote for no class: it counts among
 * the n, and for none. A model with weights that are not finite is refused by a NonFiniteError.
 */
export class Smooth {
  /** Standard deviation of the noise, as the device has it: in f32. */
  readonly sigma: number;
  readonly #votes: NoisyVotes;

  constructor(model: BaseClassifier, options: SmoothOptions) {
    checkOptions('Smooth', options, { numClasses: required(integer(2)), sigma: required(SIGMA), seed: any, gpu: any });
    const { numClasses, sigma, seed = 0, gpu = currentGpu() } = options;
    this.sigma = Math.fround(sigma);
    this.#votes = new NoisyVotes(model, {
      classes: numClasses,
      sigma: this.sigma,
      key: splitKey(key(seed), PURPOSE.smoothing),
      gpu,
    });
  }

  /**
   * CERTIFY: the class from n0 copies, then the Clopper-Pearson lower bound of its probability at level 1 - alpha from
   * n fresh ones; radius sigma * quantile(bound), or ABSTAIN when the bound is below 1/2. Batches hold copies of
   * several inputs, and all counts come back together; the certificate of an input does not depend on the others.
   * inputs * n is below 2^32.
   */
  async certify(x: ArrayInput, options: CertifyOptions = {}): Promise<SmoothCertificates> {
    checkOptions('Smooth.certify', options, { n0: integer(1), n: any, alpha: LEVEL, ...SAMPLE });
    const { n0 = 100, n = 100_000, alpha = 0.001, ...sample } = options;
    expectCopies('Smooth.certify', 'n', n, alpha);
    const [selection, counts] = (await this.#sample(
      'certify',
      x,
      [
        { first: 0, copies: n0 },
        { first: n0, copies: n },
      ],
      sample,
    )) as [NdArray<Uint32Array>, NdArray<Uint32Array>];
    const { labels, radii } = abstentions(counts.length);
    const pLower = Float64Array.from({ length: counts.length }, (_, i) => {
      const chosen = topClass(selection.at(i).data);
      const bound = clopperPearsonLower(counts.at(i).data[chosen] ?? 0, n, alpha);
      if (bound >= 0.5) {
        labels[i] = chosen;
        radii[i] = certifiedRadius(bound, this.sigma);
      }
      return bound;
    });
    return { labels, radii, pLower, counts };
  }

  /**
   * PREDICT: the most frequent class over n copies, or ABSTAIN unless the two-sided binomial test of the top two counts
   * rejects a tie at level alpha. Default: n = 100,000, alpha = 0.001.
   */
  async predict(x: ArrayInput, options: Omit<CertifyOptions, 'n0'> = {}): Promise<SmoothPredictions> {
    checkOptions('Smooth.predict', options, { n: integer(1), alpha: LEVEL, ...SAMPLE });
    const { n = 100_000, alpha = 0.001, ...sample } = options;
    const [counts] = (await this.#sample('predict', x, [{ first: 0, copies: n }], sample)) as [NdArray<Uint32Array>];
    return {
      labels: Int32Array.from({ length: counts.length }, (_, i) => winner(counts.at(i).data, n, alpha)),
      counts,
    };
  }

  /** Class counts over the noisy copies `first` .. first + n - 1 of each input: (inputs, classes). */
  async count(x: ArrayInput, options: CountOptions): Promise<NdArray<Uint32Array>> {
    checkOptions('Smooth.count', options, { n: required(integer(1)), first: integer(0), ...SAMPLE });
    const { n, first = 0, ...sample } = options;
    return (await this.#sample('count', x, [{ first, copies: n }], sample))[0]!;
  }

  /**
   * Holds the weights that the model has now for all calls until `release`: certificates that several calls make up,
   * such as those of a data set, are then those of one model, whatever trains it meanwhile. A single call does so by
   * itself. A change of the p of its distance layers meanwhile is refused.
   */
  hold(): { release(): void } {
    return this.#votes.hold();
  }

  dispose(): void {
    this.#votes.dispose();
  }

  [symbolDispose](): void {
    this.dispose();
  }

  async #sample(
    what: string,
    input: ArrayInput,
    phases: readonly Phase[],
    { indices, batchSize = 1000, signal }: SampleOptions,
  ): Promise<NdArray<Uint32Array>[]> {
    // What is on the host is taken at once: a call counts with the weights of its moment.
    const x = input instanceof Tensor ? await input.array() : toNdArray(`Smooth.${what}: x`, input);
    if (x.shape.length < 2 || x.length === 0)
      throw new ShapeError(
        `Smooth.${what}: x has shape [${x.shape}], expected (inputs, ...features) with at least one input`,
      );
    if (!x.data.every((v) => Number.isFinite(Math.fround(v))))
      throw new RangeError(`Smooth.${what}: x has values that are not finite, expected finite numbers`);
    const numbers = indices ?? Uint32Array.from({ length: x.length }, (_, i) => i);
    if (numbers.length !== x.length)
      throw new RangeError(`Smooth.${what}: ${numbers.length} indices for ${x.length} inputs, expected one each`);
    for (const { first, copies } of phases) {
      if (x.length * copies >= 2 ** 32 || first + copies > 2 ** 32)
        throw new RangeError(
          `Smooth.${what}: ${copies} copies of ${x.length} inputs from copy ${first} on, expected fewer than ` +
            '2^32 in all',
        );
    }
    return this.#votes.sample(x, { indices: numbers, phases, batchSize, signal });
  }
}

/** The most frequent class of n copies, or ABSTAIN where a tie is not ruled out at level alpha. */
function winner(counts: Uint32Array, n: number, alpha: number): number {
  const top = topClass(counts);
  const first = counts[top] ?? 0;
  // Copies without a class are a class of their own here, which cannot win.
  const none = n - counts.reduce((sum, c) => sum + c, 0);
  if (none >= first) return ABSTAIN;
  const second = counts.reduce((most, c, i) => (i === top ? most : Math.max(most, c)), none);
  return binomialTest(first, first + second, 0.5) > alpha ? ABSTAIN : top;
}
