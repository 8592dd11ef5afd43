import { record } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { mul } from './binary.ts';
import type { Operand } from './element.ts';
import { isFinite } from './compare.ts';
import { mapBinary } from './launch/binary.ts';
import { sumTo } from './sum.ts';
import { where } from './where.ts';

const IS_INFINITE = '(bitcast<u32>(b) & 0x7fffffffu) == 0x7f800000u';

/**
 * w x, broadcast, f32, where a term of factor 0 counts for nothing: 0 times an infinity is 0, as in xlogy, and NaN
 * stays NaN. The gradient of such an x is 0, and so is that of its factor.
 */
export function times(w: Operand, x: Tensor): Tensor {
  const y = mapBinary('times', `select(a * b, 0.0, (bitcast<u32>(a) << 1u) == 0u && ${IS_INFINITE})`, w, x) as Tensor;
  if (typeof w === 'number') return record('times', y, [x], { gradient: (dy) => [sumTo(times(w, dy), x.shape)] });
  const ofFactor = (dy: Tensor): Tensor => mul(dy, where(w, x, where(isFinite(x), x, 0)));
  return record('times', y, [w, x], {
    gradient: (dy) => [() => sumTo(ofFactor(dy), w.shape), () => sumTo(times(w, dy), x.shape)],
  });
}
