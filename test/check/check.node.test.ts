import { describe, expect, test } from 'vitest';
import {
  above,
  any,
  atLeast,
  below,
  between,
  boolean,
  callable,
  check,
  checkOptions,
  either,
  finite,
  integer,
  listOf,
  oneOf,
  positive,
  required,
  rule,
  worded,
  type Rule,
} from '../../src/check/check.ts';

const complaint = (of: Rule<never>, value: unknown): string | null => {
  try {
    check('f', { x: value }, { x: of as Rule<unknown> });
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return (error as Error).message;
  }
};

const cases: [name: string, of: Rule<never>, good: unknown[], bad: unknown[], expected: string][] = [
  ['finite', finite, [0, -1e300], [NaN, Infinity, '1', undefined, null, 1n], 'a finite number'],
  ['positive', positive, [1e-300], [0, -1, NaN, Infinity, '1', undefined], 'a finite number > 0'],
  ['atLeast', atLeast(2), [2, 3.5], [1.9, NaN, Infinity, '3'], 'a finite number >= 2'],
  ['above', above(2), [2.1], [2, NaN, Infinity, '3'], 'a finite number > 2'],
  ['below', below(2), [1.9, -5], [2, NaN, -Infinity, '1'], 'a finite number < 2'],
  ['closed', between(0, 1), [0, 0.5, 1], [-1e-9, 1.1, NaN, '0', undefined], 'a number in 0..1'],
  ['open', between(0, 1, '()'), [0.5], [0, 1, NaN, '0.5'], '0 < x < 1'],
  ['open below', between(0, 1, '(]'), [0.5, 1], [0, 1.1, NaN], '0 < x <= 1'],
  ['open above', between(0, 1, '[)'), [0, 0.5], [1, -1, NaN], '0 <= x < 1'],
  ['to infinity', between(1, Infinity), [1, 7, Infinity], [0.9, NaN, '2'], 'a number >= 1 or Infinity'],
  ['above to infinity', between(0, Infinity, '(]'), [1, Infinity], [0, NaN], 'a number > 0 or Infinity'],
  ['integer', integer(), [-3, 0, 2 ** 53 - 1], [0.5, NaN, 2 ** 53, '1', undefined], 'an integer'],
  ['integer from 0', integer(0), [0, 9], [-1, 0.5, Infinity], 'an integer >= 0'],
  ['integer from 1', integer(1), [1, 9], [0, 1.5, NaN], 'a positive integer'],
  ['integer in', integer(2, 4), [2, 3, 4], [1, 5, 2.5], 'an integer in 2..4'],
  ['boolean', boolean, [true, false], [0, 1, 'true', undefined], 'true or false'],
  ['callable', callable, [() => 1], [1, 'f', undefined], 'a function'],
  ['one name', oneOf('sum'), ['sum'], ['mean', 1, undefined], "'sum'"],
  ['two names', oneOf<string>('sum', 'mean'), ['sum', 'mean'], ['Sum', null], "'sum' or 'mean'"],
  ['three names', oneOf<string | number>('a', 'b', 1), ['a', 'b', 1], ['c', '1'], "'a', 'b' or 1"],
  ['either', either(positive, oneOf('auto')), [1, 'auto'], [0, 'Auto', undefined], "a finite number > 0 or 'auto'"],
  [
    'worded',
    worded(atLeast(0), 'a number >= 0; take features after a relu'),
    [0],
    [-1],
    'a number >= 0; take features after a relu',
  ],
  ['rule', rule('an even number', (v: number) => v % 2 === 0), [2], [3], 'an even number'],
];

