import { philox, type Key } from 'evenkeel/random';
import { build, type Dense } from './dense.ts';

/** The factor of each element: 0 where its random word is below p 2^32, else 1 / (1 - p). */
export function dropoutMask(shape: readonly number[], key: Key, first: readonly [number, number], p: number): Dense {
  const size = shape.slice(1).reduce((n, d) => n * d, 1);
  return build(shape, (i) => {
    const [n, e] = [Math.floor(i / size), i % size];
    return philox([Math.floor(e / 4), first[0] + n, first[1], 0], key)[e % 4]! >= Math.round(p * 2 ** 32)
      ? 1 / (1 - p)
      : 0;
  });
}

/** x times its mask; also dx of dy. */
export function dropout(x: Dense, key: Key, first: readonly [number, number], p: number): Dense {
  const mask = dropoutMask(x.shape, key, first, p);
  return build(x.shape, (i) => x.data[i]! * mask.data[i]!);
}
