import { expect, test } from 'vitest';
import { forgetting } from '../../src/metrics/index.ts';

test('events, first meetings, unforgettable ones and the order', () => {
  const f = forgetting(5);
  // By sample: 1010 twice forgotten, 0111 never, 0000 never learned, 1111 never, 0110 once.
  for (const meeting of [
    [1, 0, 0, 1, 0],
    [0, 1, 0, 1, 1],
    [1, 1, 0, 1, 1],
    [0, 1, 0, 1, 0],
  ])
    f.update(meeting);
  expect([...f.counts]).toEqual([2, 0, 0, 0, 1]);
  expect([...f.learned]).toEqual([0, 1, -1, 0, 1]);
  expect([...f.seen]).toEqual([4, 4, 4, 4, 4]);
  expect(f.unforgettable()).toEqual([1, 3]);
  expect(f.order()).toEqual([1, 3, 4, 0, 2]);
});

test('batches by index, in any order, with repeats, count the meetings of each sample', () => {
  const f = forgetting(3);
  f.update([true, false], [2, 0]);
  f.update([false, true, false], [2, 2, 2]);
  expect([...f.counts]).toEqual([0, 0, 2]);
  expect([...f.seen]).toEqual([1, 0, 4]);
  expect(f.unforgettable()).toEqual([]);
  expect(f.order()).toEqual([2, 0, 1]);
});

test('errors, before anything is counted', () => {
  expect(() => forgetting(0)).toThrow('forgetting: n is 0, expected a positive integer');
  const f = forgetting(2);
  expect(() => f.update([1])).toThrow('forgetting: got 1 values, expected 2, one for each sample');
  expect(() => f.update([1, 0], [0])).toThrow('forgetting: got 2 values, expected 1, one for each sample');
  expect(() => f.update([1, 0], [0, 2])).toThrow('forgetting: index[1] is 2, expected an integer in 0..1');
  expect([...f.seen]).toEqual([0, 0]);
});
