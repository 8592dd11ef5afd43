import { check, integer, worded } from '../check/check.ts';
import { philox } from './philox.ts';

/** The state of a random stream: 64 bits that name it. Nothing is consumed: the same key gives the same numbers. */
export type Key = readonly [number, number];

/** The key of a seed, an integer of at most 53 bits. */
export function key(seed: number): Key {
  check('key', { seed }, { seed: worded(integer(0), 'an integer from 0 to 2^53 - 1') });
  return splitKey([seed >>> 0, Math.floor(seed / 2 ** 32)], 0);
}

/**
 * The `index`-th child of a key: an independent stream. Derive one for each use, and from it one for each layer, epoch
 * or step, as with fold_in of JAX; draws of one key and one stream take the same numbers, whatever their distribution.
 */
export function splitKey(parent: Key, index: number): Key {
  const [a, b] = philox([index >>> 0, Math.floor(index / 2 ** 32), 0, 0x9e3779b9], parent);
  return [a, b];
}

/** Children of a seed's key, one for each use of randomness in a run, so that no two ever share numbers. */
export const PURPOSE = {
  parameters: 0,
  inputNoise: 1,
  smoothing: 2,
  order: 3,
  dropout: 4,
  objective: 5,
  sets: 6,
  probe: 7,
  augmentation: 8,
} as const;
