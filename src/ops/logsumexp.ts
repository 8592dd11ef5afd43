import kernel from '../../shaders/logsumexp.wgsl';
import { expectOptions } from '../check/options.ts';
import { lanesFor } from '../gpu/lanes.ts';
import { noGrad, record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import { axesOf } from './arguments.ts';
import { div, maximum, mul, sub } from './binary.ts';
import { dropped, expectElements, keptShape } from './launch/reduce.ts';
import { max } from './reduce.ts';
import { reshape } from './reshape.ts';
import { inRows } from './rows.ts';
import { REDUCE, sum, type ReduceOptions } from './sum.ts';
import { clamp, exp } from './unary.ts';

/** The largest f32. */
const LARGEST = 3.4028234663852886e38;

/**
 * log(sum exp(x)) over axes without overflow; f32. A row of -Infinity gives -Infinity and no gradient; a row that is
 * masked throughout by -3.0e38 gives about that value; one with a NaN gives NaN, else one with Infinity gives that. The
 * gradient is dy exp(x - y), NaN where x = y = Infinity.
 */
export function logsumexp(x: Tensor, options: ReduceOptions = {}): Tensor {
  expectOptions('logsumexp', options, REDUCE);
  const { axes, keepDim = false } = options;
  expectDType(x, 'f32', 'logsumexp: x');
  const over = axesOf('logsumexp', x, axes);
  expectElements('logsumexp', x, over);
  const y = inRows(x, over, (from, { params, shape }) => {
    const { outer, chunk, parts, inner } = params;
    const out = empty(shape, { gpu: x.gpu });
    const lanes = lanesFor(x.gpu, outer * parts * inner, chunk, inner);
    if (parts === 1) {
      kernel.forward(params, { x: from, y: out }, lanes.grid, { ...lanes.variant, LAST: 1 });
      return out;
    }
    const terms = empty([outer, parts, inner, 2], { gpu: x.gpu });
    kernel.forward(params, { x: from, y: terms }, lanes.grid, lanes.variant);
    const over = lanesFor(x.gpu, outer * inner, parts, inner);
    const all = { outer, length: parts, inner, chunk: parts, parts: 1 };
    kernel.forward(all, { x: terms, y: out }, over.grid, { ...over.variant, TERMS: 1, LAST: 1 });
    terms.dispose();
    return out;
  });
  return record('logsumexp', dropped(y, over, keepDim), [x], {
    gradient: (dy) => {
      // softmax is the same for any shift, so the gradient of the maximum is left out. The maximum itself contributes 1
      // to the sum, which is below that only in a row of -Infinity.
      const shift = noGrad(() => clamp(max(x, { axes: over, keepDim: true }), -LARGEST, LARGEST));
      const e = exp(sub(x, shift));
      const total = maximum(sum(e, { axes: over, keepDim: true }), 0.5);
      return [mul(e, div(reshape(dy, keptShape(x.shape, over)), total))];
    },
  });
}
