import { mean, sum } from './reduce.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** How the values of an elementwise loss become one. */
export type ElementReduction = 'mean' | 'sum' | 'none';

/** Throws unless `reduction` is one of `known`. */
export function expectReduction(op: string, reduction: string, known: readonly string[] = ['mean', 'sum', 'none']): void {
  if (!known.includes(reduction)) throw new RangeError(`${op}: reduction is ${reduction}, expected one of ${known.join(', ')}`);
}

/** The mean or sum of all values, or the values. */
export function reduced(values: Tensor, reduction: ElementReduction): Tensor {
  return reduction === 'none' ? values : reduction === 'sum' ? sum(values) : mean(values);
}
