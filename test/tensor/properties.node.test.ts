import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planMemory } from '../../src/gpu/plan.ts';
import { decodeSafetensors, encodeSafetensors, FormatError } from '../../src/io/index.ts';
import { effectiveNumberWeights, inverseFrequencyWeights, ldamMargins } from '../../src/stats/class-weights.ts';
import { longTailCounts } from '../../src/data/long-tail.ts';
import { shuffledIndices } from '../../src/data/shuffle.ts';
import { key, splitKey } from '../../src/random/key.ts';
import { hostNormal, hostUniform } from '../../src/random/random.ts';
import {
  betaQuantile,
  binomialCdf,
  certifiedRadius,
  clopperPearsonLower,
  clopperPearsonUpper,
  incompleteBeta,
  normalCdf,
  normalQuantile,
  roundDown,
  roundUp,
} from '../../src/stats/index.ts';
import { fromHalf, toHalf } from '../../src/io/half.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import {
  broadcastShapes,
  broadcastStrides,
  normalizeAxes,
  sameShape,
  sizeOf,
  stridesOf,
} from '../../src/tensor/shape.ts';

const RUNS = { numRuns: 200, seed: 2026 };
/** Holds for 200 samples; what the predicate returns is dropped, as matchers return values of their own. */
function check<T extends [unknown, ...unknown[]]>(
  ...args: [...{ [K in keyof T]: fc.Arbitrary<T[K]> }, (...values: T) => unknown]
): void {
  const predicate = args.at(-1) as (...values: T) => unknown;
  const inputs = args.slice(0, -1) as unknown as { [K in keyof T]: fc.Arbitrary<T[K]> };
  fc.assert(
    fc.property(fc.tuple(...inputs), (values) => void predicate(...(values as unknown as T))),
    RUNS,
  );
}

const shape = fc.array(fc.nat(5), { maxLength: 4 });
const dims = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

describe('shapes', () => {
  test('broadcasting commutes', () =>
    check(shape, shape, (a, b) => expect(broadcastShapes(a, b)).toEqual(broadcastShapes(b, a))));
  test('a scalar is neutral, and so is the shape itself', () =>
    check(shape, (a) => {
      expect(broadcastShapes(a, [])).toEqual(a);
      expect(broadcastShapes(a, a)).toEqual(a);
    }));
  test('it is associative where every step fits', () =>
    check(dims, dims, dims, (a, b, c) => {
      const [ab, bc] = [broadcastShapes(a, b), broadcastShapes(b, c)];
      const left = ab && broadcastShapes(ab, c);
      const right = bc && broadcastShapes(a, bc);
      if (left && right) expect(left).toEqual(right);
    }));
  test('the result absorbs each operand', () =>
    check(shape, shape, (a, b) => {
      const y = broadcastShapes(a, b);
      if (y) expect([broadcastShapes(a, y), broadcastShapes(y, b)]).toEqual([y, y]);
    }));
  test('broadcast strides stay inside the operand, and reach its last element', () =>
    check(dims, dims, (a, b) => {
      const y = broadcastShapes(a, b);
      if (!y) return;
      const strides = broadcastStrides(a, y);
      const last = y.reduce((at, d, i) => at + (d - 1) * strides[i]!, 0);
      expect(last).toBe(sizeOf(a) - 1);
    }));
  test('strides count down to one, each the product of the sizes behind it', () =>
    check(dims, (a) => stridesOf(a).forEach((s, i) => expect(s).toBe(sizeOf(a.slice(i + 1))))));
  test('the size of a joined shape is the product', () =>
    check(shape, shape, (a, b) => expect(sizeOf([...a, ...b])).toBe(sizeOf(a) * sizeOf(b))));
  test('axes counted from the end are the same axes', () =>
    check(fc.integer({ min: 1, max: 6 }), fc.nat(5), (rank, i) =>
      expect(normalizeAxes([(i % rank) - rank], rank)).toEqual([i % rank]),
    ));
  test('normalised axes are ascending, different and in range', () =>
    check(fc.array(fc.integer({ min: -7, max: 7 }), { maxLength: 5 }), fc.integer({ min: 1, max: 6 }), (axes, rank) => {
      const found = normalizeAxes(axes, rank);
      if (!found) return;
      expect(found.length).toBe(axes.length);
      found.forEach((a, i) => expect(a >= 0 && a < rank && (i === 0 || a > found[i - 1]!)).toBe(true));
    }));
  test('sameShape is equality', () =>
    check(shape, shape, (a, b) => expect(sameShape(a, b)).toBe(JSON.stringify(a) === JSON.stringify(b))));
});

