import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeDataset, randomSplit, type Dataset } from '../../src/data/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { testRandom } from '../support/fuzz.ts';

/** Examples sorted by class, their index as the only feature. */
function ofCounts(counts: number[]): Dataset {
  const y = counts.flatMap((n, c) => new Array<number>(n).fill(c));
  return makeDataset(
    new NdArray(
      Float32Array.from(y, (_, i) => i),
      [y.length, 1],
    ),
    y,
    { numClasses: counts.length },
  );
}

const indices = (part: Dataset) => Array.from(part.x.data);

describe('split', () => {
  test('has the keys of the fractions; parts are disjoint, in order, with labels that belong', () => {
    const data = ofCounts([50, 30, 7]);
    const { train, calib, test: held } = randomSplit(data, { train: 0.8, calib: 0.1, test: 0.1, seed: 0 });
    expect(train.classCounts).toEqual([40, 24, 5]);
    expect(calib.classCounts).toEqual([5, 3, 1]);
    expect(held.classCounts).toEqual([5, 3, 1]);
    const all = [...indices(train), ...indices(calib), ...indices(held)];
    expect(new Set(all).size).toBe(87);
    for (const part of [train, calib, held]) {
      expect(indices(part)).toEqual(indices(part).sort((i, j) => i - j));
      part.x.data.forEach((index, i) => expect(data.y[index]).toBe(part.y[i]));
      expect(part.numClasses).toBe(3);
    }
  });
  test('the seed decides, and 0 is the default', () => {
    const data = ofCounts([40, 40]);
    expect(randomSplit(data, { a: 0.5, b: 0.5 })).toEqual(randomSplit(data, { a: 0.5, b: 0.5, seed: 0 }));
    expect(indices(randomSplit(data, { a: 0.5, b: 0.5, seed: 1 }).a)).not.toEqual(
      indices(randomSplit(data, { a: 0.5, b: 0.5, seed: 2 }).a),
    );
  });
  test('totals are as asked, not what is left of each class', () => {
    const {
      train,
      calib,
      test: held,
    } = randomSplit(ofCounts(new Array<number>(100).fill(5)), { train: 0.8, calib: 0.1, test: 0.1 });
    expect([train.y.length, calib.y.length, held.y.length]).toEqual([400, 50, 50]);
    expect(new Set(train.classCounts)).toEqual(new Set([4]));
    calib.classCounts.forEach((n, c) => expect(n + held.classCounts[c]!).toBe(1));
    // Which classes go where is drawn, or the parts would hold the first and the last classes.
    const half = (part: Dataset) => part.classCounts.slice(0, 50).reduce((sum, n) => sum + n, 0);
    expect(Math.abs(half(calib) - 25)).toBeLessThan(15);
  });
  test('tail classes keep an example in the first part where the totals allow it', () => {
    const counts = (options: Record<string, number>) =>
      Object.values(randomSplit(ofCounts([1, 2, 3, 0, 10]), options)).map((part) => part.classCounts);
    expect(counts({ train: 0.8, calib: 0.1, test: 0.1 }).map((part) => part.reduce((a, b) => a + b))).toEqual([
      13, 2, 1,
    ]);
    expect(counts({ train: 0.8, calib: 0.1, test: 0.1 })[0]).toEqual([
      1,
      expect.toSatisfy((n) => n > 0),
      expect.toSatisfy((n) => n > 0),
      0,
      8,
    ]);
    expect(counts({ train: 0.5, test: 0.5 })).toEqual([
      [1, 1, 1, 0, 5],
      [0, 1, 2, 0, 5],
    ]);
    expect(counts({ train: 0.1, test: 0.9 })[0]).toEqual([0, 0, 1, 0, 1]);
  });
  test('any counts and fractions: totals by largest remainder, each class within one of its share', () => {
    const fractions = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }).chain((parts) => {
      const all = parts.reduce((a, b) => a + b, 0);
      return fc.constantFrom(all, all + 7).map((of) => parts.map((part) => part / of));
    });
    const counts = fc.oneof(
      fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 12 }),
      fc
        .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 7 }))
        .map(([c, n]) => new Array<number>(c).fill(n)),
    );
    fc.assert(
      fc.property(counts, fractions, fc.nat(9), (sizes, shares, seed) => {
        const data = ofCounts(sizes);
        const n = data.y.length;
        const options = Object.fromEntries(shares.map((share, p) => [`p${p}`, share]));
        const parts = Object.values(randomSplit(data, { ...options, seed })) as Dataset[];
        const alone = Object.values(randomSplit(data, { ...options, seed, stratified: false })) as Dataset[];
        expect(parts.map((part) => part.y.length)).toEqual(alone.map((part) => part.y.length));
        const quota = shares.map((share) => n * share);
        parts.forEach((part, p) => {
          expect(Math.abs(part.y.length - quota[p]!), `part ${p} of ${n}`).toBeLessThan(1 + 1e-9);
          part.classCounts.forEach((k, c) =>
            expect(Math.abs(k - sizes[c]! * shares[p]!), `class ${c} of part ${p}`).toBeLessThan(1 + 1e-6),
          );
        });
        if (n > 0) expect(parts[0]!.y.length).toBeGreaterThan(0);
        const seen = parts.flatMap(indices);
        expect(new Set(seen).size).toBe(seen.length);
      }),
      { numRuns: 500 },
    );
  });
  test('shares of which no rounding sums to the totals come within one, and the totals hold', () => {
    const shares = { a: 1 / 6, b: 1 / 6, c: 1 / 4, d: 1 / 4, e: 1 / 6 };
    const parts = Object.values(randomSplit(ofCounts([4, 6]), shares)) as Dataset[];
    expect(parts.map((part) => part.y.length)).toEqual([2, 2, 2, 2, 2]);
    Object.values(shares).forEach((share, p) =>
      [4, 6].forEach((n, c) => expect(Math.abs(parts[p]!.classCounts[c]! - n * share)).toBeLessThanOrEqual(1 + 1e-9)),
    );
  });
  test('without stratification the totals are exact', () => {
    const { a, b } = randomSplit(ofCounts([33, 33, 34]), { a: 0.25, b: 0.75, stratified: false });
    expect([a.y.length, b.y.length]).toEqual([25, 75]);
    expect(new Set([...indices(a), ...indices(b)]).size).toBe(100);
  });
  test('rounding errors of the fractions neither lose nor invent examples', () => {
    for (const fractions of [
      { a: 0.7, b: 0.2, c: 0.1 },
      { a: 0.1, b: 0.2, c: 0.7 },
      { a: 1 / 3, b: 1 / 3, c: 1 / 3 },
      { a: 0.6, b: 0.3, c: 0.1 },
    ]) {
      for (let n = 1; n <= 60; n++) {
        const parts = Object.values(randomSplit(ofCounts([n]), fractions));
        expect(parts.reduce((sum, part) => sum + part.y.length, 0)).toBe(n);
        expect(parts[0]!.y.length).toBeGreaterThan(0);
        // Largest remainder keeps every part within one example of its quota; the guaranteed one can move one more.
        Object.values(fractions).forEach((share, i) =>
          expect(Math.abs(parts[i]!.y.length - share * n)).toBeLessThan(n < 10 ? 2 : 1),
        );
      }
    }
    expect(randomSplit(ofCounts([10]), { all: 1 }).all.y.length).toBe(10);
    expect(randomSplit(ofCounts([30]), { a: 0.1, b: 0.2 })).toMatchObject({
      a: { classCounts: [3] },
      b: { classCounts: [6] },
    });
  });
  test('random class counts: disjoint parts, totals kept', () => {
    const random = testRandom(6);
    for (let round = 0; round < 50; round++) {
      const counts = Array.from({ length: 1 + random(6) }, () => random(25));
      const data = ofCounts(counts);
      const first = (1 + random(8)) / 10;
      const { a, b } = randomSplit(data, { a: first, b: 1 - first, seed: round });
      expect(new Set([...indices(a), ...indices(b)]).size).toBe(data.y.length);
      expect(a.y.length + b.y.length).toBe(data.y.length);
      // Where the total of the first part has room for every class, none is without.
      if (counts.filter((n) => n > 0).every((n) => n * first >= 1))
        counts.forEach((n, c) => expect(a.classCounts[c]! > 0).toBe(n > 0));
    }
  });
  test.each([
    [
      () => randomSplit(ofCounts([4]), {}),
      'randomSplit: options name no part, expected at least one fraction, such as train: 0.8',
    ],
    [
      () => randomSplit(ofCounts([4]), { seed: 3 }),
      'randomSplit: options name no part, expected at least one fraction, such as train: 0.8',
    ],
    [() => randomSplit(ofCounts([4]), { train: 0 }), 'randomSplit: train is 0, expected a fraction in (0, 1]'],
    [() => randomSplit(ofCounts([4]), { train: 80 }), 'randomSplit: train is 80, expected a fraction in (0, 1]'],
    [() => randomSplit(ofCounts([4]), { train: NaN }), 'randomSplit: train is NaN, expected a fraction in (0, 1]'],
    [() => randomSplit(ofCounts([4]), { train: true }), 'randomSplit: train is true, expected a fraction in (0, 1]'],
    [() => randomSplit(ofCounts([4]), { a: 0.75, b: 0.5 }), 'randomSplit: fractions sum to 1.25, expected at most 1'],
    [
      () => randomSplit(ofCounts([4]), { a: 0.5, stratified: 1 as never }),
      'randomSplit: stratified is 1, expected true or false',
    ],
    [() => randomSplit(ofCounts([4]), { a: 0.5, seed: -1 }), 'random32: seed is -1, expected an integer >= 0'],
  ])('bad input %#', (call, message) => {
    expect(call).toThrow(new RangeError(message));
  });
});
