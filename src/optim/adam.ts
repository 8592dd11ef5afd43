import { atLeast, between, boolean, checkOptions, listOf } from '../check/check.ts';
import { arenaOptimizer, groupedSettings, type StepSettings } from './arena-optimizer.ts';
import { SHARED, type Optimizer, type ParameterGroup, type SharedOptions } from './optimizer.ts';

/** Options of {@link adam} and {@link adamW}; names and defaults are PyTorch's. */
export interface AdamOptions extends SharedOptions<AdamGroup> {
  /** Default: 1e-3. */
  lr?: number;
  /** Decay rates of the two moments; a schedule may cycle the first. Default: [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Default: 1e-8. */
  eps?: number;
  /**
   * adam: L2 penalty added to the gradient, default 0. adamW: share of the weight, times lr, that a step takes off,
   * default 0.01.
   */
  weightDecay?: number;
  /** Divides by the largest second moment so far. Default: false. */
  amsgrad?: boolean;
}

/**
 * A group of parameters of {@link adam}, {@link adamW} and `lamb`. Betas of its own stay where a schedule cycles the
 * first.
 */
export interface AdamGroup extends ParameterGroup, Pick<AdamOptions, 'betas' | 'eps'> {}

/** Settings of rules with two moments. */
export interface MomentSettings extends StepSettings {
  betas: readonly [number, number];
  eps: number;
}

/** Rules of {@link MomentSettings}. */
export const MOMENTS = {
  lr: atLeast(0),
  betas: listOf(between(0, 1, '[)'), 2),
  eps: atLeast(0),
  weightDecay: atLeast(0),
  maximize: boolean,
} as const;

/** The settings with another first beta, which schedules cycle as the momentum. */
export function withFirstBeta<T extends MomentSettings>(settings: T, momentum: number): T {
  return { ...settings, betas: [momentum, settings.betas[1]] };
}

function adamLike(name: string, isDecoupled: boolean, options: AdamOptions): Optimizer {
  checkOptions(name, options, { ...MOMENTS, amsgrad: boolean, ...SHARED });
  const {
    lr = 1e-3,
    betas = [0.9, 0.999],
    eps = 1e-8,
    weightDecay = isDecoupled ? 0.01 : 0,
    amsgrad = false,
    maximize = false,
    decays,
    groups,
  } = options;
  const settings = groupedSettings<MomentSettings>(name, { lr, betas, eps, weightDecay, maximize }, groups, {
    rules: MOMENTS,
    fixed: ['amsgrad', 'decays'],
  });
  return arenaOptimizer({
    name,
    settings,
    momentum: betas[0],
    withMomentum: withFirstBeta,
    decays,
    slots: ['firstMoment', 'secondMoment', ...(amsgrad ? (['maxSecondMoment'] as const) : [])],
    // Differences come from the host in f64, since 1 - beta2 in f32 is off by 1e-5.
    numbers: (step, s) => ({
      rate: s.lr / (1 - s.betas[0] ** step),
      sign: s.maximize ? -1 : 1,
      penalty: isDecoupled ? 0 : s.weightDecay,
      shrink: isDecoupled ? s.lr * s.weightDecay : 0,
      share1: 1 - s.betas[0],
      share2: 1 - s.betas[1],
      root: Math.sqrt(1 - s.betas[1] ** step),
      eps: s.eps,
    }),
    update: `let d = sign * g + penalty * p;
      firstMoment += share1 * (d - firstMoment);
      secondMoment += share2 * (d * d - secondMoment);
      ${amsgrad ? 'maxSecondMoment = max(maxSecondMoment, secondMoment);' : ''}
      p -= shrink * p;
      p -= rate * firstMoment / (sqrt(${amsgrad ? 'maxSecondMoment' : 'secondMoment'}) / root + eps);`,
  });
}

/**
 * Adam. Kingma and Ba, ICLR 2015, algorithm 1, with PyTorch's placement of eps (outside the bias correction).
 * `amsgrad`: Reddi, Kale and Kumar, ICLR 2018.
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamLike('adam', false, options);
}

/**
 * Adam with decoupled weight decay: p = p - lr weightDecay p, then Adam's step. Loshchilov and Hutter, ICLR 2019,
 * algorithm 2, scaled by lr as in PyTorch.
 */
export function adamW(options: AdamOptions = {}): Optimizer {
  return adamLike('adamW', true, options);
}
