import { any, checkOptions, oneOf } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { FormatError, parseCifar } from '../io/index.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { makeDataset, type Dataset } from './dataset.ts';
import { plainBytesOf, type Source } from './source.ts';

/** Options of {@link loadCifar10} and {@link loadCifar100}. */
export interface LoadCifarOptions {
  name?: string;
  /** Aborts the downloads. */
  signal?: AbortSignal;
  /** Cap on each inflated file. Default 1 GiB. */
  maxBytes?: number;
}

/** Options of {@link loadCifar100}. */
export interface LoadCifar100Options extends LoadCifarOptions {
  /** The 100 classes or the 20 superclasses. Default: 'fine'. */
  labels?: 'fine' | 'coarse';
}

/**
 * Means and standard deviations of the channels that the long-tail papers normalise CIFAR-10 by; for
 * {@link normalizeChannels}.
 */
export const CIFAR10_STATISTICS = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] } as const;

/**
 * The binary version of CIFAR-10 from its files (data_batch_1.bin .. data_batch_5.bin, or test_batch.bin; gzip too), in
 * their order: x (n, 3, 32, 32) in [0, 1], 10 classes. Rejects with FormatError on bytes that are no such file, with
 * Error on a failed download.
 */
export async function loadCifar10(files: readonly Source[], options: LoadCifarOptions = {}): Promise<Dataset> {
  expectOptions('loadCifar10', options, ['name', 'signal', 'maxBytes']);
  return load('loadCifar10', files, 'cifar10', options);
}

/** The same for CIFAR-100 (train.bin or test.bin): 100 fine classes, or the 20 superclasses with `labels: 'coarse'`. */
export async function loadCifar100(files: readonly Source[], options: LoadCifar100Options = {}): Promise<Dataset> {
  checkOptions('loadCifar100', options, { labels: oneOf('fine', 'coarse'), name: any, signal: any, maxBytes: any });
  return load('loadCifar100', files, 'cifar100', options);
}

async function load(
  op: string,
  files: readonly Source[],
  kind: 'cifar10' | 'cifar100',
  { labels = 'fine', name = kind, signal, maxBytes }: LoadCifar100Options,
): Promise<Dataset> {
  if (!Array.isArray(files) || files.length === 0)
    throw new RangeError(
      `${op}: files is ${Array.isArray(files) ? 'empty' : typeof files}, expected an array of at least one file`,
    );
  const parts = await Promise.all(
    files.map(async (file, i) => {
      const bytes = await plainBytesOf(file, `${op}: file ${i}`, { signal, maxBytes });
      try {
        return parseCifar(bytes, kind);
      } catch (cause) {
        if (cause instanceof FormatError) throw new FormatError(`${op}: file ${i}: ${cause.message}`, { cause });
        throw cause;
      }
    }),
  );
  const count = parts.reduce((n, part) => n + part.labels.length, 0);
  const x = new NdArray(new Float32Array(count * 3072), [count, 3, 32, 32]);
  const y = new Uint8Array(count);
  let at = 0;
  for (const { images, labels: fine, coarse } of parts) {
    for (let i = 0; i < images.length; i++) x.data[at * 3072 + i] = images[i]! / 255;
    y.set(labels === 'coarse' ? coarse! : fine, at);
    at += fine.length;
  }
  return makeDataset(x, y, { numClasses: kind === 'cifar10' ? 10 : labels === 'coarse' ? 20 : 100, name });
}

/**
 * The dataset with channel c of its images (n, channels, ...) replaced by (x - mean[c]) / std[c]; copied. Noise levels,
 * radii and attacks then are in these units. Throws RangeError when there is not one mean and one positive std for each
 * channel.
 */
export function normalizeChannels(
  data: Dataset,
  options: { mean: readonly number[]; std: readonly number[] },
): Dataset {
  expectOptions('normalizeChannels', options, ['mean', 'std']);
  const { mean, std } = options;
  const [, channels, ...rest] = data.x.shape;
  if (channels === undefined || mean.length !== channels || std.length !== channels) {
    throw new RangeError(
      `normalizeChannels: ${mean.length} means and ${std.length} deviations for x of shape ` +
        `[${data.x.shape}], expected one of each for each channel, axis 1`,
    );
  }
  if (![...mean, ...std].every(Number.isFinite) || std.some((s) => s <= 0))
    throw new RangeError(
      `normalizeChannels: mean is [${mean}], std is [${std}], expected finite numbers, and deviations above 0`,
    );
  const area = rest.reduce((a, b) => a * b, 1);
  const values = Float32Array.from(data.x.data, (v, i) => {
    const c = Math.floor(i / area) % channels;
    return (v - mean[c]!) / std[c]!;
  });
  return { ...data, x: new NdArray(values, data.x.shape) };
}
