import { PLAIN, conv2d, conv2dGradient, type Geometry } from '../reference/conv2d.ts';
import { build, type Dense } from '../reference/dense.ts';
import { floats, numbers, testRaces, type Launch } from '../support/lockstep.ts';

const sumOfParts = (element: number): number => numbers(40, (p) => (p * 25 + element) % 13).reduce((a, b) => a + b, 0);

/** Small integers, whose sums are exact. */
const integers = (shape: readonly number[], seed: number): Dense => build(shape, (i) => ((i * 7 + seed) % 11) - 5);

const TINY_TILE = { ROWS4: 1, COLS4: 1, LANES_X: 4, LANES_Y: 4, DEPTH: 4, LOADS_A: 4, LOADS_B: 4 };

/** The launches of a convolution of x (2, channels, 5, 6) with w (filters, channels / groups, 3, 3), padding 1. */
function convolutions(channels: number, filters: number, groups: number, stride: number): Launch[] {
  const x = integers([2, channels, 5, 6], 1);
  const w = integers([filters, channels / groups, 3, 3], 2);
  const g: Geometry = { ...PLAIN, padding: [1, 1], stride: [stride, stride], groups };
  const y = conv2d(x, w, null, g);
  const dy = integers(y.shape, 3);
  const [dx, dw] = conv2dGradient(dy, x, w, null, g) as [Dense, Dense];
  const [outH, outW] = y.shape.slice(2) as [number, number];
  const params = {
    ...{ batch: 2, channels, height: 5, width: 6, filters, outH, outW, groups, kh: 3, kw: 3, padH: 1, padW: 1 },
    ...{ strideH: stride, strideW: stride, dilH: 1, dilW: 1, tapH: stride, tapW: stride, hopH: 1, hopW: 1 },
    ...{ chunk: 16, parts: 1, span: 1, fold: 9, folds: 1 },
  };
  const isThin = filters === groups;
  const lanes = isThin ? 64 : 16;
  const common = { shader: 'conv2d', variant: { ...(isThin ? {} : TINY_TILE), BIAS: 0, DILATED: 0 } };
  const f32 = (v: Dense): Float32Array<ArrayBuffer> => Float32Array.from(v.data);
  const [one, ofY, ofX] = [floats(1, () => 0), floats(y.data.length, () => NaN), floats(x.data.length, () => NaN)];
  const entryOf = (name: string): string => (isThin ? `${name}Thin` : `${name}Tiled`);
  const launches: Launch[] = [
    {
      ...common,
      entry: entryOf('forward'),
      params,
      buffers: { lhs: f32(w), rhs: f32(x), bias: one, mask: one, y: ofY },
      groups: [Math.ceil((2 * outH * outW) / lanes), 1, groups],
      expected: { y: Array.from(y.data) },
    },
    {
      ...common,
      entry: entryOf('backwardInput'),
      params,
      buffers: { lhs: f32(w), rhs: f32(dy), bias: one, mask: one, y: ofX },
      groups: [Math.ceil((2 * Math.ceil(5 / stride) * Math.ceil(6 / stride)) / lanes), 1, groups * stride * stride],
      expected: { y: Array.from(dx.data) },
    },
  ];
  if (!isThin)
    launches.push({
      ...common,
      entry: 'backwardWeightTiled',
      params: { ...params, chunk: 64 },
      buffers: { lhs: f32(dy), rhs: f32(x), y: floats(w.data.length, () => NaN) },
      groups: [Math.ceil(w.data.length / filters / 16), 1, groups],
      expected: { y: Array.from(dw.data) },
    });
  return launches;
}

const TABLE: Launch[] = [
  ...convolutions(2, 5, 1, 1),
  ...convolutions(2, 10, 2, 2),
  ...convolutions(2, 2, 2, 2),
  {
    shader: 'conv2d',
    entry: 'combineWeightByLanes',
    variant: { BIAS: 1 },
    params: {
      ...{ batch: 1, channels: 1, height: 3, width: 3, filters: 5, outH: 1, outW: 1, groups: 1, kh: 2, kw: 2 },
      ...{ padH: 0, padW: 0, strideH: 1, strideW: 1, dilH: 1, dilW: 1, tapH: 1, tapW: 1, hopH: 1, hopW: 1 },
      ...{ chunk: 1, parts: 40, span: 2, fold: 1, folds: 1 },
    },
    buffers: { rhs: floats(40 * 25, (i) => i % 13), y: floats(20, () => NaN), db: floats(5, () => NaN) },
    groups: [2],
    expected: {
      y: numbers(20, (i) => sumOfParts(Math.floor(i / 4) * 5 + (i % 4))),
      db: numbers(5, (i) => sumOfParts(i * 5 + 4)),
    },
  },
  {
    shader: 'combine-weights',
    entry: 'byLanes',
    variant: {},
    params: {
      jobs: [...[0, 40, 2, 25, 5, 1, 0, 20], ...[2, 3, 1, 6, 3, 0, 25, 0], ...new Array<number>(40).fill(0xffffffff)],
    },
    buffers: {
      x0: floats(40 * 25, (i) => i % 13),
      x1: floats(3 * 6, (i) => i),
      ...Object.fromEntries([2, 3, 4, 5, 6].map((j) => [`x${j}`, floats(1, () => NaN)])),
      y: floats(31, () => NaN),
    },
    groups: [3],
    expected: {
      y: [
        ...numbers(20, (i) => sumOfParts(Math.floor(i / 4) * 5 + (i % 4))),
        ...numbers(5, (i) => sumOfParts(i * 5 + 4)),
        ...numbers(6, (i) => 3 * i + 18),
      ],
    },
    bodies: { partAt: 'return select(x1[at], x0[at], job == 0u);' },
  },
];

testRaces(TABLE);
