/** Throws RangeError unless `value` is one of the words `known`. */
export function expectOneOf(what: string, value: unknown, known: readonly string[]): void {
  if (known.includes(value as string)) return;
  const words = known.map((word) => `'${word}'`);
  throw new RangeError(`${what} is ${String(value)}, expected ${words.length > 1 ? `${words.slice(0, -1).join(', ')} or ` : ''}${words.at(-1)}`);
}

/** Throws RangeError unless `compat` is absent or 'released-code'. */
export function expectCompat(where: string, compat: unknown): void {
  if (compat !== undefined) expectOneOf(`${where}: compat`, compat, ['released-code']);
}

/** Throws RangeError unless the exponent of a focal loss is finite and at least 0. */
export function expectGamma(where: string, gamma: number): void {
  if (!(gamma >= 0 && gamma < Infinity)) throw new RangeError(`${where}: gamma is ${gamma}, expected a finite number >= 0`);
}
