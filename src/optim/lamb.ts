import { checkOptions } from '../check/check.ts';
import kernel from '../../shaders/lamb.wgsl';
import { empty } from '../tensor/tensor.ts';
import { MOMENTS, withFirstBeta, type AdamGroup, type MomentSettings } from './adam.ts';
import { arenaOptimizer, groupedSettings } from './arena-optimizer.ts';
import { Norms } from './norms.ts';
import { SHARED, type Optimizer, type SharedOptions } from './optimizer.ts';

/** Options of {@link lamb}; defaults are those of the authors' code. */
export interface LambOptions extends SharedOptions<AdamGroup> {
  /** Default: 1e-3. */
  lr?: number;
  /** Decay rates of the two moments; a schedule may cycle the first. Default: [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Default: 1e-6. */
  eps?: number;
  /** Share of the weight that joins the direction before its norm is taken. Default: 0. */
  weightDecay?: number;
}

/**
 * LAMB, for large batches: Adam's direction u = m / (sqrt(v) + eps) + weightDecay p (moments with bias correction),
 * scaled for each parameter by its trust ratio |p| / |u|, 1 where either norm is 0. You et al., "Large batch
 * optimization for deep learning", ICLR 2020, algorithm 2, with phi the identity as in the authors' code; every tensor
 * has a ratio, biases too. Six dispatches, whatever the number of parameters.
 */
export function lamb(options: LambOptions = {}): Optimizer {
  checkOptions('lamb', options, { ...MOMENTS, ...SHARED });
  const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-6, weightDecay = 0, maximize = false, decays, groups } = options;
  const settings = groupedSettings<MomentSettings>('lamb', { lr, betas, eps, weightDecay, maximize }, groups, {
    rules: MOMENTS,
    fixed: ['decays'],
  });
  return arenaOptimizer({
    name: 'lamb',
    settings,
    momentum: betas[0],
    withMomentum: withFirstBeta,
    decays,
    slots: ['firstMoment', 'secondMoment'],
    hyper: (step, s) => [
      s.lr,
      s.maximize ? -1 : 1,
      s.weightDecay,
      1 - s.betas[0],
      1 - s.betas[1],
      1 - s.betas[0] ** step,
      Math.sqrt(1 - s.betas[1] ** step),
      s.eps,
    ],
    bind: ({ arena, segments, quads, slots: { firstMoment: m, secondMoment: v }, owns }) => {
      const { gpu, shape } = arena.values;
      const u = owns(empty(shape, { gpu }));
      const [pNorms, uNorms] = [owns(new Norms(gpu, segments)), owns(new Norms(gpu, segments))];
      return ({ hyper, blocks, g, p }) => {
        kernel.moments({ quads }, { hyper, blocks, g, p, m, v, u }, [quads]);
        pNorms.record(p);
        uNorms.record(u);
        kernel.move_({ quads }, { hyper, blocks, p, u, pNorms: pNorms.values, uNorms: uNorms.values }, [quads]);
      };
    },
  });
}
