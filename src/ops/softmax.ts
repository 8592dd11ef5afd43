import kernel from '../../shaders/softmax.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { normalizeAxes, sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import { mul, sub } from './binary.ts';
import { lanesFor, type Lanes } from './launch/lanes.ts';
import { sum } from './reduce.ts';
import { exp } from './unary.ts';

/** The axis that sums to one. */
export interface SoftmaxOptions {
  /** Default: the last axis. */
  axis?: number;
}

function rows(
  op: string,
  x: Tensor,
  axis: number,
): { params: { outer: number; length: number; inner: number }; lanes: Lanes; axis: number } {
  expectDType(x, 'f32', `${op}: x`);
  const [a] = normalizeAxes([axis], x.rank) ?? [];
  if (a === undefined) throw new ShapeError(`${op}: axis is ${axis}, x has shape [${x.shape}]`);
  if (x.shape[a] === 0) throw new ShapeError(`${op}: axis ${axis} of shape [${x.shape}] is empty`);
  const [outer, length, inner] = [sizeOf(x.shape.slice(0, a)), x.shape[a]!, sizeOf(x.shape.slice(a + 1))];
  return { params: { outer, length, inner }, lanes: lanesFor(x.gpu, outer * inner, length, inner), axis: a };
}

/**
 * softmax(x) along an axis, shifted by the maximum so that it never overflows; 0 at -Infinity. NaN throughout a row
 * with NaN or Infinity or nothing but -Infinity, as PyTorch's.
 */
export function softmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  expectOptions('softmax', options, ['axis']);
  const { params, lanes, axis } = rows('softmax', x, options.axis ?? -1);
  const y = empty(x.shape, { gpu: x.gpu });
  kernel.forward(params, { x, dy: x, y }, lanes.grid, lanes.variant);
  return record('softmax', y, [x], {
    gradient: (dy) => [mul(y, sub(dy, sum(mul(dy, y), { axes: axis, keepDim: true })))],
    fused: (dy, into) => {
      const dx = into.gradient(0);
      kernel.backward(params, { x: y, dy, y: dx }, lanes.grid, lanes.variant);
      return [dx];
    },
  });
}

/** log(softmax(x)) along an axis, accurate where softmax underflows; -Infinity at -Infinity, NaN as {@link softmax}. */
export function logSoftmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  expectOptions('logSoftmax', options, ['axis']);
  const { params, lanes, axis } = rows('logSoftmax', x, options.axis ?? -1);
  const y = empty(x.shape, { gpu: x.gpu });
  kernel.forwardLog(params, { x, dy: x, y }, lanes.grid, lanes.variant);
  return record('logSoftmax', y, [x], {
    gradient: (dy) => [sub(dy, mul(exp(y), sum(dy, { axes: axis, keepDim: true })))],
    fused: (dy, into) => {
      const dx = into.gradient(0);
      kernel.backwardLog(params, { x: y, dy, y: dx }, lanes.grid, lanes.variant);
      return [dx];
    },
  });
}
