import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor } from 'evenkeel';
import { lpDistance, mul, sortDistance, sortDistanceBounds, sum } from 'evenkeel/ops';
import { build, count } from '../reference/dense.ts';
import * as reference from '../reference/sort-distance.ts';
import { checkOp, expectSameBits, expectWithin, readAll, takeGrad, upload } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { U } from '../support/tolerance.ts';

const shapes: [x: number[], w: number[]][] = [
  [
    [0, 3],
    [2, 3],
  ],
  [
    [2, 3],
    [0, 3],
  ],
  [
    [2, 0],
    [3, 0],
  ],
  [
    [1, 1],
    [1, 1],
  ],
  [
    [3, 7],
    [5, 7],
  ],
  [
    [31, 33],
    [17, 33],
  ],
  [
    [2, 257],
    [16, 257],
  ],
  [
    [2, 3, 12],
    [4, 12],
  ],
  [[9], [4, 9]],
];

describe.each([
  [0.75, 10],
  [1, 10],
  [0.3, 16],
  [0.6, 1],
])('sortDistance, keep %d, %d terms', (keep, terms) => {
  test.each(shapes)('[%s] to [%s]', (shapeX, shapeW) =>
    checkOp({
      inputs: [sample(shapeX, { seed: 1, low: -4, high: 4 }), sample(shapeW, { seed: 2, low: -4, high: 4 })],
      run: (x, w) => sortDistance(x, w, { keep, terms }),
      reference: (x, w) => reference.sortDistance(x, w, keep, terms),
      gradient: (dy, x, w) => reference.sortDistanceGradient(dy, x, w, keep, terms),
      // K products of two roundings and a sum of K, all positive.
      tolerance: ({ want }) => 2 * (terms + 3) * U * want,
      gradientTolerance: ({ sum: s }) => (Math.max(count(shapeX), count(shapeW)) + terms + 3) * 2 * U * s,
    }),
  );
});

test('past the fold of the grid', async () => {
  const [x, w] = [sample([2_200_000, 1], { seed: 1 }), sample([2, 1], { seed: 2 })];
  const [y] = await readAll(() => [sortDistance(upload(x), upload(w))]);
  expectWithin(y!, reference.sortDistance(x, w, 0.75, 10), ({ want }) => 4 * U * want, 'forward');
});

test('all terms of one input, or q = 1, are the l_infinity distance, bit for bit', async () => {
  const [x, w] = [sample([33, 31], { seed: 1 }), sample([9, 31], { seed: 2 })];
  const [a, b, c] = await readAll(() => [
    lpDistance(upload(x), upload(w)),
    sortDistance(upload(x), upload(w), { keep: 1 }),
    sortDistance(upload(x), upload(w), { terms: 1 }),
  ]);
  expectSameBits(b!, a!, 'keep 1');
  expectSameBits(c!, a!, 'one term');
});

test('among equal terms the gradient goes to the lowest indices', async () => {
  // Differences are integers and a half, with many ties.
  const grid = (shape: number[], seed: number, shift: number) => {
    const values = integers(count(shape), 4, seed);
    return build(shape, (i) => values[i]! + shift);
  };
  const [x, w, dy] = [grid([5, 23], 1, 0), grid([6, 23], 2, 0.5), sample([5, 6], { seed: 77, low: -1, high: 1 })];
  const got = await readAll(() => {
    const leaves = [requireGrad(upload(x)), requireGrad(upload(w))] as const;
    backward(sum(mul(sortDistance(...leaves, { keep: 0.4, terms: 5 }), upload(dy))));
    return leaves.map(takeGrad);
  });
  reference
    .sortDistanceGradient(dy, x, w, 0.4, 5)
    .forEach((want, i) => expectWithin(got[i]!, want, ({ sum: s }) => 40 * U * s, `gradient ${i}`));
});

test.each(shapes.filter(([x]) => x.length === 2))('bounds over boxes, [%s] to [%s]', async (shapeX, shapeW) => {
  const [x, w, reach] = [
    sample(shapeX, { seed: 1, low: -2, high: 2 }),
    sample(shapeW, { seed: 2, low: -2, high: 2 }),
    sample(shapeX, { seed: 3, low: 0, high: 0.5 }),
  ];
  const [lower, upper] = [
    build(shapeX, (i) => Math.fround(x.data[i]! - reach.data[i]!)),
    build(shapeX, (i) => Math.fround(x.data[i]! + reach.data[i]!)),
  ];
  const [l, u, y] = await readAll(() => {
    const bounds = sortDistanceBounds(upload(lower), upload(upper), upload(w), { keep: 0.6, terms: 7 });
    return [bounds.lower, bounds.upper, sortDistance(upload(x), upload(w), { keep: 0.6, terms: 7 })];
  });
  const want = reference.sortDistanceBounds(lower, upper, w, 0.6, 7);
  expectWithin(l!, want.lower, ({ want: v }) => 20 * U * v + 1e-7, 'lower');
  expectWithin(u!, want.upper, ({ want: v }) => 20 * U * v + 1e-7, 'upper');
  y!.forEach((v, i) => expect(v >= l![i]! - 1e-6 && v <= u![i]! + 1e-6, `${l![i]} <= ${v} <= ${u![i]}`).toBe(true));
});

test('errors name what is wrong', () =>
  scope(() => {
    const [x, w] = [tensor([1, 2], { shape: [1, 2] }), tensor([1, 2, 3], { shape: [1, 3] })];
    expect(() => sortDistance(x, w)).toThrow('sortDistance: x has shape [1,2], weight [1,3] takes 3 features');
    expect(() => sortDistance(x, x, { keep: 0 })).toThrow('sortDistance: keep is 0, expected 0 < keep <= 1');
    expect(() => sortDistance(x, x, { terms: 17 })).toThrow('sortDistance: terms is 17, expected an integer in 1..16');
    expect(() => sortDistanceBounds(x, w, x)).toThrow('sortDistanceBounds: upper has shape [1,3], expected [1,2]');
    expect(() => sortDistance(tensor([1], { dtype: 'i32' }) as never, x)).toThrow(
      'sortDistance: x is i32, expected f32',
    );
  }));
