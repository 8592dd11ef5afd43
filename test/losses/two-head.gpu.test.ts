import { describe, expect, test } from 'vitest';
import { backward, capture, NdArray, requireGrad, scope, tensor } from 'evenkeel';
import { averageK, setError, topKPredictor } from 'evenkeel/sets';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss, splitHeads, twoHead } from 'evenkeel/losses';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { slice } from 'evenkeel/ops';
import { adam, sgd } from 'evenkeel/optim';
import { hostNormal, hostUniform, key } from 'evenkeel/random';
import { fit } from 'evenkeel/train';
import { expectSameBits, expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { close } from '../support/tolerance.ts';

const [ROWS, C] = [7, 4];
const z = sample([ROWS, 2 * C], { seed: 2, low: -3, high: 3 });
const labels = integers(ROWS, C, 4);
const softmax = (row: readonly number[]): number[] => {
  const e = row.map(Math.exp);
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / total);
};
const rowsOf = (data: ArrayLike<number>): { s: number[]; m: number[] }[] =>
  Array.from({ length: ROWS }, (_, r) => ({
    s: Array.from(data).slice(r * 2 * C, r * 2 * C + C),
    m: Array.from(data).slice(r * 2 * C + C, (r + 1) * 2 * C),
  }));

/** By the formula; the pseudo-labels are those of `from`. */
function reference(data: ArrayLike<number>, k: number, lambda: number, from: ArrayLike<number> = data): number[] {
  const scores = rowsOf(from).map(({ s }) => softmax(s));
  const sorted = scores.flat().sort((a, b) => b - a);
  const least = sorted[Math.floor(k * ROWS) - 1] ?? Infinity;
  return rowsOf(data).map(({ s, m }, r) =>
    m.reduce(
      (t, v, c) => {
        const target = c === labels[r] || scores[r]![c]! >= least ? 1 : 0;
        const p = 1 / (1 + Math.exp(-v));
        return t - lambda * (target ? Math.log(p) : Math.log(1 - p));
      },
      -Math.log(softmax(s)[labels[r]!]!),
    ),
  );
}

const run = (k: number, lambda?: number): Promise<Float32Array[]> => {
  const loss = twoHead({ numClasses: C, k, ...(lambda !== undefined && { lambda }) });
  return readAll(() => {
    const leaf = requireGrad(tensor(z.data, { shape: [ROWS, 2 * C] }));
    backward(loss(leaf, labels, { reduction: 'sum' }));
    return [loss(leaf, labels, { reduction: 'none' }), takeGrad(leaf)];
  }).finally(() => loss.dispose());
};

test.each([
  [1, 1],
  [2, 0.5],
  [1.5, 1],
  [4, 1],
  [0.1, 2],
])('k = %f, lambda = %f: values and gradients by the formula', async (k, lambda) => {
  const [values, gradient] = await run(k, lambda);
  expectWithin(
    values!,
    { shape: [ROWS], data: Float64Array.from(reference(z.data, k, lambda)) },
    close(1e-5, 1e-5),
    'values',
  );
  const step = 1e-5;
  const slope = Array.from(z.data, (_, j) => {
    const moved = (h: number): number =>
      reference(
        Array.from(z.data, (v, i) => (i === j ? v + h : v)),
        k,
        lambda,
        z.data,
      ).reduce((a, b) => a + b, 0);
    return (moved(step) - moved(-step)) / (2 * step);
  });
  expectWithin(gradient!, { shape: [ROWS, 2 * C], data: Float64Array.from(slope) }, close(2e-5, 1e-5), 'gradient');
});

test('without its second part it is cross-entropy of the first head, and the trunk is all they share', async () => {
  const [values, gradient] = await run(2, 0);
  const ce = crossEntropyLoss();
  const [want] = await readAll(() => [
    ce(slice(tensor(z.data, { shape: [ROWS, 2 * C] }), { axes: 1, end: C }), labels, { reduction: 'none' }),
  ]);
  ce.dispose();
  values!.forEach((v, i) => expect(v).toBeCloseTo(want![i]!, 5));
  for (let r = 0; r < ROWS; r++) for (let c = C; c < 2 * C; c++) expect(gradient![r * 2 * C + c]! + 0).toBe(0);
});

test(
  'dense logits, weights, a captured step; rows without a label count for nothing; extreme logits stay ' + 'finite',
  async () => {
    const loss = twoHead({ numClasses: C, k: 1.5 });
    const [x, y] = [tensor(z.data, { shape: [ROWS, 2 * C] }), tensor(labels, { dtype: 'i32' })];
    const step = capture(() => loss(x, y));
    const [eager, each, dense, weighted, ignored] = await readAll(() => [
      loss(tensor(z.data, { shape: [ROWS, 2 * C] }), labels),
      loss(x, labels, { reduction: 'none' }),
      loss(tensor(z.data, { shape: [1, ROWS, 2 * C] }), tensor(labels, { shape: [1, ROWS], dtype: 'i32' }), {
        reduction: 'none',
      }),
      loss(x, labels, { reduction: 'none', sampleWeight: tensor(labels.map((_, i) => i / 2)) }),
      loss(
        x,
        tensor(
          labels.map((v, i) => (i === 3 ? -100 : v)),
          { dtype: 'i32' },
        ),
        { reduction: 'none' },
      ),
    ]);
    expectSameBits((await step.run().read()) as Float32Array, eager!, 'captured');
    expect(dense).toEqual(each);
    weighted!.forEach((v, i) => expect(v).toBeCloseTo(each![i]! * (i / 2), 4));
    expect(ignored![3]).toBe(0);
    loss.setClassWeight([1, 2, 3, 4]);
    const [heavy] = await readAll(() => [loss(x, labels, { reduction: 'none' })]);
    heavy!.forEach((v, i) => expect(v).toBeCloseTo(each![i]! * (1 + labels[i]!), 4));
    const [value, gradient] = await readAll(() => {
      const leaf = requireGrad(tensor([1e4, -1e4, 0, 5, 1e4, -1e4, 0, 5], { shape: [1, 8] }));
      const v = loss(leaf, [1]);
      backward(v);
      return [v, takeGrad(leaf)];
    });
    expect([...value!, ...gradient!].every(Number.isFinite)).toBe(true);
    for (const t of [step, x, y, loss]) t.dispose();
  },
);

