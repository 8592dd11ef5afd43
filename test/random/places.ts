import { expect } from 'vitest';
import { key, splitKey, type Key } from 'evenkeel/random';

/** Expects of a draw of 3 rows of 30: a place has its number whatever is drawn around it; keys and streams differ. */
export function expectPlaces(draw: (key: Key, options: object) => ArrayLike<number>, k: Key): void {
  const of = (key_: Key, options = {}): number[] => Array.from(draw(key_, options));
  expect(of(k, { first: 1 }).slice(0, 60)).toEqual(of(k).slice(30));
  const others = [of(k), of(key(12)), of(splitKey(k, 0)), of(splitKey(k, 1)), of(k, { stream: 1 })];
  expect(new Set(others.map((x) => x.join())).size).toBe(5);
}
