import { atLeast, boolean, checkOptions } from '../check/check.ts';
import kernel from '../../shaders/rmsprop.wgsl';
import { arenaOptimizer, type StepSettings } from './arena-optimizer.ts';
import { SHARED, type Optimizer, type SharedOptions } from './optimizer.ts';

/** Options of {@link rmsprop}; names and defaults are PyTorch's. */
export interface RmspropOptions extends SharedOptions {
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
 * RMSprop. Tieleman and Hinton, 2012, lecture 6.5; centred form of Graves, 2013; eps outside the root, as in PyTorch.
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  checkOptions('rmsprop', options, {
    lr: atLeast(0),
    alpha: atLeast(0),
    eps: atLeast(0),
    weightDecay: atLeast(0),
    momentum: atLeast(0),
    centered: boolean,
    ...SHARED,
  });
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
  const shared = {
    name: 'rmsprop',
    lr,
    weightDecay,
    decays,
    groups,
    hyper: (_step: number, settings: StepSettings): number[] => [
      settings.lr,
      maximize ? -1 : 1,
      settings.weightDecay,
      1 - alpha,
      eps,
      settings.momentum,
    ],
  };
  if (momentum === 0) {
    if (!centered) {
      return arenaOptimizer({
        ...shared,
        slots: ['meanSquare'],
        bind:
          ({ quads, slots }) =>
          (b) =>
            kernel.plain({ quads }, { ...b, v: slots.meanSquare }, [quads]),
      });
    }
    return arenaOptimizer({
      ...shared,
      slots: ['meanSquare', 'mean'],
      bind:
        ({ quads, slots }) =>
        (b) =>
          kernel.centered({ quads }, { ...b, v: slots.meanSquare, a: slots.mean }, [quads]),
    });
  }
  if (!centered) {
    return arenaOptimizer({
      ...shared,
      momentum,
      slots: ['meanSquare', 'momentum'],
      bind:
        ({ quads, slots }) =>
        (b) =>
          kernel.withMomentum({ quads }, { ...b, v: slots.meanSquare, m: slots.momentum }, [quads]),
    });
  }
  return arenaOptimizer({
    ...shared,
    momentum,
    slots: ['meanSquare', 'mean', 'momentum'],
    bind:
      ({ quads, slots }) =>
      (b) =>
        kernel.centeredWithMomentum({ quads }, { ...b, v: slots.meanSquare, a: slots.mean, m: slots.momentum }, [
          quads,
        ]),
  });
}
