import { ShapeError } from '../gpu/errors.ts';
/** Throws RangeError unless `value` is one of the words `known`. */
export function expectOneOf(what: string, value: unknown, known: readonly string[]): void {
  if (known.includes(value as string)) return;
  const words = known.map((word) => `'${word}'`);
  throw new RangeError(
    `${what} is ${String(value)}, expected ` +
      `${words.length > 1 ? `${words.slice(0, -1).join(', ')} or ` : ''}${words.at(-1)}`,
  );
}

/** Throws RangeError unless `compat` is absent or 'released-code'. */
export function expectCompat(where: string, compat: unknown): void {
  if (compat !== undefined) expectOneOf(`${where}: compat`, compat, ['released-code']);
}

/** Throws RangeError unless the exponent of a focal loss is finite and at least 0. */
export function expectGamma(where: string, gamma: number): void {
  if (!(gamma >= 0 && gamma < Infinity))
    throw new RangeError(`${where}: gamma is ${gamma}, expected a finite number >= 0`);
}

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

/** Throws a RangeError unless `value` is a finite number above `above`. */
export function expectAbove(what: string, value: number, above: number): void {
  if (!(value > above && value < Infinity))
    throw new RangeError(`${what} is ${value}, expected a finite number > ${above}`);
}

/** Throws a RangeError unless every number is finite and at least 0. */
export function expectFactors(where: string, factors: Record<string, number>): void {
  for (const [name, value] of Object.entries(factors)) {
    if (!(value >= 0 && value < Infinity))
      throw new RangeError(`${where}: ${name} is ${value}, expected a finite number >= 0`);
  }
}

/** The options of every loss of one value a sample. */
export const LOSS_OPTIONS = ['weight', 'reduction', 'numClasses'] as const;

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
