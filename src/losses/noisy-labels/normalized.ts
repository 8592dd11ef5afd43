import { any, atLeast, between, checkOptions, checkValue, listOf, nonEmpty } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { add, div, maximum, mul } from '../../ops/binary.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { pow } from '../../ops/pow.ts';
import { sum } from '../../ops/reduce.ts';
import { logSoftmax } from '../../ops/softmax.ts';
import { expm1, neg } from '../../ops/unary.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { asLoss, defineLoss } from '../define.ts';
import type { Loss, LossFunction, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** The value of the label divided by the sum of the values of all classes; with one class that would be 0 / 0. */
function share(where: string, values: Tensor, labels: Tensor<'i32'>): Tensor {
  if (values.shape[1]! < 2)
    throw new ShapeError(`${where}: logits have shape [${values.shape}], expected at least 2 classes`);
  const hot = noGrad(() => oneHot(labels, values.shape[1]!));
  return div(sum(mul(values, hot), { axes: 1 }), sum(values, { axes: 1 }));
}

/**
 * Normalised cross-entropy log p_y / sum_k log p_k, in [0, 1]; its sum over labels is 1, so it is symmetric. Two
 * classes at least. Ma et al., ICML 2020.
 */
export function nce(options: LossOptions = {}): Loss {
  checkOptions('nce', options, LOSS_RULES);
  return defineLoss({
    name: 'nce',
    values: (logits, labels) => share('nce', neg(logSoftmax(logits)), labels),
    ...options,
  });
}

/** Options of {@link nfl}. */
export interface NflOptions extends LossOptions {
  /** Default: 0.5. */
  gamma?: number;
  /** The factors (1 - p_k)^gamma are constants for the gradient, as in the released code. Default: false. */
  detach?: boolean;
}

/** Normalised focal loss: FL(y) / sum_k FL(k), FL(k) = -(1 - p_k)^gamma log p_k. Ma et al., ICML 2020. */
export function nfl(given: NflOptions = {}): Loss {
  checkOptions('nfl', given, { gamma: atLeast(0), detach: any, ...LOSS_RULES });
  const { gamma = 0.5, detach = false, ...options } = given;
  return defineLoss({
    name: 'nfl',
    values: (logits, labels) => {
      const logs = logSoftmax(logits);
      // The power of 0 has no finite slope.
      const factor = (): Tensor => pow(maximum(neg(expm1(logs)), 1e-12), gamma);
      return share('nfl', mul(detach ? noGrad(factor) : factor(), neg(logs)), labels);
    },
    ...options,
  });
}

/** Options of {@link ngce}. */
export interface NgceOptions extends LossOptions {
  /** Default: 0.7. */
  q?: number;
  /** Probabilities count as this where they are smaller; the released code has 1e-7. Default: 0. */
  floor?: number;
}

/** Normalised generalised cross-entropy (1 - p_y^q) / (classes - sum_k p_k^q). Ma et al., ICML 2020. */
export function ngce(given: NgceOptions = {}): Loss {
  checkOptions('ngce', given, { q: between(0, 1, '(]'), floor: between(0, 1, '[)'), ...LOSS_RULES });
  const { q = 0.7, floor = 0, ...options } = given;
  return defineLoss({
    name: 'ngce',
    values: (logits, labels) => {
      const logs = logSoftmax(logits);
      return share('ngce', neg(expm1(mul(floor > 0 ? maximum(logs, Math.log(floor)) : logs, q))), labels);
    },
    ...options,
  });
}

/**
 * The sum of losses, each with its factor: active-passive losses such as NCE + RCE are
 * `combined([[1, nce()], [1, rce()]])`. Class weights and the reduction are those of the sum. `dispose` frees the parts
 * too. Throws RangeError on no parts and on a factor that is not finite. Ma et al., ICML 2020.
 */
export function combined(
  parts: readonly (readonly [factor: number, loss: Loss | LossFunction])[],
  options: LossOptions = {},
): Loss {
  checkOptions('combined', options, LOSS_RULES);
  checkValue('combined: parts', parts, nonEmpty(listOf(any)));
  parts.forEach(([factor], i) => {
    if (!Number.isFinite(factor))
      throw new RangeError(`combined: the factor of part ${i} is ${factor}, expected a finite number`);
  });
  const terms = parts.map(([factor, loss]) => ({ factor, loss: asLoss(loss, 'combined') }));
  return defineLoss({
    name: terms.map(({ loss }) => loss.name).join('+'),
    values: (logits, labels) =>
      terms
        .map(({ factor, loss }) => mul(loss(logits, labels, { reduction: 'none' }), factor))
        .reduce((a, b) => add(a, b)),
    owns: terms.map(({ loss }) => loss),
    ...options,
  });
}
