import kernel from '../../shaders/kthvalue.wgsl';
import { expectOptions } from '../check/options.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, zeros, type Tensor } from '../tensor/tensor.ts';

/** Which element to take. */
export interface KthValueOptions {
  /** Place in order, from 1 to the number of elements. */
  k: number;
  /** Counts from the largest; else from the smallest, as PyTorch. Default: false. */
  largest?: boolean;
}

/** An element by its place, all scalars. */
export interface KthValue {
  value: Tensor;
  /** Elements that come before it and do not equal it. */
  before: Tensor<'u32'>;
  /** Elements that equal it, itself included. */
  equal: Tensor<'u32'>;
}

/**
 * The k-th smallest (or largest) of all elements of x, f32 of any shape, by radix select: four passes over x, nothing
 * is sorted. Exact; -0 equals 0 and reads as 0, NaN counts as the largest. No gradient: `topk` has one.
 */
export function kthvalue(x: Tensor, options: KthValueOptions): KthValue {
  expectOptions('kthvalue', options, ['k', 'largest']);
  const { k, largest = false } = options;
  expectDType(x, 'f32', 'kthvalue: x');
  const { size, gpu } = x;
  if (!(Number.isInteger(k) && k >= 1 && k <= size))
    throw new RangeError(`kthvalue: k is ${k}, expected an integer in 1..${size}`);
  const tally = zeros([256], { dtype: 'u32', gpu });
  const found = empty([3], { dtype: 'u32', gpu });
  const value = empty([], { gpu });
  const [before, equal] = [empty([], { dtype: 'u32', gpu }), empty([], { dtype: 'u32', gpu })];
  const variant = { DESCENDING: Number(largest) };
  for (const shift of [24, 16, 8, 0]) {
    kernel.count({ size, k, shift }, { x, prefix: found, tally }, [size], variant);
    kernel.choose({ size, k, shift }, { tally, found, y: value, before, equal }, [1], variant);
  }
  tally.dispose();
  found.dispose();
  record('kthvalue', value);
  return { value, before, equal };
}
