import kernel from '../../shaders/prod.wgsl';
import { expectOptions } from '../check/options.ts';
import { sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, type Tensor } from '../tensor/tensor.ts';
import { axesOf } from './arguments.ts';
import { mul } from './binary.ts';
import { expectOneOf, NUMERIC, type Numeric } from './element.ts';
import { dropped, fold, keptShape, PRODUCT } from './launch/reduce.ts';
import { reshape } from './reshape.ts';
import { REDUCE, type ReduceOptions } from './sum.ts';

/** The product of all elements over `axes` except the element itself. */
function others(x: Tensor, axes: readonly number[]): Tensor {
  const gap = axes.findIndex((a, i) => i > 0 && a !== axes[i - 1]! + 1);
  if (gap > 0) {
    const behind = axes.slice(gap);
    return mul(others(x, behind), others(prod(x, { axes: behind, keepDim: true }), axes.slice(0, gap)));
  }
  const first = axes[0] ?? x.rank;
  const params = {
    outer: sizeOf(x.shape.slice(0, first)),
    length: sizeOf(axes.map((a) => x.shape[a]!)),
    inner: sizeOf(x.shape.slice(first + axes.length)),
  };
  const rows = [params.outer * params.inner];
  const y = empty(x.shape, { gpu: x.gpu });
  kernel.others(params, { x, y }, rows);
  return record('prod', y, [x], {
    fused: (g) => {
      const dx = empty(x.shape, { gpu: x.gpu });
      const change = empty(x.shape, { gpu: x.gpu });
      kernel.backward(params, { x, g, y: dx, change }, rows);
      change.dispose();
      return [dx];
    },
  });
}

/**
 * Product over axes, of f32 or of integers, which wrap around. Product of no elements is 1. The gradient of an element
 * is the product of all others, right where elements are zero; it takes one invocation per row, and can be
 * differentiated once more.
 */
export function prod<D extends Numeric>(x: Tensor<D>, options: ReduceOptions = {}): Tensor<D> {
  expectOptions('prod', options, REDUCE);
  const { axes, keepDim = false } = options;
  expectOneOf(x, NUMERIC, 'prod: x');
  const over = axesOf('prod', x, axes);
  const y = dropped(fold(x, over, PRODUCT, x.dtype), over, keepDim);
  const gradient = (dy: Tensor): Tensor =>
    mul(reshape(dy, keptShape(x.shape, over)), others(x as unknown as Tensor, over));
  return record('prod', y, [x], { gradient: (dy) => [gradient(dy)] });
}
