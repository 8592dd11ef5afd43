import { expectOptions } from '../check/options.ts';
import { record } from '../tensor/tape.ts';
import { expectDType, type Tensor } from '../tensor/tensor.ts';
import { axesOf } from './arguments.ts';
import { div, mul } from './binary.ts';
import { equal } from './compare.ts';
import { dropped, expectElements, fold, keptShape, type Fold } from './launch/reduce.ts';
import { max } from './reduce.ts';
import { reshape } from './reshape.ts';
import { REDUCE, type ReduceOptions } from './sum.ts';
import { abs, powScalar, sign } from './unary.ts';
import { where } from './where.ts';

/** Which norm over which axes. */
export interface NormOptions extends ReduceOptions {
  /** A number > 0; Infinity for the largest absolute value. Default: 2. */
  p?: number;
}

/** (sum |x|^p)^(1/p); small integer powers are products, as pow loses digits. */
function power(p: number): Fold {
  const map =
    Number.isInteger(p) && p <= 8
      ? `return ${Array(p).fill('abs(v)').join(' * ')};`
      : 'return orNan(select(pow(abs(v), params.p), 0.0, v == 0.0), v);';
  const finish =
    p === 1
      ? 'return acc;'
      : p === 2
        ? 'return sqrt(acc);'
        : 'return orNan(select(pow(acc, 1.0 / params.p), 0.0, acc == 0.0), acc);';
  return { map, finish, p };
}

const oneForZero = (x: Tensor): Tensor => where(equal(x, 0), 1, x);

/**
 * (sum |x|^p)^(1/p) over axes, as PyTorch's vector norm; f32. |x|^p must not overflow. Gradient: dy sign(x) (|x| /
 * norm)^(p - 1), 0 where x = 0, so also at the zero vector; for p = Infinity equal largest share it evenly.
 */
export function norm(x: Tensor, options: NormOptions = {}): Tensor {
  expectOptions('norm', options, ['p', ...REDUCE]);
  const { p = 2, axes, keepDim = false } = options;
  expectDType(x, 'f32', 'norm: x');
  if (!(p > 0)) throw new RangeError(`norm: p is ${p}, expected a number > 0 or Infinity`);
  const over = axesOf('norm', x, axes);
  if (p === Infinity) {
    expectElements('norm', x, over);
    const magnitude = abs(x);
    const y = max(magnitude, { axes: over, keepDim });
    if (!y.tracksGrad) magnitude.dispose();
    return y;
  }
  const kept = keptShape(x.shape, over);
  const y = dropped(fold(x, over, power(p), 'f32'), over, keepDim);
  return record('norm', y, [x], {
    gradient: (dy) => {
      const d = reshape(dy, kept);
      if (p === 1) return [mul(d, sign(x))];
      const scale = oneForZero(reshape(y, kept));
      if (p === 2) return [mul(x, div(d, scale))];
      return [mul(mul(sign(x), powScalar(div(oneForZero(abs(x)), scale), p - 1)), d)];
    },
  });
}