describe('host arrays', () => {
  const filled = dims
    .filter((s) => s.length > 0)
    .map(
      (s) =>
        new NdArray(
          Float32Array.from({ length: sizeOf(s) }, (_, i) => i),
          s,
        ),
    );
  test('at(i) is the i-th row, and at(i - n) too', () =>
    check(filled, fc.nat(3), (x, i) => {
      if (i >= x.length) return;
      const row = x.data.length / x.length;
      expect(Array.from(x.at(i).data)).toEqual(Array.from(x.data.subarray(i * row, (i + 1) * row)));
      expect(x.at(i - x.length).shape).toEqual(x.at(i).shape);
    }));
  test('slices joined are the whole', () =>
    check(filled, fc.nat(4), (x, cut) =>
      expect([...x.slice(0, cut).data, ...x.slice(Math.min(cut, x.length)).data]).toEqual([...x.data]),
    ));
});

describe('halves', () => {
  const half = fc.integer({ min: 0, max: 0xffff });
  test('every half survives the way through a number', () =>
    check(half, (h) => expect(toHalf(fromHalf(h)) & 0x7fff).toBe((h & 0x7fff) > 0x7c00 ? 0x7e00 : h & 0x7fff)));
  test('rounding never moves further than half a step', () =>
    check(fc.float({ noNaN: true, min: Math.fround(-65000), max: 65000 }), (x) => {
      const y = fromHalf(toHalf(x));
      const step = 2 ** Math.max(-24, Math.floor(Math.log2(Math.max(Math.abs(x), 2 ** -14))) - 10);
      expect(Math.abs(y - x)).toBeLessThanOrEqual(step / 2);
    }));
  test('rounding keeps the order', () =>
    check(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (a, b) =>
      expect(fromHalf(toHalf(Math.min(a, b)))).toBeLessThanOrEqual(fromHalf(toHalf(Math.max(a, b)))),
    ));
  test('it is odd', () =>
    check(fc.float({ noNaN: true }), (x) => expect(fromHalf(toHalf(-x)) + 0).toBe(-fromHalf(toHalf(x)) + 0)));
});

