import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { tensor, Tensor } from '../tensor/tensor.ts';
import { equalMask, mul, sub } from './binary.ts';
import { cast } from './cast.ts';
import { indexSelect } from './gather.ts';
import { reshape } from './reshape.ts';

/**
 * Rows of weight (count, features) by index: y (..., features) for indices (...), an i32 tensor or a list of integers.
 * The gradient adds up in index order, without atomics; the row `paddingIdx` gets none. On the device an index outside
 * the rows gives zeros.
 */
export function embedding(
  weight: Tensor,
  indices: Tensor<'i32'> | ArrayLike<number>,
  options: { paddingIdx?: number } = {},
): Tensor {
  expectOptions('embedding', options, ['paddingIdx']);
  const { paddingIdx } = options;
  if (weight.rank !== 2)
    throw new ShapeError(`embedding: weight has shape [${weight.shape}], expected (count, features)`);
  const [count, features] = weight.shape as [number, number];
  if (paddingIdx !== undefined && !(Number.isInteger(paddingIdx) && paddingIdx >= 0 && paddingIdx < count)) {
    throw new RangeError(`embedding: paddingIdx is ${paddingIdx}, expected an integer in 0..${count - 1}`);
  }
  const shape = indices instanceof Tensor ? indices.shape : [indices.length];
  const rows = sizeOf(shape);
  const flat =
    indices instanceof Tensor ? reshape(indices, [rows]) : tensor(indices, { dtype: 'i32', gpu: weight.gpu });
  const y = indexSelect(weight, indices instanceof Tensor ? flat : indices);
  if (paddingIdx === undefined) return reshape(y, [...shape, features]);
  const kept = record('paddingIdx', y.detach(), [y], {
    gradient: (dy) => [mul(dy, reshape(sub(1, equalMask(cast(flat, 'f32'), paddingIdx)), [rows, 1]))],
  });
  return reshape(kept, [...shape, features]);
}
