import { expectOptions } from '../check/options.ts';
import { sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { expectDType, type Tensor, viewOf } from '../tensor/tensor.ts';
import { axesOf } from './arguments.ts';
import { div, equalMask, expand, mul } from './binary.ts';
import { expectOneOf, NUMERIC, WORDS, type Numeric, type Word } from './element.ts';
import { arg, dropped, expectElements, fold, keptShape, LARGEST, NOTED, SMALLEST, type Fold } from './launch/reduce.ts';
import { reshape } from './reshape.ts';
import { REDUCE, sum, type ReduceOptions } from './sum.ts';

export { sum, type ReduceOptions };

/** Mean over axes; f32. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  expectOptions('mean', options, REDUCE);
  const { axes, keepDim = false } = options;
  expectDType(x, 'f32', 'mean: x');
  const over = axesOf('mean', x, axes);
  const p = 1 / sizeOf(over.map((a) => x.shape[a]!));
  const y = dropped(fold(x, over, { finish: 'return acc * params.p;', p }, 'f32'), over, keepDim);
  return record('mean', y, [x], {
    gradient: (dy) => [expand(reshape(p === 1 ? dy : mul(dy, p), keptShape(x.shape, over)), x.shape)],
  });
}

function extreme<D extends Numeric>(op: string, x: Tensor<D>, options: ReduceOptions, how: Fold): Tensor<D> {
  expectOptions(op, options, REDUCE);
  const { axes, keepDim = false } = options;
  expectOneOf(x, NUMERIC, `${op}: x`);
  const over = axesOf(op, x, axes);
  expectElements(op, x, over);
  const kept = keptShape(x.shape, over);
  const y = dropped(fold(x, over, x.dtype === 'f32' ? { ...how, noted: NOTED } : how, x.dtype), over, keepDim);
  return record(op, y, [x], {
    gradient: (dy) => {
      const mask = equalMask(x as unknown as Tensor, viewOf(y, kept) as unknown as Tensor);
      return [mul(mask, expand(div(reshape(dy, kept), sum(mask, { axes: over, keepDim: true })), x.shape))];
    },
  });
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
  // By bits, subnormal numbers and NaN differ from 0 on every adapter.
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

/**
 * Index of the largest element along an axis, the first of equals; f32, i32 or u32. u32, no gradient. NaN counts as the
 * largest, as in PyTorch: where there is one the index is that of the first.
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
