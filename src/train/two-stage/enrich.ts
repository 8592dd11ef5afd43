import { any, boolean, check, checkOptions, integer, listOf } from '../../check/check.ts';
import { expectOptions } from '../../check/options.ts';
import { makeDataset, type Dataset } from '../../data/dataset.ts';
import { shuffledIndices } from '../../data/shuffle.ts';
import { currentGpu, type Gpu } from '../../gpu/device.ts';
import { relu } from '../../ops/activations.ts';
import { add } from '../../ops/binary.ts';
import { concat } from '../../ops/concat.ts';
import { matmul } from '../../ops/matmul.ts';
import { key as keyOf, splitKey, type Key } from '../../random/key.ts';
import { normal } from '../../random/random.ts';
import { cholesky } from '../../stats/cholesky.ts';
import { missingCounts, type Gaussians } from '../../stats/feature-calibration.ts';
import { NdArray } from '../../tensor/ndarray.ts';
import { scope } from '../../tensor/scope.ts';
import { empty, tensor, type Tensor } from '../../tensor/tensor.ts';

/** How a Gaussian was drawn from. */
export interface Factoring {
  /** Added to the diagonal of the covariance so that it has a factor; 0 where it has one. */
  jitter: number;
  /** Whether no jitter helped, and the variances alone were used. */
  isDiagonal: boolean;
}

/** Options of {@link drawGaussians}. */
export interface DrawGaussiansOptions {
  /** Negative draws become 0, as features after a relu. Default: false. */
  nonNegative?: boolean;
  gpu?: Gpu;
}

/** Jitters that are tried, the first 1e-6 of the mean variance, each ten times the one before. */
const TRIES = 6;

/**
 * counts[i] draws from Gaussian i, on the device: mean + L z with L L' = covariance, z standard normal. x: (sum of
 * counts, width), by Gaussian. A covariance without a factor, such as that of fewer rows than features, gets a growing
 * jitter, and where none helps only its diagonal is used; `factorings` says which. Throws RangeError on counts that do
 * not fit, numbers that are not finite, and a negative variance.
 */
export function drawGaussians(
  { width, means, covariances }: Gaussians,
  counts: ArrayLike<number>,
  key: Key,
  options: DrawGaussiansOptions = {},
): { x: Tensor; factorings: Factoring[] } {
  expectOptions('drawGaussians', options, ['nonNegative', 'gpu']);
  const { nonNegative = false, gpu = currentGpu() } = options;
  const number = means.length / width;
  if (counts.length !== number)
    throw new RangeError(`drawGaussians: got ${counts.length} counts, expected ${number}, one for each Gaussian`);
  check('drawGaussians', { counts }, listOf(integer(0)));
  expectGaussians(means, covariances, width);
  const factorings: Factoring[] = [];
  const x = scope(() => {
    const parts: Tensor[] = [];
    for (let i = 0; i < number; i++) {
      const { factor, ...factoring } = factorOf(
        covariances.subarray(i * width * width, (i + 1) * width * width),
        width,
      );
      factorings.push(factoring);
      if (counts[i] === 0) continue;
      const z = normal([counts[i]!, width], splitKey(key, i), { gpu });
      const spread = matmul(z, tensor(Float32Array.from(factor), { shape: [width, width], gpu }), { transposeB: true });
      parts.push(add(spread, tensor(Float32Array.from(means.subarray(i * width, (i + 1) * width)), { gpu })));
    }
    const all = parts.length > 0 ? concat(parts) : empty([0, width], { gpu });
    return nonNegative ? relu(all) : all;
  });
  return { x, factorings };
}

