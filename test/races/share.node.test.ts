import { floats, numbers, testRaces, words, type Launch } from '../support/lockstep.ts';

const running = numbers(600, (i) => (i * 7) % 11);
const before = (l: number): number => running.slice(0, l).reduce((a, b) => a + b, 0);

/** Places of the 40 largest of (7 i) mod 11, i < 50, equal ones in order. */
const ranked = numbers(50, (i) => i)
  .sort((i, j) => ((j * 7) % 11) - ((i * 7) % 11) || i - j)
  .slice(0, 40);

const TABLE: Launch[] = [
  {
    shader: 'cumsum',
    entry: 'shared_',
    variant: { EXCLUSIVE: 1 },
    params: { outer: 1, length: 600, inner: 1, chunk: 600, parts: 1 },
    buffers: { x: Float32Array.from(running), before: floats(1, () => 0), y: floats(600, () => NaN) },
    groups: [1],
    expected: { y: numbers(600, before) },
  },
  {
    shader: 'cumsum',
    entry: 'shared_',
    variant: { TOTALS: 1, REVERSE: 1 },
    params: { outer: 1, length: 600, inner: 1, chunk: 512, parts: 2 },
    buffers: { x: Float32Array.from(running), before: floats(1, () => 0), y: floats(2, () => NaN) },
    groups: [2],
    expected: { y: [before(600) - before(88), before(88)] },
  },
  {
    // The second row of workgroups of a folded grid.
    shader: 'cumsum',
    entry: 'shared_',
    variant: {},
    params: { outer: 32_769, length: 9, inner: 1, chunk: 9, parts: 1 },
    buffers: { x: floats(9 * 32_769, () => 1), before: floats(1, () => 0), y: floats(9 * 32_769, () => 0) },
    groups: [1, 2],
    expected: { y: numbers(9 * 32_769, (i) => (i < 9 || i >= 9 * 32_768 ? (i % 9) + 1 : 0)) },
  },
  {
    shader: 'sort',
    entry: 'runs',
    variant: { RUN: 64, FIRST: 1, DESCENDING: 1 },
    params: { outer: 1, length: 50, inner: 1, width: 64, keep: 40, next: 40 },
    buffers: {
      x: words(50, (i) => (i * 7) % 11),
      indexOf: words(1, () => 0),
      y: words(40, () => 99),
      index: words(40, () => 99),
    },
    groups: [1],
    expected: { y: ranked.map((i) => (i * 7) % 11), index: ranked },
  },
  {
    shader: 'histogram',
    entry: 'weightedShared',
    variant: {},
    params: { size: 70, bins: 5, chunk: 70, parts: 1 },
    buffers: { labels: words(70, (i) => i % 7), weights: floats(70, (i) => i), sums: floats(5, () => 0) },
    groups: [1],
    expected: { sums: numbers(5, (c) => numbers(70, (i) => (i % 7 === c ? i : 0)).reduce((a, b) => a + b, 0)) },
  },
  {
    shader: 'strided',
    entry: 'transpose',
    variant: { RANK: 2 },
    params: {
      size: 20 * 40,
      offset: 0,
      toOffset: 0,
      shape: [20, 40],
      stride: [1, 20],
      toStride: [40, 1],
    },
    buffers: { x: words(800, (i) => i), y: words(800, () => 0) },
    groups: [2],
    expected: { y: numbers(800, (i) => (i % 40) * 20 + Math.floor(i / 40)) },
  },
];

testRaces(TABLE);
