import { between, checkOptions, integer } from '../../check/check.ts';
import { add, div, maximum, mul, sub } from '../../ops/binary.ts';
import { less } from '../../ops/compare.ts';
import { max, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { logSoftmax } from '../../ops/softmax.ts';
import { exp, expm1, log1p } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { defineLoss } from '../define.ts';
import { ofLabel } from '../label-margin.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** Options of {@link biTempered}. */
export interface BiTemperedOptions extends LossOptions {
  /** Temperature of the loss, in [0, 1]: below 1 it is bounded. Default: 0.8. */
  t1?: number;
  /** Temperature of the softmax, 1 <= t2 < 2: above 1 its tails are heavy. Default: 1.2. */
  t2?: number;
  /** Steps of the search for the normaliser; 16 (default) are enough for 10,000 classes at t2 = 1.2. */
  iterations?: number;
}

const TEMPERED = { t2: between(1, 2, '[)'), iterations: integer(1) } as const;

/**
 * Bi-tempered logistic loss: with log_t(x) = (x^(1 - t) - 1) / (1 - t) and its inverse exp_t, p = exp_t2(z - lambda(z))
 * sums to 1, and the value is -log_t1 p_y - (1 - sum_c p_c^(2 - t1)) / (2 - t1). Cross-entropy at t1 = t2 = 1; bounded
 * for t1 < 1. Amid, Warmuth, Anil, Koren, "Robust bi-tempered logistic loss based on Bregman divergences", NeurIPS
 * 2019. Predict with {@link temperedSoftmax} at the same t2. Throws RangeError on temperatures outside their ranges.
 */
export function biTempered(given: BiTemperedOptions = {}): Loss {
  checkOptions('biTempered', given, { t1: between(0, 1), ...TEMPERED, ...LOSS_RULES });
  const { t1 = 0.8, t2 = 1.2, iterations = 16, ...options } = given;
  return defineLoss({
    name: 'biTempered',
    values: (z, labels) => {
      // With t1 = 1 the value of a masked label is infinite, which its tail reaches by no finite logit.
      const logs = temperedLogSoftmax(
        t1 === 1 && t2 > 1
          ? where(
              noGrad(() => less(z, -1e36)),
              -Infinity,
              z,
            )
          : z,
        t2,
        iterations,
      );
      const own = ofLabel(logs, labels);
      // -log_t1 p = -((e^(u log p) - 1) / u), u = 1 - t1.
      const surprise = t1 === 1 ? mul(own, -1) : mul(expm1(mul(own, 1 - t1)), -1 / (1 - t1));
      return add(surprise, mul(sub(sum(exp(mul(logs, 2 - t1)), { axes: 1 }), 1), 1 / (2 - t1)));
    },
    ...options,
  });
}

/**
 * The probabilities exp_t2(z - lambda(z)) of a net trained by {@link biTempered}, along the last axis of z; softmax at
 * t2 = 1. Errors as there.
 */
export function temperedSoftmax(z: Tensor, given: Pick<BiTemperedOptions, 't2' | 'iterations'> = {}): Tensor {
  checkOptions('temperedSoftmax', given, TEMPERED);
  const { t2 = 1.2, iterations = 16 } = given;
  const classes = z.shape.at(-1) ?? 1;
  return reshape(exp(temperedLogSoftmax(reshape(z, [z.size / classes, classes]), t2, iterations)), z.shape);
}

/**
 * log of exp_t(z - lambda) for t > 1, where lambda makes the row sum to 1: -log(1 + (t - 1) (lambda - z)) / (t - 1).
 * The search is Newton's from below, where F(lambda) = sum exp_t(z - lambda) - 1 is convex and falls, so that it rises
 * to the root and never passes it. Two steps of it on the tape give the derivatives of lambda up to the third.
 */
function temperedLogSoftmax(z: Tensor, t: number, iterations: number): Tensor {
  if (t === 1) return logSoftmax(z);
  const top = noGrad(() => max(z, { axes: 1, keepDim: true }));
  const shifted = sub(z, top);
  // The largest class alone has probability 1 at lambda = 0.
  const logsAt = (lambda: Tensor | number): Tensor =>
    mul(log1p(mul(maximum(sub(lambda, shifted), 0), t - 1)), -1 / (t - 1));
  const newton = (lambda: Tensor | number): Tensor => {
    const logs = logsAt(lambda);
    return add(
      div(sub(sum(exp(logs), { axes: 1, keepDim: true }), 1), sum(exp(mul(logs, t)), { axes: 1, keepDim: true })),
      lambda,
    );
  };
  let lambda: Tensor | number = 0;
  for (let i = 0; i < iterations; i++) {
    const at: Tensor | number = lambda;
    lambda = noGrad(() => newton(at));
  }
  return logsAt(newton(newton(lambda)));
}
