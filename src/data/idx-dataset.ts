import { expectOptions } from '../check/options.ts';
import { FormatError, gunzip, isGzip, parseIdx, type IdxArray } from '../io/index.ts';
import { gunzipHead } from '../io/gzip.ts';
import { readIdxHeader } from '../io/idx.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { makeDataset, type Dataset } from './dataset.ts';
import { bytesOf, type Source } from './source.ts';

/** Options of {@link loadIdx}. */
export interface LoadIdxOptions {
  /** Default: largest label + 1. */
  numClasses?: number;
  name?: string;
  /** Aborts the downloads. */
  signal?: AbortSignal;
  /** Cap on each inflated file. Default 1 GiB. */
  maxBytes?: number;
}

const OPTIONS = ['numClasses', 'name', 'signal', 'maxBytes'] as const;

/** Bytes of the longest IDX header: rank 255. */
const HEADER_BYTES = 4 + 4 * 255;

/** Columns of QMNIST's extended labels, of which the first is the class (Yadav and Bottou, 2019). */
const QMNIST_COLUMNS = 8;

/**
 * Loads a pair of IDX files as MNIST has them, plain or gzip: images (n, h, w) or (n, c, h, w), which become x of shape
 * (n, 1, h, w) or (n, c, h, w), float32: u8 in [0, 1] by / 255, other types as they stand; and n labels, integers of
 * any type, or QMNIST's (n, 8), whose first column is the class.
 * Rejects with FormatError on bytes that are no such files or do not belong together, with Error on a failed download,
 * with RangeError on labels outside 0..numClasses-1, and with the signal's reason when aborted.
 */
export async function loadIdx(images: Source, labels: Source, options: LoadIdxOptions = {}): Promise<Dataset> {
  expectOptions('loadIdx', options, OPTIONS);
  const { numClasses, name } = options;
  const [pixels, classes] = await Promise.all([load(images, 'images', options), load(labels, 'labels', options)]);
  if (pixels.shape.length !== 3 && pixels.shape.length !== 4) {
    throw new FormatError(`loadIdx: images have shape [${pixels.shape}], expected (n, h, w) or (n, c, h, w)`);
  }
  const y = labelsOf(classes);
  const count = pixels.shape[0]!;
  if (count !== y.length) throw new FormatError(`loadIdx: ${count} images but ${y.length} labels, expected as many`);

  const shape = pixels.shape.length === 3 ? [count, 1, ...pixels.shape.slice(1)] : pixels.shape;
  const x = new NdArray(new Float32Array(pixels.data.length), shape);
  const unit = pixels.dtype === 'u8' ? 255 : 1;
  for (let i = 0; i < x.data.length; i++) x.data[i] = pixels.data[i]! / unit;
  return makeDataset(x, y, { ...(numClasses !== undefined && { numClasses }), ...(name !== undefined && { name }) });
}

function labelsOf({ dtype, shape, data }: IdxArray): ArrayLike<number> {
  const isExtended = shape.length === 2 && shape[1] === QMNIST_COLUMNS && dtype === 'i32';
  if (shape.length !== 1 && !isExtended)
    throw new FormatError(`loadIdx: labels hold ${dtype} [${shape}], expected integers of shape (n)`);
  const y = isExtended ? Int32Array.from({ length: shape[0]! }, (_, i) => data[i * QMNIST_COLUMNS]!) : data;
  for (let i = 0; i < y.length; i++)
    if (!Number.isInteger(y[i])) throw new FormatError(`loadIdx: label ${i} is ${y[i]}, expected an integer`);
  return y;
}

async function load(
  source: Source,
  argument: string,
  { signal, maxBytes = 2 ** 30 }: LoadIdxOptions,
): Promise<IdxArray> {
  const bytes = await bytesOf(source, `loadIdx: ${argument}`, signal);
  try {
    return parseIdx(isGzip(bytes) ? await inflated(bytes, maxBytes) : bytes);
  } catch (cause) {
    if (cause instanceof FormatError) throw new FormatError(`loadIdx: ${argument}: ${cause.message}`, { cause });
    throw cause;
  }
}

/** The bytes of a gzip file; its IDX header says how many there may be, so that a small file cannot fill the memory. */
async function inflated(bytes: Uint8Array<ArrayBuffer>, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const head = await gunzipHead(bytes, HEADER_BYTES);
  // A first member that ends within the header tells nothing where the host reads one member only.
  const stated = head.length >= 4 && head.length >= 4 + 4 * head[3]! ? readIdxHeader(head).bytes : Infinity;
  if (stated <= maxBytes) return gunzip(bytes, { maxBytes: stated });
  return gunzip(bytes, { maxBytes });
}
