import kernel from '../../shaders/reduce.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor, viewOf } from '../tensor/tensor.ts';
import { axesOf, axisOf } from './arguments.ts';
import { div, equalMask, expand, mul } from './binary.ts';
import { ELEMENT, expectOneOf, NUMERIC, WORDS, type Numeric, type Word } from './element.ts';
import { reshape } from './reshape.ts';

/** Which axes to reduce. */
export interface ReduceOptions {
  /** Axes, negative from the end. Default: all. */
  axes?: readonly number[] | number;
  /** Keep the reduced axes with size 1. Default: false. */
  keepDim?: boolean;
}

/** WGSL of a reduction; every part has a default in the shader: a sum of the elements as they are. */
export interface Fold {
  /** From the first element, `first`, which is not valid when there is none. */
  start?: string;
  /** Of an element `v`. */
  map?: string;
  /** Of `acc` and `v`. */
  combine?: string;
  /** Of the result `acc`. */
  finish?: string;
  /** The largest magnitude so far of `most` and an element `v`, as bits: for a `combine` that may pass over NaN. */
  noted?: string;
  /** `params.p` in map and finish. */
  p?: number;
}

/** Product of the elements. */
export const PRODUCT: Fold = { start: 'return Out(1);', combine: 'return acc * v;' };
// They start from the first element, as WGSL constants cannot express -Infinity.
const LARGEST: Fold = { start: 'return first;', combine: 'return max(acc, v);' };
const SMALLEST: Fold = { start: 'return first;', combine: 'return min(acc, v);' };
const NOTED = 'return max(most, bitcast<u32>(v) & 0x7fffffffu);';

/** Elements one invocation folds when a long reduction to few results is split in two passes. */
const CHUNK = 256;

/** Pieces in which to reduce `length` elements to each of `results`. No piece is empty. */
export function partsOf(results: number, length: number): number {
  return results < 4096 && length > 2 * CHUNK ? Math.min(256, Math.ceil(length / CHUNK)) : 1;
}

/** Shape with the axes set to 1. */
export function keptShape(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((d, i) => (axes.includes(i) ? 1 : d));
}

/** Reduces axes of x from last to first; neighbouring axes go in one pass. Returns the keepDim shape's result. */
export function fold<D extends Word>(
  x: Tensor<Word>,
  axes: readonly number[],
  { start, map, combine, finish, noted, p = 0 }: Fold,
  dtype: D,
): Tensor<D> {
  const groups: number[][] = [];
  for (const a of axes) {
    const last = groups.at(-1);
    if (last && last.at(-1) === a - 1) last.push(a);
    else groups.push([a]);
  }
  if (groups.length === 0) groups.push([]);
  let current: Tensor<Word> = x;
  const temporary: Tensor<Word>[] = [];
  const pass = (
    outer: number,
    length: number,
    inner: number,
    parts: number,
    shape: readonly number[],
    isLast: boolean,
  ): void => {
    const y = empty(shape, { dtype, gpu: x.gpu });
    const maps = current === x ? { In: ELEMENT[x.dtype], ...(map && { map }) } : { In: ELEMENT[dtype] };
    const variant = {
      ...maps,
      Out: ELEMENT[dtype],
      ...(start && { start }),
      ...(combine && { combine }),
      ...(noted && { noted }),
      ...(isLast && finish && { finish }),
    };
    kernel.forward(
      { outer, length, inner, chunk: Math.ceil(length / parts), parts, p },
      { x: current, y },
      [outer * parts * inner],
      variant,
    );
    temporary.push(y);
    current = y;
  };
  for (const [at, group] of [...groups.entries()].reverse()) {
    const shape = current.shape;
    const first = group[0] ?? shape.length;
    const outer = sizeOf(shape.slice(0, first));
    const length = sizeOf(group.map((a) => shape[a]!));
    const inner = sizeOf(shape.slice(first + group.length));
    const parts = partsOf(outer * inner, length);
    if (parts > 1) pass(outer, length, inner, parts, [outer, parts, inner], false);
    pass(outer, parts > 1 ? parts : length, inner, 1, keptShape(shape, group), at === 0);
  }
  for (const t of temporary) if (t !== current) t.dispose();
  return current as Tensor<D>;
}

