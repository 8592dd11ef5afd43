import { UsageError } from './usage-error.ts';

/** One command-line flag: how it is shown in `--help`, and how its text becomes a value. */
export interface Flag<T> {
  /** Placeholder of the value; none for a switch. */
  value?: string;
  describe: string;
  fallback: T;
  /** Value of the text given, or a UsageError without the flag's name: the parser adds it. */
  parse(text: string): T;
}

/** Flags by name, without the dashes. */
export type FlagTable = Record<string, Flag<unknown>>;

/** What `parseFlags` makes of a table. */
export type Values<F extends FlagTable> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** An integer in min..max. */
export function integer<T extends number | null>(
  describe: string,
  fallback: T,
  { min = 0, max = Number.MAX_SAFE_INTEGER, value = 'N' } = {},
): Flag<number | T> {
  const expected = max === Number.MAX_SAFE_INTEGER ? `an integer >= ${min}` : `an integer in ${min}..${max}`;
  return {
    value,
    describe,
    fallback,
    parse(text) {
      const n = Number(text);
      if (!/^[+-]?\d+$/.test(text) || !(n >= min && n <= max)) throw new UsageError(`expected ${expected}`);
      return n;
    },
  };
}

/** A number with above < x <= max. */
export function number(
  describe: string,
  fallback: number,
  { above, max, value = 'X' }: { above: number; max: number; value?: string },
): Flag<number> {
  return {
    value,
    describe,
    fallback,
    parse(text) {
      const x = text.trim() === '' ? NaN : Number(text);
      if (!(x > above && x <= max)) throw new UsageError(`expected a number with ${above} < ${value} <= ${max}`);
      return x;
    },
  };
}

/** One of a few words. */
export function choice<const W extends string>(describe: string, words: readonly W[], fallback: W): Flag<W> {
  return {
    value: words.join('|'),
    describe,
    fallback,
    parse(text) {
      if (!words.includes(text as W)) throw new UsageError(`expected ${words.join(' or ')}`);
      return text as W;
    },
  };
}

/** Some of a few words, separated by commas. */
export function list<const W extends string>(
  describe: string,
  words: readonly W[],
  fallback: readonly W[],
): Flag<readonly W[]> {
  return {
    value: words.join(','),
    describe,
    fallback,
    parse(text) {
      const given = [...new Set(text.split(',').map((word) => word.trim()))];
      if (!given.every((word) => words.includes(word as W)))
        throw new UsageError(`expected one or more of ${words.join(', ')}, separated by commas`);
      return given as W[];
    },
  };
}

/** Text that `check` accepts. */
export function text<T extends string | null>(
  describe: string,
  value: string,
  fallback: T,
  check: (given: string) => void = notEmpty,
): Flag<string | T> {
  return {
    value,
    describe,
    fallback,
    parse(given) {
      check(given);
      return given;
    },
  };
}

/** A flag without a value. */
export function toggle(describe: string): Flag<boolean> {
  return { describe, fallback: false, parse: () => true };
}

function notEmpty(given: string): void {
  if (given === '') throw new UsageError('expected text that is not empty');
}
