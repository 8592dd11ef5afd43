import kernel from '../../shaders/variance.wgsl';
import { expectOptions } from '../check/options.ts';
import { lanesFor } from '../gpu/lanes.ts';
import { sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import { axesOf } from './arguments.ts';
import { div, mul, sub } from './binary.ts';
import { equal, isFinite } from './compare.ts';
import { dropped, expectElements, keptShape } from './launch/reduce.ts';
import { mean } from './reduce.ts';
import { reshape } from './reshape.ts';
import { inRows } from './rows.ts';
import { REDUCE, type ReduceOptions } from './sum.ts';
import { where } from './where.ts';

/** Variance of which axes, and what to divide by. */
export interface VarianceOptions extends ReduceOptions {
  /** The sum of squares is divided by the number of elements less this. Default: 1, the unbiased estimate. */
  correction?: number;
}

function launch(op: string, x: Tensor, options: VarianceOptions, finish: string) {
  expectOptions(op, options, [...REDUCE, 'correction']);
  const { axes, keepDim = false, correction = 1 } = options;
  expectDType(x, 'f32', `${op}: x`);
  const over = axesOf(op, x, axes);
  expectElements(op, x, over);
  const count = sizeOf(over.map((a) => x.shape[a]!));
  if (!(correction < count))
    throw new RangeError(`${op}: correction is ${correction}, expected less than the ${count} elements reduced`);
  const divisor = count - correction;
  const y = inRows(x, over, (from, { params, shape }) => {
    const { outer, chunk, parts, inner } = params;
    const out = empty(shape, { gpu: x.gpu });
    const lanes = lanesFor(x.gpu, outer * parts * inner, chunk, inner);
    if (parts === 1) {
      kernel.pieces({ ...params, divisor }, { x: from, y: out }, lanes.grid, { ...lanes.variant, finish, LAST: 1 });
      return out;
    }
    const moments = empty([outer, parts, inner, 2], { gpu: x.gpu });
    kernel.pieces({ ...params, divisor }, { x: from, y: moments }, lanes.grid, lanes.variant);
    const over = lanesFor(x.gpu, outer * inner, parts, inner);
    kernel.merge({ ...params, divisor }, { x: moments, y: out }, over.grid, { ...over.variant, finish });
    moments.dispose();
    return out;
  });
  return { y: dropped(y, over, keepDim), over, divisor, kept: keptShape(x.shape, over) };
}

/**
 * x less its mean, centred twice: the first mean of large values is rounded to their digits, the second is not. Once
 * where the mean is infinite: the second would be NaN.
 */
function centred(x: Tensor, axes: readonly number[]): Tensor {
  const near = sub(x, mean(x, { axes, keepDim: true }));
  const rest = mean(near, { axes, keepDim: true });
  return sub(near, where(isFinite(rest), rest, 0));
}

/**
 * Variance over axes, sum (x - mean)^2 / (n - correction), accurate where the mean is large; f32. PyTorch's var, but n
 * <= correction is a RangeError instead of NaN.
 */
export function variance(x: Tensor, options: VarianceOptions = {}): Tensor {
  const { y, over, divisor, kept } = launch('variance', x, options, 'return v;');
  return record('variance', y, [x], { gradient: (dy) => [mul(mul(reshape(dy, kept), 2 / divisor), centred(x, over))] });
}

/** Standard deviation over axes, the square root of {@link variance}; its gradient is 0 where it is 0, as PyTorch's. */
export function std(x: Tensor, options: VarianceOptions = {}): Tensor {
  const { y, over, divisor, kept } = launch('std', x, options, 'return sqrt(v);');
  return record('std', y, [x], {
    gradient: (dy) => {
      const scale = where(equal(y, 0), 1, y);
      return [mul(reshape(div(mul(dy, 1 / divisor), scale), kept), centred(x, over))];
    },
  });
}
