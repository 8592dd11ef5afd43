import { expect, test } from 'vitest';
import { tensor } from 'evenkeel';
import { classOf } from '../../src/ops/class-of.ts';
import { isNan } from '../../src/ops/is-nan.ts';
import { classOf as reference } from '../reference/class-of.ts';
import { classOfRow } from '../../src/stats/class-of-row.ts';
import { readAll } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';

const [N, P, M] = [NaN, Infinity, -Infinity];
const CASES: [row: number[], want: number][] = [
  [[1, 2, 3], 2],
  [[3, 3, 1], 0],
  [[0, -0, -1], 0],
  [[-0, 0, -1], 0],
  [[N, 1, 2], -1],
  [[1, N, 2], -1],
  [[1, 2, N], -1],
  [[N, N, N], -1],
  [[P, N, 0], -1],
  [[-N, 1, 0], -1],
  [[P, 1, 2], 0],
  [[1, 2, P], 2],
  [[P, P, 1], -1],
  [[P, 1, P], -1],
  [[P, P, P], -1],
  [[M, M, M], -1],
  [[M, 1, M], 1],
  [[1, M, M], 0],
  [[P, M, 1], 0],
  [[3.4e38, -3.4e38, 3.4e38], 0],
];

test('each kind of row, on the device and on the host', async () => {
  const rows = CASES.map(([row]) => row);
  const want = CASES.map(([, c]) => c);
  expect(reference(rows)).toEqual(want);
  expect(rows.map((row) => classOfRow(row, 0, 3))).toEqual(want);
  const [got] = await readAll(() => [classOf(tensor(rows.flat(), { shape: [rows.length, 3] }))]);
  expect(Array.from(got!)).toEqual(want);
  const [nan] = await readAll(() => [isNan(tensor(rows.flat()))]);
  expect(Array.from(nan!, Boolean)).toEqual(rows.flat().map(Number.isNaN));
});

test.each([
  [1, 1],
  [7, 1],
  [65, 10],
  [3, 1000],
  [70000, 2],
])('%d rows of %d classes', async (count, classes) => {
  const { data } = sample([count, classes]);
  data[0] = NaN;
  const rows = Array.from({ length: count }, (_, r) => Array.from(data.subarray(r * classes, (r + 1) * classes)));
  const [got] = await readAll(() => [classOf(tensor(data, { shape: [count, classes] }))]);
  expect(got!.findIndex((c, r) => c !== reference([rows[r]!])[0])).toBe(-1);
});

test('a single class, and shapes that do not fit', async () => {
  const [got] = await readAll(() => [classOf(tensor([1, NaN, Infinity, -Infinity], { shape: [4, 1] }))]);
  expect(Array.from(got!)).toEqual([0, -1, 0, 0]);
  await readAll(() => {
    expect(() => classOf(tensor([1, 2]))).toThrow('classOf: logits has shape [2], expected rank 2');
    expect(() => classOf(tensor([], { shape: [2, 0] }))).toThrow(
      'classOf: logits have 0 classes, expected at least one',
    );
    return [];
  });
});
