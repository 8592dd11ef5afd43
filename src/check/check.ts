import { expectOptions } from './options.ts';

/**
 * What an argument must be. `T` is the type of the values that it knows how to judge: a rule for `'sum' | 'mean'` does
 * not fit an option that may also be `'none'`.
 */
export interface Rule<T> {
  /** Whether the value passes; of a type that TypeScript could not hold, it must be false and not throw. */
  readonly accepts: (value: T) => boolean;
  /** What a value must be, in words, as they follow 'expected'; `#` stands for the name of the argument. */
  readonly expected: string;
  /** The complaint about a value that does not pass, where it is not `name is VALUE, expected WORDS`. */
  readonly complaint?: (name: string, value: T) => string;
}

/** A rule for an option that must be given. */
export interface RequiredRule<T> extends Rule<T> {
  readonly isRequired: true;
}

/** A rule for each value of `T`. */
export type Rules<T> = { readonly [K in keyof T]-?: Rule<Exclude<T[K], undefined>> };

/** A rule for each option of `T`: a required one for those that have no default. */
export type OptionRules<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K>
    ? Rule<Exclude<T[K], undefined>>
    : RequiredRule<Exclude<T[K], undefined>>;
};

/**
 * Throws a RangeError unless every value obeys its rule, or the one rule for all: `check('logBeta', { a, b },
 * positive)` says 'logBeta: a is -1, expected a finite number > 0'. Undefined passes no rule but {@link any}.
 */
export function check<T extends object>(
  where: string,
  values: T,
  rules: Rules<NoInfer<T>> | Rule<NoInfer<T[keyof T]>>,
): void {
  const one = typeof (rules as Rule<unknown>).accepts === 'function' ? (rules as Rule<unknown>) : null;
  for (const name of Object.keys(one ? values : rules))
    obey(where, name, (values as Values)[name], one ?? (rules as Record<string, Rule<unknown>>)[name]!);
}

/** The same for one value, with its full name for the reader: 'accuracy: labels'. */
export function checkValue<T>(what: string, value: T, rule: Rule<T>): void {
  if (!rule.accepts(value)) throw new RangeError(complaintOf(rule, what, value));
}

/**
 * The door of a function with options: its rules are the list of what it takes. Throws a TypeError on options that are
 * no object and on one that has no rule, with the nearest name; a RangeError on a value that breaks its rule, and on
 * one that is missing where the rule is {@link required}. Others may be undefined.
 */
export function checkOptions<T extends object>(
  where: string,
  options: T | undefined,
  rules: OptionRules<NoInfer<T>>,
): void {
  expectOptions(where, options, Object.keys(rules) as (keyof T & string)[]);
  for (const [name, rule] of entries(rules)) {
    const value = (options as Values | undefined)?.[name];
    if (value !== undefined || 'isRequired' in rule) obey(where, name, value, rule);
  }
}

type Values = Readonly<Record<string, unknown>>;
const entries = (rules: object): [string, Rule<unknown>][] => Object.entries(rules);

function obey(where: string, name: string, value: unknown, rule: Rule<unknown>): void {
  if (!rule.accepts(value)) throw new RangeError(complaintOf(rule, `${where}: ${name}`, value));
}

function complaintOf<T>(rule: Rule<T>, name: string, value: T): string {
  const own = name.slice(name.lastIndexOf(' ') + 1);
  return rule.complaint?.(name, value) ?? `${name} is ${shown(value)}, expected ${rule.expected.replaceAll('#', own)}`;
}

/** A value for the reader of an error: text in quotes, lists in brackets and cut, of objects what they are. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}..` : value}'`;
  if (typeof value === 'function') return `the function ${value.name || 'without a name'}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (!isList(value)) return 'shape' in value ? `an array of shape [${String(value.shape)}]` : 'an object';
  const head = Array.from({ length: Math.min(value.length, 12) }, (_, i) => String(value[i]));
  return `[${head}${value.length > 12 ? ',..' : ''}]`;
}

/** Whether a value is an array, a typed array or another list with a length; text is not. */
export const isList = (value: unknown): value is ArrayLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { length?: unknown }).length === 'number';

/** A rule of one's own: `rule('an even number', (v: number) => v % 2 === 0)`. */
/* @__NO_SIDE_EFFECTS__ */
export const rule = <T>(expected: string, accepts: (value: T) => boolean): Rule<T> => ({ expected, accepts });

/** The same rule in other words. */
/* @__NO_SIDE_EFFECTS__ */
export const worded = <T>(of: Rule<T>, expected: string): Rule<T> => ({ ...of, expected });

/** The rule for an option without a default. */
/* @__NO_SIDE_EFFECTS__ */
export const required = <T>(of: Rule<T>): RequiredRule<T> => ({ ...of, isRequired: true });

/** Anything, undefined too: for what is checked where it is used, and for values that only name something. */
export const any: Rule<unknown> = { expected: 'anything', accepts: () => true };

/** true or false. */
export const boolean: Rule<boolean> = { expected: 'true or false', accepts: (v) => typeof v === 'boolean' };

/** A function. */
export const callable: Rule<(...of: never[]) => unknown> = {
  expected: 'a function',
  accepts: (v) => typeof v === 'function',
};

