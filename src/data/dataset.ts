import { check, integer, listOf } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { toList, type Nested } from '../tensor/host-values.ts';
import { NdArray, toNdArray } from '../tensor/ndarray.ts';
import { sizeOf } from '../tensor/shape.ts';

/** Labelled examples on the host. */
export interface Dataset {
  /** Inputs, (n, ...features), float32. */
  x: NdArray<Float32Array>;
  /** Integer labels in 0..numClasses-1, one per input. */
  y: Int32Array;
  numClasses: number;
  /** Examples of each class; what long-tail losses take as `classCounts`. */
  classCounts: number[];
  name?: string;
}

/** Options of {@link makeDataset}. */
export interface DatasetOptions {
  /** Default: largest label + 1. */
  numClasses?: number;
  name?: string;
}

/**
 * A Dataset out of inputs x, (n, ...features), an NdArray or nested arrays, and n integer labels. Labels are copied, an
 * NdArray is not. Throws RangeError on a label that is not an integer in 0..numClasses-1, a length mismatch, an input
 * that is not finite, or a numClasses that is not a positive integer (it must be given when n = 0).
 */
export function makeDataset(
  inputs: NdArray<Float32Array> | Nested,
  labels: ArrayLike<number>,
  options: DatasetOptions = {},
): Dataset {
  // A dataset is taken as options too, for its number of classes and its name.
  expectOptions('makeDataset', options as Partial<Dataset> & { classNames?: string[] }, [
    'numClasses',
    'name',
    'x',
    'y',
    'classCounts',
    'classNames',
  ]);
  const { numClasses, name } = options;
  const host = toNdArray('makeDataset: x', inputs);
  const x =
    host.data instanceof Float32Array
      ? (host as NdArray<Float32Array>)
      : new NdArray(Float32Array.from(host.data), host.shape);
  const y = toList('makeDataset: y', labels);
  if (x.shape.length === 0) throw new RangeError('makeDataset: x has shape [], expected (n, ...features)');
  if (y.length !== x.length)
    throw new RangeError(`makeDataset: y has ${y.length} labels, expected ${x.length}, one per row of x`);
  const classes = numClasses ?? largest(y) + 1;
  check('makeDataset', { numClasses: classes }, integer(1));
  check('makeDataset', { y }, listOf(integer(0, classes - 1)));
  for (let i = 0; i < x.data.length; i++) {
    if (!Number.isFinite(x.data[i])) {
      throw new RangeError(
        `makeDataset: x is ${x.data[i]} in example ${Math.floor(i / sizeOf(x.shape.slice(1)))}, ` +
          'expected finite numbers',
      );
    }
  }
  return assemble(x, Int32Array.from(y), classes, name);
}

/**
 * The examples at `indices`, in that order, copied; indices may repeat. Classes that lose all their examples keep their
 * number, with count 0. Throws RangeError on an index outside 0..n-1.
 */
export function subset(data: Dataset, indices: ArrayLike<number>): Dataset {
  check('subset', { indices }, listOf(integer(0, data.y.length - 1)));
  const features = data.x.shape.slice(1);
  const size = sizeOf(features);
  const values = new Float32Array(indices.length * size);
  const labels = new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i]!;
    values.set(data.x.data.subarray(from * size, (from + 1) * size), i * size);
    labels[i] = data.y[from]!;
  }
  return assemble(new NdArray(values, [indices.length, ...features]), labels, data.numClasses, data.name);
}

/** Indices of the examples of each class, ascending. */
export function indicesByClass({ y, numClasses }: Pick<Dataset, 'y' | 'numClasses'>): number[][] {
  const groups = Array.from({ length: numClasses }, (): number[] => []);
  for (let i = 0; i < y.length; i++) groups[y[i]!]!.push(i);
  return groups;
}

function assemble(x: NdArray<Float32Array>, y: Int32Array, numClasses: number, name: string | undefined): Dataset {
  const classCounts = new Array<number>(numClasses).fill(0);
  for (let i = 0; i < y.length; i++) classCounts[y[i]!]!++;
  return name === undefined ? { x, y, numClasses, classCounts } : { x, y, numClasses, classCounts, name };
}

function largest(y: ArrayLike<number>): number {
  let max = -1;
  for (let i = 0; i < y.length; i++) max = Math.max(max, y[i]!);
  return max;
}
