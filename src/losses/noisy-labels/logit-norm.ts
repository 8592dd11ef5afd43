import { checkOptions, positive } from '../../check/check.ts';
import { add, div, maximum, mul } from '../../ops/binary.ts';
import { norm } from '../../ops/norm.ts';
import { max } from '../../ops/reduce.ts';
import { abs } from '../../ops/unary.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { ofFinite } from './logit-clip.ts';
import type { Loss, LossFunction } from '../loss.ts';
import { onLogits } from '../wrap-loss.ts';

/** Options of {@link logitNorm}. */
export interface LogitNormOptions {
  /** Temperature: the norm of the logits becomes 1 / tau. Default: 0.04, the authors' for CIFAR-10. */
  tau?: number;
}

/**
 * z / (tau (|z| + 1e-7)) along the last axis, |z| the Euclidean norm. The gradient is orthogonal to z. Entries that are
 * not finite, such as -Infinity for a masked class, stay as they are and have no part in the norm.
 */
export function normalizeLogits(z: Tensor, tau: number): Tensor {
  return ofFinite(z, (finite) => normalized(finite, tau));
}

function normalized(z: Tensor, tau: number): Tensor {
  // The norm of z / max |z|, which cannot overflow; the factor is a constant whose gradient cancels.
  const largest = noGrad(() => maximum(max(abs(z), { axes: -1, keepDim: true }), 1e-30));
  const size = mul(norm(div(z, largest), { axes: -1, keepDim: true }), largest);
  return div(mul(z, 1 / tau), add(size, 1e-7));
}

/**
 * A loss of logits brought to one norm, 1 / tau, whatever theirs was: `logitClip` without a threshold. For training;
 * prediction uses the logits as they are. Wei, Xie, Cheng, Feng, An, Li, "Mitigating neural network overconfidence with
 * logit normalization", ICML 2022. Throws RangeError unless tau is finite and > 0.
 */
export function logitNorm(loss: Loss | LossFunction, given: LogitNormOptions = {}): Loss {
  checkOptions('logitNorm', given, { tau: positive });
  const { tau = 0.04 } = given;
  return onLogits('logitNorm', loss, (z) => normalizeLogits(z, tau));
}
