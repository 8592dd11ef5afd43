import { expectOptions } from '../check/options.ts';
import type { Gpu } from '../gpu/device.ts';
import { currentGpu } from '../gpu/device.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { ShapeError } from '../gpu/errors.ts';
import { key, PURPOSE, split } from '../random/key.ts';
import { binomialTest, certifiedRadius, clopperPearsonLower } from '../stats/index.ts';
import type { ArrayInput } from '../tensor/array-input.ts';
import { NdArray, toNdArray } from '../tensor/ndarray.ts';
import { Tensor } from '../tensor/tensor.ts';
import { expectCopies, expectSigma, topClass, type Draw } from './draws.ts';
import { NoisyVotes, type BaseClassifier, type Phase } from './noisy-votes.ts';

const SAMPLE = ['batchSize', 'stream', 'signal'] as const;

/** The label of an abstention. */
export const ABSTAIN = -1;

/** Options of {@link Smooth}. */
export interface SmoothOptions {
  numClasses: number;
  /** Standard deviation of the noise, in units of the input. Noise and radius take it as f32, Math.fround(sigma). */
  sigma: number;
  /** Of the noise. Default: 0. */
  seed?: number;
  gpu?: Gpu;
}

/** How many noisy copies are drawn, and how. */
export interface SampleOptions {
  /** Noisy copies on the device at a time, of one input or of several. Default: 1000. */
  batchSize?: number;
  /** Number of the input, so that each has noise of its own: an integer from 0 to 2^32 - 1. Default: 0. */
  stream?: number;
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
  /** Probability that the certificate is wrong. Default: 0.001. */
  alpha?: number;
}

/** Options of {@link Smooth.certifyMany}. */
export interface CertifyManyOptions extends Omit<CertifyOptions, 'stream'> {
  /** Number of each input. Default: 0, 1, ... */
  streams?: ArrayLike<number>;
}

/** Options of {@link Smooth.count}. */
export interface CountOptions extends SampleOptions {
  /** Number of the first copy: copies of equal number and stream have equal noise. Default: 0. */
  first?: number;
}

/** A certificate: with probability 1 - alpha the smoothed classifier is constant in the open l2 ball of this radius. */
export interface Certificate {
  /** The class, or ABSTAIN. */
  label: number;
  /** l2, in units of the input; 0 on abstention. Rounded down. */
  radius: number;
  /** Lower confidence bound of the probability of the chosen class. */
  pLower: number;
  /** Counts of all classes over the n estimation copies; copies without a class are in none of them. */
  counts: Uint32Array;
}

/**
 * Randomised smoothing: g(x) = the class that f(x + noise) gives most often, noise ~ N(0, sigma^2 I).
 * Cohen, Rosenfeld, Kolter, "Certified adversarial robustness via randomized smoothing", ICML 2019, procedures CERTIFY
 * and PREDICT. Noise, forward pass and counts stay on the device; only K integers come back for an input. Bounds and
 * radius are computed in f64 and rounded down. Noisy inputs are not clipped. The model is used in evaluation mode.
 * Calls may overlap: they are queued, and the device works on one while the counts of another come back.
 *
 * A copy whose logits hold a NaN, or an infinity that two share as the largest, is a vote for no class: it counts among
 * the n, and for none. A model with weights that are not finite is refused by a NonFiniteError.
 */
export class Smooth {
  readonly #sigma: number;
  readonly #votes: NoisyVotes;

