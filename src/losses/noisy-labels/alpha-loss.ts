import { any, between, check, checkOptions, positive, required, worded } from '../../check/check.ts';
import type { Moment } from '../../check/moment.ts';
import { mul } from '../../ops/binary.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { alphaExponent } from './alpha-theory.ts';
import { byProbability } from '../by-probability.ts';
import { defineLoss } from '../define.ts';
import { deviceTable } from '../device-table.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** Options of {@link alphaLoss}. */
export interface AlphaLossOptions extends LossOptions {
  /** In (0, Infinity]: 1/2 exponential, 1 cross-entropy, Infinity the probability of an error. Default: 1. */
  alpha?: number;
  /** Added to p; released code has 1e-8, one repository for alpha = 1 only. Default: 0. */
  eps?: number;
}

/** A loss whose alpha can change between steps. */
export interface AlphaLoss extends Loss {
  /** A captured step follows. */
  setAlpha(alpha: number): void;
}

const constantsOf = (alpha: number): number[] => [alphaExponent('alphaLoss', alpha), 0, 0, 0];

/**
 * alpha / (alpha - 1) (1 - p^(1 - 1 / alpha)), computed as -expm1(-u L) / u with u = 1 - 1 / alpha, L = -log p:
 * continuous through alpha = 1. Larger alpha trusts surprising labels less; alpha < 1 stresses them, and is held at
 * e^87 / -u. For binary problems with one logit, and the margin form, see `singleLogit`. Sypherd et al., IEEE Trans.
 * Inf. Theory 2022.
 */
export function alphaLoss(given: AlphaLossOptions = {}): AlphaLoss {
  checkOptions('alphaLoss', given, { alpha: any, eps: between(0, 1, '[)'), ...LOSS_RULES });
  const { alpha = 1, eps, ...options } = given;
  const constants = deviceTable(constantsOf(alpha));
  const loss = defineLoss({ ...byProbability('alphaLoss', 'power', constants, { eps }), ...options });
  return Object.assign(loss, { setAlpha: (next: number): void => constants.write(constantsOf(next)) });
}

/** Options of {@link alphaSchedule}. */
export interface AlphaScheduleOptions {
  from: number;
  to: number;
  /** Epoch, from 0, up to which alpha is `from`; may be a fraction. Default: 0. */
  start?: number;
  /** Epoch from which alpha is `to`. Default: the end of the run. */
  end?: number;
}

/**
 * alpha by step, with 1 / alpha on a line between those of `from` and `to`, along which the risk moves at most evenly
 * (see `alphaBounds`): `fit({ objective: scheduledLoss(loss, (at) => loss.setAlpha(alpha(at))) })`.
 */
export function alphaSchedule(given: AlphaScheduleOptions): (at: Moment) => number {
  checkOptions('alphaSchedule', given, {
    from: required(any),
    to: required(any),
    start: between(0, Infinity),
    end: any,
  });
  const { from, to, start = 0, end } = given;
  for (const alpha of [from, to]) alphaExponent('alphaSchedule', alpha);
  if (end !== undefined)
    check('alphaSchedule', { end }, { end: worded(between(start, Infinity), `a number >= start, ${start}`) });
  return ({ step, stepsPerEpoch, epochs }) => {
    const [first, last] = [start * stepsPerEpoch, (end ?? epochs) * stepsPerEpoch];
    if (step >= last) return to;
    if (step <= first) return from;
    const share = (step - first) / (last - first);
    return 1 / ((1 - share) / from + share / to);
  };
}

/**
 * Logits whose softmax estimates the class probabilities, from logits trained with the alpha-loss, which learn
 * p^alpha / sum p^alpha: logits / alpha. alpha = Infinity learns no probabilities and throws a RangeError.
 */
export function untilt(logits: Tensor, alpha: number): Tensor {
  check('untilt', { alpha }, positive);
  return mul(logits, 1 / alpha);
}
