import { any, between, check, checkOptions, oneOf } from '../../check/check.ts';
import { div, maximum, mul } from '../../ops/binary.ts';
import { greater, greaterEqual, isFinite } from '../../ops/compare.ts';
import { norm } from '../../ops/norm.ts';
import { max } from '../../ops/reduce.ts';
import { abs } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { deviceTable } from '../device-table.ts';
import type { Loss, LossFunction } from '../loss.ts';
import { onLogits } from '../wrap-loss.ts';

/** Options of {@link logitClip}. */
export interface LogitClipOptions {
  /** Largest norm of the logits of a sample. Default: 1. Infinity: no clipping. */
  tau?: number;
  /** The norm: a number >= 1, or Infinity. Default: 2. */
  p?: number;
  /**
   * 'released-code': as the authors' code with --temp tau, logits of a norm above tau are scaled to the norm 1 / tau,
   * which shrinks them too far for tau > 1 and enlarges them for tau < 1. Default: the paper's map.
   */
  compat?: 'released-code';
}

/** A loss of clipped logits; tau can change between steps. */
export interface LogitClip extends Loss {
  /** A captured step follows. */
  setTau(tau: number): void;
}

const NORM = { p: between(1, Infinity), compat: oneOf('released-code') } as const;

/** f32 has no larger number than the one that stands for Infinity; no logit reaches it. */
function checkTau(where: string, tau: number): number {
  check(where, { tau }, { tau: between(0, Infinity, '(]') });
  return Math.min(tau, 3e38);
}

/**
 * Logits scaled down to a norm of at most `tau` for each sample: tau z / |z|_p where |z|_p >= tau, else z. Along the
 * last axis. The gradient of a clipped sample is orthogonal to its logits; for p = Infinity equal largest share the
 * part of the norm. Entries that are not finite, such as -Infinity for a masked class, stay as they are and have no
 * part in the norm. `tau`: a number, or a tensor of one that the host rewrites. Throws RangeError as {@link logitClip}.
 */
export function clipLogits(z: Tensor, tau: number | Tensor, given: Omit<LogitClipOptions, 'tau'> = {}): Tensor {
  checkOptions('clipLogits', given, NORM);
  const { p = 2, compat } = given;
  return ofFinite(z, (finite) =>
    clipped(finite, typeof tau === 'number' ? checkTau('clipLogits', tau) : tau, { p, compat }),
  );
}

/** `map` of the logits with 0 in place of what is not finite, which then stays as it was. */
export function ofFinite(z: Tensor, map: (finite: Tensor) => Tensor): Tensor {
  const is = noGrad(() => isFinite(z));
  return where(is, map(where(is, z, 0)), z);
}

function clipped(z: Tensor, tau: number | Tensor, { p = 2, compat }: Omit<LogitClipOptions, 'tau'>): Tensor {
  // The norm of z / max |z|, which cannot overflow; the factor is a constant whose gradient cancels.
  const largest = noGrad(() => maximum(max(abs(z), { axes: -1, keepDim: true }), 1e-30));
  const size = mul(norm(div(z, largest), { p, axes: -1, keepDim: true }), largest);
  const isLarge = noGrad(() => (compat ? greater(size, tau) : greaterEqual(size, tau)));
  const target = compat ? noGrad(() => div(1, tau)) : tau;
  // A norm of 0 is not divided by: the branch that is not taken would give NaN.
  return mul(z, where(isLarge, div(target, where(isLarge, size, 1)), 1));
}

/**
 * A loss of logits clipped by {@link clipLogits}, for training with noisy labels: bounded logits bound the loss, so
 * that wrong labels cannot be fitted without limit. Prediction uses the logits as they are. It takes any loss and
 * passes on class and sample weights. `logitClipBounds` has its bounds. Wei, Zhuang, Xie, Feng, Niu, An, Li,
 * "Mitigating memorization of noisy labels by clipping the model prediction", ICML 2023. Throws RangeError unless tau >
 * 0 and p >= 1.
 */
export function logitClip(loss: Loss | LossFunction, given: LogitClipOptions = {}): LogitClip {
  checkOptions('logitClip', given, { tau: any, ...NORM });
  const { tau = 1, p = 2, compat } = given;
  const numbersOf = (value: number): number[] => [checkTau('logitClip', value)];
  const table = deviceTable(numbersOf(tau));
  const wrapped = onLogits('logitClip', loss, (z) => clipLogits(z, table.on(z.gpu), { p, compat }), [table]);
  return Object.assign(wrapped, { setTau: (next: number): void => table.write(numbersOf(next)) });
}
