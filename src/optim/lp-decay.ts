import { expectOptions } from '../check/options.ts';
import kernel from '../../shaders/lp-decay.wgsl';
import { unscoped } from '../tensor/scope.ts';
import { empty, tensor } from '../tensor/tensor.ts';
import { adamW, type AdamOptions } from './adam.ts';
import { segmentsOf } from './layout.ts';
import { expectNumber, type Optimizer } from './optimizer.ts';

/** Options of {@link lpDecayAdamW}; defaults are those of the authors' code. */
export interface LpDecayOptions extends AdamOptions {
  /** The power of the distance layers now: `model.power`. */
  power: { readonly value: number };
  /**
   * Which parameters are weights of distance layers, by name. Default: `dist1.weight` and so on, as `linfDistMlp` names
   * them.
   */
  distances?: (name: string) => boolean;
}

/**
 * AdamW with the weight decay of l_p-distance nets. Before Adam's step the weights w of each neuron shrink as the
 * gradient of their l_p norm would have it: w_i -= lr weightDecay (|w_i| / ||w||_p)^(p-2) w_i, at p = infinity only the
 * largest one; all other parameters decay as in `adamW`. p is read from `power` at each step. From the code of Zhang,
 * Cai, Lu, He and Wang, ICML 2021. Defaults: lr 0.02, betas [0.9, 0.99], eps 1e-10, weightDecay 0.005. One dispatch
 * more than `adamW`. Throws RangeError when no parameter is a distance weight, or one is not a matrix or a filter.
 */
export function lpDecayAdamW(options: LpDecayOptions): Optimizer {
  expectOptions('lpDecayAdamW', options, [
    'power',
    'distances',
    'lr',
    'betas',
    'eps',
    'weightDecay',
    'decays',
    'amsgrad',
    'maximize',
  ]);
  const {
    power,
    distances = (name) => /(^|\.)dist\d+\.weight$/.test(name),
    lr = 0.02,
    betas = [0.9, 0.99],
    eps = 1e-10,
    weightDecay = 5e-3,
    decays = () => true,
    ...rest
  } = options;
  expectNumber(weightDecay, 'lpDecayAdamW: weightDecay');
  if (!(power?.value >= 1))
    throw new RangeError(
      `lpDecayAdamW: power.value is ${power?.value}, expected a number from 1 to Infinity, as model.power has`,
    );
  const base = adamW({ ...rest, lr, betas, eps, weightDecay, decays: (name) => !distances(name) && decays(name) });
  return {
    ...base,
    name: 'lpDecayAdamW',
    attach: (arena) => {
      const found = segmentsOf(arena).filter(({ name, isTrained }) => isTrained && distances(name) && decays(name));
      const rows = found.flatMap(({ name, shape, start, size }) => {
        if (shape.length < 2)
          throw new RangeError(
            `lpDecayAdamW: ${name} has shape [${shape}], expected the weight of a distance layer, a row a neuron`,
          );
        const length = size / shape[0]!;
        return Array.from({ length: shape[0]! }, (_, i) => [start + i * length, length]).flat();
      });
      if (rows.length === 0)
        throw new RangeError(
          'lpDecayAdamW: no parameter is the weight of a distance layer; name them by distances: (name) => ...',
        );
      const inner = base.attach(arena);
      const { gpu } = arena.values;
      const [table, hyper] = unscoped(() => [tensor(rows, { dtype: 'u32', gpu }), empty([4], { gpu })] as const);
      const count = rows.length / 2;
      return {
        ...inner,
        name: 'lpDecayAdamW',
        prepare: (step, rate, momentum) => {
          inner.prepare(step, rate, momentum);
          const p = power.value;
          hyper.write(p === Infinity ? [rate * weightDecay, 0, 0, 1] : [rate * weightDecay, p / 2, (p - 2) / p, 0]);
        },
        update: (again) => {
          kernel.decay({ count }, { hyper, rows: table, p: arena.values }, [count]);
          inner.update(again);
        },
        dispose: () => {
          for (const t of [table, hyper]) t.dispose();
          inner.dispose();
        },
      };
    },
  };
}
