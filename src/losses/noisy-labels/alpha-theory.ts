import { atLeast, between, check, integer } from '../../check/check.ts';
import { normalCdf } from '../../stats/normal.ts';
import { softplus } from '../../stats/softplus.ts';

/** 1 - 1 / alpha, without cancellation near 1. Throws RangeError unless alpha is above 0; Infinity is allowed. */
export function alphaExponent(where: string, alpha: number): number {
  check(where, { alpha }, { alpha: between(0, Infinity, '(]') });
  return alpha === Infinity ? 1 : (alpha - 1) / alpha;
}

/** The alpha-loss of a margin f y, with its first and second derivative. */
export interface MarginLoss {
  value: number;
  slope: number;
  curvature: number;
}

/**
 * The alpha-loss of sigmoid(margin), in f64: e^-margin at alpha = 1/2, log(1 + e^-margin) at 1, sigmoid(-margin) at
 * Infinity. Convex for alpha <= 1, with one inflection above: {@link alphaInflection}.
 */
export function alphaMarginLoss(margin: number, alpha: number): MarginLoss {
  const u = alphaExponent('alphaMarginLoss', alpha);
  const surprise = softplus(-margin);
  const p = Math.exp(-surprise);
  const miss = Math.exp(-softplus(margin));
  const power = Math.exp(-u * surprise);
  return {
    value: u === 0 ? surprise : -Math.expm1(-u * surprise) / u,
    slope: -power * miss,
    curvature: power * miss * (p - u * miss),
  };
}

/** Where the margin loss turns from convex (right) to concave (left): log(1 - 1 / alpha); -Infinity for alpha <= 1. */
export function alphaInflection(alpha: number): number {
  const u = alphaExponent('alphaInflection', alpha);
  return u > 0 ? Math.log(u) : -Infinity;
}

/** The margin that minimises the expected loss where class 1 has probability eta: alpha log(eta / (1 - eta)). */
export function alphaMinimiser(eta: number, alpha: number): number {
  alphaExponent('alphaMinimiser', alpha);
  check('alphaMinimiser', { eta }, { eta: between(0, 1) });
  const logit = Math.log(eta) - Math.log1p(-eta);
  return logit === 0 ? 0 : alpha * logit;
}

/**
 * The least expected loss where the classes have these probabilities, alpha / (alpha - 1) (1 - |p|_alpha): binary
 * cross-entropy at 1, 1 - max p at Infinity. Throws RangeError unless they sum to one.
 */
export function alphaMinimalRisk(probabilities: ArrayLike<number>, alpha: number): number {
  const u = alphaExponent('alphaMinimalRisk', alpha);
  const p = Array.from(probabilities);
  const total = p.reduce((a, b) => a + b, 0);
  if (!(p.every((v) => v >= 0) && Math.abs(total - 1) < 1e-6))
    throw new RangeError(`alphaMinimalRisk: probabilities are [${p}], expected numbers >= 0 that sum to 1`);
  const present = p.filter((v) => v > 0);
  if (alpha === Infinity) return 1 - Math.max(...present);
  // log |p|_alpha through the largest entry, and its share near alpha = 1, where it vanishes with u.
  if (Math.abs(u) < 1e-7) return -present.reduce((sum, v) => sum + v * Math.log(v), 0);
  const largest = Math.max(...present);
  const logNorm =
    Math.log(largest) + Math.log(present.reduce((sum, v) => sum + Math.exp(alpha * Math.log(v / largest)), 0)) / alpha;
  return -Math.expm1(logNorm) / u;
}

/** Bounds for a linear model on inputs of [0, 1]^d with weights of norm at most `norm`. */
export interface AlphaBounds {
  /** Largest value of the loss at alpha = 1: log(1 + e^(norm sqrt d)). */
  loss: number;
  /** |R_alpha - R_beta| <= value |1 / alpha - 1 / beta|, alpha and beta >= 1. */
  value: number;
  /** |grad R_alpha - grad R_beta| <= gradient |1 / alpha - 1 / beta|, alpha and beta >= 1. */
  gradient: number;
}

/** How far the risk of logistic models can move with alpha: the constants L_d and J_d of Sypherd et al., 2022. */
export function alphaBounds(norm: number, d: number): AlphaBounds {
  check('alphaBounds', { norm, d }, { norm: atLeast(0), d: integer(1) });
  const reach = norm * Math.sqrt(d);
  const loss = softplus(reach);
  return { loss, value: loss ** 2 / 2, gradient: Math.sqrt(d) * loss * Math.exp(-softplus(-reach)) };
}

