import { above, atLeast, between, checkOptions, integer, positive } from '../../check/check.ts';
import { byProbability } from '../by-probability.ts';
import { defineLoss } from '../define.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { LOSS_RULES } from '../loss-options.ts';

/** -log of the 1e-4 that stands for 0 in the labels of reverse cross-entropy. */
const REVERSE = -Math.log(1e-4);

/** Options of {@link mae} and {@link rce}. */
export interface ScaledOptions extends LossOptions {
  /** Factor of the loss. Default: 1. */
  scale?: number;
}

/**
 * Mean absolute error, scale (1 - p): symmetric, so robust to uniform label noise, and slow to fit. Published code
 * differs in its factor: 1, 2 (the distance to the one-hot label) or 2 / classes. Ghosh, Kumar, Sastry, AAAI 2017.
 */
export function mae(given: ScaledOptions = {}): Loss {
  checkOptions('mae', given, { scale: atLeast(0), ...LOSS_RULES });
  const { scale = 1, ...options } = given;
  return defineLoss({ ...byProbability('mae', 'mix', [0, scale]), ...options });
}

/**
 * Reverse cross-entropy with log 0 = log 1e-4: 9.21 scale (1 - p), a scaled `mae`. The released code clamps softmax at
 * 1e-7 as well, which changes values by less than 1e-6 a class. Wang et al., ICCV 2019.
 */
export function rce(given: ScaledOptions = {}): Loss {
  checkOptions('rce', given, { scale: atLeast(0), ...LOSS_RULES });
  const { scale = 1, ...options } = given;
  return defineLoss({ ...byProbability('rce', 'mix', [0, REVERSE * scale]), ...options });
}

/** Options of {@link sce}. */
export interface SceOptions extends LossOptions {
  /** Factor of cross-entropy. Default: 0.1; the authors take 0.01 for MNIST, 6 for CIFAR-100. */
  alpha?: number;
  /** Factor of reverse cross-entropy. Default: 1; the authors take 0.1 for CIFAR-100. */
  beta?: number;
}

/** Symmetric cross-entropy: alpha CE + beta RCE. Wang et al., ICCV 2019. */
export function sce(given: SceOptions = {}): Loss {
  checkOptions('sce', given, { alpha: atLeast(0), beta: atLeast(0), ...LOSS_RULES });
  const { alpha = 0.1, beta = 1, ...options } = given;
  return defineLoss({ ...byProbability('sce', 'mix', [alpha, beta * REVERSE]), ...options });
}

/** Options of {@link gce}. */
export interface GceOptions extends LossOptions {
  /** 0 is cross-entropy, 1 the absolute error. Default: 0.7. */
  q?: number;
  /** p counts as this where it is smaller, without a gradient; released code (ALFs, APL) has 1e-7. Default: 0. */
  floor?: number;
  /** Added to p; released code (phuber) has 1e-9. Default: 0. */
  eps?: number;
}

/**
 * Generalised cross-entropy (1 - p^q) / q, which is the alpha-loss with alpha = 1 / (1 - q). Zhang, Sabuncu, NeurIPS
 * 2018.
 */
export function gce(given: GceOptions = {}): Loss {
  checkOptions('gce', given, { q: between(0, 1), floor: between(0, 1, '[)'), eps: between(0, 1, '[)'), ...LOSS_RULES });
  const { q = 0.7, floor, eps, ...options } = given;
  return defineLoss({ ...byProbability('gce', 'power', [q], { floor, eps }), ...options });
}

/** Options of {@link phuberCE}. */
export interface PhuberOptions extends LossOptions {
  /** The loss is linear in p, with slope -tau, where p is small. Default: 10. */
  tau?: number;
}

/**
 * Partially Huberised cross-entropy: -log p for p > 1 / tau, else its tangent 1 + log tau - tau p.
 * Menon, Rawat, Reddi, Kumar, ICLR 2020.
 */
export function phuberCE(given: PhuberOptions = {}): Loss {
  checkOptions('phuberCE', given, { tau: above(1), ...LOSS_RULES });
  const { tau = 10, ...options } = given;
  return defineLoss({ ...byProbability('phuberCE', 'huber', [0, tau, Math.log(tau), 1 / tau]), ...options });
}

/** Options of {@link phuberGCE}. */
export interface PhuberGceOptions extends PhuberOptions {
  /** Exponent of the generalised cross-entropy. Default: 0.7. */
  q?: number;
}

/** Partially Huberised generalised cross-entropy: linear below p = tau^(1 / (q - 1)). Menon et al., ICLR 2020. */
export function phuberGCE(given: PhuberGceOptions = {}): Loss {
  checkOptions('phuberGCE', given, { q: between(0, 1, '[)'), tau: above(1), ...LOSS_RULES });
  const { q = 0.7, tau = 10, ...options } = given;
  return defineLoss({
    ...byProbability('phuberGCE', 'huber', [q, tau, Math.log(tau) / (1 - q), tau ** (1 / (q - 1))]),
    ...options,
  });
}

/** Options of {@link taylorCE}. */
export interface TaylorOptions extends LossOptions {
  /** Number of terms: 1 is the absolute error, more tend to cross-entropy. Default: 2. */
  order?: number;
}

/** Taylor cross-entropy: the sum of (1 - p)^i / i for i up to `order`. Feng et al., IJCAI 2020. */
export function taylorCE(given: TaylorOptions = {}): Loss {
  checkOptions('taylorCE', given, { order: integer(1), ...LOSS_RULES });
  const { order = 2, ...options } = given;
  return defineLoss({ ...byProbability('taylorCE', 'taylor', [], { order }), ...options });
}

/** Options of {@link agce}, {@link aul}. */
export interface AsymmetricOptions extends LossOptions {
  /** Where the power is centred. Default: 0.6 for `agce`, 5.5 for `aul`, as for CIFAR. */
  a?: number;
  /** The power. Default: 0.6 for `agce`, 3 for `aul`, as for CIFAR. */
  q?: number;
}

/** Asymmetric generalised cross-entropy ((a + 1)^q - (a + p)^q) / q, a > 0, q > 0. Zhou et al., ICML 2021. */
export function agce(given: AsymmetricOptions = {}): Loss {
  checkOptions('agce', given, { a: positive, q: positive, ...LOSS_RULES });
  const { a = 0.6, q = 0.6, ...options } = given;
  return defineLoss({ ...byProbability('agce', 'asymmetric', [-(a + 1), q, -((a + 1) ** q) / q]), ...options });
}

/** Asymmetric unhinged loss ((a - p)^q - (a - 1)^q) / q, a > 1, q > 0. Zhou et al., ICML 2021. */
export function aul(given: AsymmetricOptions = {}): Loss {
  checkOptions('aul', given, { a: above(1), q: positive, ...LOSS_RULES });
  const { a = 5.5, q = 3, ...options } = given;
  return defineLoss({ ...byProbability('aul', 'asymmetric', [a - 1, q, (a - 1) ** q / q]), ...options });
}

/** Options of {@link ael}. */
export interface AelOptions extends LossOptions {
  /** Default: 2.5, as for CIFAR; 3.5 for MNIST. */
  a?: number;
}

/** Asymmetric exponential loss e^(-p / a), a > 0. Zhou et al., ICML 2021. */
export function ael(given: AelOptions = {}): Loss {
  checkOptions('ael', given, { a: positive, ...LOSS_RULES });
  const { a = 2.5, ...options } = given;
  return defineLoss({ ...byProbability('ael', 'exponential', [a]), ...options });
}
