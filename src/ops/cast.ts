import kernel from '../../shaders/cast.wgsl';
import { elementwise } from '../tensor/elementwise.ts';
import type { DType } from '../tensor/dtype.ts';
import { record } from '../tensor/tape.ts';
import { empty, Tensor, viewOf } from '../tensor/tensor.ts';
import { ELEMENT, type Word } from './element.ts';

/**
 * WGSL of the conversion: towards zero and clamped to the range of the target, where the built-in one may do anything.
 */
function conversion(from: Word, to: Word): string {
  if (to === 'bool') return `select(0u, 1u, v != ${ELEMENT[from]}(0))`;
  if (from === 'f32' && to === 'i32') return 'i32(clamp(v, -2147483648.0, 2147483520.0))';
  if (from === 'f32' && to === 'u32') return 'u32(clamp(v, 0.0, 4294967040.0))';
  return `${ELEMENT[to]}(v)`;
}

function words(x: Tensor<Word>, dtype: Word): Tensor<Word> {
  const y = empty(x.shape, { dtype, gpu: x.gpu });
  const v = { type: ELEMENT[x.dtype], from: x };
  elementwise('cast', conversion(x.dtype, dtype), { v }, { type: ELEMENT[dtype], to: y }, x.size);
  return y;
}

/**
 * x as `dtype`. f32 to an integer drops the fraction and clamps to the range; to bool: 1 where not zero; to f16: the
 * nearest half, ties to even, infinity beyond 65,504. i32 to u32 and back keep the bits. The same dtype gives a view.
 * The gradient passes unchanged between f32 and f16 (the rounding counts as the identity) and nowhere else.
 */
export function cast<D extends DType>(x: Tensor<DType>, dtype: D): Tensor<D> {
  const floats = (d: DType): boolean => d === 'f32' || d === 'f16';
  const y = convert(x, dtype);
  if (floats(x.dtype) && floats(dtype)) record('cast', y, [x], { gradient: (dy) => [dy] });
  return y as Tensor<D>;
}

function convert(x: Tensor<DType>, dtype: DType): Tensor<DType> {
  if (x.dtype === dtype) return viewOf(x, x.shape);
  const { gpu, shape, size } = x;
  if (x.dtype === 'f16') {
    const wide = empty(shape, { gpu });
    kernel.fromHalf({ size }, { halves: x, bits: wide }, [size]);
    if (dtype === 'f32') return wide;
    const y = words(wide, dtype as Word);
    wide.dispose();
    return y;
  }
  if (dtype !== 'f16') return words(x as Tensor<Word>, dtype);
  if (x.dtype === 'f32') return halfOf(x as Tensor);
  const wide = words(x as Tensor<Word>, 'f32');
  const y = halfOf(wide as Tensor);
  wide.dispose();
  return y;
}

/** The halves nearest to x, not on the tape. */
export function halfOf(x: Tensor): Tensor<'f16'> {
  const y = empty(x.shape, { dtype: 'f16', gpu: x.gpu });
  kernel.toHalf({ size: x.size }, { wide: x, packed: y }, [Math.ceil(x.size / 2)]);
  return y;
}