describe('rules', () => {
  test.each(cases)('%s', (_, of, good, bad, expected) => {
    for (const value of good) expect(complaint(of, value), String(value)).toBe(null);
    for (const value of bad) {
      const shown = typeof value === 'string' ? `'${value}'` : String(value);
      expect(complaint(of, value)).toBe(`f: x is ${shown}, expected ${expected}`);
    }
  });

  test('any accepts undefined', () => expect(complaint(any, undefined)).toBe(null));

  test.each([
    [[1, 2, 3], null],
    [new Float32Array(3), null],
    [[1, 2], 'f: x has 2 entries, expected 3, one per class'],
    [[1, -2, NaN], 'f: x[1] is -2, expected a finite number >= 0'],
    [[1, undefined, 3], 'f: x[1] is undefined, expected a finite number >= 0'],
    [7, 'f: x is 7, expected a list of 3 values'],
    ['abc', "f: x is 'abc', expected a list of 3 values"],
    [undefined, 'f: x is undefined, expected a list of 3 values'],
  ])('a list of three: %j', (value, expected) => {
    expect(complaint(listOf(atLeast(0), 3, 'one per class'), value)).toBe(expected);
  });

  test('lists of lists name the place, and the name in words is that of the element', () => {
    const of = listOf(listOf(between(0, 1, '()')));
    expect(complaint(of, [[0.5], []])).toBe(null);
    expect(complaint(of, [[0.5], [0.5, 2]])).toBe('f: x[1][1] is 2, expected 0 < x[1][1] < 1');
  });

  test.each([
    ['a'.repeat(50), `'${'a'.repeat(40)}..'`],
    [[1, 2], '[1,2]'],
    [new Uint8Array(20), '[0,0,0,0,0,0,0,0,0,0,0,0,..]'],
    [{}, 'an object'],
    [{ shape: [2, 3] }, 'an array of shape [2,3]'],
    [function sgd() {}, 'the function sgd'],
    [null, 'null'],
  ])('%j is shown', (value, shown) => {
    expect(complaint(finite, value)).toBe(`f: x is ${shown}, expected a finite number`);
  });
});

interface Options {
  rate: number;
  scale?: number;
  mode?: 'sum' | 'mean';
  onStep?: (step: number) => void;
}
const rules = { rate: required(between(0, 1)), scale: positive, mode: oneOf('sum', 'mean'), onStep: callable };
const door = (options: unknown) => () => checkOptions<Options>('g', options as Options, rules);

describe('checkOptions', () => {
  test.each([{ rate: 0 }, { rate: 1, scale: undefined, mode: 'sum' }, { rate: 1, onStep: () => {} }])(
    '%j passes',
    (options) => expect(door(options)).not.toThrow(),
  );

  test.each([
    [{}, new RangeError('g: rate is undefined, expected a number in 0..1')],
    [undefined, new RangeError('g: rate is undefined, expected a number in 0..1')],
    [{ rate: 1, scale: 0 }, new RangeError('g: scale is 0, expected a finite number > 0')],
    [{ rate: 1, mode: 'mena' }, new RangeError("g: mode is 'mena', expected 'sum' or 'mean'")],
    [{ rate: 1, scal: 2 }, new TypeError("g: unknown option 'scal', did you mean 'scale'?")],
    [{ rate: 1, zzz: 2 }, new TypeError("g: unknown option 'zzz', expected one of rate, scale, mode, onStep")],
    [null, new TypeError('g: options are null, expected an object')],
    [3, new TypeError('g: options are 3, expected an object')],
  ])('%j is refused', (options, error) => expect(door(options)).toThrow(error));

  test('options that may all be left out may be undefined', () => {
    expect(() => checkOptions<{ a?: number }>('h', undefined, { a: finite })).not.toThrow();
  });

  test('the rules are typed: each option has one that fits, and one without a default is required', () => {
    // @ts-expect-error no rule for `scale`
    () => checkOptions<Options>('g', { rate: 1 }, { rate: required(finite), mode: any, onStep: any });
    // @ts-expect-error `rate` must be required
    () => checkOptions<Options>('g', { rate: 1 }, { ...rules, rate: finite });
    // @ts-expect-error a rule for numbers on an option of names
    () => checkOptions<Options>('g', { rate: 1 }, { ...rules, mode: finite });
    // @ts-expect-error the rule lacks a name
    () => checkOptions<Options>('g', { rate: 1 }, { ...rules, mode: oneOf('sum') });
    // @ts-expect-error no such option
    () => checkOptions<Options>('g', { rate: 1 }, { ...rules, other: finite });
    // @ts-expect-error no rule for `b`
    () => check('f', { a: 1, b: 2 }, { a: finite });
    expect(() => checkOptions<Options>('g', { rate: 1 }, { ...rules, mode: any })).not.toThrow();
  });
});
