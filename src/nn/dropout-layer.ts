import { check } from '../check/check.ts';
import { DROPOUT, dropout } from '../ops/dropout.ts';
import type { Layer } from './layer.ts';

/** Random zeros in training, nothing in evaluation. */
export interface Dropout extends Layer {
  readonly kind: 'Dropout';
  readonly p: number;
}

/** In training each element is set to zero with probability `p` (default 0.5) and the others are divided by 1 - p. */
export function Dropout(p = 0.5): Dropout {
  check('Dropout', { p }, DROPOUT.p);
  return {
    kind: 'Dropout',
    p,
    specs: {},
    params: {},
    isRandom: true,
    forward: (x, { training, random } = { training: false }) => {
      if (!training || p === 0) return x;
      if (!random)
        throw new Error('Dropout: the context has no random numbers; put the layer in Sequential(), or pass `random`');
      return dropout(x, random, { p });
    },
  };
}
