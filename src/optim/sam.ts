import { any, atLeast, boolean, checkOptions, required } from '../check/check.ts';
import { copyOver } from '../tensor/copy.ts';
import { elementsOf, elementwiseUpdate, firstOf, numberOf } from '../tensor/elementwise.ts';
import { empty } from '../tensor/tensor.ts';
import { Norms } from './norms.ts';
import { expectSameFrozen } from './layout.ts';
import { arenaOf, expectOptimizer, extendState, type Optimizer } from './optimizer.ts';

/** Options of {@link sam}. */
export interface SamOptions {
  /** The rule that descends. */
  base: Optimizer;
  /** Radius of the neighbourhood. Default: 0.05, and for `adaptive` the authors advise 0.5 to 2. */
  rho?: number;
  /** Measures the neighbourhood relative to each weight (ASAM). Default: false. */
  adaptive?: boolean;
}

/**
 * Sharpness-aware minimisation: the gradient is taken at w + e, e = rho g / |g|, where the loss nearby is about
 * largest, and `base` then updates w with it. Foret et al., ICLR 2021, algorithm 1, eq. 2 with p = 2. `adaptive`: e =
 * rho w^2 g / | |w| g |, Kwon et al., ICML 2021, without the authors' small addition to |w|. A step, `step(closure)`,
 * costs two forward and backward passes over the same batch, three dispatches and a copy; w comes back bit for bit.
 * Frozen parameters have gradient 0 and stay. In `fit` dropout draws anew for the second pass, and running statistics
 * keep what the first one gave.
 */
export function sam(options: SamOptions): Optimizer {
  checkOptions('sam', options, { base: required(any), rho: atLeast(0), adaptive: boolean });
  const { base, rho = 0.05, adaptive = false } = options;
  expectOptimizer(base, 'sam: base');
  return {
    ...base,
    for: (model) => {
      const inner = base.for(model);
      const arena = arenaOf('sam', model);
      const { values: p, grads: g } = arena;
      return extendState(inner, () => {
        const kept = empty(p.shape, { gpu: p.gpu });
        const norms = new Norms(p.gpu, [{ start: 0, size: p.size }]);
        return {
          step: (closure?: () => void) => {
            if (!closure) throw new TypeError('sam: step needs a closure that repeats forward and backward, got none');
            expectSameFrozen('sam', arena);
            norms.record(g, adaptive ? p : undefined);
            const results = { p: elementsOf(p), kept: elementsOf(kept) };
            elementwiseUpdate(
              {
                name: 'sam',
                body: `kept = p;
                  p += ${adaptive ? 'p * p * ' : ''}g * (rho / (norm + 1e-12));`,
                operands: { ...results, g: elementsOf(g), norm: firstOf(norms.values), rho: numberOf(rho) },
                results,
              },
              p.size,
            );
            closure();
            copyOver(kept, p);
            inner.step(closure);
          },
          dispose: () => {
            for (const t of [kept, norms]) t.dispose();
            inner.dispose();
          },
        };
      });
    },
  };
}