/**
 * The largest r such that a risk with this gradient at theta falls towards every point within r of `target`:
 * <-gradient, target - theta> / |gradient|. A risk is (epsilon, kappa, target)-strictly locally quasi-convex at theta
 * where it is within epsilon of its value at the target, or r >= epsilon / kappa (Hazan, Levy, Shalev-Shwartz, NeurIPS
 * 2015). -Infinity at a stationary point.
 */
export function slqcRadius(gradient: ArrayLike<number>, theta: ArrayLike<number>, target: ArrayLike<number>): number {
  if (gradient.length !== theta.length || theta.length !== target.length)
    throw new RangeError(
      `slqcRadius: gradient, theta and target have ${gradient.length}, ${theta.length} and ${target.length} ` +
        'entries, expected as many',
    );
  let [along, square] = [0, 0];
  for (let i = 0; i < theta.length; i++) {
    along -= gradient[i]! * (target[i]! - theta[i]!);
    square += gradient[i]! ** 2;
  }
  return square === 0 ? -Infinity : along / Math.sqrt(square);
}

/** What is known at alpha0, for {@link slqcTransfer}. */
export interface SlqcKnown {
  epsilon: number;
  /** epsilon / kappa at alpha0. */
  radius: number;
  /** |grad R_alpha(theta)| at the new alpha. */
  gradientNorm: number;
  /** theta and the target lie in the ball of this radius. */
  norm: number;
  /** Inputs lie in [0, 1]^d. */
  d: number;
}

/**
 * Constants with which strict local quasi-convexity at alpha0 >= 1 carries over to alpha >= 1 at the same point. With
 * delta = gradient bound x |1 / alpha - 1 / alpha0|: epsilon grows by twice the value bound x |1 / alpha - 1 / alpha0|,
 * and the radius becomes radius - delta (radius + 2 norm) / gradientNorm, negative where nothing carries over.
 */
export function slqcTransfer(
  alpha0: number,
  alpha: number,
  { epsilon, radius, gradientNorm, norm, d }: SlqcKnown,
): { epsilon: number; radius: number } {
  check(
    'slqcTransfer',
    { alpha0, alpha, gradientNorm },
    { alpha0: between(1, Infinity), alpha: between(1, Infinity), gradientNorm: between(0, Infinity, '(]') },
  );
  const bounds = alphaBounds(norm, d);
  const step = Math.abs(1 / alpha - 1 / alpha0);
  return {
    epsilon: epsilon + 2 * bounds.value * step,
    radius: radius - (bounds.gradient * step * (radius + 2 * norm)) / gradientNorm,
  };
}

/** A part of a {@link gaussianAlphaRisk} mixture: weight, mean, covariance of two features, and label +1 or -1. */
export interface GaussianClass {
  weight: number;
  mean: readonly [number, number];
  covariance: readonly [readonly [number, number], readonly [number, number]];
  label: 1 | -1;
}

/** Points of the trapezoid rule, which converges faster than any power here, over 10 deviations. */
const POINTS = 801;

/**
 * The population alpha-risk of the linear model theta (two weights, no bias) on a mixture of Gaussian classes, and its
 * gradient, in f64: the margin y <theta, x> of a class is normal, so that one integral each is left. `zeroOne` is the
 * share misclassified.
 */
export function gaussianAlphaRisk(
  theta: readonly [number, number],
  classes: readonly GaussianClass[],
  alpha: number,
): { risk: number; gradient: [number, number]; zeroOne: number } {
  let [risk, zeroOne] = [0, 0];
  const gradient: [number, number] = [0, 0];
  for (const { weight, mean, covariance: s, label } of classes) {
    const centre = label * (theta[0] * mean[0] + theta[1] * mean[1]);
    const [a, b] = [s[0][0] * theta[0] + s[0][1] * theta[1], s[1][0] * theta[0] + s[1][1] * theta[1]];
    const deviation = Math.sqrt(theta[0] * a + theta[1] * b);
    for (let i = 0; i < POINTS; i++) {
      const t = -10 + (20 * i) / (POINTS - 1);
      const mass = (weight * Math.exp((-t * t) / 2) * (20 / (POINTS - 1))) / Math.sqrt(2 * Math.PI);
      const margin = centre + deviation * t;
      const { value, slope } = alphaMarginLoss(margin, alpha);
      risk += mass * value;
      // d margin = y mean + Sigma theta t / deviation
      gradient[0] += mass * slope * (label * mean[0] + (deviation > 0 ? (a / deviation) * t : 0));
      gradient[1] += mass * slope * (label * mean[1] + (deviation > 0 ? (b / deviation) * t : 0));
    }
    zeroOne += weight * (deviation > 0 ? normalCdf(-centre / deviation) : 0.5 * (1 - Math.sign(centre)));
  }
  return { risk, gradient, zeroOne };
}
