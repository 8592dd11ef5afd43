import { expectOptions } from '../../check/options.ts';
import { add, mul, sub } from '../../ops/binary.ts';
import { max, mean, min } from '../../ops/reduce.ts';
import { expm1, log1p } from '../../ops/unary.ts';
import { noGrad } from '../../tensor/tape.ts';
import { expectRank, type Tensor } from '../../tensor/tensor.ts';
import { expectInvertible } from '../loss-options.ts';

/**
 * lambda log(mean(exp(L / lambda))) of one loss per sample, (rows): what ABSGD descends, exact in the batch. Its
 * gradient is softmax(L / lambda). It tends to the mean for lambda -> +-Infinity, and is that from 1e25 on, to the
 * largest loss for 0+, to the smallest for 0-; written with expm1 and log1p it keeps its digits at both ends. Throws
 * RangeError unless f32 holds lambda and 1 / lambda.
 */
export function klDro(losses: Tensor, given: { lambda: number }): Tensor {
  expectOptions('klDro', given, ['lambda']);
  const { lambda } = given;
  expectRank(losses, 1, 'klDro: losses');
  if (!Number.isFinite(lambda) || lambda === 0)
    throw new RangeError(`klDro: lambda is ${lambda}, expected a finite number that is not 0`);
  expectInvertible('klDro: lambda', lambda);
  if (Math.abs(lambda) > 1e25) return mean(losses);
  // The weights sum to 1, so a shift needs no gradient; with this one no exponent is above 0.
  const shift = noGrad(() => (lambda > 0 ? max(losses) : min(losses)));
  return add(mul(log1p(mean(expm1(mul(sub(losses, shift), 1 / lambda)))), lambda), shift);
}
