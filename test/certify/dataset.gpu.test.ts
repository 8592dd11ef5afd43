import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NdArray } from 'evenkeel';
import {
  certifyDataset,
  parseCertificates,
  Smooth,
  type CertificateRow,
  type CertifyDatasetOptions,
} from 'evenkeel/certify';
import { makeDataset } from 'evenkeel/data';
import { Linear, Sequential } from 'evenkeel/nn';
import { hostNormal, key } from 'evenkeel/random';
import { certifyOne } from '../support/certify.ts';

const [COUNT, FEATURES] = [23, 12];
const data = makeDataset(
  new NdArray(hostNormal(1, COUNT * FEATURES, key(5)), [COUNT, FEATURES]),
  Array.from({ length: COUNT }, (_, i) => i % 3),
  { numClasses: 3 },
);
const OPTIONS: CertifyDatasetOptions = { n0: 20, n: 300, alpha: 0.01, batchSize: 64 };
let model: Sequential;

beforeAll(() => {
  model = Sequential(Linear(FEATURES, 3)).init({ seed: 2 });
});
afterAll(() => model.dispose());

const smoothed = (): Smooth => new Smooth(model, { numClasses: 3, sigma: 0.25, seed: 1 });

async function all(
  options: CertifyDatasetOptions = OPTIONS,
  other?: Smooth,
): Promise<{ rows: CertificateRow[]; lines: string; remaining: number[] }> {
  using own = other ? null : smoothed();
  const [rows, remaining]: [CertificateRow[], number[]] = [[], []];
  let lines = '';
  for await (const next of certifyDataset(other ?? own!, data, options)) {
    expect([next.done, next.total]).toEqual([
      (options.resumeFrom?.length ?? 0) + rows.length + 1,
      options.indices?.length ?? COUNT,
    ]);
    rows.push(next.row);
    remaining.push(next.remaining);
    lines += next.line;
  }
  return { rows, lines, remaining };
}

const plain = (rows: readonly CertificateRow[]): unknown[] => rows.map(({ seconds: _, ...row }) => row);

test('rows are the certificates of the inputs, radii rounded down, whatever is certified together', async () => {
  const { rows, remaining } = await all();
  using smooth = smoothed();
  expect(rows.map(({ index }) => index)).toEqual([...data.y.keys()]);
  for (const { index, label, predict, radius, correct } of rows) {
    const one = await certifyOne(smooth, data.x.at(index), { ...OPTIONS, index: index });
    expect([predict, label, correct]).toEqual([one.label, data.y[index], one.label === data.y[index]]);
    expect(radius <= one.radius && one.radius - radius < 1.0001e-6).toBe(true);
  }
  expect(new Set(rows.map(({ radius }) => radius)).size).toBeGreaterThan(COUNT / 2);
  expect(remaining.at(-1)).toBe(0);
  expect(remaining[0]).toBeGreaterThan(0);
  for (const together of [1, 2, 23, 100])
    expect(plain((await all({ ...OPTIONS, concurrency: together })).rows)).toEqual(plain(rows));
  expect(plain((await all({ ...OPTIONS, indices: [20, 3, 7] })).rows)).toEqual(plain([20, 3, 7].map((i) => rows[i]!)));
});

test('a run that is stopped and goes on gives the same table', async () => {
  const whole = (await all()).rows;
  const stop = new AbortController();
  using smooth = smoothed();
  let { text: file } = parseCertificates('');
  await expect(
    (async () => {
      for await (const { line, done } of certifyDataset(smooth, data, {
        ...OPTIONS,
        concurrency: 2,
        signal: stop.signal,
      })) {
        file += line;
        if (done === 9) stop.abort(new Error('closed'));
      }
    })(),
  ).rejects.toThrow('closed');
  const { rows, text } = parseCertificates(file.slice(0, -5));
  expect(rows.length).toBeGreaterThanOrEqual(8);
  expect(rows.length).toBeLessThan(COUNT);
  const rest = await all({ ...OPTIONS, resumeFrom: rows });
  expect(plain(parseCertificates(text + rest.lines).rows)).toEqual(plain(whole));
  expect((await all({ ...OPTIONS, resumeFrom: whole })).rows).toEqual([]);
});

describe('a table of another run is refused', () => {
  let done: CertificateRow[];
  beforeAll(async () => {
    done = (await all({ ...OPTIONS, indices: Array.from({ length: 12 }, (_, i) => i) })).rows;
  });
  test('other weights', async () => {
    using other = Sequential(Linear(FEATURES, 3)).init({ seed: 3 });
    using certifier = new Smooth(other, { numClasses: 3, sigma: 0.25, seed: 1 });
    await expect(all({ ...OPTIONS, resumeFrom: done }, certifier)).rejects.toThrow(
      /resumeFrom has class .* this run gives .* it is of another model, data set, seed, sigma, n0, n, alpha or adapter/,
    );
  });
  test.each([
    { sigma: 0.3, seed: 1 },
    { sigma: 0.25, seed: 8 },
  ])('%o', async (options) => {
    using certifier = new Smooth(model, { numClasses: 3, ...options });
    await expect(all({ ...OPTIONS, resumeFrom: done }, certifier)).rejects.toThrow('this run gives');
  });
  test.each([{ n: 310 }, { n0: 200 }, { alpha: 0.02 }])('%o', async (options) => {
    await expect(all({ ...OPTIONS, ...options, resumeFrom: done })).rejects.toThrow('this run gives');
  });
  test('other inputs, more rows, other labels', async () => {
    await expect(all({ ...OPTIONS, indices: [1, 2, 3], resumeFrom: done.slice(0, 2) })).rejects.toThrow(
      'certifyDataset: row 1 of resumeFrom is input 0, expected 1: it is of another run',
    );
    await expect(all({ ...OPTIONS, indices: [0], resumeFrom: done })).rejects.toThrow(
      'certifyDataset: resumeFrom has 12 rows, the run 1',
    );
    await expect(all({ ...OPTIONS, resumeFrom: [{ ...done[0]!, label: 2 }] })).rejects.toThrow(
      'certifyDataset: resumeFrom has label 2 for input 0, the data 0: it is of another data set',
    );
  });
});

test.each([
  [{ indices: [0, 23] }, 'certifyDataset: index 23, expected an integer from 0 to 22'],
  [{ indices: [4, 4] }, 'certifyDataset: index 4 twice, expected each once'],
  [{ concurrency: 0 }, 'certifyDataset: concurrency is 0, expected a positive integer'],
  [
    { n: 6 },
    'Smooth.certify: n is 6, expected an integer of at least 7: even if all of fewer copies agree, the ' +
      'bound at alpha 0.01 is below 1/2',
  ],
])('%o', async (options, message) => {
  await expect(all({ ...OPTIONS, ...options })).rejects.toThrow(message);
});

test('leaving early leaves nothing behind', async () => {
  using smooth = smoothed();
  for await (const { done } of certifyDataset(smooth, data, { ...OPTIONS, concurrency: 3 })) if (done === 4) break;
});

test('an empty list of inputs gives no rows', async () => {
  expect((await all({ ...OPTIONS, indices: [] })).rows).toEqual([]);
});