describe('memory plans', () => {
  const lives = fc
    .array(
      fc.record({
        bytes: fc.integer({ min: 1, max: 5000 }),
        first: fc.nat(30),
        length: fc.nat(10),
        apart: fc.array(fc.nat(20), { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 25 },
    )
    .map((all) => {
      const apart = all.map(() => new Set<number>());
      all.forEach(({ apart: others }, i) => {
        for (const j of others)
          if (j < all.length && j !== i) {
            apart[i]!.add(j);
            apart[j]!.add(i);
          }
      });
      return all.map(({ bytes, first, length }, i) => ({ bytes, first, last: first + length, apart: apart[i]! }));
    });
  test('nothing overlaps in space and time, the two sides of a dispatch lie apart, and the bound is a bound', () =>
    check(lives, (all) => {
      const { places, arenas, bound } = planMemory(all);
      expect(arenas.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(bound);
      all.forEach((a, i) =>
        all.slice(0, i).forEach((b, j) => {
          const [p, q] = [places[i]!, places[j]!];
          if (p.arena !== q.arena) return;
          const together = a.first <= b.last && b.first <= a.last;
          expect(a.apart.has(j) || (together && p.offset < q.offset + b.bytes && q.offset < p.offset + a.bytes)).toBe(
            false,
          );
        }),
      );
    }));
});

describe('random streams', () => {
  const seed = fc.maxSafeNat();
  test('a value depends on its place alone, not on the batch', () =>
    check(seed, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.nat(50), (s, count, size, first) => {
      const all = hostNormal(first + count, size, key(s));
      expect(hostNormal(count, size, key(s), { first })).toEqual(all.slice(first * size));
    }));
  test('uniforms lie in their range', () =>
    check(
      seed,
      fc.float({ min: -100, max: 100, noNaN: true }),
      fc.float({ min: Math.fround(0.01), max: 100, noNaN: true }),
      (s, low, width) => {
        const high = low + width;
        for (const u of hostUniform(3, 5, key(s), { low, high }))
          expect(u >= Math.fround(low) && u <= Math.fround(high)).toBe(true);
      },
    ));
  test('children of one key differ from it and from each other', () =>
    check(seed, fc.nat(1000), fc.nat(1000), (s, i, j) => {
      const k = key(s);
      expect(splitKey(k, i)).not.toEqual(k);
      if (i !== j) expect(splitKey(k, i)).not.toEqual(splitKey(k, j));
    }));
  test('different seeds have different keys', () =>
    check(seed, seed, (a, b) => expect(JSON.stringify(key(a)) === JSON.stringify(key(b))).toBe(a === b)));
  test('a shuffle holds every index once', () =>
    check(fc.nat(300), fc.nat(1000), (n, s) =>
      expect([...shuffledIndices(n, s)].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i)),
    ));
});

describe('statistics', () => {
  const p = fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true });
  const trials = fc.integer({ min: 1, max: 2000 });
  const alpha = fc.double({ min: 1e-6, max: 0.5, noNaN: true });
  test('normalQuantile inverts normalCdf', () =>
    check(p, (q) => expect(Math.abs(normalCdf(normalQuantile(q)) - q)).toBeLessThanOrEqual(1e-12)));
  test('normalCdf(-x) = 1 - normalCdf(x)', () =>
    check(fc.double({ min: -8, max: 8, noNaN: true }), (x) =>
      expect(Math.abs(normalCdf(-x) + normalCdf(x) - 1)).toBeLessThanOrEqual(1e-15),
    ));
  test('I_x(a, b) = 1 - I_{1-x}(b, a)', () =>
    check(
      p,
      fc.double({ min: 0.1, max: 200, noNaN: true }),
      fc.double({ min: 0.1, max: 200, noNaN: true }),
      (x, a, b) =>
        expect(Math.abs(incompleteBeta(x, a, b) + incompleteBeta(1 - x, b, a) - 1)).toBeLessThanOrEqual(1e-11),
    ));
  test('betaQuantile inverts incompleteBeta', () =>
    check(p, fc.double({ min: 0.5, max: 100, noNaN: true }), fc.double({ min: 1, max: 100, noNaN: true }), (q, a, b) =>
      expect(Math.abs(incompleteBeta(betaQuantile(q, a, b), a, b) - q)).toBeLessThanOrEqual(1e-9),
    ));
  test('the share of successes lies between its bounds', () =>
    check(trials, fc.double({ min: 0, max: 1, noNaN: true }), alpha, (n, share, a) => {
      const k = Math.round(n * share);
      expect(clopperPearsonLower(k, n, a)).toBeLessThanOrEqual(k / n);
      expect(clopperPearsonUpper(k, n, a)).toBeGreaterThanOrEqual(k / n);
    }));
  test('one more success raises the lower bound, a smaller alpha lowers it', () =>
    check(trials, fc.double({ min: 0, max: 1, noNaN: true }), alpha, (n, share, a) => {
      const k = Math.min(n - 1, Math.round(n * share));
      expect(clopperPearsonLower(k + 1, n, a)).toBeGreaterThan(clopperPearsonLower(k, n, a));
      if (k > 0) expect(clopperPearsonLower(k, n, a / 2)).toBeLessThanOrEqual(clopperPearsonLower(k, n, a));
    }));
  test('at the lower bound, k or more successes have probability alpha', () =>
    check(trials, fc.double({ min: 0, max: 1, noNaN: true }), alpha, (n, share, a) => {
      const k = Math.max(1, Math.round(n * share));
      const low = clopperPearsonLower(k, n, a);
      expect(Math.abs(1 - binomialCdf(k - 1, n, low) - a)).toBeLessThanOrEqual(1e-6 * a + 1e-12);
    }));
  test('the two bounds mirror each other', () =>
    check(trials, fc.double({ min: 0, max: 1, noNaN: true }), alpha, (n, share, a) => {
      const k = Math.round(n * share);
      expect(Math.abs(clopperPearsonUpper(k, n, a) - (1 - clopperPearsonLower(n - k, n, a)))).toBeLessThanOrEqual(
        1e-10,
      );
    }));
  test('a radius grows with the probability and is proportional to sigma', () =>
    check(p, p, fc.double({ min: 0.01, max: 2, noNaN: true }), (a, b, sigma) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      if (low > 0.5) {
        expect(certifiedRadius(low, sigma)).toBeLessThanOrEqual(certifiedRadius(high, sigma));
        expect(Math.abs(certifiedRadius(low, 2 * sigma) - 2 * certifiedRadius(low, sigma))).toBeLessThanOrEqual(1e-12);
      }
    }));
  test('rounding down and up brackets a number by its neighbours', () =>
    check(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (x) => {
      expect(roundDown(x)).toBeLessThanOrEqual(x);
      expect(roundUp(x)).toBeGreaterThanOrEqual(x);
      expect(roundUp(x) - roundDown(x)).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(x)));
    }));
});

