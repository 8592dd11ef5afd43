import { any, boolean, callable, checkOptions, required } from '../check/check.ts';
import kernel from '../../shaders/lp-decay.wgsl';
import { empty, tensor } from '../tensor/tensor.ts';
import { adamW, MOMENTS, type AdamOptions } from './adam.ts';
import { segmentsOf, trainedIn } from './layout.ts';
import { arenaOf, extendState, type Optimizer } from './optimizer.ts';

/** Options of {@link lpDecayAdamW}; defaults are those of the authors' code. */
export interface LpDecayOptions extends Omit<AdamOptions, 'groups'> {
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
  checkOptions('lpDecayAdamW', options, {
    power: required(any),
    distances: callable,
    ...MOMENTS,
    decays: callable,
    amsgrad: boolean,
  });
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
  if (!(power?.value >= 1))
    throw new RangeError(
      `lpDecayAdamW: power.value is ${power?.value}, expected a number from 1 to Infinity, as model.power has`,
    );
  const base = adamW({ ...rest, lr, betas, eps, weightDecay, decays: (name) => !distances(name) && decays(name) });
  return {
    ...base,
    name: 'lpDecayAdamW',
    for: (model) => {
      const arena = arenaOf('lpDecayAdamW', model);
      const segments = segmentsOf(arena).map((segment, i) => ({ ...segment, i }));
      const found = segments.filter(({ name }) => distances(name) && decays(name));
      /** Start and length of each row; those of frozen weights are empty, and stay. */
      const rowsOf = (trained: readonly boolean[]): number[] =>
        found.flatMap(({ shape, start, size, i }) => {
          const length = size / shape[0]!;
          return Array.from({ length: shape[0]! }, (_, r) => [start + r * length, trained[i] ? length : 0]).flat();
        });
      for (const { name, shape } of found) {
        if (shape.length < 2)
          throw new RangeError(
            `lpDecayAdamW: ${name} has shape [${shape}], expected the weight of a distance layer, a row a neuron`,
          );
      }
      let trained = trainedIn(arena);
      if (!found.some(({ i }) => trained[i]))
        throw new RangeError(
          'lpDecayAdamW: no parameter is the weight of a distance layer; name them by distances: (name) => ...',
        );
      const inner = base.for(arena);
      const { gpu } = arena.values;
      return extendState(inner, () => {
        const table = tensor(rowsOf(trained), { dtype: 'u32', gpu });
        const hyper = empty([4], { gpu });
        const count = table.size / 2;
        const prepare = (): void => {
          const now = trainedIn(arena);
          if (now.some((on, i) => on !== trained[i])) table.write(rowsOf((trained = now)));
          const p = power.value;
          const rate = inner.lr * weightDecay;
          hyper.write(p === Infinity ? [rate, 0, 0, 1] : [rate, p / 2, (p - 2) / p, 0]);
        };
        return {
          name: 'lpDecayAdamW',
          skipIf: undefined,
          step: (closure?: () => void) => {
            gpu.beforeRun(prepare);
            kernel.decay({ count }, { hyper, rows: table, p: arena.values }, [count]);
            inner.step(closure);
          },
          dispose: () => {
            for (const t of [table, hyper]) t.dispose();
            inner.dispose();
          },
        };
      });
    },
  };
}
