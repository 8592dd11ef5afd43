import { describe, expect, test } from 'vitest';
import { cholesky, solveTriangular, type Matrices } from 'evenkeel/stats';
import { testRandom } from '../support/fuzz.ts';

/** A B' for matrices (n, k) and (m, k). */
const timesTransposed = (a: ArrayLike<number>, b: ArrayLike<number>, n: number, m: number, k: number): number[] =>
  Array.from({ length: n * m }, (_, i) =>
    Array.from({ length: k }, (_, t) => a[Math.floor(i / m) * k + t]! * b[(i % m) * k + t]!).reduce((s, v) => s + v, 0),
  );

function random(length: number, seed: number): number[] {
  const next = testRandom(seed);
  return Array.from({ length }, () => next(2 ** 20) / 2 ** 19 - 1);
}

/** G G' + I: positive definite. */
function definite(n: number, seed: number): number[] {
  const g = random(n * n, seed);
  return timesTransposed(g, g, n, n, n).map((v, i) => v + Number(i % (n + 1) === 0));
}

const one = (data: number[], n: number, m = n): Matrices => ({ data, shape: [n, m] });

function expectNear(got: ArrayLike<number>, want: ArrayLike<number>, bound: number): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++)
    expect(Math.abs(got[i]! - want[i]!), `element ${i}: ${got[i]}, expected ${want[i]}`).toBeLessThanOrEqual(bound);
}

describe('cholesky', () => {
  test.each([0, 1, 2, 3, 5, 16, 31, 33, 57])("L L' = A, L lower, n = %i", (n) => {
    const a = definite(n, n);
    const { data, jitter } = cholesky(one(a, n));
    // Backward error of Cholesky: (n + 1) u per unit of sqrt(a_ii a_jj), at most the largest element.
    expectNear(timesTransposed(data, data, n, n, n), a, (n + 2) * 2 ** -53 * Math.max(0, ...a));
    data.forEach((v, i) => {
      if (i % n > Math.floor(i / n)) expect(v).toBe(0);
      if (i % (n + 1) === 0) expect(v).toBeGreaterThan(0);
    });
    expect(Array.from(jitter)).toEqual([0]);
  });

  test('a known factor, and only the lower triangle is read', () => {
    const { data, shape } = cholesky(one([4, NaN, NaN, 12, 37, NaN, -16, -43, 98], 3));
    expect(Array.from(data)).toEqual([2, 0, 0, 6, 1, 0, -8, 5, 3]);
    expect(shape).toEqual([3, 3]);
  });

  test('a batch', () => {
    const list = [1, 2, 3, 4, 5, 6].map((seed) => definite(4, seed));
    const { data, shape } = cholesky({ data: list.flat(), shape: [2, 3, 4, 4] });
    expect(shape).toEqual([2, 3, 4, 4]);
    list.forEach((a, i) => expect(data.slice(i * 16, i * 16 + 16)).toEqual(cholesky(one(a, 4)).data));
  });

  test('jitter escalates for the matrices that need it', () => {
    // Rank one: eigenvalues 2 and 0. Then -0.00005 and 2.00005.
    const semi = [1, 1, 1, 1];
    const negative = [1, 1.00005, 1.00005, 1];
    const { data, jitter } = cholesky(
      { data: [...definite(2, 1), ...semi, ...negative], shape: [3, 2, 2] },
      { jitter: 1e-6 },
    );
    expect(Array.from(jitter)).toEqual([0, 1e-6, 1e-6 * 100]);
    expectNear(timesTransposed(data.slice(8), data.slice(8), 2, 2, 2), [1.0001, 1.00005, 1.00005, 1.0001], 1e-15);
  });

  test('errors', () => {
    expect(() => cholesky({ data: new Array(6).fill(1), shape: [2, 3] })).toThrow(
      new RangeError('cholesky: a has shape [2,3], expected square matrices'),
    );
    expect(() => cholesky({ data: [1], shape: [1] })).toThrow(
      new RangeError('cholesky: a has shape [1], expected at least two axes'),
    );
    expect(() => cholesky({ data: [1], shape: [2, 2] })).toThrow(
      new RangeError('cholesky: a has shape [2,2] of 4 elements and 1 values'),
    );
    expect(() => cholesky({ data: [...definite(2, 1), 1, 2, 2, 1], shape: [2, 2, 2] })).toThrow(
      new RangeError('cholesky: matrix 1 is not positive definite, pivot 1 is -3'),
    );
    expect(() => cholesky(one([1, 1, 1, 1], 2))).toThrow(
      new RangeError('cholesky: matrix 0 is not positive definite, pivot 1 is 0'),
    );
    expect(() => cholesky(one([NaN], 1))).toThrow(
      new RangeError('cholesky: matrix 0 is not positive definite, pivot 0 is NaN'),
    );
    expect(() => cholesky(one([-2], 1), { jitter: 0.125, maxTries: 2 })).toThrow(
      new RangeError(
        'cholesky: matrix 0 is not positive definite, pivot 0 is -2; adding up to 1.25 to the diagonal does not help',
      ),
    );
    expect(() => cholesky(one([1], 1), { jitter: -1 })).toThrow(
      new RangeError('cholesky: jitter is -1, expected a finite number >= 0'),
    );
    expect(() => cholesky(one([1], 1), { maxTries: 0 })).toThrow(
      new RangeError('cholesky: maxTries is 0, expected a positive integer'),
    );
  });
});