/** A number that is neither NaN nor infinite. */
export const finite: Rule<number> = { expected: 'a finite number', accepts: Number.isFinite };

/** A finite number of at least `low`. */
/* @__NO_SIDE_EFFECTS__ */
export const atLeast = (low: number): Rule<number> =>
  rule(`a finite number >= ${low}`, (v) => Number.isFinite(v) && v >= low);

/** A finite number above `low`. */
/* @__NO_SIDE_EFFECTS__ */
export const above = (low: number): Rule<number> =>
  rule(`a finite number > ${low}`, (v) => Number.isFinite(v) && v > low);

/** A finite number below `high`. */
/* @__NO_SIDE_EFFECTS__ */
export const below = (high: number): Rule<number> =>
  rule(`a finite number < ${high}`, (v) => Number.isFinite(v) && v < high);

/** A finite number above 0. */
export const positive: Rule<number> = { expected: 'a finite number > 0', accepts: (v) => Number.isFinite(v) && v > 0 };

/**
 * A number from `low` to `high`, which may be infinite; `ends` says which of the two count, as mathematics writes
 * intervals: '(]' is above `low` and at most `high`. Default: both.
 */
/* @__NO_SIDE_EFFECTS__ */
export function between(low: number, high: number, ends: '[]' | '()' | '[)' | '(]' = '[]'): Rule<number> {
  const [from, to] = [ends[0] === '[', ends[1] === ']'];
  const [least, most] = [from ? '<=' : '<', to ? '<=' : '<'];
  return rule(
    high === Infinity && to
      ? `a number ${from ? '>=' : '>'} ${low} or Infinity`
      : from && to
        ? `a number in ${low}..${high}`
        : `${low} ${least} # ${most} ${high}`,
    (v) => typeof v === 'number' && (v > low || (from && v === low)) && (v < high || (to && v === high)),
  );
}

/** An integer, exact in a double, from `low` to `high`. */
/* @__NO_SIDE_EFFECTS__ */
export function integer(low = -Infinity, high = Infinity): Rule<number> {
  const words =
    high < Infinity
      ? `an integer in ${low}..${high}`
      : low === 1
        ? 'a positive integer'
        : `an integer${low > -Infinity ? ` >= ${low}` : ''}`;
  return rule(words, (v) => Number.isSafeInteger(v) && v >= low && v <= high);
}

/** One of the values named, which are texts, numbers or truth values. */
/* @__NO_SIDE_EFFECTS__ */
export function oneOf<const N extends string | number | boolean>(...names: readonly N[]): Rule<N> {
  const all = names.map(shown);
  const last = all.pop();
  return rule(all.length ? `${all.join(', ')} or ${last}` : `${last}`, (v) => names.includes(v));
}

/** What one of two rules accepts; a list that neither does is complained of as the one for lists would. */
/* @__NO_SIDE_EFFECTS__ */
export const either = <A, B>(a: Rule<A>, b: Rule<B>): Rule<A | B> => ({
  expected: `${a.expected} or ${b.expected}`,
  accepts: (v) => a.accepts(v as A) || b.accepts(v as B),
  complaint: (name, v) => {
    const words = `${name} is ${shown(v)}, expected ${a.expected} or ${b.expected}`;
    return isList(v) ? (b.complaint?.(name, v as B) ?? words) : words;
  },
});

/** null, or what the rule accepts. */
/* @__NO_SIDE_EFFECTS__ */
export const nullOr = <T>(of: Rule<T>): Rule<T | null> => ({
  expected: `null or ${of.expected}`,
  accepts: (v) => v === null || of.accepts(v),
  ...(of.complaint && { complaint: (name: string, v: T | null) => of.complaint!(name, v as T) }),
});

/** The same rule for a list that must not be empty. */
/* @__NO_SIDE_EFFECTS__ */
export const nonEmpty = <T>(of: Rule<ArrayLike<T>>): Rule<ArrayLike<T>> => ({
  expected: of.expected,
  accepts: (v) => of.accepts(v) && v.length > 0,
  complaint: (name, v) =>
    isList(v) && v.length === 0 ? `${name} has 0 entries, expected at least 1` : complaintOf(of, name, v),
});

/**
 * A list whose elements obey `of`: an array or a typed array. With `length` it has that many, `per` says why: 'one per
 * class'.
 */
/* @__NO_SIDE_EFFECTS__ */
export function listOf<T>(of: Rule<T>, length?: number, per?: string): Rule<ArrayLike<T>> {
  const bad = (list: ArrayLike<T>): number => {
    for (let i = 0; i < list.length; i++) if (!of.accepts(list[i]!)) return i;
    return -1;
  };
  const isLong = (list: ArrayLike<T>): boolean => length === undefined || list.length === length;
  const expected = `a list of ${length === undefined ? '' : `${length} `}values`;
  return {
    expected,
    accepts: (v) => isList(v) && isLong(v) && bad(v) < 0,
    complaint: (name, v) => {
      if (!isList(v)) return `${name} is ${shown(v)}, expected ${expected}`;
      if (!isLong(v)) return `${name} has ${v.length} entries, expected ${length}${per ? `, ${per}` : ''}`;
      const i = bad(v);
      return complaintOf(of, `${name}[${i}]`, v[i]!);
    },
  };
}
