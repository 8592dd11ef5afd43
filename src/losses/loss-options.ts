import { any, integer, oneOf } from '../check/check.ts';
import { ShapeError } from '../gpu/errors.ts';
import { REDUCTIONS } from '../ops/reduction.ts';

/** Throws RangeError unless f32 has `value` and 1 / value as normal numbers. */
export function expectInvertible(what: string, value: number): void {
  const [least, most] = [2 ** -126, 2 ** 126];
  if (!(Math.abs(value) >= least && Math.abs(value) <= most))
    throw new RangeError(
      `${what} is ${value}, expected a magnitude from ${least} to ${most}, so that f32 has it and its reciprocal`,
    );
}

/** Throws TypeError unless a saved state is an object. */
export function expectState(where: string, state: unknown): void {
  if (typeof state !== 'object' || state === null)
    throw new TypeError(`${where}: the state is ${String(state)}, expected an object, as state() gives it`);
}

/** Rules of the options of every loss of one value per sample; class weights are checked where `classes` is known. */
export const LOSS_RULES = { weight: any, reduction: oneOf(...REDUCTIONS), numClasses: integer(1) } as const;

/**
 * Weights of `classes` classes in f32. Throws ShapeError when there are others, RangeError when one is negative or not
 * finite.
 */
export function checkedWeights(where: string, weight: ArrayLike<number>, classes: number): Float32Array<ArrayBuffer> {
  if (weight.length !== classes)
    throw new ShapeError(`${where}: weight has ${weight.length} entries, the logits have ${classes} classes`);
  for (let c = 0; c < classes; c++)
    if (!(weight[c]! >= 0 && weight[c]! < Infinity))
      throw new RangeError(`${where}: weight[${c}] is ${weight[c]}, expected a finite number >= 0`);
  return Float32Array.from(weight);
}