test('heads apart, on the host', () => {
  const { softmax: s, multiLabel: m } = splitHeads(new NdArray(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [2, 4]));
  expect([s.shape, Array.from(s.data), Array.from(m.data)]).toEqual([
    [2, 2],
    [1, 2, 5, 6],
    [3, 4, 7, 8],
  ]);
});

/** Two features: on the left three classes cannot be told apart, on the right three others can. */
function ambiguous(n: number, seed: number) {
  const [u, noise] = [hostUniform(1, 2 * n, key(seed)), hostNormal(1, 2 * n, key(seed + 1000))];
  const x = new Float32Array(2 * n);
  const y = Array.from({ length: n }, (_, i) => {
    const c = Math.floor(6 * u[i]!);
    x[2 * i] = (c < 3 ? -3 : 3) + 0.4 * noise[2 * i]!;
    x[2 * i + 1] = (c < 3 ? 0 : 2 * (c - 4)) + 0.4 * noise[2 * i + 1]!;
    return c;
  });
  return makeDataset(new NdArray(x, [n, 2]), y, { numClasses: 6 });
}

describe('training', () => {
  test('average-2 sets by the second head: three classes where they are needed, one where one will do', async () => {
    const [train, calib, held] = [ambiguous(600, 1), ambiguous(600, 2), ambiguous(600, 3)];
    const model = Sequential(Linear(2, 32), ReLU(), Linear(32, 12));
    const loss = twoHead({ numClasses: 6, k: 2 });
    await fit(model, train, { loss, optimizer: adam({ lr: 0.01 }), epochs: 30, batchSize: 100, seed: 1 });
    const heads = async (data: typeof train) => splitHeads(await model.logits(data.x));
    const rule = averageK({ k: 2, input: 'scores' }).fit((await heads(calib)).multiLabel);
    const sets = rule.sets((await heads(held)).multiLabel);
    expect(Math.abs(sets.meanSize - 2)).toBeLessThan(0.15);
    const left = sets.sets.filter((_, i) => held.y[i]! < 3);
    expect(left.reduce((t, s) => t + s.length, 0) / left.length).toBeGreaterThan(2.8);
    // Of two classes for every input one third of the left ones is missed.
    const top = topKPredictor({ k: 2 }).sets(softmaxOf((await heads(held)).softmax));
    expect(setError(top, held.y)).toBeGreaterThan(0.1);
    expect(setError(sets, held.y)).toBeLessThan(0.02);
    // The same on the device.
    using logits = tensor(await model.logits(calib.x));
    using scores = scope(() => slice(logits, { axes: 1, start: 6 }));
    expect((await averageK({ k: 2, input: 'scores' }).fit(scores)).state).toEqual(rule.state);
    model.dispose();
    loss.dispose();
  });
});

function softmaxOf({ data, shape }: NdArray<Float32Array>): NdArray<Float64Array> {
  const classes = shape[1]!;
  const out = new Float64Array(data.length);
  for (let r = 0; r < shape[0]!; r++)
    out.set(softmax(Array.from(data.subarray(r * classes, (r + 1) * classes))), r * classes);
  return new NdArray(out, shape);
}

test('errors', () => {
  expect(() => twoHead({ numClasses: 0, k: 1 })).toThrow('twoHead: numClasses is 0, expected a positive integer');
  for (const k of [0, 4.5, NaN])
    expect(() => twoHead({ numClasses: 4, k })).toThrow(`twoHead: k is ${k}, expected 0 < k <= 4`);
  expect(() => twoHead({ numClasses: 4, k: 1, lambda: -1 })).toThrow(
    'twoHead: lambda is -1, expected a finite number >= 0',
  );
  expect(() => splitHeads({ data: [1, 2, 3], shape: [1, 3] })).toThrow(
    'splitHeads: logits have shape [1,3], expected (rows, 2 classes)',
  );
  scope(() => {
    const loss = twoHead({ numClasses: 4, k: 1 });
    expect(() => loss(tensor([1, 2, 3, 4], { shape: [1, 4] }), [0])).toThrow(
      'twoHead: logits have shape [1,4], expected 2 x 4 classes on the last axis',
    );
    expect(() => loss(tensor(new Float32Array(8), { shape: [1, 8] }), [4])).toThrow(
      'twoHead: labels[0] is 4, expected an integer in 0..3',
    );
  });
});

test('fit counts labels outside the classes, which are half of the logits', async () => {
  const data = makeDataset(new NdArray(new Float32Array(12), [6, 2]), [0, 1, 2, 0, 2, 1]);
  const model = Sequential(Linear(2, 4)).init();
  const loss = twoHead({ numClasses: 2, k: 1 });
  await expect(fit(model, data, { loss, optimizer: sgd({ lr: 0.1 }), epochs: 1 })).rejects.toThrow(
    'fit: 2 labels lie outside the classes of the model',
  );
  for (const t of [model, loss]) t.dispose();
});
