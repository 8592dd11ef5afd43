import { expect, test } from 'vitest';
import { tensor, zeros } from 'evenkeel';
import { hostNormal, key } from 'evenkeel/random';
import { countVotes, noisyCopies } from '../../src/certify/smoothing/noisy-copies.ts';
import { readAll, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';

const k = key(11);

test.each([
  { inputs: 1, features: [1], copies: 3, base: 0, start: 0, rows: 3 },
  { inputs: 3, features: [2, 3], copies: 4, base: 100, start: 5, rows: 6 },
  { inputs: 2, features: [785], copies: 33, base: 7, start: 0, rows: 66 },
  { inputs: 5, features: [4], copies: 1, base: 0, start: 2, rows: 5 },
])(
  'row r is copy base + (start + r) % copies of an input: %o',
  async ({ inputs, features, copies, base, start, rows }) => {
    const x = sample([inputs, ...features]);
    const size = features.reduce((a, b) => a * b, 1);
    const streams = Array.from({ length: inputs }, (_, i) => 10 * i + 4);
    const total = inputs * copies;
    const [y] = await readAll(() => [
      noisyCopies(
        upload(x),
        tensor(streams, { dtype: 'u32' }),
        tensor([start, copies, base, total, 0], { dtype: 'u32' }),
        k,
        { rows, sigma: 0.5 },
      ),
    ]);
    for (let r = 0; r < Math.min(rows, total - start); r++) {
      const [input, copy] = [Math.floor((start + r) / copies), base + ((start + r) % copies)];
      const z = hostNormal(1, size, k, { first: copy, stream: streams[input]! });
      for (let f = 0; f < size; f++)
        expect(Math.abs(y![r * size + f]! - (Math.fround(x.data[input * size + f]!) + 0.5 * z[f]!))).toBeLessThan(1e-6);
    }
  },
);

test.each([
  { inputs: 1, copies: 1, classes: 1, start: 0, rows: 1 },
  { inputs: 3, copies: 11, classes: 10, start: 0, rows: 33 },
  { inputs: 3, copies: 100, classes: 5, start: 200, rows: 257 },
  { inputs: 4, copies: 2, classes: 7, start: 3, rows: 2 },
])(
  'votes go to the input of the row, rows beyond the last count for none: %o',
  async ({ inputs, copies, classes, start, rows }) => {
    const logits = sample([rows, classes]);
    const first = 2;
    const [counts] = await readAll(() => {
      const table = zeros([first + inputs, classes], { dtype: 'u32' });
      countVotes(upload(logits), table, tensor([start, copies, 0, inputs * copies, first], { dtype: 'u32' }));
      return [table];
    });
    const want = new Array<number>((first + inputs) * classes).fill(0);
    for (let r = 0; r < Math.min(rows, inputs * copies - start); r++) {
      const row = logits.data.subarray(r * classes, (r + 1) * classes);
      want[(first + Math.floor((start + r) / copies)) * classes + row.indexOf(Math.max(...row))]!++;
    }
    expect(Array.from(counts!)).toEqual(want);
  },
);

test('of equal maxima the first counts', async () => {
  const [counts] = await readAll(() => {
    const table = zeros([1, 3], { dtype: 'u32' });
    countVotes(tensor([1, 2, 2, 0, 0, 0], { shape: [2, 3] }), table, tensor([0, 2, 0, 2, 0], { dtype: 'u32' }));
    return [table];
  });
  expect(Array.from(counts!)).toEqual([1, 1, 0]);
});
