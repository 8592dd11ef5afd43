import { noGrad } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { div } from './binary.ts';
import { greater } from './compare.ts';
import { mean, sum } from './reduce.ts';
import { where } from './where.ts';

/** How the values of an elementwise loss become one. */
export type ElementReduction = 'mean' | 'sum' | 'none';

/** How values of a batch become one: `weightedMean` divides by the sum of weights, as PyTorch's weighted mean. */
export type Reduction = 'mean' | 'weightedMean' | 'sum' | 'none';

/** All of {@link Reduction}. */
export const REDUCTIONS: readonly Reduction[] = ['none', 'mean', 'sum', 'weightedMean'];

/** Throws unless `reduction` is one of `known`. */
export function expectReduction(
  op: string,
  reduction: string,
  known: readonly string[] = ['mean', 'sum', 'none'],
): void {
  if (!known.includes(reduction))
    throw new RangeError(`${op}: reduction is ${reduction}, expected one of ${known.join(', ')}`);
}

/** The mean or sum of all values, or the values. */
export function reduced(values: Tensor, reduction: ElementReduction): Tensor {
  return reduction === 'none' ? values : reduction === 'sum' ? sum(values) : mean(values);
}

/** total / divisor for a divisor of at least 0, a constant for the gradient; 0 where it is 0: no row counts. */
export function meanOf(total: Tensor, divisor: Tensor): Tensor {
  return div(
    total,
    noGrad(() => where(greater(divisor, 0), divisor, 1)),
  );
}
