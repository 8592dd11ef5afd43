import { isList, type Rule } from '../check/check.ts';

/** An interval of valid inputs; null: all finite numbers. */
export type Box = readonly [low: number, high: number] | null;

/**
 * The place of the first value that is outside the box or not finite, or -1. The ends are rounded to f32 as the values
 * were, so that a box and data of one normalisation fit, such as 0 and 1 less a mean over a deviation.
 */
export function firstOutside(values: ArrayLike<number>, box: Box): number {
  const [low, high] = box
    ? (box.map(Math.fround) as [number, number])
    : [-3.4028234663852886e38, 3.4028234663852886e38];
  for (let i = 0; i < values.length; i++) if (!(values[i]! >= low && values[i]! <= high)) return i;
  return -1;
}

/** Rule of {@link Box}. */
export const BOX: Rule<Box> = {
  expected: 'two finite numbers, the lower one first',
  accepts: (v) => v === null || (isList(v) && v.length === 2 && v.every(Number.isFinite) && v[0] < v[1]),
};

/** The words for a value outside the box, after its size. */
export function outside(box: Box): string {
  return box ? `outside the box [${box}]; give clip in the units of the model's input` : 'outside the finite numbers';
}
