import kernel from '../../shaders/permutation.wgsl';
import { check, checkOptions, integer } from '../check/check.ts';
import { empty, type Tensor } from '../tensor/tensor.ts';
import { DRAW, HOST_DRAW, hostDraw, type DrawOptions, type HostDrawOptions } from './draw.ts';
import type { Key } from './key.ts';
import { bits } from './random.ts';

/** Each element is compared with all others; 2^32 comparisons stay below what browsers let a kernel take. */
const MOST = 65_536;

/**
 * 0..n-1 in random order, u32, every order equally likely: the order of 64 random bits each. Drawn on the device, so
 * that a captured step has a new one each time: that of item `first`. n is at most 65,536, at n^2 comparisons; shuffle
 * longer lists on the host (`shuffledIndices` of evenkeel/data).
 */
export function permutation(n: number, key: Key, options: DrawOptions = {}): Tensor<'u32'> {
  checkOptions('permutation', options, DRAW);
  check('permutation', { n }, { n: integer(0, MOST) });
  const words = bits([1, 2 * n], key, options);
  const y = empty([n], { dtype: 'u32', gpu: words.gpu });
  kernel.forward({ n }, { words, y }, [n]);
  words.dispose();
  return y;
}

/** Host version of {@link permutation}. */
export function hostPermutation(n: number, key: Key, options: HostDrawOptions = {}): Uint32Array<ArrayBuffer> {
  checkOptions('hostPermutation', options, HOST_DRAW);
  check('hostPermutation', { n }, { n: integer(0, MOST) });
  const words = hostDraw(new Uint32Array(2 * n), 1, 2 * n, key, options, (r) => r);
  return Uint32Array.from({ length: n }, (_, i) => i).sort(
    (i, j) => words[2 * i]! - words[2 * j]! || words[2 * i + 1]! - words[2 * j + 1]! || i - j,
  );
}
