import { checkOptions } from '../check/check.ts';
import type { Operand } from '../gpu/chain.ts';
import { elementsOf } from '../tensor/elementwise.ts';
import { empty } from '../tensor/tensor.ts';
import { MOMENTS, withFirstBeta, type AdamGroup, type MomentSettings } from './adam.ts';
import { arenaOptimizer, groupedSettings } from './arena-optimizer.ts';
import { BLOCK_CODE } from './layout.ts';
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
    numbers: (step, s) => ({
      lr: s.lr,
      sign: s.maximize ? -1 : 1,
      weightDecay: s.weightDecay,
      share1: 1 - s.betas[0],
      share2: 1 - s.betas[1],
      rest1: 1 - s.betas[0] ** step,
      root2: Math.sqrt(1 - s.betas[1] ** step),
      eps: s.eps,
    }),
    update: ({ arena: { values: p }, segments, slots, owns }) => {
      const { gpu, shape } = p;
      const direction = owns(empty(shape, { gpu }));
      const [pNorms, uNorms] = [owns(new Norms(gpu, segments)), owns(new Norms(gpu, segments))];
      const u = elementsOf(direction);
      const { firstMoment, secondMoment } = slots;
      const of = (norms: Norms): Operand => ({ type: 'f32', from: norms.values, at: BLOCK_CODE.parameter });
      return (record) => {
        record({
          body: `let d = sign * g;
            firstMoment += share1 * (d - firstMoment);
            secondMoment += share2 * (d * d - secondMoment);
            u = firstMoment / rest1 / (sqrt(secondMoment) / root2 + eps) + weightDecay * p;`,
          operands: { u },
          results: { firstMoment: elementsOf(firstMoment), secondMoment: elementsOf(secondMoment), u },
        });
        pNorms.record(p);
        uNorms.record(direction);
        record({
          body: `var ratio = 1.0;
            if (pNorm > 0.0 && uNorm > 0.0) { ratio = pNorm / uNorm; }
            p -= lr * ratio * u;`,
          operands: { u, pNorm: of(pNorms), uNorm: of(uNorms) },
          results: { p: elementsOf(p) },
        });
      };
    },
  });
}