  constructor(model: BaseClassifier, options: SmoothOptions) {
    expectOptions('Smooth', options, ['numClasses', 'sigma', 'seed', 'gpu']);
    const { numClasses, sigma, seed = 0, gpu = currentGpu() } = options;
    if (!Number.isInteger(numClasses) || numClasses < 2)
      throw new RangeError(`Smooth: numClasses is ${numClasses}, expected an integer of at least 2`);
    this.#sigma = expectSigma('Smooth', sigma);
    this.#votes = new NoisyVotes(model, {
      classes: numClasses,
      sigma: this.#sigma,
      key: split(key(seed), PURPOSE.smoothing),
      gpu,
    });
  }

  /**
   * CERTIFY: the class from n0 copies, then the Clopper-Pearson lower bound of its probability at level 1 - alpha from
   * n fresh ones; radius sigma * quantile(bound), or ABSTAIN when the bound is below 1/2. x: one input, without batch
   * axis; a Tensor, an NdArray or nested arrays, here and in the other methods.
   */
  async certify(x: ArrayInput, options: CertifyOptions = {}): Promise<Certificate> {
    expectOptions('Smooth.certify', options, ['n0', 'n', 'alpha', ...SAMPLE]);
    const { stream = 0, ...rest } = options;
    return (
      await reading('certify', x, (host) => this.#certify('certify', single(host), { ...rest, streams: [stream] }))
    )[0]!;
  }

  /**
   * {@link certify} for inputs (count, ...) at once, with the same result for each: batches hold copies of several
   * inputs, and all counts come back together. count * n is below 2^32.
   */
  async certifyMany(x: ArrayInput, options: CertifyManyOptions = {}): Promise<Certificate[]> {
    expectOptions('Smooth.certifyMany', options, ['n0', 'n', 'alpha', 'streams', 'batchSize', 'signal']);
    return reading('certifyMany', x, (host) => this.#certify('certifyMany', host, options));
  }

  /**
   * PREDICT: the most frequent class over n copies, or ABSTAIN unless the two-sided binomial test of the top two counts
   * rejects a tie at level alpha. Default: n = 100,000, alpha = 0.001.
   */
  async predict(x: ArrayInput, options: Omit<CertifyOptions, 'n0'> = {}): Promise<number> {
    expectOptions('Smooth.predict', options, ['n', 'alpha', ...SAMPLE]);
    const { n = 100_000, alpha = 0.001, ...sample } = options;
    expectAlpha('predict', alpha);
    const counts = await this.#one('predict', x, n, sample);
    const top = topClass(counts);
    const first = counts[top] ?? 0;
    // Copies without a class are a class of their own here, which cannot win.
    const none = n - counts.reduce((sum, c) => sum + c, 0);
    if (none >= first) return ABSTAIN;
    const second = counts.reduce((most, c, i) => (i === top ? most : Math.max(most, c)), none);
    return binomialTest(first, first + second, 0.5) > alpha ? ABSTAIN : top;
  }

  /** Class counts over n noisy copies of one input x, copies `first` .. first + n - 1 of its stream. */
  async count(x: ArrayInput, n: number, options: CountOptions = {}): Promise<Uint32Array> {
    expectOptions('Smooth.count', options, ['first', ...SAMPLE]);
    return this.#one('count', x, n, options);
  }

  /** Counts of fresh copies of x at each call, those of its stream in order: what certifyAtRadius and its like draw. */
  draws(x: ArrayInput, options: CountOptions = {}): Draw {
    expectOptions('Smooth.draws', options, ['first', ...SAMPLE]);
    let next = options.first ?? 0;
    return (n) => {
      next += n;
      return this.count(x, n, { ...options, first: next - n });
    };
  }

  /**
   * Holds the weights that the model has now for all calls until `release`: certificates that several calls make up, by
   * `draws` or of a data set, are then those of one model, whatever trains it meanwhile. A single call does so by
   * itself.
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

  async #certify(
    what: string,
    x: NdArray,
    {
      n0 = 100,
      n = 100_000,
      alpha = 0.001,
      streams = Uint32Array.from({ length: x.length }, (_, i) => i),
      ...sample
    }: CertifyManyOptions,
  ): Promise<Certificate[]> {
    expectCount(what, 'n0', n0, 1);
    expectAlpha(what, alpha);
    expectCopies(`Smooth.${what}`, 'n', n, alpha);
    const counts = await this.#sample(
      what,
      x,
      streams,
      [
        { first: 0, copies: n0 },
        { first: n0, copies: n },
      ],
      sample,
    );
    return Array.from({ length: x.length }, (_, i) => {
      const votes = counts[1]![i]!;
      const chosen = topClass(counts[0]![i]!);
      const pLower = clopperPearsonLower(votes[chosen] ?? 0, n, alpha);
      if (pLower < 0.5) return { label: ABSTAIN, radius: 0, pLower, counts: votes };
      return { label: chosen, radius: certifiedRadius(pLower, this.#sigma), pLower, counts: votes };
    });
  }

  async #one(
    what: string,
    x: ArrayInput,
    n: number,
    { first = 0, stream = 0, ...sample }: CountOptions,
  ): Promise<Uint32Array> {
    expectCount(what, 'n', n, 1);
    expectCount(what, 'first', first, 0);
    return (
      await reading(what, x, (host) => this.#sample(what, single(host), [stream], [{ first, copies: n }], sample))
    )[0]![0]!;
  }

  async #sample(
    what: string,
    x: NdArray,
    streams: ArrayLike<number>,
    phases: readonly Phase[],
    { batchSize = 1000, signal }: Pick<SampleOptions, 'batchSize' | 'signal'>,
  ): Promise<Uint32Array[][]> {
    expectCount(what, 'batchSize', batchSize, 1);
    if (x.shape.length < 2 || x.length === 0)
      throw new ShapeError(
        `Smooth.${what}: x has shape [${x.shape}], expected (inputs, ...features) with at least one input`,
      );
    if (!x.data.every((v) => Number.isFinite(Math.fround(v))))
      throw new RangeError(`Smooth.${what}: x has values that are not finite, expected finite numbers`);
    if (streams.length !== x.length)
      throw new RangeError(`Smooth.${what}: ${streams.length} streams for ${x.length} inputs, expected one each`);
    for (const stream of Array.from(streams)) {
      if (!(Number.isInteger(stream) && stream >= 0 && stream < 2 ** 32))
        throw new RangeError(`Smooth.${what}: stream is ${stream}, expected an integer from 0 to 2^32 - 1`);
    }
    for (const { first, copies } of phases) {
      if (x.length * copies >= 2 ** 32 || first + copies > 2 ** 32)
        throw new RangeError(
          `Smooth.${what}: ${copies} copies of ${x.length} inputs from copy ${first} on, expected fewer than ` +
            '2^32 in all',
        );
    }
    return this.#votes.sample(x, { streams, phases, batchSize, signal });
  }
}

/**
 * `run` of an input, which is read first where it lies on the device; else at once: a call counts with the weights of
 * its moment.
 */
async function reading<T>(what: string, x: ArrayInput, run: (x: NdArray) => Promise<T>): Promise<T> {
  return run(x instanceof Tensor ? await x.array() : toNdArray(`Smooth.${what}: x`, x));
}

function single(x: NdArray): NdArray {
  return new NdArray(x.data, [1, ...x.shape]);
}

function expectCount(what: string, name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw new RangeError(`Smooth.${what}: ${name} is ${value}, expected an integer of at least ${least}`);
}

function expectAlpha(what: string, alpha: number): void {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`Smooth.${what}: alpha is ${alpha}, expected 0 < alpha < 1`);
}
