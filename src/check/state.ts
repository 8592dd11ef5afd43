/**
 * What a field of a stored state must be: one of some words; a finite number in a closed range (its ends may be
 * infinite); 'integer' from 0 on, 'positive' an integer from 1 on, 'number' any finite one, 'list' an array.
 */
export type FieldRule =
  readonly string[] | readonly [number, number] | 'integer' | 'positive' | 'number' | 'boolean' | 'list';

/**
 * A stored state, with each field what `rules` say it must be. Throws RangeError, naming `where`, on a field that is
 * not, is missing, or is unknown. Everything a rule allows goes through JSON and comes back the same, but for the
 * entries of lists, which the caller checks.
 */
export function expectState<S extends object>(where: string, state: S, rules: { [K in keyof S]-?: FieldRule }): S {
  if (typeof state !== 'object' || state === null || Array.isArray(state))
    throw new RangeError(`${where}: the state is ${show(state)}, expected an object`);
  for (const name of Object.keys(state))
    if (!Object.hasOwn(rules, name)) throw new RangeError(`${where}: ${name} is no field of a state`);
  for (const [name, rule] of Object.entries(rules) as [keyof S & string, FieldRule][]) {
    const value = state[name];
    if (!fits(value, rule)) throw new RangeError(`${where}: ${name} is ${show(value)}, expected ${expected(rule)}`);
  }
  return state;
}

/** RangeError of a stored state whose `kind` is none that `where` loads; `expected`: what it loads. */
export function unknownKind(where: string, state: unknown, expected: string): RangeError {
  const kind = String((state as { kind: unknown } | null)?.kind);
  return new RangeError(`${where}: kind is ${kind}, expected that of a ${expected}`);
}

/** Throws RangeError, naming `where`, unless `list` has `length` entries, all finite numbers. */
export function expectNumbers(where: string, list: readonly number[], length = list.length): void {
  if (!Array.isArray(list)) throw new RangeError(`${where} is ${show(list)}, expected a list of numbers`);
  if (list.length !== length) throw new RangeError(`${where} has ${list.length} entries, expected ${length}`);
  for (let i = 0; i < length; i++)
    if (!Number.isFinite(list[i]))
      throw new RangeError(`${where} is ${show(list[i])} at ${i}, expected finite numbers`);
}

/** Stands for Infinity in states, for JSON has none. */
export const INFINITE = Number.MAX_VALUE;

/** Numbers as they come back from JSON, which has no -0. */
export const plain = (list: ArrayLike<number>): number[] => Array.from(list, (v) => v + 0);

function fits(value: unknown, rule: FieldRule): boolean {
  if (rule === 'boolean') return typeof value === 'boolean';
  if (rule === 'list') return Array.isArray(value);
  if (rule === 'integer') return Number.isSafeInteger(value) && (value as number) >= 0;
  if (rule === 'positive') return Number.isSafeInteger(value) && (value as number) >= 1;
  if (rule === 'number') return Number.isFinite(value);
  if (typeof rule[0] === 'string') return (rule as readonly unknown[]).includes(value);
  const [low, high] = rule as readonly [number, number];
  return Number.isFinite(value) && (value as number) >= low && (value as number) <= high;
}

function expected(rule: FieldRule): string {
  if (typeof rule === 'string')
    return {
      boolean: 'true or false',
      list: 'a list',
      integer: 'an integer >= 0',
      positive: 'an integer >= 1',
      number: 'a finite number',
    }[rule];
  if (typeof rule[0] === 'string') return rule.map((word) => `'${word}'`).join(' or ');
  const [low, high] = rule as readonly [number, number];
  return high === Infinity ? `a finite number >= ${low}` : `a number in ${low}..${high}`;
}

/** A value for a reader: strings in quotes, objects by their type. */
const show = (value: unknown): string =>
  typeof value === 'string'
    ? `'${value}'`
    : Array.isArray(value)
      ? 'a list'
      : typeof value === 'object' && value !== null
        ? 'an object'
        : String(value);
