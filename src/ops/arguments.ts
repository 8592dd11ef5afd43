import { DTypeError, ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { normalizeAxes, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * Throws a DTypeError unless elements of `x` take four bytes, so that a kernel can move them without knowing their
 * type.
 */
export function expectWords(x: Tensor<DType>, what: string): void {
  if (x.dtype === 'f16') throw new DTypeError(`${what} is f16, expected a type of four bytes; cast it first`);
}

/** One axis of x, counted from the front, with the sizes before, along and after it. */
export function axisOf(
  op: string,
  x: Tensor<DType>,
  axis: number,
): { axis: number; outer: number; length: number; inner: number } {
  const [a] = normalizeAxes([axis], x.rank) ?? [];
  if (a === undefined) throw new ShapeError(`${op}: axis is ${axis}, x has shape [${x.shape}]`);
  return { axis: a, outer: sizeOf(x.shape.slice(0, a)), length: x.shape[a]!, inner: sizeOf(x.shape.slice(a + 1)) };
}

/** Different axes of x, counted from the front and ascending; all of them by default. */
export function axesOf(op: string, x: Tensor<DType>, axes: readonly number[] | number | undefined): number[] {
  const wanted = axes === undefined ? x.shape.map((_, i) => i) : typeof axes === 'number' ? [axes] : axes;
  const found = normalizeAxes(wanted, x.rank);
  if (!found)
    throw new ShapeError(`${op}: axes are [${wanted}], expected different axes of a tensor of shape [${x.shape}]`);
  return found;
}