function expectGaussians(means: Float64Array, covariances: Float64Array, width: number): void {
  const size = width * width;
  means.forEach((v, at) => {
    if (!Number.isFinite(v))
      throw new RangeError(
        `drawGaussians: mean ${at % width} of Gaussian ${Math.floor(at / width)} is ${v}, expected a finite number`,
      );
  });
  if (covariances.length !== means.length * width) {
    throw new RangeError(
      `drawGaussians: got ${covariances.length} entries of covariances, expected ${means.length * width}, ` +
        `${width} x ${width} for each Gaussian`,
    );
  }
  covariances.forEach((v, at) => {
    const isVariance = (at % size) % (width + 1) === 0;
    if (Number.isFinite(v) && !(isVariance && v < 0)) return;
    const entry = `[${Math.floor((at % size) / width)}, ${at % width}]`;
    throw new RangeError(
      `drawGaussians: covariance ${entry} of Gaussian ${Math.floor(at / size)} is ${v}, expected a finite ` +
        `number${isVariance ? ' >= 0' : ''}`,
    );
  });
}

function factorOf(covariance: Float64Array, width: number): Factoring & { factor: Float64Array } {
  const variances = Float64Array.from({ length: width }, (_, i) => covariance[i * (width + 1)]!);
  const mean = variances.reduce((a, b) => a + b, 0) / width;
  for (let t = -1; t < TRIES; t++) {
    const jitter = t < 0 ? 0 : 1e-6 * 10 ** t * mean;
    const shifted = covariance.map((v, i) => (i % (width + 1) === 0 ? v + jitter : v));
    const factor = attempt(shifted, width);
    if (factor) return { factor, jitter, isDiagonal: false };
  }
  const factor = new Float64Array(width * width);
  variances.forEach((v, i) => (factor[i * (width + 1)] = Math.sqrt(Math.max(0, v))));
  return { factor, jitter: 0, isDiagonal: true };
}

function attempt(a: Float64Array, width: number): Float64Array | null {
  try {
    return cholesky({ data: a, shape: [width, width] }).data;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Options of {@link enrich}. */
export interface EnrichOptions extends DrawGaussiansOptions {
  /** Samples that each class shall have. Default: those of the largest class. */
  target?: number;
  /** Of the draws. Default: 0. */
  seed?: number;
}

/** Features followed by drawn ones. */
export interface Enriched {
  data: Dataset;
  /** Draws from each Gaussian, and how. */
  counts: number[];
  factorings: Factoring[];
}

/**
 * Features (n, width) followed by draws from Gaussians, so that the classes the Gaussians belong to have `target`
 * samples: what a head is then trained on, see crt() and lws(). `classes[i]` is the class of Gaussian i; the Gaussians
 * of one class share what it lacks evenly, the remainder going to some of them at random. Throws RangeError where
 * classes and Gaussians do not fit.
 */
export async function enrich(
  features: Dataset,
  gaussians: Gaussians,
  classes: readonly number[],
  all: EnrichOptions = {},
): Promise<Enriched> {
  checkOptions('enrich', all, { target: integer(0), seed: any, nonNegative: boolean, gpu: any });
  const { target, seed = 0, ...options } = all;
  const { x, y, numClasses, classCounts } = features;
  const { width } = gaussians;
  if (x.shape.length !== 2 || x.shape[1] !== width)
    throw new RangeError(`enrich: features have shape [${x.shape}], expected (n, ${width}) as the Gaussians`);
  check('enrich', { classes }, listOf(integer(0, numClasses - 1)));
  const missing = missingCounts(classCounts, target);
  const counts = new Array<number>(classes.length).fill(0);
  for (const c of new Set(classes)) {
    const own = classes.flatMap((k, i) => (k === c ? [i] : []));
    const [each, rest] = [Math.floor(missing[c]! / own.length), missing[c]! % own.length];
    const lucky = new Set(Array.from(shuffledIndices(own.length, seed + c)).slice(0, rest));
    own.forEach((i, j) => (counts[i] = each + Number(lucky.has(j))));
  }
  const drawn = drawGaussians(gaussians, counts, keyOf(seed), options);
  try {
    const values = new Float32Array(x.data.length + drawn.x.size);
    values.set(x.data);
    values.set(await drawn.x.read(), x.data.length);
    const labels = [...y, ...counts.flatMap((n, i) => new Array<number>(n).fill(classes[i]!))];
    return {
      data: makeDataset(new NdArray(values, [labels.length, width]), labels, { numClasses }),
      counts,
      factorings: drawn.factorings,
    };
  } finally {
    drawn.x.dispose();
  }
}
