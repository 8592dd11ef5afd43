import kernel from '../../shaders/shift-flip.wgsl';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, expectShape, type Tensor } from '../tensor/tensor.ts';

/**
 * Each image of x (batch, channels, height, width) moved by its own shift and mirrored where its flip says so, zero
 * where nothing comes in: y[b, c, i, j] = x[b, c, i + s, j' + t] with (s, t) = shift[b] and j' = width - 1 - j where
 * flip[b], else j. shift: (batch, 2) i32; flip: (batch) bool. A crop of the image padded by p at (top, left) is the
 * shift (top - p, left - p). The gradient goes to x alone, any order. Throws ShapeError and DTypeError.
 */
export function shiftFlip(x: Tensor, shift: Tensor<'i32'>, flip: Tensor<'bool'>): Tensor {
  const [batch] = expectRank(x, 4, 'shiftFlip: x');
  expectDType(x, 'f32', 'shiftFlip: x');
  expectDType(shift, 'i32', 'shiftFlip: shift');
  expectShape(shift, [batch!, 2], 'shiftFlip: shift');
  expectDType(flip, 'bool', 'shiftFlip: flip');
  expectShape(flip, [batch!], 'shiftFlip: flip');
  return moved(x, shift, flip, false);
}

function moved(x: Tensor, shift: Tensor<'i32'>, flip: Tensor<'bool'>, inverse: boolean): Tensor {
  const [, channels, height, width] = x.shape as [number, number, number, number];
  const y = empty(x.shape, { gpu: x.gpu });
  kernel.forward({ size: y.size, channels, height, width }, { x, shift, flip, y }, [y.size], {
    INVERSE: Number(inverse),
  });
  return record(inverse ? 'shiftFlip (gradient)' : 'shiftFlip', y, [x], {
    gradient: (dy) => [moved(dy, shift, flip, !inverse)],
  });
}
