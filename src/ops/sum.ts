import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { broadcastShapes, sameShape, sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { axesOf } from './arguments.ts';
import { expectOneOf, NUMERIC, WORDS, type Numeric, type Word } from './element.ts';
import { mapBinary } from './launch/binary.ts';
import { dropped, fold, keptShape } from './launch/reduce.ts';
import { reshape } from './reshape.ts';

// A sum and a repetition are the transposes of each other, so each is the gradient of the other.

/** Which axes to reduce. */
export interface ReduceOptions {
  /** Axes, negative from the end. Default: all. */
  axes?: readonly number[] | number;
  /** Keep the reduced axes with size 1. Default: false. */
  keepDim?: boolean;
}

/** The options of every reduction. */
export const REDUCE: readonly (keyof ReduceOptions)[] = ['axes', 'keepDim'];

/** Sum over axes, of f32 or of integers, which wrap around. Sum of no elements is 0. */
export function sum<D extends Numeric>(x: Tensor<D>, options: ReduceOptions = {}): Tensor<D> {
  expectOptions('sum', options, REDUCE);
  const { axes, keepDim = false } = options;
  expectOneOf(x, NUMERIC, 'sum: x');
  const over = axesOf('sum', x, axes);
  const y = dropped(fold(x, over, {}, x.dtype), over, keepDim);
  return record('sum', y, [x], {
    gradient: (dy) => [expand(reshape(dy, keptShape(x.shape, over)), x.shape)],
  });
}

/** x summed over the axes that broadcasting `shape` to x's shape has added or repeated. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const pad = x.rank - shape.length;
  const axes = x.shape.map((_, i) => i).filter((i) => i < pad || (shape[i - pad] === 1 && x.shape[i] !== 1));
  return reshape(sum(x, { axes, keepDim: true }), shape);
}

/** x repeated along axes of size 1 and new leading axes, to `shape`; any type of four bytes. */
export function expand<D extends Word>(x: Tensor<D>, shape: readonly number[]): Tensor<D> {
  const joint = broadcastShapes(x.shape, shape);
  if (!joint || !sameShape(joint, shape))
    throw new ShapeError(`expand: shape [${x.shape}] does not broadcast to [${shape}]`);
  if (sizeOf(shape) === x.size) return reshape(x, shape);
  expectOneOf(x, WORDS, 'expand: x');
  const y = mapBinary('expand', 'a', x, 0, { dtypes: WORDS, shape: [...shape] }) as Tensor;
  return record('expand', y, [x], { gradient: (dy) => [sumTo(dy, x.shape)] }) as Tensor<Word> as Tensor<D>;
}
