import { describe, expect, test } from 'vitest';
import { backward, grad, requireGrad, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { add, dot, linear, matmul, mul, outer, square, sum } from 'evenkeel/ops';
import { accumulator, build, count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/matmul.ts';
import { asTuned, bitsByTile } from '../support/tuning.ts';
import { checkOp, expectWithin, readAll, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { gpu } from '../support/gpu.ts';
import { exact, products } from '../support/tolerance.ts';

const sizes: [m: number, k: number, n: number][] = [
  [1, 1, 1],
  [0, 3, 2],
  [3, 0, 2],
  [31, 33, 17],
  [15, 16, 17],
  [16, 15, 16],
  [17, 17, 15],
  [16, 16, 16],
  [5, 6, 257],
  [257, 4, 5],
  [33, 1, 7],
  [1, 33, 1],
  [64, 31, 64],
];
const layouts = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

/**
 * Of cases, all for operands as they lie, whose gradients take the other layouts; for transposed ones those at `places`
 * only: every layout is a kernel, and each shape more of it a variant that takes a second to compile.
 */
const inLayout = <T>(cases: readonly T[], isTransposed: boolean, places: readonly number[]): readonly T[] =>
  isTransposed ? places.map((place) => cases[place]!) : cases;

describe.each(layouts)('matmul, transposeA %s, transposeB %s', (transposeA, transposeB) => {
  const check = (m: number, k: number, n: number): Promise<void> =>
    checkOp({
      inputs: [sample(transposeA ? [k, m] : [m, k], { seed: 1 }), sample(transposeB ? [n, k] : [k, n], { seed: 2 })],
      run: (a, b) => matmul(a, b, { transposeA, transposeB }),
      reference: (a, b) => reference.matmul(a, b, transposeA, transposeB),
      gradient: (dy, a, b) => reference.matmulGradient(dy, a, b, transposeA, transposeB),
      tolerance: products(k),
      gradientTolerance: [products(n), products(m)],
    });
  const isTransposed = transposeA || transposeB;
  test.each(inLayout(sizes, isTransposed, [2, 3, 7, 8, 10]))('%i x %i x %i', check);

  // Few outputs with many terms each: the product is split and its parts are added.
  const long: [number, number, number][] = [
    [10, 5000, 7],
    [4, 5003, 8],
    [1, 515, 1],
    [16, 1024, 16],
  ];
  test.each(inLayout(long, isTransposed, [1]))('%i x %i x %i in parts', check);
});

/** Shapes of a and b, not transposed; the last two axes are exchanged for the other layouts. */
const batches: [a: number[], b: number[]][] = [
  [
    [3, 7, 4],
    [3, 4, 5],
  ],
  [
    [3, 7, 4],
    [4, 5],
  ],
  [
    [7, 4],
    [3, 4, 5],
  ],
  [
    [1, 7, 4],
    [3, 4, 8],
  ],
  [
    [2, 1, 3, 4],
    [1, 3, 4, 5],
  ],
  [
    [2, 1, 3, 1, 2, 5],
    [1, 2, 1, 4, 5, 3],
  ],
  [
    [0, 3, 4],
    [0, 4, 2],
  ],
  [
    [2, 0, 4],
    [2, 4, 3],
  ],
  [
    [2, 3, 0],
    [2, 0, 4],
  ],
  [
    [31, 1, 33],
    [31, 33, 1],
  ],
  [
    [5, 16, 16],
    [5, 16, 16],
  ],
  [
    [3, 2, 2],
    [1, 1, 2, 2],
  ],
  [
    [2, 3, 700],
    [2, 700, 2],
  ],
];
const exchanged = (shape: number[], yes: boolean): number[] =>
  yes ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;

/** How often an element of `shape` is used along axes that broadcasting to `lead` repeats. */
const repeats = (shape: number[], lead: number[]): number => count(lead) / Math.max(1, count(shape.slice(0, -2)));

describe.each(layouts)('batched matmul, transposeA %s, transposeB %s', (transposeA, transposeB) => {
  test.each(inLayout(batches, transposeA || transposeB, [0, 4, 8, 9, 12]))('[%s] [%s]', (shapeA, shapeB) => {
    const [m, k, n] = [shapeA.at(-2)!, shapeA.at(-1)!, shapeB.at(-1)!];
    const lead = reference
      .matmul(
        build(shapeA, () => 0),
        build(shapeB, () => 0),
      )
      .shape.slice(0, -2);
    return checkOp({
      inputs: [sample(exchanged(shapeA, transposeA), { seed: 1 }), sample(exchanged(shapeB, transposeB), { seed: 2 })],
      run: (a, b) => matmul(a, b, { transposeA, transposeB }),
      reference: (a, b) => reference.matmul(a, b, transposeA, transposeB),
      gradient: (dy, a, b) => reference.matmulGradient(dy, a, b, transposeA, transposeB),
      tolerance: products(k),
      gradientTolerance: [products(n * repeats(shapeA, [...lead])), products(m * repeats(shapeB, [...lead]))],
    });
  });
});

/** A B of these shapes, neither transposed; gradients sum up to `terms` products. */
const checkPlain = (shapeA: number[], shapeB: number[], terms: number): Promise<void> =>
  checkOp({
    inputs: [sample(shapeA, { seed: 1 }), sample(shapeB, { seed: 2 })],
    run: (a, b) => matmul(a, b),
    reference: (a, b) => reference.matmul(a, b),
    gradient: (dy, a, b) => reference.matmulGradient(dy, a, b),
    tolerance: products(shapeA.at(-1)!),
    gradientTolerance: products(terms),
  });

describe('vectors', () => {
  test.each<[number[], number[]]>([
    [[17], [17]],
    [[0], [0]],
    [[1], [1]],
    [[1500], [1500]],
    [[7, 17], [17]],
    [[17], [17, 7]],
    [[3, 7, 16], [16]],
    [[5], [2, 3, 5, 4]],
    [[257, 31], [31]],
  ])('[%s] [%s]', (shapeA, shapeB) =>
    checkPlain(shapeA, shapeB, Math.max(count(shapeA), count(shapeB)) / Math.max(1, shapeA.at(-1)!)),
  );

  test('a transposed matrix with a vector; the vector has nothing to transpose', () =>
    checkOp({
      inputs: [sample([6, 9], { seed: 1 }), sample([6], { seed: 2 })],
      run: (a, b) => matmul(a, b, { transposeA: true, transposeB: true }),
      reference: (a, b) => reference.matmul(a, b, true, true),
      gradient: (dy, a, b) => reference.matmulGradient(dy, a, b, true, true),
      tolerance: products(9),
    }));

  test.each([0, 1, 2, 31, 33, 257, 1030])('dot of %i', (n) =>
    checkOp({
      inputs: [sample([n], { seed: 1 }), sample([n], { seed: 2 })],
      run: dot,
      reference: (a, b) => reference.matmul(a, b),
      gradient: (dy, a, b) => reference.matmulGradient(dy, a, b),
      tolerance: products(n),
    }),
  );

  test.each<[number, number]>([
    [0, 3],
    [3, 0],
    [1, 1],
    [31, 33],
    [4, 8],
    [257, 2],
  ])('outer of %i and %i', (n, m) =>
    checkOp({
      inputs: [sample([n], { seed: 1 }), sample([m], { seed: 2 })],
      run: outer,
      reference: (a, b) => reference.matmul({ ...a, shape: [n, 1] }, { ...b, shape: [1, m] }),
      gradient: (dy, a, b) =>
        reference
          .matmulGradient(dy, { ...a, shape: [n, 1] }, { ...b, shape: [1, m] })
          .map((d, i) => ({ ...d, shape: [i === 0 ? n : m] })),
      tolerance: products(1),
      gradientTolerance: [products(m), products(n)],
    }),
  );
});

/** The Hessian of sum(y^2) / 2, y = a b, times (v, w). */
function hessianProduct(a: Dense, b: Dense, v: Dense, w: Dense): Required<Dense>[] {
  // The gradient along (v, w) is (y b', a' y); its change along (v, w) has y' = v b + a w.
  const [y, p, q] = [reference.matmul(a, b), reference.matmul(v, b), reference.matmul(a, w)];
  const change = build(y.shape, (i) => p.data[i]! + q.data[i]!);
  const [ofA, ofB] = reference.matmulGradient(change, a, b);
  const [, fromV] = reference.matmulGradient(y, v, b);
  const [fromW] = reference.matmulGradient(y, a, w);
  const added = (s: Required<Dense>, t: Required<Dense>): Required<Dense> => {
    const out = accumulator(s.shape);
    s.data.forEach((d, i) => {
      out.data[i] = d + t.data[i]!;
      out.sum[i] = s.sum[i]! + t.sum[i]!;
    });
    return out;
  };
  return [added(ofA, fromW), added(ofB, fromV)];
}

describe('the gradient can be differentiated', () => {
  test.each<[number[], number[]]>([
    [
      [3, 4],
      [4, 5],
    ],
    [
      [2, 3, 4],
      [4, 2],
    ],
    [
      [3, 4],
      [2, 4, 2],
    ],
    [
      [2, 1, 2, 3],
      [3, 3, 2],
    ],
    [[5], [5, 3]],
    [[2, 3, 5], [5]],
    [[4], [4]],
  ])('[%s] [%s]', async (shapeA, shapeB) => {
    const [a, b, v, w] = [shapeA, shapeB, shapeA, shapeB].map((shape, i) =>
      sample(shape, { seed: i + 1, low: -1, high: 1 }),
    ) as [Dense, Dense, Dense, Dense];
    const got = await readAll(() => {
      const x = [a, b].map((d) => requireGrad(upload(d))) as [Tensor, Tensor];
      const [da, db] = grad(mul(sum(square(matmul(...x))), 0.5), x, { createGraph: true });
      return grad(add(sum(mul(da!, upload(v))), sum(mul(db!, upload(w)))), x);
    });
    // Three products in a row of at most 6 terms each, of numbers below 1: everything stays below 6^3.
    hessianProduct(a, b, v, w).forEach((want, i) =>
      expectWithin(got[i]!, want, () => 200 * 2 ** -24 * 20, `second gradient ${i}`),
    );
  });

  test('through linear with a relu', async () => {
    const [x, w, b] = [sample([3, 4], { seed: 1 }), sample([2, 4], { seed: 2 }), sample([2], { seed: 3 })];
    // f = sum(relu(z)^3) / 3: df/dx = relu(z)^2 w, and the gradient of sum(df/dx) has 2 relu(z) (w 1).
    const [dx, db] = await readAll(() => {
      const leaves = [x, w, b].map((d) => requireGrad(upload(d))) as [Tensor, Tensor, Tensor];
      const y = linear(...leaves, { activation: 'relu' });
      const [first] = grad(mul(sum(mul(square(y), y)), 1 / 3), [leaves[0]], { createGraph: true });
      return grad(sum(first!), [leaves[0], leaves[2]]);
    });
    const z = reference.linear(x, w, b, true);
    const rowSum = [0, 1].map((o) => w.data.slice(o * 4, o * 4 + 4).reduce((s, t) => s + t, 0));
    const wantX = build([3, 4], (i) =>
      [0, 1].reduce((s, o) => s + 2 * z.data[Math.floor(i / 4) * 2 + o]! * rowSum[o]! * w.data[o * 4 + (i % 4)]!, 0),
    );
    const wantB = build([2], (o) => [0, 1, 2].reduce((s, r) => s + 2 * z.data[r * 2 + o]! * rowSum[o]!, 0));
    expectWithin(dx!, wantX, () => 1e-4, 'dx');
    expectWithin(db!, wantB, () => 1e-4, 'db');
  });
});

describe('linear', () => {
  const rows: [number, number, number][] = [
    [0, 3, 2],
    [1, 1, 1],
    [7, 33, 5],
    [31, 17, 16],
    [16, 16, 16],
    [257, 5, 3],
    [3, 1030, 2],
    [4, 0, 3],
    [3, 5, 0],
  ];
  test.each([
    ...rows.map(([b, i, o]) => [b, i, o, 'relu'] as const),
    ...[rows[2]!, rows[6]!, rows[7]!].map(([b, i, o]) => [b, i, o, 'none'] as const),
  ])('%i rows, %i to %i, activation %s', (batch, features, out, activation) => {
    const relu = activation === 'relu';
    return checkOp({
      inputs: [
        sample([batch, features], { seed: 1 }),
        sample([out, features], { seed: 2 }),
        sample([out], { seed: 3 }),
      ],
      run: (x, w, b) => linear(x, w, b, { activation }),
      reference: (x, w, b) => reference.linear(x, w, b, relu),
      gradient: (dy, x, w, b) => reference.linearGradient(dy, x, w, b, relu),
      tolerance: products(features + 1),
      gradientTolerance: [products(out), products(batch), products(batch)],
    });
  });

  test.each([[[5]], [[2, 3, 5]], [[2, 1, 3, 5]], [[0, 2, 5]], [[257, 3, 5]]])('input of shape [%s]', (shape) => {
    const rows = count(shape) / 5;
    return checkOp({
      inputs: [sample(shape, { seed: 1 }), sample([3, 5], { seed: 2 }), sample([3], { seed: 3 })],
      run: (x, w, b) => linear(x, w, b, { activation: 'relu' }),
      reference: (x, w, b) => reference.linear(x, w, b, true),
      gradient: (dy, x, w, b) => reference.linearGradient(dy, x, w, b, true),
      tolerance: products(6),
      gradientTolerance: [products(3), products(rows), products(rows)],
    });
  });

  test('without a bias', () =>
    checkOp({
      inputs: [sample([7, 9], { seed: 1 }), sample([4, 9], { seed: 2 })],
      run: (x, w) => linear(x, w),
      reference: (x, w) => reference.linear(x, w, null),
      gradient: (dy, x, w) => reference.linearGradient(dy, x, w, null),
      tolerance: products(9),
    }));

  test('a relu is masked once on the way back, whoever does it', () =>
    checkOp({
      inputs: [
        sample([9, 6], { seed: 4 }),
        sample([5, 6], { seed: 5 }),
        sample([5], { seed: 6 }),
        sample([3, 5], { seed: 7 }),
        sample([3], { seed: 8 }),
      ],
      run: (x, w1, b1, w2, b2) => linear(linear(x, w1, b1, { activation: 'relu' }), w2, b2),
      reference: (x, w1, b1, w2, b2) => reference.linear(reference.linear(x, w1, b1, true), w2, b2),
      gradient: (dy, x, w1, b1, w2, b2) => {
        const h = reference.linear(x, w1, b1, true);
        const [dh, dw2, db2] = reference.linearGradient(dy, h, w2, b2);
        const [dx, dw1, db1] = reference.linearGradient(dh!, x, w1, b1, true);
        return [dx!, dw1!, db1!, dw2!, db2!];
      },
      // Two products, the second with the error of the first in its terms; magnitudes of the chain are at most 6 x 2 x
      // 5.
      tolerance: ({ sum: s }) => products(6 + 5)({ sum: s, want: 0, i: 0, inputs: [] }) + 6 * 2 * 5 * 2 * 2 ** -20,
    }));

  test('the gradient of a relu output itself is not masked', async () => {
    const [g] = await readAll(() => {
      const h = linear(
        tensor([1, -1], { shape: [1, 2] }),
        requireGrad(tensor([1, 0, 0, 1], { shape: [2, 2] })),
        zeros([2]),
        { activation: 'relu' },
      );
      return grad(sum(linear(h, tensor([3, 5], { shape: [1, 2] }), zeros([1]))), [h]);
    });
    expect(Array.from(g!)).toEqual([3, 5]);
  });
});

describe.each(['hardware', 'software'] as const)('blocks of a %s adapter', (kind) => {
  // Large enough for the largest block of either kind; b has one 1 in each column, so that the product is a selection.
  test.each(layouts)('transposeA %s, transposeB %s', async (transposeA, transposeB) => {
    const [m, k, n] = [512, 256, 512];
    const a = sample([m, k]);
    const from = (j: number): number => (j * 7) % k;
    await asTuned(kind, async () => {
      const [y] = await readAll(() => {
        const p = transposeA ? build([k, m], (i) => a.data[(i % m) * k + Math.floor(i / m)]!) : a;
        const q = transposeB
          ? build([n, k], (i) => Number(i % k === from(Math.floor(i / k))))
          : build([k, n], (i) => Number(Math.floor(i / n) === from(i % n)));
        return [matmul(upload(p), upload(q), { transposeA, transposeB })];
      });
      expect(y!.findIndex((v, i) => v !== a.data[Math.floor(i / n) * k + from(i % n)])).toBe(-1);
    });
  });

  test.each<[number[], number[]]>([
    [
      [33, 700],
      [700, 5],
    ],
    [
      [2, 3, 1025],
      [2, 1025, 2],
    ],
  ])('[%s] [%s]', (shapeA, shapeB) => asTuned(kind, () => checkPlain(shapeA, shapeB, 40)));
});

describe('every block that either tuning may choose gives the same bits', () => {
  // Ragged edges and terms, rows and columns for each kind of tile, sums in parts, batches.
  test.each<[number[], number[]]>([
    [
      [70, 515],
      [515, 3],
    ],
    [
      [2, 40],
      [40, 261],
    ],
    [
      [65, 34],
      [34, 14],
    ],
    [
      [13, 68],
      [68, 70],
    ],
    [
      [37, 530],
      [530, 35],
    ],
    [
      [2, 66, 20],
      [2, 20, 36],
    ],
  ])('[%s] [%s]', async (shapeA, shapeB) => {
    const [a, b] = [sample(shapeA, { seed: 1 }), sample(shapeB, { seed: 2 })];
    const { software, hardware } = await bitsByTile(() =>
      readAll(() =>
        layouts.map(([transposeA, transposeB]) =>
          matmul(
            upload({ ...a, shape: exchanged(shapeA, transposeA) }),
            upload({ ...b, shape: exchanged(shapeB, transposeB) }),
            { transposeA, transposeB },
          ),
        ),
      ),
    );
    expect(hardware.size).toBeGreaterThan(1);
    for (const [place, bits] of hardware) expect(bits, `tile ${place}`).toEqual(software);
  });

  test('of linear with its gradients: bias, relu, mask and row sums', async () => {
    const [x, w, b] = [sample([37, 530], { seed: 1 }), sample([21, 530], { seed: 2 }), sample([21], { seed: 3 })];
    const v = sample([6, 21], { seed: 4 });
    const { software, hardware } = await bitsByTile(() =>
      readAll(() => {
        const leaves = [x, w, b, v].map((d) => requireGrad(upload(d))) as [Tensor, Tensor, Tensor, Tensor];
        const y = linear(linear(leaves[0], leaves[1], leaves[2], { activation: 'relu' }), leaves[3], null);
        return [y, ...grad(sum(square(y)), leaves)];
      }),
    );
    for (const [place, bits] of hardware) expect(bits, `tile ${place}`).toEqual(software);
  });
});

test('a matrix times the identity is exact', () =>
  checkOp({
    inputs: [sample([17, 33]), build([33, 33], (i) => Number(i % 34 === 0))],
    run: (a, b) => matmul(a, b),
    reference: (a) => a,
    tolerance: exact,
  }));

test('no stray NaN: what lies beyond rows and columns does not reach the result', async () => {
  const nan = new Float32Array(4096).fill(NaN);
  const [y] = await readAll(() => {
    for (let i = 0; i < 8; i++) tensor(nan).dispose();
    return [
      matmul(
        tensor(new Float32Array(15).fill(1), { shape: [3, 5] }),
        tensor(new Float32Array(35).fill(1), { shape: [5, 7] }),
      ),
    ];
  });
  expect(y!.every((v) => v === 5)).toBe(true);
});

test('more rows, columns and items than one dispatch can take', async () => {
  // 65,535 workgroups of 4 x 8 rows, of 4 x 8 columns, or of one item.
  const [many, items] = [65_535 * 32 + 5, 65_535 + 5];
  const counted = (shape: number[]): Tensor =>
    tensor(
      Float32Array.from({ length: count(shape) }, (_, i) => i % 1024),
      { shape },
    );
  const three = (): Tensor => tensor([3], { shape: [1, 1] });
  const all = await readAll(() => [
    matmul(counted([many, 1]), three()),
    matmul(three(), counted([1, many])),
    matmul(three(), counted([items, 1, 1])),
  ]);
  for (const y of all) expect(y.findIndex((v, i) => v !== 3 * (i % 1024))).toBe(-1);
});

test('one dispatch for a batch, and no copy of what is repeated', async () => {
  await readAll(() => {
    const [a, b] = [upload(sample([2, 1, 3, 4])), upload(sample([5, 4, 2]))];
    const { live } = gpu.memory();
    const y = matmul(a, b);
    expect(gpu.memory().live - live).toBe(y.byteLength);
    return [y];
  });
  const { dispatches } = gpu.counters;
  await readAll(() => [matmul(upload(sample([2, 1, 3, 4])), upload(sample([5, 4, 2])))]);
  expect(gpu.counters.dispatches - dispatches).toBe(1);
});

test('errors', () => {
  scope(() => {
    const a = tensor(new Float32Array(6), { shape: [2, 3] });
    const words = tensor(new Uint32Array(6), { shape: [3, 2], dtype: 'u32' }) as unknown as Tensor;
    expect(() => matmul(a, a)).toThrow('matmul: a has shape [2,3], b [2,3]: the inner sizes 3 and 2 differ');
    expect(() => matmul(a, a, { transposeA: true, transposeB: true })).toThrow(
      'matmul: a has shape [2,3] transposed, b [2,3] transposed: the inner sizes 2 and 3 differ',
    );
    expect(() => matmul(tensor([1, 2, 3]), a)).toThrow(
      'matmul: a has shape [3], b [2,3]: the inner sizes 3 and 2 differ',
    );
    expect(() => matmul(a, tensor(1))).toThrow('matmul: b is a scalar, expected at least one axis; use mul');
    expect(() => matmul(zeros([2, 3, 4]), zeros([3, 4, 5]))).toThrow(
      'matmul: a has shape [2,3,4], b [3,4,5]: the leading axes [2] and [3] do not broadcast',
    );
    expect(() => matmul(zeros([2, 1, 2, 1, 2, 1, 1]), zeros([1, 2, 1, 2, 1, 1, 1]))).toThrow(
      'matmul: broadcasting the leading axes [2,1,2,1,2] with [1,2,1,2,1] needs 5 separate axes, at most 4 ' +
        'are supported; reshape or expand first',
    );
    expect(() => outer(a, tensor([1]))).toThrow('outer: a has shape [2,3], expected rank 1');
    expect(() => outer(tensor([1]), a)).toThrow('outer: b has shape [2,3], expected rank 1');
    expect(() => dot(a, tensor([1]))).toThrow('dot: a has shape [2,3], expected rank 1');
    expect(() => dot(tensor([1, 2]), tensor([1]))).toThrow('dot: b has shape [1], expected [2]');
    expect(() => linear(tensor(1), a)).toThrow('linear: x is a scalar, expected at least one axis');
    expect(() => linear(words, zeros([4, 2]))).toThrow('linear: x is u32, expected f32');
    expect(() => matmul(a, words)).toThrow('matmul: b is u32, expected f32');
    expect(() => linear(a, tensor(new Float32Array(8), { shape: [2, 4] }))).toThrow(
      'linear: x has shape [2,3], weight [2,4] takes 4 features; give the layer 3 inputs',
    );
    expect(() => linear(a, a, tensor([1, 2, 3]))).toThrow('linear: bias has shape [3], expected [2]');
    expect(() => linear(a, a, tensor([1, 2], { dtype: 'i32' }) as unknown as Tensor)).toThrow(
      'linear: bias is i32, expected f32',
    );
    expect(() => linear(a, a, null, { activation: 'relu' })).toThrow(
      'linear: activation relu is fused with the bias, got bias null; apply relu() after it',
    );
    expect(() =>
      backward(
        matmul(
          requireGrad(tensor(new Float32Array(4), { shape: [2, 2] })),
          tensor(new Float32Array(4), { shape: [2, 2] }),
        ),
      ),
    ).toThrow('backward: loss has shape [2,2], expected a scalar; reduce it first');
  });
});

test('views of one buffer as both operands', async () => {
  const x = sample([6, 6]);
  const [y] = await readAll(() => {
    const t = upload(x);
    return [matmul(t, t)];
  });
  reference.matmul(x, x).data.forEach((want, i) => expect(Math.abs(y![i]! - want)).toBeLessThanOrEqual(1e-5));
});
