import type { Gpu } from '../gpu/device.ts';
import { currentGpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import { countClasses, type StepState } from '../ops/batch.ts';
import { key, PURPOSE, split, type Key } from '../random/key.ts';
import { addNormal } from '../random/random.ts';
import { binomialTest, certifiedRadius, clopperPearsonLower } from '../stats/index.ts';
import { Captured, capture } from '../tensor/capture.ts';
import type { NdArray } from '../tensor/ndarray.ts';
import { sameShape } from '../tensor/shape.ts';
import { unscoped } from '../tensor/scope.ts';
import { noGrad } from '../tensor/tape.ts';
import { empty, zeros, type Tensor } from '../tensor/tensor.ts';

/** The label of an abstention. */
export const ABSTAIN = -1;

/** What can be smoothed: anything that maps a batch (n, ...) to logits (n, classes) on the device. */
export interface BaseClassifier {
  forward(x: Tensor): Tensor;
  readonly training?: boolean;
  train?(on: boolean): unknown;
}

/** Options of {@link Smooth}. */
export interface SmoothOptions {
  numClasses: number;
  /** Standard deviation of the noise, in units of the input. */
  sigma: number;
  /** Of the noise. Default: 0. */
  seed?: number;
  gpu?: Gpu;
}

/** How many noisy copies are drawn, and how. */
export interface SampleOptions {
  /** Noisy copies on the device at a time. Default: 1000. */
  batchSize?: number;
  /** Number of the input, so that each has noise of its own. Default: 0. */
  stream?: number;
  signal?: AbortSignal;
}

/** Options of {@link Smooth.certify}. */
export interface CertifyOptions extends SampleOptions {
  /** Copies that choose the class. Default: 100. */
  n0?: number;
  /** Fresh copies that estimate its probability; at least 10, fewer cannot reach 1/2. Default: 100,000. */
  n?: number;
  /** Probability that the certificate is wrong. Default: 0.001. */
  alpha?: number;
}

/** A certificate: with probability 1 - alpha the smoothed classifier is constant in the open l2 ball of this radius. */
export interface Certificate {
  /** The class, or ABSTAIN. */
  label: number;
  /** l2, in units of the input; 0 on abstention. Rounded down. */
  radius: number;
  /** Lower confidence bound of the probability of the chosen class. */
  pLower: number;
  /** Counts of all classes over the n estimation copies. */
  counts: Uint32Array;
}

/**
 * Randomised smoothing: g(x) = the class that f(x + noise) gives most often, noise ~ N(0, sigma^2 I).
 * Cohen, Rosenfeld, Kolter, "Certified adversarial robustness via randomized smoothing", ICML 2019, procedures CERTIFY and
 * PREDICT. Noise, forward pass and counts stay on the device; only K integers come back for an input. Bounds and radius
 * are computed in f64 and rounded down. Noisy inputs are not clipped. The model is used in evaluation mode.
 */
export class Smooth {
  readonly #model: BaseClassifier;
  readonly #classes: number;
  readonly #sigma: number;
  readonly #gpu: Gpu;
  readonly #key: Key;
  readonly #counts: Tensor<'u32'>;
  readonly #state: StepState;
  readonly #steps = new Map<number, Captured<void>>();
  #input: Tensor | null = null;

  constructor(model: BaseClassifier, { numClasses, sigma, seed = 0, gpu = currentGpu() }: SmoothOptions) {
    if (!Number.isInteger(numClasses) || numClasses < 2) throw new RangeError(`Smooth: numClasses is ${numClasses}, expected an integer of at least 2`);
    if (!(sigma > 0 && Number.isFinite(sigma))) throw new RangeError(`Smooth: sigma is ${sigma}, expected a positive number`);
    this.#model = model;
    this.#classes = numClasses;
    this.#sigma = sigma;
    this.#gpu = gpu;
    this.#key = split(key(seed), PURPOSE.smoothing);
    [this.#counts, this.#state] = unscoped(() => [zeros([2, numClasses], { dtype: 'u32', gpu }), empty([4], { dtype: 'u32', gpu })]);
  }

  /**
   * CERTIFY: the class from n0 copies, then the Clopper-Pearson lower bound of its probability at level 1 - alpha from n
   * fresh ones; radius sigma * quantile(bound), or ABSTAIN when the bound is below 1/2. x: one input, without batch axis.
   */
  async certify(x: NdArray, { n0 = 100, n = 100_000, alpha = 0.001, ...sample }: CertifyOptions = {}): Promise<Certificate> {
    expectCount('certify', 'n0', n0, 1);
    expectCount('certify', 'n', n, 10);
    expectAlpha('certify', alpha);
    const [selection, counts] = await this.#sample('certify', x, [n0, n], sample);
    const chosen = indexOfMax(selection!);
    const pLower = clopperPearsonLower(counts![chosen]!, n, alpha);
    if (pLower < 0.5) return { label: ABSTAIN, radius: 0, pLower, counts: counts! };
    return { label: chosen, radius: certifiedRadius(pLower, this.#sigma), pLower, counts: counts! };
  }

  /**
   * PREDICT: the most frequent class over n copies, or ABSTAIN unless the two-sided binomial test of the top two counts
   * rejects a tie at level alpha. Default: n = 100,000, alpha = 0.001.
   */
  async predict(x: NdArray, { n = 100_000, alpha = 0.001, ...sample }: Omit<CertifyOptions, 'n0'> = {}): Promise<number> {
    expectCount('predict', 'n', n, 1);
    expectAlpha('predict', alpha);
    const [counts] = await this.#sample('predict', x, [n], sample);
    const top = indexOfMax(counts!);
    const first = counts![top]!;
    const second = counts!.reduce((most, c, i) => (i === top ? most : Math.max(most, c)), 0);
    return binomialTest(first, first + second, 0.5) > alpha ? ABSTAIN : top;
  }

  dispose(): void {
    for (const step of this.#steps.values()) step.dispose();
    this.#steps.clear();
    this.#input?.dispose();
    this.#counts.dispose();
    this.#state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Class counts of consecutive, disjoint groups of noisy copies of x. */
  async #sample(what: string, x: NdArray, groups: readonly number[], { batchSize = 1000, stream = 0, signal }: SampleOptions): Promise<Uint32Array[]> {
    expectCount(what, 'batchSize', batchSize, 1);
    expectCount(what, 'stream', stream, 0);
    this.#setInput(x);
    this.#counts.write(new Uint32Array(this.#counts.size));
    let first = 0;
    let queued = 0;
    for (const [phase, total] of groups.entries()) {
      const size = Math.min(batchSize, total);
      for (let done = 0; done < total; done += size) {
        signal?.throwIfAborted();
        this.#state.write([first, stream, phase, Math.min(size, total - done)]);
        this.#run(size);
        first += Math.min(size, total - done);
        // A bounded queue keeps an abort prompt and memory flat.
        if (++queued % 16 === 0) await this.#gpu.sync();
      }
    }
    const all = await this.#counts.read();
    return groups.map((_, phase) => all.slice(phase * this.#classes, (phase + 1) * this.#classes));
  }

  #setInput(x: NdArray): void {
    const shape = [1, ...x.shape];
    if (this.#input && !sameShape(this.#input.shape, shape)) {
      for (const step of this.#steps.values()) step.dispose();
      this.#steps.clear();
      this.#input.dispose();
      this.#input = null;
    }
    this.#input ??= unscoped(() => empty(shape, { gpu: this.#gpu }));
    this.#input.write(x.data);
  }

  #run(size: number): void {
    const known = this.#steps.get(size);
    if (known) {
      known.run();
      return;
    }
    const wasTraining = this.#model.training ?? false;
    this.#model.train?.(false);
    try {
      this.#steps.set(size, capture(() => noGrad(() => this.#record(size)), { gpu: this.#gpu }));
    } finally {
      this.#model.train?.(wasTraining);
    }
  }

  #record(size: number): void {
    const noisy = addNormal(this.#input!, this.#key, { std: this.#sigma, count: size, first: this.#state });
    const logits = this.#model.forward(noisy);
    if (logits.rank !== 2 || logits.shape[1] !== this.#classes) {
      throw new ShapeError(`Smooth: the model gives shape [${logits.shape}], expected (batch, ${this.#classes})`);
    }
    countClasses(logits, this.#counts, this.#state);
  }
}

function expectCount(what: string, name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) throw new RangeError(`Smooth.${what}: ${name} is ${value}, expected an integer of at least ${least}`);
}

function expectAlpha(what: string, alpha: number): void {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`Smooth.${what}: alpha is ${alpha}, expected 0 < alpha < 1`);
}

function indexOfMax(counts: Uint32Array): number {
  return counts.indexOf(counts.reduce((a, b) => Math.max(a, b), 0));
}
