import { build, type Dense } from '../reference/dense.ts';
import * as distances from '../reference/lp-distance.ts';
import { matmul } from '../reference/matmul.ts';
import { floats, numbers, testRaces, type Launch } from '../support/lockstep.ts';

/** Small integers, whose sums are exact. */
const integers = (shape: readonly number[], seed: number): Dense => build(shape, (i) => ((i * 7 + seed) % 11) - 5);
const f32 = (v: Dense): Float32Array<ArrayBuffer> => Float32Array.from(v.data);

/** A tile of 16 x 16 outputs and four terms a step. */
const TINY = { LANES_X: 4, LANES_Y: 4, LANES: 16, TILE_QUADS: 1, LOADS_A: 1, LOADS_B: 1 };

/** Products of ragged sizes, two tiles down and across, in every layout. */
function products(transposeA: boolean, transposeB: boolean): Launch[] {
  const [m, n, k] = [18, 17, 10];
  const a = integers(transposeA ? [k, m] : [m, k], 1);
  const b = integers(transposeB ? [n, k] : [k, n], 2);
  const none = [0, 0, 0, 0];
  const common = {
    shader: 'matmul',
    params: {
      ...{ m, n, k, chunk: k, span: k, parts: 1, batch: 1 },
      ...{ first: [0, 0, 0], shape: [1, 1, 1, 1], batchA: none, batchB: none },
    },
    groups: [2, 2, 1],
  };
  const variant = { ...TINY, A_T: Number(transposeA), B_T: Number(transposeB) };
  const buffers = { a: f32(a), b: f32(b), extra: floats(1, () => 0), y: floats(m * n, () => NaN) };
  const y = Array.from(matmul(a, b, transposeA, transposeB).data);
  const sumOfRow = (row: number): number =>
    numbers(k, (j) => a.data[transposeA ? j * m + row : row * k + j]!).reduce((s, v) => s + v, 0);
  return [
    { ...common, entry: 'tiled', variant, buffers, expected: { y } },
    {
      ...common,
      entry: 'tiledWithRowSum',
      variant: { ...variant, ROW_SUM: 1 },
      buffers: { ...buffers, rowSum: floats(m, () => NaN) },
      expected: { y, rowSum: numbers(m, sumOfRow) },
    },
  ];
}

/** Distances of 18 rows to 17, with 10 features, and the gradient at p = infinity. */
function distanceLaunches(): Launch[] {
  const [m, n, k] = [18, 17, 10];
  const [x, w, dy] = [integers([m, k], 1), integers([n, k], 2), integers([m, n], 3)];
  const none = floats(1, () => 0);
  const wild = new Uint32Array(1);
  const bodies = { raised: 'return t * t;', root: 'return sqrt(s);' };
  const square = { SQUARINGS: 1, power_: 'return params.p;' };
  const [dx, dw] = distances.lpDistanceGradient(dy, x, w, 2);
  const [y2, largest] = [distances.lpDistance(x, w, 2), distances.lpDistance(x, w, Infinity)];
  const shared = { exponent: none, distance_: none, dy: none, wild, index: new Uint32Array(m * n) };
  const params = { m, n, k, p: 2, first: [0, 0, 0] };
  const common = { shader: 'lp-distance', params, groups: [2, 2, 1] };
  const buffers = { ...shared, x: f32(x), w: f32(w), y: floats(m * n, () => NaN) };
  // The step of four terms in which the largest is first found.
  const step = (i: number): number => {
    const [row, col] = [Math.floor(i / n), i % n];
    const at = numbers(k, (j) => Math.abs(x.data[row * k + j]! - w.data[col * k + j]!)).indexOf(largest.data[i]!);
    return at - (at % 4);
  };
  // Terms go to features with both signs; many to one.
  const index = Uint32Array.from({ length: m * n }, (_, i) => (((i * 3) % 7) | (i % 3 === 0 ? 0x80000000 : 0)) >>> 0);
  const gathered = (row: number, feature: number): number =>
    numbers(n, (col) => row * n + col)
      .filter((i) => (i * 3) % 7 === feature)
      .reduce((s, i) => s + (i % 3 === 0 ? -1 : 1) * dy.data[i]!, 0);
  return [
    {
      ...{ ...common, entry: 'tiled', variant: { ...TINY, ...square }, bodies, buffers },
      expected: { y: [...y2.data] },
      bound: 1e-5,
    },
    ...[0, 1].map((transposed): Launch => {
      const [rows, terms] = transposed ? [n, m] : [m, n];
      const [own, other] = transposed ? [w, x] : [x, w];
      return {
        ...{ shader: 'lp-distance', entry: 'tiled', groups: [1, 2, 1], bound: 1e-5 },
        params: { m: rows, n: k, k: terms, p: 2, first: [0, 0, 0] },
        variant: { ...TINY, ...square, BACKWARD: 1, A_T: transposed, B_T: 0, PLANES: 2, LOADS_A: 2 },
        // No NaN: the lockstep run takes what a bitcast of a vector gave for the vector itself.
        bodies: { ...bodies, slope: 'return r;', orNan4: 'return v;' },
        buffers: {
          ...shared,
          x: f32(own),
          w: f32(other),
          distance_: f32(y2),
          dy: f32(dy),
          y: floats(rows * k, () => NaN),
        },
        expected: { y: [...(transposed ? dw : dx).data] },
      };
    }),
    {
      ...common,
      entry: 'tiledIndexed',
      variant: { ...TINY, INDEXED: 1 },
      buffers,
      expected: { y: [...largest.data], index: numbers(m * n, step) },
    },
    { ...common, entry: 'tiledLargest', variant: TINY, buffers, expected: { y: [...largest.data] } },
    {
      ...common,
      entry: 'gatherLargest',
      variant: {},
      params: { ...params, n: k, k: n },
      buffers: { ...buffers, index, distance_: f32(largest), dy: f32(dy), y: floats(m * k, () => NaN) },
      groups: [m],
      expected: { y: numbers(m * k, (i) => gathered(Math.floor(i / k), i % k)) },
    },
  ];
}

const TABLE: Launch[] = [
  ...products(false, false),
  ...products(true, false),
  ...products(false, true),
  ...products(true, true),
  ...distanceLaunches(),
];

testRaces(TABLE);
