import { expect, test } from 'vitest';
import {
  costSensitive,
  exactErrors,
  hardMargin,
  hardMarginThroughOrigin,
  oneMinusCosine,
} from '../../examples/reproduce/lib/hard-margin.ts';
import { REFERENCE } from '../../examples/reproduce/lib/vs-gmm-reference.ts';
import { judge, vsGmm, type GmmRun } from '../../examples/reproduce/vs-gmm.ts';
import { hostNormal, key } from '../../src/random/index.ts';

const [rows, width] = [20, 30];
const labels = Array.from({ length: rows }, (_, i) => (i < 4 ? 1 : -1));
const x = Float64Array.from(hostNormal(rows, width, key(3)));
labels.forEach((y, i) => (x[i * width]! += 2 * y));
const valuesOf = (w: ArrayLike<number>, b: number): number[] =>
  labels.map((y, i) => y * (x.subarray(i * width, (i + 1) * width).reduce((sum, v, k) => sum + v * w[k]!, 0) + b));

test('the hard-margin machine meets its margins, and w is a combination of the rows that touch them', () => {
  const { w, b } = hardMargin(
    x,
    labels,
    labels.map(() => 1),
  );
  const values = valuesOf(w, b);
  expect(Math.min(...values)).toBeGreaterThan(1 - 1e-9);
  expect(values.filter((v) => v < 1 + 1e-8).length).toBeGreaterThan(2);
  // Mirrored data have the mirrored machine.
  const mirrored = hardMargin(
    x.map((v) => -v),
    labels,
    labels.map(() => 1),
  );
  expect(
    oneMinusCosine(
      mirrored.w.map((v) => -v),
      w,
    ),
  ).toBeLessThan(1e-12);
  expect(mirrored.b).toBeCloseTo(b, 8);
});

test('margins of delta and 1 move the threshold alone', () => {
  const plain = hardMargin(
    x,
    labels,
    labels.map(() => 1),
  );
  for (const delta of [0.5, 3]) {
    const [direct, moved] = [
      hardMargin(
        x,
        labels,
        labels.map((y) => (y > 0 ? delta : 1)),
      ),
      costSensitive(plain, delta),
    ];
    expect(direct.b).toBeCloseTo(moved.b, 8);
    direct.w.forEach((v, k) => expect(v).toBeCloseTo(moved.w[k]!, 8));
  }
  const { plus, minus, balanced } = exactErrors(costSensitive(plain, (1 - plain.b) / (1 + plain.b)), 2);
  expect(plus).toBeCloseTo(minus, 12);
  expect(balanced).toBeLessThan(exactErrors(plain, 2).balanced);
});

test('without a bias, a large constant feature comes near the free one', () => {
  const k = 30;
  const lifted = new Float64Array(rows * (width + 1)).fill(k);
  labels.forEach((_, i) => lifted.set(x.subarray(i * width, (i + 1) * width), i * (width + 1)));
  const w = hardMarginThroughOrigin(
    lifted,
    labels,
    labels.map(() => 1),
  );
  const free = hardMargin(
    x,
    labels,
    labels.map(() => 1),
  );
  expect(oneMinusCosine(w.slice(0, width), free.w)).toBeLessThan(1e-5);
  expect(k * w[width]!).toBeCloseTo(free.b, 2);
});

test('what cannot be separated is refused', () => {
  expect(() => hardMargin(Float64Array.of(0, 0), [1, -1], [1, 1], { most: 50 })).toThrow(RangeError);
  expect(() => hardMarginThroughOrigin(Float64Array.of(1, 1), [1, -1], [1, 1], { most: 50 })).toThrow(
    'hardMarginThroughOrigin: no solution after 50 sweeps; are the classes separable?',
  );
});

const good: Record<string, Record<string, number>> = {
  ...REFERENCE,
  plain: { 'CE at 100': 0.335, 'CDT at 100': 0.486, 'VS at 100': 0.337, 'CDT at 1000': 0.154, 'VS at 1000': 0.077 },
};
const runs = (change: (run: GmmRun) => GmmRun = (run) => run): GmmRun[] =>
  Object.entries(good).flatMap(([part, table]) =>
    Object.entries(table).flatMap(([method, value]) =>
      [0, 1].map((seed) => change({ seed, part: part as GmmRun['part'], method, value, rare: value, gap: 1e-12 })),
    ),
  );

test('holds for the figures of the reference, and not when one of them or a direction is off', () => {
  expect(judge(runs()).table.rows.filter((row) => row[3] === 'no')).toEqual([]);
  expect(judge(runs()).holds).toBe(true);
  expect(judge([]).holds).toBe(false);
  for (const [method, by] of [
    ['delta 3', 0.04],
    ['VS at 100', 0.2],
    ['LA', -0.025],
    ['VS', 0.1],
  ] as const)
    expect(judge(runs((run) => (run.method === method ? { ...run, value: run.value + by } : run))).holds).toBe(false);
  expect(judge(runs((run) => (run.method === 'CDT' ? { ...run, gap: 1e-3 } : run))).holds).toBe(false);
});

test('states its protocol, and needs no data', () => {
  expect(vsGmm.protocol({ seeds: 3 })).toMatch(
    /100 features, 8 and 72 rows.*10,000 steps.*ten classes of 500 299.*10, 10 and 3 problems a seed.*3 seeds/,
  );
  expect(vsGmm.datasets({})).toEqual([]);
});
