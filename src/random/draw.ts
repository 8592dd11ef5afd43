import { currentGpu, type Gpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import { unscoped } from '../tensor/scope.ts';
import { expectDType, tensor, Tensor } from '../tensor/tensor.ts';
import type { Key } from './key.ts';
import { philox } from './philox.ts';

/** Where in the stream of a key the numbers are taken. */
export interface DrawOptions {
  /** Sub-stream of the key, an integer from 0 to 2^32 - 1. Default: 0. */
  stream?: number;
  /**
   * u32 (2 or more): number of the first item, and what is added to the stream; on the device, so that a captured step
   * draws anew. Default: 0, 0.
   */
  first?: Tensor<'u32'>;
  /** The device to draw on. Default: that of the last `init`. */
  gpu?: Gpu;
}

/** Where a host twin takes its numbers: `stream` plus the stream on the device, and the number of the first item. */
export interface HostDrawOptions {
  stream?: number;
  first?: number;
}

/**
 * What every kernel of this folder is given: the place in the stream, the shape of the draw, and the state on the
 * device.
 */
export function placeOf(
  op: string,
  key: Key,
  shape: readonly number[],
  { stream = 0, first, gpu = currentGpu() }: DrawOptions,
) {
  if (!(Number.isInteger(stream) && stream >= 0 && stream < 2 ** 32))
    throw new RangeError(`${op}: stream is ${stream}, expected an integer from 0 to 2^32 - 1`);
  const state = first ?? gpu.constant('random start', () => unscoped(() => tensor([0, 0], { dtype: 'u32', gpu })));
  return {
    gpu,
    state,
    place: { key0: key[0], key1: key[1], stream, count: shape[0] ?? 1, size: sizeOf(shape.slice(1)) },
  };
}

/** Throws a RangeError unless `fits(value)`. */
export function expectNumber(what: string, value: number, fits: (v: number) => boolean, expected: string): void {
  if (!fits(value)) throw new RangeError(`${what} is ${value}, expected ${expected}`);
}

/** Holds for finite numbers above 0. */
export const isPositive = (v: number): boolean => v > 0 && Number.isFinite(v);

/**
 * A parameter of a distribution: one number, checked, or a table with one for each element; `fill` stands in for the
 * table.
 */
export function parameter(
  what: string,
  value: number | Tensor,
  shape: readonly number[],
  fits: (v: number) => boolean,
  expected: string,
  fill: Tensor<'u32'>,
) {
  if (typeof value === 'number') {
    expectNumber(what, value, fits, expected);
    return { value, table: fill, isTable: 0 };
  }
  expectDType(value, 'f32', what);
  if (!sameShape(value.shape, shape))
    throw new ShapeError(`${what} has shape [${value.shape}], expected that of the draw [${shape}]`);
  return { value: 0, table: value, isTable: 1 };
}

/**
 * Fills `out` (count, size) with map(words of a block, position of its first element, first counter words), as the
 * kernels do.
 */
export function hostDraw<T extends { [i: number]: number }>(
  out: T,
  count: number,
  size: number,
  key: Key,
  { stream = 0, first = 0 }: HostDrawOptions,
  map: (words: readonly number[], at: number, block: readonly [number, number, number]) => readonly number[],
): T {
  for (let n = 0; n < count; n++) {
    for (let at = 0; at < size; at += 4) {
      const block = [at / 4, first + n, stream] as const;
      const v = map(philox([...block, 0], key), n * size + at, block);
      for (let j = 0; j < 4 && at + j < size; j++) out[n * size + at + j] = v[j]!;
    }
  }
  return out;
}
