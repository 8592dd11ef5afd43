import kernel from '../../shaders/adam.wgsl';
import { unscoped } from '../tensor/scope.ts';
import { empty, zeros } from '../tensor/tensor.ts';
import { expectNumber, type Optimizer } from './optimizer.ts';

/** Options of {@link adam}; names and defaults are PyTorch's. */
export interface AdamOptions {
  /** Default: 1e-3. */
  lr?: number;
  /** Decay rates of the two moments. Default: [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Default: 1e-8. */
  eps?: number;
  /** L2 penalty added to the gradient. Default: 0. */
  weightDecay?: number;
}

/** Adam. Kingma and Ba, ICLR 2015, algorithm 1, with PyTorch's placement of eps (outside the bias correction). */
export function adam({ lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 }: AdamOptions = {}): Optimizer {
  expectNumber(lr, 'adam: lr');
  betas.forEach((b, i) => expectNumber(b, `adam: betas[${i}]`, 0, 1));
  expectNumber(eps, 'adam: eps');
  expectNumber(weightDecay, 'adam: weightDecay');
  return {
    name: 'adam',
    lr,
    attach: ({ values, grads }) =>
      unscoped(() => {
        const gpu = values.gpu;
        const m = zeros(values.shape, { gpu });
        const v = zeros(values.shape, { gpu });
        const hyper = empty([6], { gpu });
        const quads = values.size / 4;
        return {
          slots: { firstMoment: m, secondMoment: v },
          prepare: (step, rate) => void hyper.write([rate / (1 - betas[0] ** step), 1 - betas[0], 1 - betas[1], eps, weightDecay, Math.sqrt(1 - betas[1] ** step)]),
          update: () => kernel.step_({ quads }, { hyper, g: grads, p: values, m, v }, [quads]),
          dispose: () => [m, v, hyper].forEach((t) => t.dispose()),
        };
      }),
  };
}
