import { expect, test } from 'vitest';
import { capture, scope, tensor, zeros } from 'evenkeel';
import { logLoss, stepState, takeBatch, writeRows, writeState } from 'evenkeel/ops';
import * as reference from '../reference/batch.ts';
import { gpu } from '../support/gpu.ts';
import { poison, readAll, upload } from '../support/check-op.ts';
import { distinct, integers, sample } from '../support/sample.ts';

test.each([
  { shape: [1, 1], batch: 1, start: 0 },
  { shape: [33, 7], batch: 5, start: 3 },
  { shape: [257, 2, 3], batch: 31, start: 226 },
  { shape: [10, 4], batch: 0, start: 0 },
  { shape: [5, 785], batch: 5, start: 0 },
])('takeBatch: $batch of [$shape] from $start', async ({ shape, batch, start }) => {
  const data = sample(shape);
  const order = Array.from(distinct([shape[0]!]).data, (v) => v * 64 + Math.floor(shape[0]! / 2));
  const labels = integers(shape[0]!, 10);
  poison([batch * 4, data.data.length * 4]);
  const [x, y, index] = await readAll(() => {
    const taken = takeBatch(
      upload(data),
      tensor(labels, { dtype: 'i32' }),
      tensor(order, { dtype: 'u32' }),
      tensor([0, 0, start, 0], { dtype: 'u32' }),
      batch,
    );
    expect(taken.x.shape).toEqual([batch, ...shape.slice(1)]);
    return [taken.x, taken.y, taken.index];
  });
  expect(Array.from(x!)).toEqual(Array.from(reference.takeRows(data, order, start, batch).data));
  expect(Array.from(y!)).toEqual(order.slice(start, start + batch).map((i) => labels[i]));
  expect(Array.from(index!)).toEqual(order.slice(start, start + batch));
});

test('a captured step takes the rows that its state names', async () => {
  const data = tensor([0, 1, 2, 3, 4, 5], { shape: [3, 2] });
  const labels = tensor([7, 8, 9], { dtype: 'i32' });
  const order = tensor([2, 0, 1], { dtype: 'u32' });
  const state = stepState(gpu);
  const step = capture(() => takeBatch(data, labels, order, state, 1));
  const seen: number[][] = [];
  for (const start of [0, 1, 2]) {
    writeState(state, { first: 0, stream: 0, position: start, log: 0 });
    const { x, y } = step.run();
    seen.push([...(await x.read()), ...(await y.read())]);
  }
  expect(seen).toEqual([
    [4, 5, 9],
    [0, 1, 7],
    [2, 3, 8],
  ]);
  step.dispose();
  for (const t of [data, labels, order, state]) t.dispose();
});

test('a state holds its fields in the order of the random place: first, stream, position, log', async () => {
  const state = stepState(gpu);
  expect(Array.from(await state.read())).toEqual([0, 0, 0, 0]);
  writeState(state, { first: 2 ** 32 - 1, stream: 5, position: 6, log: 7 });
  expect(Array.from(await state.read())).toEqual([2 ** 32 - 1, 5, 6, 7]);
  expect(() => writeState(state, { first: 1, stream: 0, position: 0 } as never)).toThrow(
    'writeState: parameter log is missing',
  );
  state.dispose();
});

test('logLoss writes the place that the state names', async () => {
  const [log] = await readAll(() => {
    const history = zeros([4]);
    const state = tensor([0, 0, 0, 2], { dtype: 'u32' });
    logLoss(tensor(0.75), history, state);
    return [history];
  });
  expect(Array.from(log!)).toEqual([0, 0, 0.75, 0]);
});

test.each([
  { n: 5, features: [3], index: [4, 0, 2] },
  { n: 5, features: [], index: [1, 1, 3, 1] },
  { n: 31, features: [2, 7], index: [30, 7, 7, 31, 4_294_967_295, 0] },
  { n: 3, features: [2], index: [] },
  { n: 0, features: [2], index: [0] },
])('writeRows: $n rows of [$features] at $index', async ({ n, features, index }) => {
  const [table, rows] = [sample([n, ...features]), sample([index.length, ...features], { seed: 2 })];
  const [got] = await readAll(() => {
    const at = upload(table);
    writeRows(at, tensor(index, { dtype: 'u32' }), upload(rows));
    return [at];
  });
  expect(Array.from(got!)).toEqual(reference.writeRows(table, index, rows));
});

test('errors', () => {
  scope(() => {
    const data = zeros([3, 2]);
    const [labels, order, state] = [
      zeros([2], { dtype: 'i32' }),
      zeros([3], { dtype: 'u32' }),
      zeros([4], { dtype: 'u32' }),
    ];
    expect(() => writeRows(data, order, zeros([2, 2]))).toThrow('writeRows: rows has shape [2,2], expected [3,2]');
    expect(() => takeBatch(data, labels, order, state, 1)).toThrow('takeBatch: labels has shape [2], expected [3]');
  });
});
