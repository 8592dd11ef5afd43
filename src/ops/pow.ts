import { Tensor } from '../tensor/tensor.ts';
import { binary, mul } from './binary.ts';
import { lessEqual } from './compare.ts';
import type { Operand } from './element.ts';
import { log, powScalar } from './unary.ts';
import { where } from './where.ts';

const power = binary('pow', 'powOf(a, b)', (dy, a, b, y) => [
  () => mul(dy, mul(b, power(a, lowered(a, b)))),
  () => {
    if (typeof a === 'number') return a <= 0 ? null : mul(dy, mul(y, Math.log(a)));
    const isZero = lessEqual(a, 0);
    return mul(dy, where(isZero, 0, mul(y, log(where(isZero, 1, a)))));
  },
]);

/** b - 1, but 0 where a = b = 0, so that b a^(b - 1) is 0 there. */
const lowered = binary('lowered', 'select(b - 1.0, 0.0, a == 0.0 && b == 0.0)', (dy) => [() => null, () => dy]);

/**
 * a to the power b, broadcast, f32; NaN where a < 0 and b is no integer, 1 where b = 0. Gradients: b a^(b - 1) with
 * respect to a, 0 where b = 0; a^b log(a) with respect to b, 0 where a <= 0. They are PyTorch's, but for the last rule:
 * where a < 0, and where a = 0 and b < 0, PyTorch's gradient with respect to b is not finite.
 */
export function pow(a: Operand, b: Operand): Tensor {
  return a instanceof Tensor && a.dtype === 'f32' && typeof b === 'number' ? powScalar(a, b) : power(a, b);
}
