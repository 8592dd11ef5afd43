import kernel from '../../shaders/permutation.wgsl';
import { expectOptions } from '../check/options.ts';
import { empty, type Tensor } from '../tensor/tensor.ts';
import { expectNumber, hostDraw, type DrawOptions, type HostDrawOptions } from './draw.ts';
import type { Key } from './key.ts';
import { bits } from './random.ts';

/** Each element is compared with all others; 2^32 comparisons stay below what browsers let a kernel take. */
const MOST = 65_536;

const expectLength = (op: string, n: number): void =>
  expectNumber(`${op}: n`, n, (v) => Number.isInteger(v) && v >= 0 && v <= MOST, `an integer in 0..${MOST}`);

/**
 * 0..n-1 in random order, u32, every order equally likely: the order of 64 random bits each. Made on the device, so
 * that a captured step has a new one each time: that of item `first`. n is at most 65,536, at n^2 comparisons; shuffle
 * longer lists on the host (`shuffledIndices` of evenkeel/data).
 */
export function permutation(n: number, key: Key, options: DrawOptions = {}): Tensor<'u32'> {
  expectOptions('permutation', options, ['stream', 'first', 'gpu']);
  expectLength('permutation', n);
  const words = bits([1, 2 * n], key, options);
  const y = empty([n], { dtype: 'u32', gpu: words.gpu });
  kernel.forward({ n }, { words, y }, [n]);
  words.dispose();
  return y;
}

/** Host twin of {@link permutation}. */
export function hostPermutation(n: number, key: Key, options: HostDrawOptions = {}): Uint32Array<ArrayBuffer> {
  expectOptions('hostPermutation', options, ['stream', 'first']);
  expectLength('hostPermutation', n);
  const words = hostDraw(new Uint32Array(2 * n), 1, 2 * n, key, options, (r) => r);
  return Uint32Array.from({ length: n }, (_, i) => i).sort(
    (i, j) => words[2 * i]! - words[2 * j]! || words[2 * i + 1]! - words[2 * j + 1]! || i - j,
  );
}
