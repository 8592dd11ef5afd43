import { atLeast, boolean, checkOptions } from '../check/check.ts';
import { arenaOptimizer, groupedSettings } from './arena-optimizer.ts';
import { SHARED, type Optimizer, type ParameterGroup, type SharedOptions } from './optimizer.ts';

/** Options of {@link adagrad}; names and defaults are PyTorch's. */
export interface AdagradOptions extends SharedOptions<AdagradGroup> {
  /** Default: 0.01. */
  lr?: number;
  /** The rate of step t is lr / (1 + (t - 1) lrDecay). Default: 0. */
  lrDecay?: number;
  /** L2 penalty added to the gradient. Default: 0. */
  weightDecay?: number;
  /** Start of the sum of squares. Default: 0. */
  initialAccumulatorValue?: number;
  /** Default: 1e-10. */
  eps?: number;
}

/** A group of parameters of {@link adagrad}. */
export interface AdagradGroup extends ParameterGroup, Pick<AdagradOptions, 'lrDecay' | 'eps'> {}

/** Rules of the options that groups may set. */
const RULES = {
  lr: atLeast(0),
  lrDecay: atLeast(0),
  weightDecay: atLeast(0),
  eps: atLeast(0),
  maximize: boolean,
} as const;

/** Adagrad. Duchi, Hazan and Singer, JMLR 2011. */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  checkOptions('adagrad', options, { ...RULES, initialAccumulatorValue: atLeast(0), ...SHARED });
  const {
    lr = 0.01,
    lrDecay = 0,
    weightDecay = 0,
    initialAccumulatorValue = 0,
    eps = 1e-10,
    maximize = false,
    decays,
    groups,
  } = options;
  const settings = groupedSettings('adagrad', { lr, lrDecay, weightDecay, eps, maximize }, groups, {
    rules: RULES,
    fixed: ['initialAccumulatorValue', 'decays'],
  });
  return arenaOptimizer({
    name: 'adagrad',
    settings,
    decays,
    slots: ['sumOfSquares'],
    fill: initialAccumulatorValue,
    numbers: (step, s) => ({
      rate: s.lr / (1 + (step - 1) * s.lrDecay),
      sign: s.maximize ? -1 : 1,
      weightDecay: s.weightDecay,
      eps: s.eps,
    }),
    update: `let d = sign * g + weightDecay * p;
      sumOfSquares += d * d;
      p -= rate * d / (sqrt(sumOfSquares) + eps);`,
  });
}
