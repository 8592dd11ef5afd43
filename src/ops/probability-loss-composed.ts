import { noGrad } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { add, div, maximum, minimum, mul, pow, sub } from './binary.ts';
import { equal, greater, lessEqual } from './compare.ts';
import { indexSelect } from './gather.ts';
import { holdLogits, weighRows } from './held-logits.ts';
import { oneHot } from './one-hot.ts';
import type { ProbabilityLossKind, ProbabilityLossOptions } from './probability-loss.ts';
import { sum } from './reduce.ts';
import { logSoftmax } from './softmax.ts';
import { exp, expm1, log1p, neg } from './unary.ts';
import { where } from './where.ts';

/**
 * The value of `probabilityLoss` by ops that can be differentiated any number of times; a row whose `dy` is 0 counts
 * for nothing.
 */
export function composedProbabilityLoss(
  logits: Tensor,
  labels: Tensor<'i32'>,
  kind: ProbabilityLossKind,
  constants: Tensor,
  { order = 1, detach = false, epsilon = 0, floor = 0 }: ProbabilityLossOptions,
  dy: Tensor,
): Tensor {
  const hot = noGrad(() => oneHot(labels, logits.shape[1]!));
  const counts = noGrad(() => sum(hot, { axes: 1 }));
  const { held, kinds } = holdLogits(
    logits,
    noGrad(() => mul(counts, dy)),
  );
  const [c0, c1, c2, c3] = noGrad(() => [0, 1, 2, 3].map((i) => indexSelect(constants, [i]))) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  let nll = neg(sum(mul(logSoftmax(held), hot), { axes: 1 }));
  // -log(p + epsilon), which ends at -log epsilon.
  if (epsilon > 0)
    nll = where(greater(nll, 80), -Math.log(epsilon), sub(nll, log1p(mul(exp(minimum(nll, 80)), epsilon))));
  if (floor > 0) nll = minimum(nll, -Math.log(floor));
  const rest = neg(expm1(neg(nll)));
  const power = (l: Tensor): Tensor => {
    const isZero = equal(c0, 0);
    const u = where(isZero, 1, c0);
    return where(isZero, l, div(neg(expm1(minimum(mul(l, neg(u)), 87))), u));
  };
  const value = (): Tensor => {
    switch (kind) {
      case 'mix':
        return add(mul(nll, c0), mul(rest, c1));
      case 'power':
        return power(nll);
      case 'focal': {
        const factor = (): Tensor => pow(maximum(rest, 1e-12), c0);
        return mul(detach ? noGrad(factor) : factor(), nll);
      }
      case 'taylor': {
        let total: Tensor = mul(rest, 1 / order);
        for (let i = order - 1; i >= 1; i--) total = mul(add(total, 1 / i), rest);
        return total;
      }
      case 'huber':
        return where(lessEqual(nll, c2), power(nll), add(mul(sub(c3, exp(neg(nll))), c1), power(c2)));
      case 'asymmetric':
        return mul(expm1(mul(log1p(div(rest, c0)), c1)), c2);
      case 'exponential':
        return exp(neg(div(exp(neg(nll)), c0)));
    }
  };
  return weighRows(value(), counts, kinds);
}
