import { mul } from '../ops/binary.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Loss } from './loss.ts';
import type { PerSampleOptions } from './per-sample-loss.ts';
import { probabilityFamily } from './probability-family.ts';

/** Options of {@link alphaLoss}. */
export interface AlphaLossOptions extends PerSampleOptions {
  /** In (0, Infinity]: 1/2 exponential, 1 cross-entropy, Infinity the probability of an error. Default: 1. */
  alpha?: number;
  /** Added to p; released code has 1e-8, one repository for alpha = 1 only. Default: 0. */
  epsilon?: number;
}

/** A loss whose alpha can change between steps. */
export interface AlphaLoss extends Loss {
  /** A captured step follows. */
  setAlpha(alpha: number): void;
}

/** 1 - 1 / alpha, without cancellation near 1. */
function exponent(alpha: number): number {
  if (!(alpha > 0)) throw new RangeError(`alphaLoss: alpha is ${alpha}, expected a number > 0 or Infinity`);
  return alpha === Infinity ? 1 : (alpha - 1) / alpha;
}

/**
 * alpha / (alpha - 1) (1 - p^(1 - 1 / alpha)), computed as -expm1(-u L) / u with u = 1 - 1 / alpha, L = -log p: continuous through
 * alpha = 1. Larger alpha trusts surprising labels less; alpha < 1 stresses them, and is held at e^87 / -u. For binary
 * problems with one logit, and the margin form, see `singleLogit`. Sypherd et al., IEEE Trans. Inf. Theory 2022.
 */
export function alphaLoss({ alpha = 1, ...options }: AlphaLossOptions = {}): AlphaLoss {
  const { loss, setConstants } = probabilityFamily('alphaLoss', 'power', [exponent(alpha)], options);
  return Object.assign(loss, { setAlpha: (next: number): void => setConstants([exponent(next)]) });
}

/**
 * Logits whose softmax estimates the class probabilities, from logits trained with the alpha-loss, which learn
 * p^alpha / sum p^alpha: logits / alpha. alpha = Infinity learns no probabilities and throws a RangeError.
 */
export function untilt(logits: Tensor, alpha: number): Tensor {
  if (!(alpha > 0 && alpha < Infinity)) throw new RangeError(`untilt: alpha is ${alpha}, expected a finite number > 0`);
  return mul(logits, 1 / alpha);
}
