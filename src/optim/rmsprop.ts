import { atLeast, boolean, checkOptions } from '../check/check.ts';
import { arenaOptimizer, groupedSettings, hasMomentum } from './arena-optimizer.ts';
import { SHARED, type Optimizer, type ParameterGroup, type SharedOptions } from './optimizer.ts';

/** Options of {@link rmsprop}; names and defaults are PyTorch's. */
export interface RmspropOptions extends SharedOptions<RmspropGroup> {
  /** Default: 0.01. */
  lr?: number;
  /** Decay rate of the mean square. Default: 0.99. */
  alpha?: number;
  /** Default: 1e-8. */
  eps?: number;
  /** L2 penalty added to the gradient. Default: 0. */
  weightDecay?: number;
  /** Default: 0. */
  momentum?: number;
  /** Divides by the standard deviation of the gradient instead of its root mean square. Default: false. */
  centered?: boolean;
}

/**
 * A group of parameters of {@link rmsprop}. A momentum of its own stays where a schedule cycles that of the optimiser.
 */
export interface RmspropGroup extends ParameterGroup, Pick<RmspropOptions, 'alpha' | 'eps' | 'momentum'> {}

/** Rules of the options that groups may set. */
const RULES = {
  lr: atLeast(0),
  alpha: atLeast(0),
  eps: atLeast(0),
  weightDecay: atLeast(0),
  momentum: atLeast(0),
  maximize: boolean,
} as const;

/**
 * RMSprop. Tieleman and Hinton, 2012, lecture 6.5; centred form of Graves, 2013; eps outside the root, as in PyTorch.
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  checkOptions('rmsprop', options, { ...RULES, centered: boolean, ...SHARED });
  const {
    lr = 0.01,
    alpha = 0.99,
    eps = 1e-8,
    weightDecay = 0,
    momentum = 0,
    centered = false,
    maximize = false,
    decays,
    groups,
  } = options;
  const base = { lr, alpha, eps, weightDecay, momentum, maximize };
  const settings = groupedSettings('rmsprop', base, groups, { rules: RULES, fixed: ['centered', 'decays'] });
  const moves = hasMomentum(settings);
  return arenaOptimizer({
    name: 'rmsprop',
    settings,
    decays,
    momentum: momentum || undefined,
    slots: ['meanSquare', ...(centered ? (['mean'] as const) : []), ...(moves ? (['momentum'] as const) : [])],
    numbers: (_step, s) => ({
      lr: s.lr,
      sign: s.maximize ? -1 : 1,
      weightDecay: s.weightDecay,
      share: 1 - s.alpha,
      eps: s.eps,
      mu: s.momentum,
    }),
    // A variance that rounding made negative counts as 0.
    update: `let d = sign * g + weightDecay * p;
      meanSquare += share * (d * d - meanSquare);
      ${centered ? 'mean += share * (d - mean);' : ''}
      let s = d / (sqrt(${centered ? 'max(meanSquare - mean * mean, 0.0)' : 'meanSquare'}) + eps);
      ${moves ? 'momentum = mu * momentum + s;' : ''}
      p -= lr * ${moves ? 'momentum' : 's'};`,
  });
}
