import kernel from '../../shaders/probability-loss.wgsl';
import { expectOptions } from '../check/options.ts';
import { DTypeError } from '../gpu/errors.ts';
import { lanesFor } from '../gpu/lanes.ts';
import { noGrad, pullback, record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, expectShape, tensor, Tensor } from '../tensor/tensor.ts';
import { add, div, maximum, minimum, mul, sub } from './binary.ts';
import { equal, greater, lessEqual } from './compare.ts';
import { indexSelect } from './gather.ts';
import { holdLogits, weighRows } from './held-logits.ts';
import { oneHot } from './one-hot.ts';
import { pow } from './pow.ts';
import { logSoftmax } from './softmax.ts';
import { sum } from './sum.ts';
import { exp, expm1, log1p, neg } from './unary.ts';
import { where } from './where.ts';

const KINDS = { mix: 0, power: 1, focal: 2, taylor: 3, huber: 4, asymmetric: 5, exponential: 6 };

/** Which function of the label's probability; see {@link probabilityLoss}. */
export type ProbabilityLossKind = keyof typeof KINDS;

/** Options of {@link probabilityLoss}. */
export interface ProbabilityLossOptions {
  /** Terms of 'taylor'. Default: 1. */
  order?: number;
  /** For 'focal': the factor (1 - p)^c0 is a constant for the gradient. Default: false. */
  detach?: boolean;
  /** Added to p. Default: 0. */
  eps?: number;
  /** p counts as this where it is smaller, without a gradient. Default: 0, no floor. */
  floor?: number;
}

/**
 * phi(p) for p = softmax(logits)[label], one value a row, one kernel forward and one backward. With L = -log p, q = 1 -
 * p: 'mix' c0 L + c1 q; 'power' (1 - p^c0) / c0, which is L for c0 = 0; 'focal' q^c0 L; 'taylor' the sum of q^i / i up
 * to `order`; 'huber' the power above p = c3 and its tangent, of slope -c1, below (c2 = -log c3); 'asymmetric' c2 ((1 +
 * q / c0)^c1 - 1); 'exponential' e^(-p / c0). Nothing cancels near p = 1; a power with c0 < 0 is held at e^87 / -c0.
 *
 * logits: (rows, classes) f32; labels: (rows) i32, a row with one outside 0..classes-1 has value and gradient 0.
 * constants: c0 to c3, a tensor (4) that the host may rewrite, or numbers; no gradient flows to them. Gradients of
 * gradients go through a composed form. Throws ShapeError, DTypeError, and RangeError for an option out of range.
 */
export function probabilityLoss(
  logits: Tensor,
  labels: Tensor<'i32'>,
  kind: ProbabilityLossKind,
  constants: Tensor | readonly number[],
  options: ProbabilityLossOptions = {},
): Tensor {
  expectOptions('probabilityLoss', options, ['order', 'detach', 'eps', 'floor']);
  const { order = 1, detach = false, eps = 0, floor = 0 } = options;
  expectDType(logits, 'f32', 'probabilityLoss: logits');
  expectRank(logits, 2, 'probabilityLoss: logits');
  const [rows, classes] = logits.shape as [number, number];
  if (labels.dtype !== 'i32') throw new DTypeError(`probabilityLoss: labels are ${labels.dtype}, expected i32`);
  expectShape(labels, [rows], 'probabilityLoss: labels');
  if (!(kind in KINDS))
    throw new RangeError(`probabilityLoss: kind is ${kind}, expected one of ${Object.keys(KINDS).join(', ')}`);
  if (!(Number.isInteger(order) && order >= 1))
    throw new RangeError(`probabilityLoss: order is ${order}, expected a positive integer`);
  if (!(eps >= 0 && eps < 1)) throw new RangeError(`probabilityLoss: eps is ${eps}, expected 0 <= eps < 1`);
  if (!(floor >= 0 && floor < 1)) throw new RangeError(`probabilityLoss: floor is ${floor}, expected 0 <= floor < 1`);
  const gpu = logits.gpu;
  const table =
    constants instanceof Tensor
      ? constants
      : tensor(
          [0, 1, 2, 3].map((i) => constants[i] ?? 0),
          { gpu },
        );
  expectShape(table, [4], 'probabilityLoss: constants');

  const params = { rows, classes, order, epsilon: eps, ceiling: floor > 0 ? -Math.log(floor) : Infinity };
  const lanes = lanesFor(gpu, rows, classes);
  const variant = { KIND: KINDS[kind], DETACH: Number(detach), ...lanes.variant };
  const y = empty([rows], { gpu });
  kernel.forward(params, { z: logits, labels, constants: table, y }, lanes.grid, variant);
  return record('probabilityLoss', y, [logits], {
    gradient: (dy) =>
      pullback(composedProbabilityLoss(logits, labels, kind, table, options, dy), [logits], dy, { createGraph: true }),
    fused: (dy, into) => {
      const dz = into.gradient(0);
      kernel.backward(params, { z: logits, labels, constants: table, dy, y: dz }, lanes.grid, variant);
      return [dz];
    },
  });
}

/**
 * The value of `probabilityLoss` by ops that can be differentiated any number of times; a row whose `dy` is 0 counts
 * for nothing.
 */
function composedProbabilityLoss(
  logits: Tensor,
  labels: Tensor<'i32'>,
  kind: ProbabilityLossKind,
  constants: Tensor,
  { order = 1, detach = false, eps = 0, floor = 0 }: ProbabilityLossOptions,
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
  if (eps > 0) nll = where(greater(nll, 80), -Math.log(eps), sub(nll, log1p(mul(exp(minimum(nll, 80)), eps))));
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
