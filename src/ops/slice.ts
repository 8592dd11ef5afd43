import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { stridesOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { axesOf, axisOf } from './arguments.ts';
import { squeeze } from './reshape.ts';
import { takeView } from './strided.ts';

/** A number, or one for each sliced axis; undefined takes the default. */
type PerAxis = number | readonly (number | undefined)[];

/** Which elements to take along each axis, by the rules of a Python slice: start:end:step. */
export interface SliceOptions {
  /** First position, negative from the end. Default: the first; the last for a negative step. */
  start?: PerAxis;
  /** Position to stop before, negative from the end. Default: beyond the last; before the first for a negative step. */
  end?: PerAxis;
  /** Distance of neighbours, not 0; negative goes backwards. Default: 1. */
  step?: PerAxis;
  /** The axes that the entries are for, negative from the end. Default: the first ones. */
  axes?: readonly number[] | number;
}

const listOf = (v: PerAxis | undefined): readonly (number | undefined)[] =>
  v === undefined ? [] : typeof v === 'number' ? [v] : v;

function expectIntegers(name: string, list: readonly (number | undefined)[]): void {
  list.forEach((v, i) => {
    if (v !== undefined && !Number.isInteger(v))
      throw new RangeError(`slice: ${name}[${i}] is ${v}, expected an integer`);
    if (name === 'step' && v === 0) throw new RangeError(`slice: step[${i}] is 0, expected an integer other than 0`);
  });
}

/**
 * First position and count of start:end:step along an axis; positions beyond the ends are moved to them, as in Python.
 */
function rangeOf(
  length: number,
  start: number | undefined,
  end: number | undefined,
  step: number,
): { first: number; count: number } {
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const clip = (v: number): number => Math.min(high, Math.max(low, v < 0 ? v + length : v));
  const first = start === undefined ? (step > 0 ? low : high) : clip(start);
  const stop = end === undefined ? (step > 0 ? high : low) : clip(end);
  return { first, count: Math.max(0, Math.ceil((stop - first) / step)) };
}

/**
 * The elements start, start + step, .. of x before `end`, along one or more axes; the others stay whole. Negative
 * positions count from the end, and those beyond the ends are moved to them, as in NumPy; a negative step reverses. Any
 * dtype of four bytes. `slice(x, { start: 2, end: 5 })` takes rows 2, 3 and 4;
 * `slice(x, { start: [0, 1], step: [1, 2] })` every second column.
 */
export function slice<D extends DType>(x: Tensor<D>, options: SliceOptions): Tensor<D> {
  expectOptions('slice', options, ['start', 'end', 'step', 'axes']);
  const { start, end, step, axes } = options;
  const lists = { start: listOf(start), end: listOf(end), step: listOf(step) };
  const named = Math.max(...Object.values(lists).map((l) => l.length));
  const wanted =
    axes === undefined ? Array.from({ length: named }, (_, i) => i) : typeof axes === 'number' ? [axes] : axes;
  if (named > wanted.length || wanted.length > x.rank)
    throw new ShapeError(`slice: got ${named} entries for ${wanted.length} axes, x has shape [${x.shape}]`);
  for (const [name, list] of Object.entries(lists)) expectIntegers(name, list);
  axesOf('slice', x, wanted);
  const shape = [...x.shape];
  const strides = stridesOf(x.shape);
  let offset = 0;
  wanted.forEach((axis, i) => {
    const a = axis < 0 ? axis + x.rank : axis;
    const by = lists.step[i] ?? 1;
    const { first, count } = rangeOf(shape[a]!, lists.start[i], lists.end[i], by);
    offset += count > 0 ? first * strides[a]! : 0;
    shape[a] = count;
    strides[a]! *= by;
  });
  return takeView('slice', x, { shape, strides, offset });
}

/** Item `index` along the first axis, with that axis dropped: x[index]; negative from the end. A copy. */
export function at<D extends DType>(x: Tensor<D>, index: number): Tensor<D> {
  const { length } = axisOf('at', x, 0);
  const i = index < 0 ? index + length : index;
  if (!(Number.isInteger(i) && i >= 0 && i < length))
    throw new RangeError(`at: index is ${index}, expected an integer in ${-length}..${length - 1}`);
  return squeeze(slice(x, { start: i, end: i + 1 }), { axes: 0 });
}

/** x with the order of its elements reversed along `axes` (default: all). */
export function flip<D extends DType>(x: Tensor<D>, options: { axes?: readonly number[] | number } = {}): Tensor<D> {
  expectOptions('flip', options, ['axes']);
  const { axes } = options;
  const over = axesOf('flip', x, axes);
  const strides = stridesOf(x.shape);
  const offset = x.size === 0 ? 0 : over.reduce((sum, a) => sum + (x.shape[a]! - 1) * strides[a]!, 0);
  return takeView('flip', x, { shape: x.shape, strides: strides.map((s, i) => (over.includes(i) ? -s : s)), offset });
}

/**
 * x in pieces along `axis` (default 0), as in PyTorch: pieces of `size` elements, the last one smaller where it does
 * not divide, or of the sizes in a list, which add up to the axis.
 */
export function split<D extends DType>(
  x: Tensor<D>,
  size: number | readonly number[],
  options: { axis?: number } = {},
): Tensor<D>[] {
  expectOptions('split', options, ['axis']);
  const { axis = 0 } = options;
  const { axis: a, length } = axisOf('split', x, axis);
  if (typeof size === 'number') check('split', { size }, integer(1));
  const sizes =
    typeof size === 'number'
      ? Array.from({ length: Math.max(1, Math.ceil(length / size)) }, (_, i) => Math.min(size, length - i * size))
      : size;
  if (sizes.some((s) => !(Number.isInteger(s) && s >= 0)) || sizes.reduce((sum, s) => sum + s, 0) !== length) {
    throw new RangeError(
      `split: sizes are [${sizes}], expected non-negative integers that add up to ${length}, the size of ` +
        `axis ${axis} of [${x.shape}]`,
    );
  }
  let end = 0;
  return sizes.map((s) => slice(x, { start: end, end: (end += s), axes: a }));
}

/**
 * x in `chunks` pieces of equal size along `axis` (default 0); as in PyTorch the last may be smaller, or some missing,
 * where it does not divide.
 */
export function chunk<D extends DType>(x: Tensor<D>, chunks: number, options: { axis?: number } = {}): Tensor<D>[] {
  expectOptions('chunk', options, ['axis']);
  const { axis = 0 } = options;
  check('chunk', { chunks }, { chunks: integer(1) });
  return split(x, Math.max(1, Math.ceil(axisOf('chunk', x, axis).length / chunks)), { axis });
}
