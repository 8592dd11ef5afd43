import kernel from '../../shaders/cumsum.wgsl';
import { expectOptions } from '../check/options.ts';
import { record } from '../tensor/tape.ts';
import { empty, type Tensor } from '../tensor/tensor.ts';
import { axisOf } from './arguments.ts';
import { expectOneOf, NUMERIC, type Numeric } from './element.ts';

/** Direction of a running sum. */
export interface CumsumOptions {
  /** Default: the last. */
  axis?: number;
  /** Leave out the element itself: the sum starts with 0. Default: false. */
  exclusive?: boolean;
  /** Sum from the end. Default: false. */
  reverse?: boolean;
}

/** Rows shorter than this, or more rows than this, are summed in one piece each. */
const [LONG, MANY] = [512, 4096];

/** Running sum along an axis, of f32 or of integers, which wrap around. */
export function cumsum<D extends Numeric>(x: Tensor<D>, options: CumsumOptions = {}): Tensor<D> {
  expectOptions('cumsum', options, ['axis', 'exclusive', 'reverse']);
  const { axis = -1, exclusive = false, reverse = false } = options;
  expectOneOf(x, NUMERIC, 'cumsum: x');
  const { outer, length, inner } = axisOf('cumsum', x, axis);
  const { dtype, gpu } = x;
  const y = empty(x.shape, { dtype, gpu });
  const variant = { Element: dtype, REVERSE: Number(reverse), EXCLUSIVE: Number(exclusive) };
  // Pieces of about sqrt(length): as much work for each of them as for the sum over them.
  const chunk = length > LONG && outer * inner < MANY ? Math.ceil(Math.sqrt(length)) : length;
  const parts = length > 0 ? Math.ceil(length / chunk) : 0;
  const [params, grid] = [{ outer, length, inner, chunk, parts }, [outer * parts * inner]];
  if (parts <= 1) {
    kernel.forward(params, { x, before: x, y }, grid, variant);
  } else {
    const sums = empty([outer, parts, inner], { dtype, gpu });
    const before = empty([outer, parts, inner], { dtype, gpu });
    kernel.sums(params, { x, y: sums }, grid, variant);
    kernel.forward(
      { outer, length: parts, inner, chunk: parts, parts: 1 },
      { x: sums, before: sums, y: before },
      [outer * inner],
      { Element: dtype, EXCLUSIVE: 1 },
    );
    kernel.forward(params, { x, before, y }, grid, { ...variant, BEFORE: 1 });
    sums.dispose();
    before.dispose();
  }
  return record('cumsum', y, [x], {
    gradient: (dy) => [cumsum(dy, { axis, exclusive, reverse: !reverse })],
  });
}
