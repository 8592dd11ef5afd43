import { any, either, integer, rule, worded, type Rule } from '../check/check.ts';
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

/**
 * Where a draw on the host takes its numbers: `stream` plus the stream on the device, and the number of the first item.
 */
export interface HostDrawOptions {
  stream?: number;
  first?: number;
}

/** Rules of {@link DrawOptions}. */
export const DRAW = {
  stream: worded(integer(0, 2 ** 32 - 1), 'an integer from 0 to 2^32 - 1'),
  first: any,
  gpu: any,
} as const;

/** Rules of {@link HostDrawOptions}. */
export const HOST_DRAW = { stream: any, first: any } as const;

/** One number that obeys `of`, or a table with one for each element, whose values are not looked at. */
export const orTable = <T extends object>(of: Rule<number>): Rule<number | T> =>
  worded(
    either(
      of,
      rule('a table', (v: T) => typeof v === 'object' && v !== null),
    ),
    of.expected,
  );

/**
 * What every kernel of this folder is given: the place in the stream, the shape of the draw, and the state on the
 * device.
 */
export function placeOf(key: Key, shape: readonly number[], { stream = 0, first, gpu = currentGpu() }: DrawOptions) {
  const state = first ?? gpu.constant('random start', () => unscoped(() => tensor([0, 0], { dtype: 'u32', gpu })));
  return {
    gpu,
    state,
    place: { key0: key[0], key1: key[1], stream, count: shape[0] ?? 1, size: sizeOf(shape.slice(1)) },
  };
}

/**
 * A parameter of a distribution: one number, or a table with one for each element, whose type and shape are checked;
 * `fill` is used where there is no table.
 */
export function parameter(what: string, value: number | Tensor, shape: readonly number[], fill: Tensor<'u32'>) {
  if (typeof value === 'number') return { value, table: fill, isTable: 0 };
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
