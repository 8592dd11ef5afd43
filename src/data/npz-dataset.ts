import { expectOptions } from '../check/options.ts';
import { decodeNpy, decodeNpz, FormatError, type NpyArray } from '../io/index.ts';
import { listed, quote } from '../io/format-error.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { makeDataset, type Dataset } from './dataset.ts';
import { bytesOf, plainBytesOf, type Source } from './source.ts';

/** Options of {@link loadNpz}. */
export interface LoadNpzOptions {
  /** Name of the inputs in the archive. Default: 'x'. */
  x?: string;
  /** Name of the labels. Default: 'y'. */
  y?: string;
  /** Default: largest label + 1. */
  numClasses?: number;
  name?: string;
  signal?: AbortSignal;
  /** Cap on all arrays together. Default: 1 GiB. */
  maxBytes?: number;
}

/**
 * A dataset out of a .npz file (`np.savez('set.npz', x=x, y=y)`): inputs (n, ...features), u8 / 255 and other types as
 * they stand, and n integer labels of any type. Rejects with FormatError on another file, an array that is not there or
 * does not belong.
 */
export async function loadNpz(source: Source, options: LoadNpzOptions = {}): Promise<Dataset> {
  expectOptions('loadNpz', options, ['x', 'y', 'numClasses', 'name', 'signal', 'maxBytes']);
  const { x = 'x', y = 'y', signal, maxBytes } = options;
  const arrays = await decodeNpz(
    await bytesOf(source, 'loadNpz: source', signal),
    maxBytes === undefined ? {} : { maxBytes },
  );
  const array = (name: string): NpyArray => {
    const found = arrays.get(name);
    if (!found)
      throw new FormatError(`loadNpz: there is no array ${quote(name)}, expected one of ${listed([...arrays.keys()])}`);
    return found;
  };
  return datasetOf('loadNpz', array(x), array(y), options);
}

/** The same out of two .npy files, plain or gzip: `loadNpy('x.npy', 'y.npy')`. */
export async function loadNpy(x: Source, y: Source, options: Omit<LoadNpzOptions, 'x' | 'y'> = {}): Promise<Dataset> {
  expectOptions('loadNpy', options, ['numClasses', 'name', 'signal', 'maxBytes']);
  const [inputs, labels] = await Promise.all(
    [x, y].map(async (source, i) => decodeNpy(await plainBytesOf(source, `loadNpy: ${'xy'[i]}`, options))),
  );
  return datasetOf('loadNpy', inputs!, labels!, options);
}

function datasetOf(where: string, x: NpyArray, y: NpyArray, { numClasses, name }: LoadNpzOptions): Dataset {
  if (x.shape.length === 0 || x.dtype === 'i64' || x.dtype === 'u64')
    throw new FormatError(
      `${where}: x holds ${x.dtype} [${x.shape}], expected (n, ...features) of numbers below 64 bits or floats`,
    );
  if (y.shape.length !== 1) throw new FormatError(`${where}: y has shape [${y.shape}], expected (n)`);
  const labels = Array.from(y.data as ArrayLike<number | bigint>, Number);
  const bad = labels.findIndex((label) => !Number.isInteger(label));
  if (bad >= 0) throw new FormatError(`${where}: y[${bad}] is ${labels[bad]}, expected an integer`);
  if (labels.length !== x.shape[0])
    throw new FormatError(`${where}: ${x.shape[0]} inputs but ${labels.length} labels, expected as many`);
  const unit = x.dtype === 'u8' ? 255 : 1;
  const values = Float32Array.from(x.data, (v) => v / unit);
  return makeDataset(new NdArray(values, x.shape), labels, {
    ...(numClasses !== undefined && { numClasses }),
    ...(name !== undefined && { name }),
  });
}
