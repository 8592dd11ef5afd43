import { FormatError, gunzip, isGzip, parseIdx, type IdxArray } from '../io/index.ts';
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

/**
 * Loads a pair of IDX files as MNIST has them: u8 images (n, h, w) or (n, c, h, w), which become x of shape
 * (n, 1, h, w) or (n, c, h, w), float32 in [0, 1] by / 255, and n integer labels.
 * Rejects with FormatError on bytes that are no such files or do not belong together, with Error on a failed download,
 * with RangeError on labels outside 0..numClasses-1, and with the signal's reason when aborted.
 */
export async function loadIdx(images: Source, labels: Source, { numClasses, name, signal, maxBytes }: LoadIdxOptions = {}): Promise<Dataset> {
  const options = { ...(signal && { signal }), ...(maxBytes !== undefined && { maxBytes }) };
  const [pixels, classes] = await Promise.all([load(images, 'images', options), load(labels, 'labels', options)]);
  if (pixels.dtype !== 'u8') throw new FormatError(`loadIdx: images hold ${pixels.dtype}, expected u8`);
  if (pixels.shape.length !== 3 && pixels.shape.length !== 4) {
    throw new FormatError(`loadIdx: images have shape [${pixels.shape}], expected (n, h, w) or (n, c, h, w)`);
  }
  if (classes.shape.length !== 1 || classes.dtype === 'f32' || classes.dtype === 'f64') {
    throw new FormatError(`loadIdx: labels hold ${classes.dtype} [${classes.shape}], expected integers of shape (n)`);
  }
  const count = pixels.shape[0]!;
  if (count !== classes.data.length) throw new FormatError(`loadIdx: ${count} images but ${classes.data.length} labels, expected as many`);

  const shape = pixels.shape.length === 3 ? [count, 1, ...pixels.shape.slice(1)] : pixels.shape;
  const x = new NdArray(new Float32Array(pixels.data.length), shape);
  for (let i = 0; i < x.data.length; i++) x.data[i] = pixels.data[i]! / 255;
  return makeDataset(x, classes.data, { ...(numClasses !== undefined && { numClasses }), ...(name !== undefined && { name }) });
}

async function load(source: Source, argument: string, { signal, maxBytes }: { signal?: AbortSignal; maxBytes?: number }): Promise<IdxArray> {
  const bytes = await bytesOf(source, `loadIdx: ${argument}`, signal);
  const plain = isGzip(bytes) ? await gunzip(bytes, maxBytes === undefined ? {} : { maxBytes }) : bytes;
  try {
    return parseIdx(plain);
  } catch (cause) {
    if (cause instanceof FormatError) throw new FormatError(`loadIdx: ${argument}: ${cause.message}`, { cause });
    throw cause;
  }
}
