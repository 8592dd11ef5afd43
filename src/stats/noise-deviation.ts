/** Throws RangeError unless value is positive and finite. */
export function expectPositive(what: string, name: string, value: number): void {
  if (!(value > 0 && value < Infinity))
    throw new RangeError(`${what}: ${name} is ${value}, expected a positive number`);
}

/**
 * The deviation of the noise as the device has it, in f32: what a radius is a multiple of. Throws RangeError unless it
 * is positive and a normal number there.
 */
export function expectSigma(what: string, sigma: number): number {
  expectPositive(what, 'sigma', sigma);
  const onDevice = Math.fround(sigma);
  if (!(onDevice >= 2 ** -126 && onDevice < Infinity))
    throw new RangeError(
      `${what}: sigma is ${sigma}, in f32 ${onDevice}; expected a number from 2^-126 to 3.4e38, since noise ` +
        'is drawn in f32',
    );
  return onDevice;
}

/** Throws unless each value is an integer of at least `least`. */
export function expectCounts(op: string, values: Record<string, number>, least: number): void {
  for (const [name, value] of Object.entries(values))
    if (!Number.isInteger(value) || value < least)
      throw new RangeError(`${op}: ${name} is ${value}, expected an integer of at least ${least}`);
}