describe('solveTriangular', () => {
  const cases = [false, true].flatMap((upper) =>
    [false, true].flatMap((transpose) => [false, true].map((unitriangular) => ({ upper, transpose, unitriangular }))),
  );
  test.each(cases)('A X = B, upper $upper, transpose $transpose, unitriangular $unitriangular', (options) => {
    for (const [n, m] of [
      [0, 2],
      [1, 1],
      [3, 0],
      [5, 3],
      [33, 2],
    ] as const) {
      // What the option does not name holds NaN: it must not be read.
      const a = random(n * n, n + 1).map((v, i) => {
        const [row, col] = [Math.floor(i / n), i % n];
        if (row === col) return options.unitriangular ? NaN : 2 + v;
        return col > row === options.upper ? v / n : NaN;
      });
      const triangle = (row: number, col: number): number => {
        const [r, c] = options.transpose ? [col, row] : [row, col];
        if (r === c) return options.unitriangular ? 1 : a[r * n + r]!;
        return c > r === options.upper ? a[r * n + c]! : 0;
      };
      const b = random(n * m, 7);
      const { data, shape } = solveTriangular(one(a, n), one(b, n, m), options);
      expect(shape).toEqual([n, m]);
      const product = b.map((_, i) =>
        Array.from({ length: n }, (_, k) => triangle(Math.floor(i / m), k) * data[k * m + (i % m)]!).reduce(
          (s, v) => s + v,
          0,
        ),
      );
      expectNear(product, b, 40 * 2 ** -50);
    }
  });

  test('a batch, and one matrix for all', () => {
    const [l, r] = [
      [2, 0, 1, 4],
      [1, 0, 3, 1],
    ];
    const b = { data: [2, 9, 1, 4], shape: [2, 2, 1] };
    expect(Array.from(solveTriangular({ data: [...l, ...r], shape: [2, 2, 2] }, b).data)).toEqual([1, 2, 1, 1]);
    expect(Array.from(solveTriangular(one(l, 2), b).data)).toEqual([1, 2, 0.5, 0.875]);
  });

  test('with cholesky it solves symmetric systems', () => {
    const a = definite(9, 4);
    const x = random(9, 5);
    const b = timesTransposed(a, x, 9, 1, 9);
    const l = cholesky(one(a, 9));
    const half = solveTriangular(l, { data: b, shape: [9, 1] });
    expectNear(solveTriangular(l, half, { transpose: true }).data, x, 1e-12);
  });

  test('errors', () => {
    expect(() => solveTriangular({ data: new Array(6).fill(1), shape: [2, 3] }, one([1, 1], 2, 1))).toThrow(
      new RangeError('solveTriangular: a has shape [2,3], expected square matrices'),
    );
    expect(() => solveTriangular(one([1], 1), { data: [1], shape: [1] })).toThrow(
      new RangeError('solveTriangular: b has shape [1], expected at least two axes'),
    );
    expect(() => solveTriangular(one([1], 1), one([1, 2], 2, 1))).toThrow(
      new RangeError('solveTriangular: a has shape [1,1], b [2,1], expected b of shape [1,m]'),
    );
    expect(() => solveTriangular({ data: [1, 1], shape: [2, 1, 1] }, { data: [1, 1, 1], shape: [3, 1, 1] })).toThrow(
      new RangeError('solveTriangular: a has shape [2,1,1], b [3,1,1], expected b of shape [2,1,m]'),
    );
    expect(() => solveTriangular(one([1, 0, 2, 0], 2), one([1, 1], 2, 1))).toThrow(
      new RangeError('solveTriangular: matrix 0 is singular, pivot 1 is 0'),
    );
  });
});