/** `y` without the reduced axes, in its place. */
export function dropped<D extends DType>(y: Tensor<D>, axes: readonly number[], keepDim: boolean): Tensor<D> {
  if (keepDim) return y;
  const out = viewOf(
    y,
    y.shape.filter((_, i) => !axes.includes(i)),
  );
  y.dispose();
  return out;
}

/** Throws a ShapeError when a reduced axis is empty. */
export function expectElements(op: string, x: Tensor<Word>, axes: readonly number[]): void {
  if (axes.some((a) => x.shape[a] === 0))
    throw new ShapeError(`${op}: x has shape [${x.shape}], a reduced axis is empty`);
}

/** The options of every reduction. */
export const REDUCE: readonly (keyof ReduceOptions)[] = ['axes', 'keepDim'];

function summed<D extends Numeric>(
  op: string,
  x: Tensor<D>,
  options: ReduceOptions,
  how: (count: number) => Fold & { p: number },
): Tensor<D> {
  expectOptions(op, options, REDUCE);
  const { axes, keepDim = false } = options;
  const over = axesOf(op, x, axes);
  const scaled = how(sizeOf(over.map((a) => x.shape[a]!)));
  const y = dropped(fold(x, over, scaled, x.dtype), over, keepDim);
  const spread = (dy: Tensor): Tensor =>
    expand(reshape(scaled.p === 1 ? dy : mul(dy, scaled.p), keptShape(x.shape, over)), x.shape);
  return record(op, y as unknown as Tensor, [x], (dy) => [spread(dy)], { composed: true }) as unknown as Tensor<D>;
}

/** Sum over axes, of f32 or of integers, which wrap around. Sum of no elements is 0. */
export function sum<D extends Numeric>(x: Tensor<D>, options: ReduceOptions = {}): Tensor<D> {
  expectOneOf(x, NUMERIC, 'sum: x');
  return summed('sum', x, options, () => ({ p: 1 }));
}

/** Mean over axes; f32. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  expectDType(x, 'f32', 'mean: x');
  return summed('mean', x, options, (n) => ({ finish: 'return acc * params.p;', p: 1 / n }));
}

function extreme<D extends Numeric>(op: string, x: Tensor<D>, options: ReduceOptions, how: Fold): Tensor<D> {
  expectOptions(op, options, REDUCE);
  const { axes, keepDim = false } = options;
  expectOneOf(x, NUMERIC, `${op}: x`);
  const over = axesOf(op, x, axes);
  expectElements(op, x, over);
  const kept = keptShape(x.shape, over);
  const y = dropped(fold(x, over, x.dtype === 'f32' ? { ...how, noted: NOTED } : how, x.dtype), over, keepDim);
  return record(
    op,
    y as unknown as Tensor,
    [x],
    (dy) => {
      const mask = equalMask(x as unknown as Tensor, viewOf(y, kept) as unknown as Tensor);
      return [mul(mask, expand(div(reshape(dy, kept), sum(mask, { axes: over, keepDim: true })), x.shape))];
    },
    { composed: true },
  ) as unknown as Tensor<D>;
}

/**
 * Largest element over axes, of f32 or of integers; equal maxima share the gradient evenly, as PyTorch's amax. NaN
 * among the elements makes the result and the gradient of all of them NaN.
 */
export function max<D extends Numeric>(x: Tensor<D>, options: ReduceOptions = {}): Tensor<D> {
  return extreme('max', x, options, LARGEST);
}

/**
 * Smallest element over axes, of f32 or of integers; equal minima share the gradient evenly, as PyTorch's amin. NaN as
 * in {@link max}.
 */
export function min<D extends Numeric>(x: Tensor<D>, options: ReduceOptions = {}): Tensor<D> {
  return extreme('min', x, options, SMALLEST);
}

