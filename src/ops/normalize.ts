import kernel from '../../shaders/normalize.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import { div, maximum, mul, sub } from './binary.ts';
import { cast } from './cast.ts';
import { greater } from './compare.ts';
import { norm } from './norm.ts';
import { sum } from './reduce.ts';

/** x / max(|x|_2, eps) along the last axis; f32. Default eps: 1e-12, as PyTorch's normalize. */
export function normalize(x: Tensor, options: { eps?: number } = {}): Tensor {
  expectOptions('normalize', options, ['eps']);
  const { eps = 1e-12 } = options;
  expectDType(x, 'f32', 'normalize: x');
  if (x.rank < 1) throw new ShapeError('normalize: x is a scalar, expected at least one axis');
  const params = { rows: sizeOf(x.shape.slice(0, -1)), cols: x.shape.at(-1)!, eps };
  const y = empty(x.shape, { gpu: x.gpu });
  kernel.forward(params, { x, y }, [params.rows]);
  return record('normalize', y, [x], {
    gradient: (dy) => {
      // dx = (dy - y (y . dy)) / n; the second term is gone where n is the constant eps.
      const length = norm(x, { axes: -1, keepDim: true });
      const along = mul(mul(y, sum(mul(y, dy), { axes: -1, keepDim: true })), cast(greater(length, eps), 'f32'));
      return [div(sub(dy, along), maximum(length, eps))];
    },
    fused: (dy, into) => {
      const dx = into.gradient(0);
      kernel.backward(params, { x, dy, y: dx }, [params.rows]);
      return [dx];
    },
  });
}
