import { boolean, checkOptions } from '../check/check.ts';
import kernel from '../../shaders/adam.wgsl';
import { arenaOptimizer, type StepSettings } from './arena-optimizer.ts';
import { MOMENTS, SHARED, type Optimizer, type SharedOptions } from './optimizer.ts';

/** Options of {@link adam} and {@link adamW}; names and defaults are PyTorch's. */
export interface AdamOptions extends SharedOptions {
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

function adamLike(name: string, isDecoupled: boolean, options: AdamOptions): Optimizer {
  checkOptions(name, options, {
    ...MOMENTS,
    amsgrad: boolean,
    ...SHARED,
  });
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
  const [beta1, beta2] = betas;
  const hyper = (step: number, { lr: rate, momentum: b1, weightDecay: decay }: StepSettings): number[] => [
    rate / (1 - b1 ** step),
    maximize ? -1 : 1,
    isDecoupled ? 0 : decay,
    isDecoupled ? rate * decay : 0,
    1 - b1,
    1 - beta2,
    Math.sqrt(1 - beta2 ** step),
    eps,
  ];
  const shared = { name, lr, momentum: beta1, weightDecay, decays, groups, hyper };
  if (amsgrad) {
    return arenaOptimizer({
      ...shared,
      slots: ['firstMoment', 'secondMoment', 'maxSecondMoment'],
      bind:
        ({ quads, slots: { firstMoment: m, secondMoment: v, maxSecondMoment: vMax } }) =>
        (buffers) =>
          kernel.stepAmsgrad({ quads }, { ...buffers, m, v, vMax }, [quads]),
    });
  }
  return arenaOptimizer({
    ...shared,
    slots: ['firstMoment', 'secondMoment'],
    bind:
      ({ quads, slots: { firstMoment: m, secondMoment: v } }) =>
      (buffers) =>
        kernel.step_({ quads }, { ...buffers, m, v }, [quads]),
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
