import kernel from '../../shaders/sgd.wgsl';
import { unscoped } from '../tensor/scope.ts';
import { empty, zeros } from '../tensor/tensor.ts';
import { expectNumber, type Optimizer } from './optimizer.ts';

/** Options of {@link sgd}; names and defaults are PyTorch's. */
export interface SgdOptions {
  lr: number;
  /** Default: 0. */
  momentum?: number;
  /** Default: 0. */
  dampening?: number;
  /** L2 penalty added to the gradient of every parameter, biases included. Default: 0. */
  weightDecay?: number;
  /** Needs momentum > 0 and dampening 0. Default: false. */
  nesterov?: boolean;
}

/** Stochastic gradient descent with momentum in PyTorch's form (the rate multiplies the momentum buffer). */
export function sgd({ lr, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false }: SgdOptions): Optimizer {
  expectNumber(lr, 'sgd: lr');
  expectNumber(momentum, 'sgd: momentum');
  expectNumber(weightDecay, 'sgd: weightDecay');
  if (nesterov && (momentum <= 0 || dampening !== 0)) throw new RangeError(`sgd: nesterov needs momentum > 0 and dampening 0, got ${momentum} and ${dampening}`);
  return {
    name: 'sgd',
    lr,
    attach: ({ values, grads }) =>
      unscoped(() => {
        const gpu = values.gpu;
        const m = zeros(values.shape, { gpu });
        const hyper = empty([6], { gpu });
        const quads = values.size / 4;
        return {
          slots: { momentum: m },
          prepare: (step, rate) => void hyper.write([rate, momentum, dampening, weightDecay, Number(nesterov), Number(step === 1)]),
          update: () => kernel.step_({ quads }, { hyper, g: grads, p: values, m }, [quads]),
          dispose: () => [m, hyper].forEach((t) => t.dispose()),
        };
      }),
  };
}