describe('class weights', () => {
  const counts = fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 2, maxLength: 12 });
  test('have mean one, and a rarer class never weighs less', () =>
    check(counts, fc.double({ min: 0, max: 0.9999, noNaN: true }), (n, beta) => {
      for (const w of [effectiveNumberWeights(n, beta), inverseFrequencyWeights(n)]) {
        expect(Math.abs(w.reduce((a, b) => a + b, 0) / n.length - 1)).toBeLessThanOrEqual(1e-9);
        n.forEach((a, i) => n.forEach((b, j) => a < b && expect(w[i]).toBeGreaterThanOrEqual(w[j]! - 1e-12)));
      }
    }));
  test('margins: the rarest class has maxM, and m_c n_c^(1/4) is the same for all', () =>
    check(counts, fc.double({ min: 0.01, max: 2, noNaN: true }), (n, maxM) => {
      const m = ldamMargins(n, maxM);
      expect(Math.max(...m)).toBeCloseTo(maxM, 12);
      const products = n.map((c, i) => m[i]! * c ** 0.25);
      for (const q of products) expect(q).toBeCloseTo(products[0]!, 9);
    }));
  test('long-tailed counts fall from the most to the share asked for', () =>
    check(
      fc.integer({ min: 2, max: 50 }),
      fc.integer({ min: 200, max: 5000 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (numClasses, nMax, imbFactor) => {
        const n = longTailCounts({ numClasses, nMax, imbFactor });
        expect(n[0]).toBe(nMax);
        n.forEach((c, i) => i > 0 && expect(c).toBeLessThanOrEqual(n[i - 1]!));
        expect(Math.abs(n.at(-1)! - nMax * imbFactor)).toBeLessThanOrEqual(1);
      },
    ));
});

describe('safetensors', () => {
  const tensors = fc.dictionary(
    fc
      .string({ minLength: 1, maxLength: 8 })
      .filter((s) => !['__metadata__', '__proto__', 'constructor', 'prototype'].includes(s)),
    dims.map((s) => ({
      dtype: 'F32' as const,
      shape: s,
      data: Float32Array.from({ length: sizeOf(s) }, (_, i) => i / 3),
    })),
    { maxKeys: 5 },
  );
  test('what goes in comes out', () =>
    check(tensors, (all) => {
      const back = decodeSafetensors(encodeSafetensors(new Map(Object.entries(all)))).tensors;
      expect([...back.keys()].sort()).toEqual(Object.keys(all).sort());
      for (const [name, t] of Object.entries(all))
        expect([back.get(name)!.shape, Array.from(back.get(name)!.data as Float32Array)]).toEqual([
          t.shape,
          Array.from(t.data),
        ]);
    }));
  test('a file that was cut short is refused in words', () =>
    check(tensors, fc.nat(1000), (all, cut) => {
      const bytes = encodeSafetensors(new Map(Object.entries(all)));
      if (cut >= bytes.length) return;
      expect(() => decodeSafetensors(bytes.slice(0, cut))).toThrow(FormatError);
    }));
});
