import { expectOptions } from '../../check/options.ts';
import { clamp } from '../../ops/unary.ts';
import type { Loss, LossFunction } from '../loss.ts';
import { onLogits } from '../wrap-loss.ts';

/** Options of {@link logitClamp}. */
export interface LogitClampOptions {
  /** Least logit. Default: -1. */
  low?: number;
  /** Largest logit. Default: 1. */
  high?: number;
}

/**
 * A loss of logits held element by element in [low, high], which changes their direction and stops the gradient of
 * those outside: the value clipping that Wei et al., ICML 2023, compare `logitClip` with. ReLU6 is { low: 0, high: 6 }.
 * Throws RangeError unless low < high, both finite.
 */
export function logitClamp(loss: Loss | LossFunction, given: LogitClampOptions = {}): Loss {
  expectOptions('logitClamp', given, ['low', 'high']);
  const { low = -1, high = 1 } = given;
  if (!(low > -Infinity && low < high && high < Infinity))
    throw new RangeError(`logitClamp: low is ${low} and high ${high}, expected finite numbers with low < high`);
  return onLogits('logitClamp', loss, (z) => clamp(z, low, high));
}
