import { atLeast, checkOptions } from '../check/check.ts';
import kernel from '../../shaders/adagrad.wgsl';
import { arenaOptimizer } from './arena-optimizer.ts';
import { SHARED, type Optimizer, type SharedOptions } from './optimizer.ts';

/** Options of {@link adagrad}; names and defaults are PyTorch's. */
export interface AdagradOptions extends SharedOptions {
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

/** Adagrad. Duchi, Hazan and Singer, JMLR 2011. */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  checkOptions('adagrad', options, {
    lr: atLeast(0),
    lrDecay: atLeast(0),
    weightDecay: atLeast(0),
    initialAccumulatorValue: atLeast(0),
    eps: atLeast(0),
    ...SHARED,
  });
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
  return arenaOptimizer({
    name: 'adagrad',
    lr,
    weightDecay,
    decays,
    groups,
    slots: ['sumOfSquares'],
    fill: initialAccumulatorValue,
    hyper: (step, settings) => [settings.lr / (1 + (step - 1) * lrDecay), maximize ? -1 : 1, settings.weightDecay, eps],
    bind:
      ({ quads, slots }) =>
      (shared) =>
        kernel.step_({ quads }, { ...shared, v: slots.sumOfSquares }, [quads]),
  });
}
