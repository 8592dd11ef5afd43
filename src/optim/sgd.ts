import { atLeast, boolean, checkOptions, required } from '../check/check.ts';
import kernel from '../../shaders/sgd.wgsl';
import { arenaOptimizer } from './arena-optimizer.ts';
import { SHARED, type Optimizer, type SharedOptions } from './optimizer.ts';

/** Options of {@link sgd}; names and defaults are PyTorch's. */
export interface SgdOptions extends SharedOptions {
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

/** Stochastic gradient descent with momentum in PyTorch's form (the rate multiplies the momentum buffer). */
export function sgd(options: SgdOptions): Optimizer {
  checkOptions('sgd', options, {
    lr: required(atLeast(0)),
    momentum: atLeast(0),
    dampening: atLeast(0),
    weightDecay: atLeast(0),
    nesterov: boolean,
    ...SHARED,
  });
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
  if (nesterov && (momentum <= 0 || dampening !== 0))
    throw new RangeError(`sgd: nesterov needs momentum > 0 and dampening 0, got ${momentum} and ${dampening}`);
  const shared = { name: 'sgd', lr, weightDecay, decays, groups };
  const sign = maximize ? -1 : 1;
  if (momentum === 0) {
    return arenaOptimizer({
      ...shared,
      slots: [],
      hyper: (_step, settings) => [settings.lr, sign, settings.weightDecay],
      bind:
        ({ quads }) =>
        (buffers) =>
          kernel.plain({ quads }, buffers, [quads]),
    });
  }
  return arenaOptimizer({
    ...shared,
    momentum,
    slots: ['momentum'],
    hyper: (step, settings) => [
      settings.lr,
      sign,
      settings.weightDecay,
      settings.momentum,
      1 - dampening,
      Number(nesterov),
      Number(step === 1),
    ],
    bind:
      ({ quads, slots }) =>
      (buffers) =>
        kernel.withMomentum({ quads }, { ...buffers, m: slots.momentum }, [quads]),
  });
}
