import { atLeast, boolean, checkOptions, required } from '../check/check.ts';
import { arenaOptimizer, groupedSettings, hasMomentum } from './arena-optimizer.ts';
import { SHARED, type Optimizer, type ParameterGroup, type SharedOptions } from './optimizer.ts';

/** Options of {@link sgd}; names and defaults are PyTorch's. */
export interface SgdOptions extends SharedOptions<SgdGroup> {
  lr: number;
  /** Default: 0. */
  momentum?: number;
  /** Default: 0. */
  dampening?: number;
  /** L2 penalty added to the gradient. Default: 0. */
  weightDecay?: number;
  /** Needs momentum > 0 and dampening 0. Default: false. */
  nesterov?: boolean;
}

/** A group of parameters of {@link sgd}. A momentum of its own stays where a schedule cycles that of the optimiser. */
export interface SgdGroup extends ParameterGroup, Pick<SgdOptions, 'momentum' | 'dampening' | 'nesterov'> {}

/** Rules of the options that groups may set. */
const RULES = {
  lr: atLeast(0),
  momentum: atLeast(0),
  dampening: atLeast(0),
  weightDecay: atLeast(0),
  nesterov: boolean,
  maximize: boolean,
} as const;

/** Stochastic gradient descent with momentum in PyTorch's form (the rate multiplies the momentum buffer). */
export function sgd(options: SgdOptions): Optimizer {
  checkOptions('sgd', options, { ...RULES, lr: required(RULES.lr), ...SHARED });
  const {
    lr,
    momentum = 0,
    dampening = 0,
    weightDecay = 0,
    nesterov = false,
    maximize = false,
    decays,
    groups,
  } = options;
  const base = { lr, momentum, dampening, weightDecay, nesterov, maximize };
  const settings = groupedSettings('sgd', base, groups, { rules: RULES, fixed: ['decays'], check: checkNesterov });
  const moves = hasMomentum(settings);
  return arenaOptimizer({
    name: 'sgd',
    settings,
    decays,
    momentum: momentum || undefined,
    slots: moves ? ['momentum'] : [],
    numbers: (step, s) => ({
      lr: s.lr,
      sign: s.maximize ? -1 : 1,
      weightDecay: s.weightDecay,
      mu: s.momentum,
      // Without momentum the step is that of the gradient, whatever the dampening.
      share: s.momentum === 0 ? 1 : 1 - s.dampening,
      nesterov: Number(s.nesterov),
      isFirst: Number(step === 1),
    }),
    update: moves
      ? `let d = sign * g + weightDecay * p;
        momentum = select(mu * momentum + share * d, d, isFirst != 0.0);
        p -= lr * select(momentum, d + mu * momentum, nesterov != 0.0);`
      : 'p -= lr * (sign * g + weightDecay * p);',
  });
}

function checkNesterov(
  what: string,
  { momentum, dampening, nesterov }: { momentum: number; dampening: number; nesterov: boolean },
): void {
  if (nesterov && (momentum <= 0 || dampening !== 0))
    throw new RangeError(`${what}: nesterov needs momentum > 0 and dampening 0, got ${momentum} and ${dampening}`);
}
