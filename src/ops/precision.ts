import { checkValue, oneOf } from '../check/check.ts';
import { isRecorded } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { cast, halfOf } from './cast.ts';

/**
 * What a product multiplies: its operands as they are, 'f32', or 'mixed': each rounded to the nearest half (f16), ties
 * to even, an infinity from 65,520 on, and stored so. Sums and results are f32 either way.
 */
export type Precision = 'f32' | 'mixed';

/** Rule of the option `precision`. */
export const PRECISION = oneOf('f32', 'mixed');

/** Throws a RangeError unless `precision` is one. */
export function expectPrecision(op: string, precision: Precision): void {
  checkValue(`${op}: precision`, precision, PRECISION);
}

/** An operand as products read it: f32, or rounded to halves. */
export type Operand = Tensor | Tensor<'f16'>;

/**
 * The operands of a product, rounded where that is asked for. `of`: what the product is a function of; where that is
 * on the tape the halves are for the gradient too, else `free` frees them.
 */
export function operandsOf(
  precision: Precision,
  [left, right]: readonly [Tensor, Tensor],
  of: readonly Tensor[],
): { left: Operand; right: Operand; free: () => void } {
  if (precision === 'f32') return { left, right, free: () => {} };
  const halves = { left: halfOf(left), right: halfOf(right) };
  const free = (): void => {
    if (isRecorded(...of)) return;
    halves.left.dispose();
    halves.right.dispose();
  };
  return { ...halves, free };
}

/** x as products read it, in f32 again; its gradient is that of x. */
export function rounded(x: Tensor, precision: Precision): Tensor {
  return precision === 'f32' ? x : cast(cast(x, 'f16'), 'f32');
}