function truth(op: string, x: Tensor<Word>, options: ReduceOptions, how: Fold): Tensor<'bool'> {
  expectOptions(op, options, REDUCE);
  const { axes, keepDim = false } = options;
  expectOneOf(x, WORDS, `${op}: x`);
  const over = axesOf(op, x, axes);
  // Bits tell a subnormal, and NaN, from 0 on every adapter.
  const map =
    x.dtype === 'f32'
      ? 'return select(0u, 1u, (bitcast<u32>(v) & 0x7fffffffu) != 0u);'
      : 'return select(0u, 1u, v != In(0));';
  return dropped(fold(x, over, { map, ...how }, 'bool'), over, keepDim);
}

/**
 * Whether some element over axes is not zero, as NaN is; bool. Of no elements: false. f32, i32, u32 or bool; no
 * gradient.
 */
export function any(x: Tensor<Word>, options: ReduceOptions = {}): Tensor<'bool'> {
  return truth('any', x, options, { combine: 'return acc | v;' });
}

/**
 * Whether every element over axes is not zero, as NaN is; bool. Of no elements: true. f32, i32, u32 or bool; no
 * gradient.
 */
export function all(x: Tensor<Word>, options: ReduceOptions = {}): Tensor<'bool'> {
  return truth('all', x, options, { start: 'return 1u;', combine: 'return acc & v;' });
}

/** Which axis to search. */
export interface ArgOptions {
  /** Default: the last. null: all of x, row by row. */
  axis?: number | null;
}

function arg(op: string, x: Tensor<Numeric>, axis: number | null, ahead: string): Tensor<'u32'> {
  expectOneOf(x, NUMERIC, `${op}: x`);
  const {
    axis: a,
    outer,
    length,
    inner,
  } = axis === null ? { axis: -1, outer: 1, length: x.size, inner: 1 } : axisOf(op, x, axis);
  if (length === 0)
    throw new ShapeError(
      axis === null ? `${op}: x of shape [${x.shape}] is empty` : `${op}: axis ${axis} of shape [${x.shape}] is empty`,
    );
  const y = empty(axis === null ? [] : x.shape.filter((_, i) => i !== a), { dtype: 'u32', gpu: x.gpu });
  const parts = partsOf(outer * inner, length);
  const params = { outer, length, inner, chunk: Math.ceil(length / parts), parts, p: 0 };
  const better = `return ${x.dtype === 'f32' ? `!isNan(acc) && (isNan(v) || ${ahead})` : ahead};`;
  const variant = { In: x.dtype, Out: x.dtype, better };
  const found = parts > 1 ? empty([outer, parts, inner], { dtype: 'u32', gpu: x.gpu }) : y;
  kernel.arg(params, { x, index: found }, [outer * parts * inner], variant);
  if (found !== y) {
    kernel.argOf(params, { x, found, index: y }, [outer * inner], variant);
    found.dispose();
  }
  return y;
}

/**
 * Index of the largest element along an axis, the first of equals; f32, i32 or u32. u32, no gradient. NaN counts as the
 * largest, as in PyTorch: where there is one the index is that of the first, which is no vote for a class.
 */
export function argmax(x: Tensor<Numeric>, options: ArgOptions = {}): Tensor<'u32'> {
  expectOptions('argmax', options, ['axis']);
  const { axis = -1 } = options;
  return arg('argmax', x, axis, 'v > acc');
}

/**
 * Index of the smallest element along an axis, the first of equals; f32, i32 or u32, or of the first NaN as in
 * {@link argmax}. u32, no gradient.
 */
export function argmin(x: Tensor<Numeric>, options: ArgOptions = {}): Tensor<'u32'> {
  expectOptions('argmin', options, ['axis']);
  const { axis = -1 } = options;
  return arg('argmin', x, axis, 'v < acc');
}

/** x summed over the axes that broadcasting `shape` to x's shape has added or repeated. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const pad = x.rank - shape.length;
  const axes = x.shape.map((_, i) => i).filter((i) => i < pad || (shape[i - pad] === 1 && x.shape[i] !== 1));
  return reshape(sum(x, { axes, keepDim: true }), shape);
}
