import { any, between, check, checkOptions, integer, positive, required } from '../../check/check.ts';
import { softplus } from '../../stats/softplus.ts';

/** Options of {@link logitClipBounds}. */
export interface LogitClipBoundsOptions {
  /** Largest norm of the logits, a finite number > 0. */
  tau: number;
  /** The norm, in [1, Infinity]. Default: 2. */
  p?: number;
  /** At least 2. */
  numClasses: number;
}

/** Bounds of cross-entropy on logits of norm at most tau. */
export interface LogitClipBounds {
  /** Largest z_y - mean of the other logits; cross-entropy is at least log(1 + (K - 1) e^-gap). */
  gap: number;
  low: number;
  high: number;
  /** Largest probability that a class can have, e^-low. */
  confidence: number;
  /**
   * Bounds of the sum over all K labels; equal for a symmetric loss. The upper one is exact for p = 2, else K `high`.
   */
  sumLow: number;
  sumHigh: number;
}

/**
 * Bounds of clipped cross-entropy, in f64: gap = tau (1 + (K - 1)^(-1 / (p - 1)))^((p - 1) / p), which is tau sqrt(K /
 * (K - 1)) for p = 2, tau for p = 1, 2 tau for p = Infinity. The lower bound is Jensen's. The upper one is log(1 + (K -
 * 1) e^gap), with all rivals alike, up to some tau (p = 2: 2.5 for 3 classes, 5.6 for 10), always for p = 1 and
 * Infinity; above, one rival that takes the norm costs more, and the best two levels of rivals are searched for. The
 * sum over labels is K logsumexp(z) - sum z, between K log K and, for p = 2, K log(e^a + (K - 1) e^-b), a = tau sqrt((K
 * - 1) / K), b = a / (K - 1). Wei et al., ICML 2023, have 2 tau for every p.
 */
export function logitClipBounds(given: LogitClipBoundsOptions): LogitClipBounds {
  checkOptions('logitClipBounds', given, {
    tau: required(positive),
    p: between(1, Infinity),
    numClasses: required(integer(2)),
  });
  const { tau, p = 2, numClasses } = given;
  const others = numClasses - 1;
  const gap = p === 1 ? tau : p === Infinity ? 2 * tau : tau * (1 + others ** (-1 / (p - 1))) ** ((p - 1) / p);
  const low = Math.log1p(others * Math.exp(-gap));
  let high = softplus(Math.log(others) + gap);
  if (p > 1 && p < Infinity)
    for (let ahead = 1; ahead < others; ahead++) high = Math.max(high, climb(tau, p, ahead, others - ahead));
  const a = tau * Math.sqrt(others / numClasses);
  const sumHigh = p === 2 ? numClasses * (a + Math.log1p(others * Math.exp(-a - a / others))) : numClasses * high;
  return { gap, low, high, confidence: Math.exp(-low), sumLow: numClasses * Math.log(numClasses), sumHigh };
}

/**
 * The largest cross-entropy that ascent finds with `ahead` rivals at one level and `behind` at another: maximisers have
 * no more levels, since e^z / z^(p - 1) takes each value twice. The loss is convex, so going to the point of the sphere
 * that is farthest along its gradient never lowers it.
 */
function climb(tau: number, p: number, ahead: number, behind: number): number {
  const counts = [1, ahead, behind];
  const dual = 1 / (p - 1);
  // Label, rivals ahead, rivals behind.
  let gradient = [-1, 1 / ahead, 0];
  let value = -Infinity;
  for (let i = 0; i < 1000; i++) {
    const direction = gradient.map((g) => Math.sign(g) * Math.abs(g) ** dual);
    const size = counts.reduce((sum, n, k) => sum + n * Math.abs(direction[k]!) ** p, 0) ** (1 / p);
    const [own, first, second] = direction.map((d) => (tau * d) / size) as [number, number, number];
    const rivals = ahead + behind * Math.exp(second - first);
    const next = softplus(first + Math.log(rivals) - own);
    if (!(next > value + 1e-15 * next)) return Math.max(next, value);
    value = next;
    const missed = 1 / (1 + Math.exp(own - first) / rivals);
    gradient = [-missed, missed / rivals, (missed * Math.exp(second - first)) / rivals];
  }
  return value;
}

/**
 * By how much the clean risk of the best model under symmetric noise can exceed the least clean risk: rate (sumHigh -
 * sumLow) / (K - 1 - rate K), for labels flipped to each other class with probability rate / (K - 1). It holds since
 * the noisy risk is (1 - rate K / (K - 1)) R + rate / (K - 1) E[sum of the loss over all labels]. Throws RangeError
 * unless 0 <= rate < 1 - 1 / K.
 */
export function symmetricNoiseExcess(
  { sumLow, sumHigh }: Pick<LogitClipBounds, 'sumLow' | 'sumHigh'>,
  given: { rate: number; numClasses: number },
): number {
  checkOptions('symmetricNoiseExcess', given, { rate: required(any), numClasses: required(integer(2)) });
  const { rate, numClasses } = given;
  check('symmetricNoiseExcess', { rate }, { rate: between(0, 1 - 1 / numClasses, '[)') });
  return (rate * (sumHigh - sumLow)) / (numClasses - 1 - rate * numClasses);
}
