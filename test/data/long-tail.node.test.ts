import { describe, expect, test } from 'vitest';
import cases from '../golden/longtail-data.json';
import { longTail, longTailCounts, makeDataset, type Dataset } from '../../src/data/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { casesOf, flat, toNumber } from '../support/golden.ts';

/** A data set whose single feature is the index of the example; labels run through the classes in turn. */
function balanced(perClass: number, numClasses: number): Dataset {
  const n = perClass * numClasses;
  const index = Float32Array.from({ length: n }, (_, i) => i);
  return makeDataset(
    new NdArray(index, [n, 1]),
    Array.from(index, (i) => i % numClasses),
    { numClasses },
  );
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('longTailCounts', () => {
  // CDB holds 25 images of each class back, which leaves 475.
  test.each(casesOf(cases, 'longTailCounts').filter(({ options }) => options.builder === 'cdb'))(
    'golden $name',
    ({ options, outputs }) => {
      const counts = longTailCounts({
        numClasses: options.cls_num as number,
        nMax: options.perClassMax as number,
        imbFactor: 1 / (options.imbalance as number),
      });
      expect(counts).toEqual(flat(outputs.counts));
      expect(sum(counts)).toBe(outputs.total);
    },
  );
  test.each(casesOf(cases, 'longTailCounts').filter(({ options }) => options.builder === undefined))(
    'golden $name',
    ({ options, inputs, outputs }) => {
      const numClasses = options.cls_num as number;
      const nMax = Math.floor(toNumber(inputs.trainSize) / numClasses);
      const counts = longTailCounts({
        numClasses,
        nMax,
        imbType: options.imb_type as 'exp' | 'step',
        imbFactor: options.imb_factor as number,
      });
      expect(counts).toEqual(flat(outputs.counts));
      expect(sum(counts)).toBe(outputs.total);
    },
  );
  test.each([
    [5000, 0.1, [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500], 20431],
    [5000, 0.02, [5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100], 13996],
    [5000, 0.01, [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50], 12406],
    [5000, 0.005, [5000, 2775, 1540, 854, 474, 263, 146, 81, 45, 25], 11203],
    [6000, 0.1, [6000, 4645, 3596, 2784, 2156, 1669, 1292, 1000, 774, 600], 24516],
    [6000, 0.01, [6000, 3596, 2156, 1292, 774, 464, 278, 166, 100, 60], 14886],
  ])('frozen table: 10 classes of %d, factor %d', (nMax, imbFactor, counts, total) => {
    expect(longTailCounts({ numClasses: 10, nMax, imbFactor })).toEqual(counts);
    expect(sum(counts)).toBe(total);
  });
  test.each([
    [0.1, 50, 19573],
    [0.02, 10, 12608],
    [0.01, 5, 10847],
    [0.005, 2, 9502],
  ])('frozen totals: CIFAR-100, factor %d', (imbFactor, last, total) => {
    const counts = longTailCounts({ numClasses: 100, nMax: 500, imbType: 'exp', imbFactor });
    expect([counts[0], counts[99], sum(counts)]).toEqual([500, last, total]);
  });
  test('odd steps keep every class; one class; factor 1; classes may end up empty', () => {
    expect(longTailCounts({ numClasses: 5, nMax: 100, imbType: 'step', imbFactor: 0.1 })).toEqual([
      100, 100, 10, 10, 10,
    ]);
    expect(longTailCounts({ numClasses: 1, nMax: 9 })).toEqual([9]);
    expect(longTailCounts({ numClasses: 3, nMax: 7, imbFactor: 1 })).toEqual([7, 7, 7]);
    expect(longTailCounts({ numClasses: 3, nMax: 20, imbFactor: 0.01 })).toEqual([20, 2, 0]);
  });
  test('counts never rise along the classes', () => {
    for (const imbFactor of [0.5, 0.03, 0.002]) {
      const counts = longTailCounts({ numClasses: 37, nMax: 811, imbFactor });
      counts.forEach((n, c) => expect(n).toBeLessThanOrEqual(counts[c - 1] ?? 811));
    }
  });
});

describe('longTail', () => {
  const data = balanced(100, 5);
  test('counts, class order, no example twice, labels still belong to their examples', () => {
    const tail = longTail(data, { imbFactor: 0.1 });
    expect(tail.classCounts).toEqual(longTailCounts({ numClasses: 5, nMax: 100, imbFactor: 0.1 }));
    expect(tail.numClasses).toBe(5);
    expect(Array.from(tail.y)).toEqual([...tail.y].sort((p, q) => p - q));
    expect(new Set(tail.x.data).size).toBe(tail.y.length);
    tail.x.data.forEach((index, i) => expect(index % 5).toBe(tail.y[i]));
    expect(data.classCounts).toEqual([100, 100, 100, 100, 100]);
  });
  test('the seed decides, and 0 is the default; a class keeps its choice when the factor changes', () => {
    expect(longTail(data, { seed: 0 })).toEqual(longTail(data));
    expect(longTail(data, { seed: 1 }).x.data).not.toEqual(longTail(data).x.data);
    const [few, more] = [0.1, 0.2].map((imbFactor) => longTail(data, { imbFactor }));
    const last = (tail: Dataset) => Array.from(tail.x.data).filter((index) => index % 5 === 4);
    expect(last(more!).slice(0, 10)).toEqual(last(few!));
  });
  test('is capped at what a class holds, as in MNIST', () => {
    // 6 examples of class 0, 30 of class 1: nMax = 18.
    const y = Array.from({ length: 36 }, (_, i) => (i < 6 ? 0 : 1));
    const uneven = makeDataset(new NdArray(Float32Array.from(y), [36, 1]), y);
    const tail = longTail(uneven, { imbFactor: 0.5 });
    expect(tail.classCounts).toEqual([6, 9]);
    expect(Array.from(tail.x.data)).toEqual(Array.from(tail.y));
  });
  test('classes may be empty before and after', () => {
    const tail = longTail(balanced(20, 3), { imbFactor: 0.01 });
    expect(tail.classCounts).toEqual([20, 2, 0]);
    const gap = makeDataset(new NdArray(new Float32Array(8), [8, 1]), [0, 0, 0, 0, 0, 0, 2, 2], { numClasses: 4 });
    expect(longTail(gap, { imbFactor: 1 }).classCounts).toEqual([2, 0, 2, 0]);
  });
  test('step', () => {
    expect(longTail(data, { imbType: 'step', imbFactor: 0.05 }).classCounts).toEqual([100, 100, 5, 5, 5]);
  });
});

test.each([
  [() => longTailCounts({ numClasses: 0, nMax: 1 }), 'longTailCounts: numClasses is 0, expected a positive integer'],
  [() => longTailCounts({ numClasses: 2, nMax: -1 }), 'longTailCounts: nMax is -1, expected a finite number >= 0'],
  [
    () => longTailCounts({ numClasses: 2, nMax: 1, imbFactor: 0 }),
    'longTailCounts: imbFactor is 0, expected 0 < imbFactor <= 1',
  ],
  [() => longTail(balanced(2, 2), { imbFactor: 100 }), 'longTail: imbFactor is 100, expected 0 < imbFactor <= 1'],
  [
    () => longTail(balanced(2, 2), { imbType: 'linear' as never }),
    "longTail: imbType is 'linear', expected 'exp' or 'step'",
  ],
  [() => longTail(balanced(2, 2), { seed: 1.5 }), 'random32: seed is 1.5, expected an integer >= 0'],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
