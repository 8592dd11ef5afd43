import { describe, expect, test } from 'vitest';
import { capture, grad, noGrad, requireGrad, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { infDistanceBounds, lpDistance, lpDistance2d, mul, square, sum } from 'evenkeel/ops';
import { build, count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/lp-distance.ts';
import { asTuned, bitsByTile } from '../support/tuning.ts';
import { checkOp, expectSameBits, expectWithin, readAll, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { powError, U, ulp, type Tolerance } from '../support/tolerance.ts';

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
    [1, 1],
    [1, 1],
  ],
  [
    [3, 7],
    [5, 7],
  ],
  [
    [4, 16],
    [8, 16],
  ],
  [
    [31, 33],
    [17, 33],
  ],
  [
    [17, 4],
    [33, 4],
  ],
  [
    [257, 5],
    [3, 5],
  ],
  [
    [2, 257],
    [16, 257],
  ],
  [
    [2, 3, 6],
    [4, 6],
  ],
  [[9], [4, 9]],
];

/**
 * Values in [-2, 2) on a grid of 1/64, shifted by half a step for `side` 1: no x meets a w, which p = 1 has a kink at.
 */
function onGrid(shape: number[], side: number): Dense {
  const x = sample(shape, { seed: 3 + side });
  return build(shape, (i) => Math.round(x.data[i]! * 64) / 64 + side / 128);
}

const isDoubling = (p: number): boolean => Number.isInteger(Math.log2(p));

/** The largest relative error that WGSL allows pow(t, p) for these t. */
const ofPow = (p: number, ...t: number[]): number => Math.max(...t.map((v) => powError(v, p) / v ** p));

/** Relative error of one |t|^p, |t| <= 8: a squaring doubles the error so far and adds one, else that of pow. */
const ofPower = (p: number): number =>
  4 * p * U + (isDoubling(p) ? 0 : ofPow(p, 0.01, 0.5, 1, 2, ...(p <= 10 ? [8] : [])));

/** y = (sum of n powers)^(1/p): their error falls by p; the root adds square roots, or a pow. */
const distances =
  (p: number, n: number): Tolerance =>
  ({ want }) =>
    (((n + 4) * U + ofPower(p)) / p + 8 * U + (isDoubling(p) ? 5 * Math.log2(p) * U : ofPow(1, Math.max(want, 1e-3)))) *
    want;

/** Sums of g (|t| / y)^(p-1): p - 1 times the error of the quotient, that of the power, and that of n terms. */
const slopes =
  (p: number, n: number, terms: number): Tolerance =>
  ({ sum: s }) =>
    ((p - 1) * (((terms + 4) * U + ofPower(p)) / p + 20 * U) + ofPower(p) + (n + 8) * U) * s + 1e-30;

// Every shape for a power by squarings and one by pow; for the other p those with ragged tiles, and none at all.
describe.each([1, 1.5, 2, 3, 8, 10, 20, 64])('lpDistance, p = %f', (p) => {
  test.each(p === 3 || p === 8 ? shapes : [shapes[0]!, shapes[5]!])('[%s] to [%s]', (shapeX, shapeW) => {
    const [n, k] = shapeW as [number, number];
    return checkOp({
      inputs: [onGrid(shapeX, 0), onGrid(shapeW, 1)],
      run: (x, w) => lpDistance(x, w, null, { p }),
      reference: (x, w) => reference.lpDistance(x, w, p),
      gradient: (dy, x, w) => reference.lpDistanceGradient(dy, x, w, p),
      tolerance: distances(p, k),
      gradientTolerance: [slopes(p, n, k), slopes(p, count(shapeX) / k, k)],
    });
  });
});

describe('lpDistance, p = infinity', () => {
  test.each([
    ...shapes,
    [
      [65, 128],
      [40, 128],
    ],
    [
      [40, 2],
      [130, 2],
    ],
  ] as [number[], number[]][])('[%s] to [%s]', (shapeX, shapeW) =>
    checkOp({
      inputs: [sample(shapeX, { seed: 1, low: -4, high: 4 }), sample(shapeW, { seed: 2, low: -4, high: 4 })],
      run: (x, w) => lpDistance(x, w),
      reference: (x, w) => reference.lpDistance(x, w, Infinity),
      gradient: (dy, x, w) => reference.lpDistanceGradient(dy, x, w, Infinity),
      tolerance: ({ want }) => 0.5 * ulp(want),
      gradientTolerance: ({ sum: s }) => (Math.max(count(shapeX), count(shapeW)) + 3) * U * s,
    }),
  );

  test('without a gradient the result is the same', async () => {
    const [x, w] = [sample([33, 31], { seed: 1 }), sample([9, 31], { seed: 2 })];
    const [a, b, c] = await readAll(() => {
      const leaf = requireGrad(upload(x));
      return [lpDistance(upload(x), upload(w)), lpDistance(leaf, upload(w)), noGrad(() => lpDistance(leaf, upload(w)))];
    });
    expectSameBits(a!, b!, 'with a gradient');
    expectSameBits(a!, c!, 'in noGrad');
    const want = reference.lpDistance(x, w, Infinity);
    expectWithin(a!, want, ({ want: v }) => 0.5 * ulp(v), 'forward');
  });

  test('the lowest index of equal distances gets the gradient, plus where x = w', async () => {
    const [dx, dw] = await readAll(() => {
      const x = requireGrad(tensor([1, -1, 0.5, 1, 0, 0, 2, 2, -2, 2, 0, 0, 3, 3, 3, 3, 3, 3], { shape: [3, 6] }));
      const w = requireGrad(tensor([0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3], { shape: [2, 6] }));
      return grad(sum(lpDistance(x, w)), [x, w]);
    });
    // Row 0 to w0: indices 0, 1, 3 tie; to w1: -1 is farthest. Row 1: w0 ties, w1: -2. Row 2: w0 all tie, w1 all zero.
    expect(Array.from(dx!)).toEqual([1, -1, 0, 0, 0, 0, 1, 0, -1, 0, 0, 0, 2, 0, 0, 0, 0, 0]);
    expect(Array.from(dw!)).toEqual([-3, 0, 0, 0, 0, 0, -1, 1, 1, 0, 0, 0]);
  });

  test('gradients can be asked for twice', async () => {
    const [first, second] = await readAll(() => {
      const x = requireGrad(tensor([0, 5, -7, 1, 0, 9, 0, 0, 0, 8], { shape: [2, 5] }));
      const y = sum(lpDistance(x, zeros([3, 5])));
      return [...grad(y, [x]), ...grad(y, [x])];
    });
    expect(Array.from(first!)).toEqual([0, 0, -3, 0, 0, 3, 0, 0, 0, 0]);
    expect(Array.from(second!)).toEqual(Array.from(first!));
  });

  test('each output is 1-Lipschitz with respect to the largest change of the input', async () => {
    const [x, w] = [sample([64, 33], { seed: 1 }), sample([64, 33], { seed: 2 })];
    const change = sample([64, 33], { seed: 3, low: -0.25, high: 0.25 });
    const moved = build(x.shape, (i) => x.data[i]! + change.data[i]!);
    const [a, b] = await readAll(() => [lpDistance(upload(x), upload(w)), lpDistance(upload(moved), upload(w))]);
    a!.forEach((v, i) => expect(Math.abs(v - b![i]!)).toBeLessThanOrEqual(0.25 + 8 * U * 4));
  });
});

describe('large p', () => {
  // p - 1 times the relative error of the distance, about 1e-6, goes into a slope.
  test.each([256, 1000, 1024])('p = %i', (p) =>
    checkOp({
      inputs: [sample([7, 33], { seed: 1 }), sample([5, 33], { seed: 2 })],
      run: (x, w) => lpDistance(x, w, null, { p }),
      reference: (x, w) => reference.lpDistance(x, w, p),
      gradient: (dy, x, w) => reference.lpDistanceGradient(dy, x, w, p),
      tolerance: ({ want }) => 1e-6 * want,
      gradientTolerance: ({ sum: s }) => 1e-3 * s + 1e-30,
    }),
  );

  test.each([8, 20, 64, 1000])('small and large distances at p = %f neither vanish nor overflow', (p) => {
    const scaled = (scale: number): Promise<void> =>
      checkOp({
        inputs: [
          build([3, 9], (i) => Math.fround(((i * 7) % 11) * scale)),
          build([2, 9], (i) => Math.fround(((i * 5) % 13) * scale + scale / 4)),
        ],
        run: (x, w) => lpDistance(x, w, null, { p }),
        reference: (x, w) => reference.lpDistance(x, w, p),
        tolerance: ({ want }) => 3e-6 * want,
      });
    return scaled(p > 10 ? 2 ** -60 : 2 ** -10).then(() => scaled(p > 10 ? 2 ** 60 : 2 ** 9));
  });

  test('one term, equal terms and zero distance', async () => {
    for (const p of [1, 1.5, 8, 20, 64, 1000]) {
      const [one, equal, none, dx] = await readAll(() => {
        const x = requireGrad(tensor([0.5, 0.5, 0.5, 0.5], { shape: [1, 4] }));
        const d = lpDistance(x, tensor([0.5, 0.5, 0.5, 0.5], { shape: [1, 4] }), null, { p });
        return [
          lpDistance(tensor([3], { shape: [1, 1] }), tensor([1], { shape: [1, 1] }), null, { p }),
          lpDistance(x.detach(), zeros([1, 4]), null, { p }),
          d,
          ...grad(sum(d), [x]),
        ];
      });
      expect(one![0]).toBeCloseTo(2, 5);
      expect(equal![0]).toBeCloseTo(0.5 * 4 ** (1 / p), 5);
      expect(Array.from(none!)).toEqual([0]);
      expect(Array.from(dx!)).toEqual([0, 0, 0, 0]);
    }
  });
});

describe.each(['hardware', 'software'] as const)('blocks of a %s adapter', (kind) => {
  test.each([8, 12, Infinity])('large, p = %f', (p) =>
    asTuned(kind, async () => {
      const [x, w] = [sample([256, 65], { seed: 1 }), sample([512, 65], { seed: 2 })];
      const dy = sample([256, 512], { seed: 3, low: -1, high: 1 });
      const [y, dx, dw] = await readAll(() => {
        const leaves = [requireGrad(upload(x)), requireGrad(upload(w))] as [Tensor, Tensor];
        const d = lpDistance(...leaves, null, { p });
        return [d, ...grad(sum(mul(d, upload(dy))), leaves)];
      });
      expectWithin(
        y!,
        reference.lpDistance(x, w, p),
        p === Infinity ? ({ want }) => 0.5 * ulp(want) : distances(p, 65),
        'forward',
      );
      const [wantX, wantW] = reference.lpDistanceGradient(dy, x, w, p);
      const bound = p === Infinity ? ({ sum: s }: { sum: number }) => 515 * U * s : slopes(p, 512, 65);
      expectWithin(dx!, wantX, bound, 'dx');
      expectWithin(dw!, wantW, bound, 'dw');
    }),
  );

  test.each([3, 20, Infinity])('small, p = %f', (p) =>
    asTuned(kind, () =>
      checkOp({
        inputs: [sample([5, 13], { seed: 1 }), sample([7, 13], { seed: 2 })],
        run: (x, w) => lpDistance(x, w, null, { p }),
        reference: (x, w) => reference.lpDistance(x, w, p),
        gradient: (dy, x, w) => reference.lpDistanceGradient(dy, x, w, p),
        tolerance: p === Infinity ? ({ want }) => 0.5 * ulp(want) : distances(p, 13),
        gradientTolerance: p === Infinity ? ({ sum: s }) => 10 * U * s : slopes(p, 7, 13),
      }),
    ),
  );

  test('bounds', () =>
    asTuned(kind, () =>
      checkOp({
        inputs: [build([3, 5], (i) => i / 8 - 1), build([3, 5], (i) => i / 8 - 0.5), sample([4, 5])],
        run: (l, u, w) => infDistanceBounds(l, u, w).lower,
        reference: (l, u, w) => reference.infDistanceBounds(l, u, w).lower,
        tolerance: ({ want }) => 0.5 * ulp(want),
      }),
    ));
});

describe('every block that either tuning may choose gives the same bits, forward and backward', () => {
  test.each<[number, number, number, number]>([
    [1, 35, 70, 33],
    [3, 34, 37, 20],
    [8, 35, 70, 33],
    [20, 36, 20, 3],
    [Infinity, 35, 70, 33],
    [Infinity, 3, 600, 140],
  ])('p = %f, %i rows, %i features, %i outputs', async (p, rows, features, outputs) => {
    const [x, w] = [sample([rows, features], { seed: 1 }), sample([outputs, features], { seed: 2 })];
    const dy = sample([rows, outputs], { seed: 3, low: -1, high: 1 });
    const { software, hardware } = await bitsByTile(() =>
      readAll(() => {
        const leaves = [requireGrad(upload(x)), requireGrad(upload(w))] as [Tensor, Tensor];
        const d = lpDistance(...leaves, null, { p });
        return [d, ...grad(sum(mul(d, upload(dy))), leaves)];
      }),
    );
    expect(hardware.size).toBeGreaterThan(1);
    for (const [place, bits] of hardware) expect(bits, `tile ${place}`).toEqual(software);
  });
});

test('a bias is added', () =>
  checkOp({
    inputs: [sample([3, 5], { seed: 1 }), sample([4, 5], { seed: 2 }), sample([4], { seed: 3 })],
    run: (x, w, b) => lpDistance(x, w, b, { p: 2 }),
    reference: (x, w, b) => {
      const y = reference.lpDistance(x, w, 2);
      return build(y.shape, (i) => y.data[i]! + b.data[i % 4]!);
    },
    gradient: (dy, x, w) => [
      ...reference.lpDistanceGradient(dy, x, w, 2),
      build([4], (o) => [0, 1, 2].reduce((s, r) => s + dy.data[r * 4 + o]!, 0)),
    ],
    tolerance: () => 1e-5,
  }));

test('p on the device: a captured step follows it', async () => {
  const [x, w] = [sample([5, 9], { seed: 1 }), sample([4, 9], { seed: 2 })];
  const dy = build([5, 4], () => 1);
  using p = tensor([2]);
  using leaf = requireGrad(upload(x));
  using weight = upload(w);
  using step = capture(() => {
    const y = lpDistance(leaf, weight, null, { p });
    return [y, ...grad(sum(y), [leaf])] as const;
  });
  for (const value of [2, 3.5, 8, 40, 1]) {
    p.write([value]);
    const [y, dx] = await Promise.all(step.run().map((t) => t.read()));
    expectWithin(y!, reference.lpDistance(x, w, value), ({ want }) => 1e-5 * want, `p = ${value}`);
    expectWithin(
      dx!,
      reference.lpDistanceGradient(dy, x, w, value)[0],
      ({ sum: s }) => 1e-4 * s + 1e-30,
      `gradient at p = ${value}`,
    );
  }
});

describe('lpDistance2d', () => {
  test('a filter of the size of the image is lpDistance of all of it', async () => {
    const [x, w] = [sample([3, 2, 4, 5], { seed: 1 }), sample([6, 2, 4, 5], { seed: 2 })];
    const [y] = await readAll(() => [lpDistance2d(upload(x), upload(w), zeros([6]))]);
    expectWithin(
      y!,
      reference.lpDistance({ ...x, shape: [3, 40] }, { ...w, shape: [6, 40] }, Infinity),
      ({ want }) => 0.5 * ulp(want),
      'forward',
    );
  });

  test('stride, padding and dilation that differ by axis', async () => {
    const [x, w] = [sample([2, 1, 7, 6], { seed: 1 }), sample([3, 1, 2, 3], { seed: 2 })];
    const made = scope(() =>
      lpDistance2d(upload(x), upload(w), null, { p: 2, stride: [2, 1], padding: [1, 2], dilation: [3, 2] }),
    );
    expect(made.shape).toEqual([2, 3, 3, 6]);
    const want = build([2, 3, 3, 6], (i) => {
      const [n, f, r, c] = [Math.floor(i / 54), Math.floor(i / 18) % 3, Math.floor(i / 6) % 3, i % 6];
      let s = 0;
      for (let a = 0; a < 2; a++) {
        for (let b = 0; b < 3; b++) {
          const [h, v] = [r * 2 - 1 + a * 3, c - 2 + b * 2];
          s += ((h < 0 || h > 6 || v < 0 || v > 5 ? 0 : x.data[n * 42 + h * 6 + v]!) - w.data[f * 6 + a * 3 + b]!) ** 2;
        }
      }
      return Math.sqrt(s);
    });
    expectWithin(await made.read(), want, ({ want: v }) => 1e-6 * v, 'forward');
    made.dispose();
  });
});

describe('infDistanceBounds', () => {
  test.each(shapes)('[%s] to [%s]', async (shapeX, shapeW) => {
    const [centre, radius, w] = [
      sample(shapeX, { seed: 1 }),
      sample(shapeX, { seed: 2, low: 0, high: 0.5 }),
      sample(shapeW, { seed: 3 }),
    ];
    const [low, high] = [-1, 1].map((s) =>
      build(shapeX, (i) => Math.fround(centre.data[i]! + s * radius.data[i]!)),
    ) as [Dense, Dense];
    for (const side of ['lower', 'upper'] as const) {
      await checkOp({
        inputs: [low, high, w],
        run: (l, u, c) => infDistanceBounds(l, u, c)[side],
        reference: (l, u, c) => reference.infDistanceBounds(l, u, c)[side],
        tolerance: ({ want }) => 0.5 * ulp(want),
      });
    }
  });

  test('a box of no width gives the distance, one around w gives lower bound 0 without a gradient', async () => {
    const [x, w] = [sample([5, 7], { seed: 1 }), sample([3, 7], { seed: 2 })];
    const [y, lower, upper, zero, g] = await readAll(() => {
      const [t, c] = [upload(x), upload(w)];
      const exactly = infDistanceBounds(t, t, c);
      const low = requireGrad(tensor([-9, -9, -9], { shape: [1, 3] }));
      const around = infDistanceBounds(low, tensor([9, 9, 9], { shape: [1, 3] }), tensor([1, 2, 3], { shape: [1, 3] }));
      return [lpDistance(t, c), exactly.lower, exactly.upper, around.lower, ...grad(sum(around.lower), [low])];
    });
    expect(Array.from(lower!)).toEqual(Array.from(y!));
    expect(Array.from(upper!)).toEqual(Array.from(y!));
    expect(Array.from(zero!)).toEqual([0]);
    expect(Array.from(g!)).toEqual([0, 0, 0]);
  });
});

test('the gradient cannot be differentiated again', () =>
  scope(() => {
    const x = requireGrad(tensor([1, 2], { shape: [1, 2] }));
    const [g] = grad(sum(square(lpDistance(x, zeros([1, 2]), null, { p: 2 }))), [x], { createGraph: true });
    expect(() => grad(sum(mul(g!, g!)), [x])).toThrow(
      'lpDistance is a fused op whose gradient cannot be differentiated again; write this part with ' +
        'elementwise ops, matmul and reductions',
    );
  }));

test('rows beyond one dispatch', async () => {
  const rows = 65_535 * 32 + 5;
  const [y] = await readAll(() => [
    lpDistance(
      tensor(
        Float32Array.from({ length: rows }, (_, i) => i % 1024),
        { shape: [rows, 1] },
      ),
      tensor([-1], { shape: [1, 1] }),
    ),
  ]);
  expect(y!.findIndex((v, i) => v !== (i % 1024) + 1)).toBe(-1);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    const words = tensor(new Uint32Array(6), { shape: [2, 3], dtype: 'u32' }) as unknown as Tensor;
    expect(() => lpDistance(words, x)).toThrow('lpDistance: x is u32, expected f32');
    expect(() => lpDistance(x, words)).toThrow('lpDistance: weight is u32, expected f32');
    expect(() => lpDistance(x, tensor([1, 2, 3]))).toThrow('lpDistance: weight has shape [3], expected rank 2');
    expect(() => lpDistance(x, zeros([4, 2]))).toThrow('lpDistance: x has shape [2,3], weight [4,2] takes 2 features');
    expect(() => lpDistance(tensor(1), zeros([4, 2]))).toThrow(
      'lpDistance: x has shape [], weight [4,2] takes 2 features',
    );
    expect(() => lpDistance(x, x, tensor([1]))).toThrow('lpDistance: bias has shape [1], expected [2]');
    expect(() => lpDistance(x, x, tensor([1, 2], { dtype: 'i32' }) as unknown as Tensor)).toThrow(
      'lpDistance: bias is i32, expected f32',
    );
    expect(() => lpDistance(x, x, null, { p: 0.5 })).toThrow(
      'lpDistance: p is 0.5, expected a number from 1 to Infinity',
    );
    expect(() => lpDistance(x, x, null, { p: NaN })).toThrow(
      'lpDistance: p is NaN, expected a number from 1 to Infinity',
    );
    expect(() => lpDistance(x, x, null, { p: tensor([1, 2]) })).toThrow(
      'lpDistance: p has shape [2], expected one element',
    );
    expect(() => lpDistance2d(x, zeros([1, 1, 1, 1]))).toThrow('lpDistance2d: x has shape [2,3], expected rank 4');
    expect(() => lpDistance2d(zeros([1, 2, 3, 3]), x)).toThrow('lpDistance2d: weight has shape [2,3], expected rank 4');
    expect(() => lpDistance2d(zeros([1, 2, 3, 3]), zeros([1, 3, 2, 2]))).toThrow(
      'lpDistance2d: x has shape [1,2,3,3], weight [1,3,2,2] takes 3 channels',
    );
    expect(() => infDistanceBounds(x, words, x)).toThrow('infDistanceBounds: upper is u32, expected f32');
    expect(() => infDistanceBounds(x, zeros([3, 3]), x)).toThrow(
      'infDistanceBounds: upper has shape [3,3], expected [2,3]',
    );
    expect(() => infDistanceBounds(x, x, zeros([4, 2]))).toThrow(
      'infDistanceBounds: lower has shape [2,3], weight [4,2] takes 2 features',
    );
  });
});
