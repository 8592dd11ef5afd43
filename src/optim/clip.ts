import { atLeast, checkOptions, oneOf, required } from '../check/check.ts';
import { elementsOf, elementwise, firstOf, numberOf } from '../tensor/elementwise.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Norms } from './norms.ts';
import { expectSameFrozen } from './layout.ts';
import {
  arenaOf,
  expectOptimizer,
  extendState,
  type Optimizer,
  type OptimizerState,
  type Trainable,
} from './optimizer.ts';

/** An optimiser that clips by norm first. */
export interface NormClippedOptimizer extends Optimizer {
  for(model: Trainable): OptimizerState & {
    /** The norm of all gradients of the last update, before clipping: one element. */
    readonly totalNorm: Tensor;
  };
}

/** Options of {@link clipGradNorm}. */
export interface ClipGradNormOptions {
  maxNorm: number;
  /** Order of the norm: 1, 2 or Infinity. Default: 2. */
  normType?: number;
}

/**
 * `base` on gradients scaled by min(1, maxNorm / (norm + 1e-6)), where norm is that of all gradients together, as
 * PyTorch's clip_grad_norm_; computed on the device in three dispatches, nothing is read back; in a captured step the
 * scaling is part of the update. A NaN gradient makes all of them NaN, an infinite one makes the others 0.
 */
export function clipGradNorm(base: Optimizer, options: ClipGradNormOptions): NormClippedOptimizer {
  checkOptions('clipGradNorm', options, { maxNorm: required(atLeast(0)), normType: oneOf(1, 2, Infinity) });
  const { maxNorm, normType = 2 } = options;
  expectOptimizer(base, 'clipGradNorm: base');
  return {
    ...base,
    for: (model) => {
      const inner = base.for(model);
      return extendState(inner, () => {
        const arena = arenaOf('clipGradNorm', model);
        const { gpu, size } = arena.grads;
        const norms = new Norms(gpu, [{ start: 0, size }], normType);
        return {
          totalNorm: norms.values,
          step: (closure?: () => void) => {
            expectSameFrozen('clipGradNorm', arena);
            norms.record(arena.grads);
            const [g, norm, limit] = [elementsOf(arena.grads), firstOf(norms.values), numberOf(maxNorm)];
            // A NaN norm makes every gradient NaN: min may swallow it.
            elementwise(
              'clipGradNorm',
              'g * orNan(min(1.0, limit / (norm + 1e-6)), norm)',
              { g, norm, limit },
              g,
              size,
            );
            inner.step(closure);
          },
          dispose: () => {
            norms.dispose();
            inner.dispose();
          },
        };
      });
    },
  };
}

/**
 * `base` on gradients limited to [-clipValue, clipValue] one by one, as PyTorch's clip_grad_value_: one dispatch, in
 * a captured step part of the update. A NaN stays.
 */
export function clipGradValue(base: Optimizer, options: { clipValue: number }): Optimizer {
  checkOptions('clipGradValue', options, { clipValue: required(atLeast(0)) });
  const { clipValue } = options;
  expectOptimizer(base, 'clipGradValue: base');
  return {
    ...base,
    for: (model) => {
      const inner = base.for(model);
      const { grads } = arenaOf('clipGradValue', model);
      return extendState(inner, () => ({
        step: (closure?: () => void) => {
          const [g, limit] = [elementsOf(grads), numberOf(clipValue)];
          elementwise('clipGradValue', 'orNan(clamp(g, -limit, limit), g)', { g, limit }, g, grads.size);
          inner.step(closure);
        },
      }));
    },
  };
}
