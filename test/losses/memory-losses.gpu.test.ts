import { describe, expect, test } from 'vitest';
import { backward, capture, noGrad, requireGrad, scope, tensor } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { cores, coresBeta, coresPrior, elr, scheduledLoss, truncatedGce } from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { NdArray } from '../../src/tensor/ndarray.ts';
import file from '../golden/noise-losses.json';
import { expectWithin, readAll, takeGrad, upload } from '../support/check-op.ts';
import { checkLoss } from '../support/check-loss.ts';
import { casesOf, dense, flat } from '../support/golden.ts';
import { integers, sample } from '../support/sample.ts';
import { close } from '../support/tolerance.ts';

const same = (got: ArrayLike<number>, want: ArrayLike<number>, what: string, relative = 1e-5): void =>
  expectWithin(got, { shape: [want.length], data: Float64Array.from(want) }, close(relative, relative), what);
const probabilities = (row: ArrayLike<number>): number[] => {
  const largest = Math.max(...Array.from(row));
  const e = Array.from(row, (z) => Math.exp(z - largest));
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / total);
};
const rowsOf = (x: { shape: readonly number[]; data: ArrayLike<number> }): number[][] =>
  Array.from({ length: x.shape[0]! }, (_, i) => Array.from(x.data).slice(i * x.shape[1]!, (i + 1) * x.shape[1]!));
const clamp = (v: number, floor: number): number => Math.min(1 - floor, Math.max(floor, v));
const u32 = (list: readonly number[]) => tensor(list, { dtype: 'u32' });
/** Six points of three classes in a corner each. */
const data = makeDataset(
  new NdArray(Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0.1, 0, 0, 1, 0.1, 0.1, 0, 1), [6, 3]),
  [0, 1, 2, 0, 1, 2],
);

describe('elr', () => {
  const [B, C, N] = [5, 4, 9];
  const batches = [
    [3, 0, 8, 5, 1],
    [8, 3, 2, 7, 4],
    [3, 8, 0, 1, 2],
  ];
  const labels = integers(B, C, 4);
  const logits = batches.map((_, k) => sample([B, C], { seed: 10 + k, low: -4, high: 12 }));

  test('values, gradients and targets over three batches, as its formulas', async () => {
    const loss = elr({ numSamples: N, numClasses: C, lambda: 3, beta: 0.7 });
    const targets = Array.from({ length: N }, () => new Array<number>(C).fill(0));
    for (const [k, index] of batches.entries()) {
      const rows = rowsOf(logits[k]!);
      const p = rows.map((row) => probabilities(row).map((v) => clamp(v, 1e-4)));
      index.forEach((i, b) => {
        const total = p[b]!.reduce((a, v) => a + v, 0);
        targets[i] = targets[i]!.map((t, c) => 0.7 * t + (0.3 * p[b]![c]!) / total);
      });
      const value = (z: number[][]): number =>
        z.reduce((sum, row, b) => {
          const q = probabilities(row);
          const along = q.reduce((a, v, c) => a + targets[index[b]!]![c]! * clamp(v, 1e-4), 0);
          return sum - Math.log(q[labels[b]!]!) / B + (3 * Math.log(1 - along)) / B;
        }, 0);
      const slope = rows.flatMap((row, b) =>
        row.map((_, c) => {
          const moved = (h: number): number =>
            value(rows.map((r, i) => (i === b ? r.map((z, j) => (j === c ? z + h : z)) : r)));
          return (moved(1e-6) - moved(-1e-6)) / 2e-6;
        }),
      );
      const [got, gradient] = await readAll(() => {
        const leaf = requireGrad(upload(logits[k]!));
        const total = loss.loss(leaf, labels, u32(index));
        backward(total);
        return [total, takeGrad(leaf)];
      });
      same(got!, [value(rows)], `loss ${k}`);
      same(gradient!, slope, `gradient ${k}`, 2e-5);
      same(await loss.state(), targets.flat(), `targets ${k}`);
    }
    loss.dispose();
  });

  test('evaluation moves nothing; a state put back goes on; extreme logits stay finite', async () => {
    const [loss, twin] = [elr({ numSamples: N, numClasses: C }), elr({ numSamples: N, numClasses: C })];
    await readAll(() => [loss.loss(upload(logits[0]!), labels, u32(batches[0]!))]);
    const before = await loss.state();
    await readAll(() => [noGrad(() => loss.loss(upload(logits[1]!), labels, u32(batches[1]!)))]);
    expect(await loss.state()).toEqual(before);
    twin.setState(before);
    const [a, b] = await readAll(() => [loss, twin].map((l) => l.loss(upload(logits[1]!), labels, u32(batches[1]!))));
    expect(a).toEqual(b);
    const [value, gradient] = await readAll(() => {
      const leaf = requireGrad(tensor([1e4, -1e4, 0, 0], { shape: [1, 4] }));
      const v = loss.loss(leaf, [1], u32([0]));
      backward(v);
      return [v, takeGrad(leaf)];
    });
    expect([...value!, ...gradient!].every(Number.isFinite)).toBe(true);
    for (const l of [loss, twin]) l.dispose();
  });

  test('fit moves the targets of the rows it visits', async () => {
    const loss = elr({ numSamples: 6, numClasses: 3, beta: 0.5 });
    const model = Sequential(Linear(3, 3));
    await fit(model, data, { objective: loss, optimizer: sgd({ lr: 0.5 }), epochs: 3, batchSize: 4, seed: 1 });
    for (const row of rowsOf({ shape: [6, 3], data: await loss.state() }))
      expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1 - 0.5 ** 3, 5);
    model.dispose();
    loss.dispose();
  });
});

describe('truncatedGce', () => {
  test.each(casesOf(file, 'truncatedGCE'))('$name', async ({ options, inputs, outputs }) => {
    const x = dense(inputs.logits);
    const labels = flat(inputs.labels);
    const n = labels.length;
    const loss = truncatedGce({ numSamples: n, q: Number(options.q), k: Number(options.k) });
    const run = async (): Promise<Float32Array[]> =>
      readAll(() => {
        const leaf = requireGrad(tensor(x.data, { shape: x.shape }));
        const value = loss.loss(leaf, labels, u32(labels.map((_, i) => i)));
        backward(value);
        return [value, takeGrad(leaf)];
      });
    const [value, gradient] = await run();
    same(value!, [Number(outputs.loss)], 'loss');
    same(gradient!, flat(outputs.gradLogits), 'gradient');
    const kept = loss.update(new NdArray(Float32Array.from(x.data), x.shape), labels);
    expect(Array.from(kept)).toEqual(flat(outputs.keepAfterUpdate));
    const per = flat(outputs.perSample);
    const [after] = await run();
    same(after!, [per.reduce((a, v, i) => a + v * kept[i]!, 0) / n], 'loss of the kept');
    expect(Array.from(await loss.state())).toEqual(Array.from(kept));
    loss.dispose();
  });
});

describe('cores', () => {
  const reference =
    (beta: number, prior?: number[]) =>
    (z: readonly number[], y: number): number => {
      const surprise = probabilities(z).map((p) => -Math.log(p));
      return surprise[y]! - beta * surprise.reduce((a, v, c) => a + v * (prior?.[c] ?? 1 / z.length), 0);
    };
  test('with beta, without the sieve', () =>
    checkLoss({
      make: () => cores({ beta: () => 1.5 }),
      classes: 5,
      isShiftInvariant: true,
      least: -Infinity,
      reference: reference(1.5),
    }));
  test('with a prior', () => {
    const prior = [0.5, 0.25, 0.125, 0.0625, 0.0625];
    return checkLoss({
      make: () => cores({ beta: () => 2, prior }),
      classes: 5,
      isShiftInvariant: true,
      least: -Infinity,
      reference: reference(2, prior),
    });
  });

  test('the sieve, weights, and a captured step that follows the epoch', async () => {
    const z = sample([12, 5], { seed: 3, low: -3, high: 3 });
    const labels = integers(12, 5, 5);
    const rows = rowsOf(z);
    const kept = rows.map((row, i) => Number(reference(1)(row, labels[i]!) <= 0));
    expect(new Set(kept).size).toBe(2);
    const count = kept.reduce((a, b) => a + b, 0);
    const loss = cores();
    const values = rows.map((row, i) => reference(2)(row, labels[i]!));
    const weight = labels.map((_, i) => 1 + i);
    const sieved = values.map((v, i) => v * kept[i]!);
    const x = upload(z);
    const step = capture(() => loss(x, tensor(labels, { dtype: 'i32' })));
    same(await step.run().read(), [rows.reduce((a, row, i) => a + reference(0)(row, labels[i]!), 0) / 12], 'epoch 0');
    loss.setEpoch(31);
    // beta at epoch 31 is on its way to 2.
    const late = rows.map((row, i) => reference(coresBeta(31))(row, labels[i]!) * kept[i]!);
    same(await step.run().read(), [late.reduce((a, b) => a + b, 0) / count], 'epoch 31');
    loss.setEpoch(40);
    const got = await readAll(() => [
      loss(upload(z), labels, { reduction: 'none' }),
      loss(upload(z), labels, { sampleWeight: tensor(weight) }),
      loss(upload(z), labels, { sampleWeight: tensor(weight), reduction: 'mean' }),
      loss.kept(upload(z), labels),
    ]);
    const total = sieved.reduce((a, v, i) => a + v * weight[i]!, 0);
    same(got[0]!, sieved, 'each');
    same(got[1]!, [total / kept.reduce((a, v, i) => a + v * weight[i]!, 0)], 'weighted mean');
    same(got[2]!, [total / count], 'mean');
    expect(Array.from(got[3]!)).toEqual(kept);
    const [none] = await readAll(() => [loss(tensor([0, 9], { shape: [1, 2] }), [0])]);
    expect(none![0]).toBe(0);
    step.dispose();
    x.dispose();
    loss.dispose();
  });

  test('beta and prior by epoch; fit moves it', async () => {
    expect([0, 10, 39, 99].map(coresBeta)).toEqual([0, 0, 2, 2]);
    expect(coresPrior([0.5, 0.5], 100, [30, 10])).toEqual([1 / 3, 2 / 3]);
    const seen: number[] = [];
    const loss = cores({ beta: (epoch) => epoch / 4, sieveFrom: 2 });
    const model = Sequential(Linear(3, 3));
    const objective = scheduledLoss(loss, ({ epoch }) => {
      seen.push(epoch);
      loss.setEpoch(epoch);
    });
    await fit(model, data, { objective, optimizer: sgd({ lr: 0.5 }), epochs: 3, batchSize: 3, seed: 1 });
    expect(seen).toEqual([0, 0, 1, 1, 2, 2]);
    model.dispose();
    loss.dispose();
  });
});

test.each<[() => unknown, string]>([
  [() => elr({ numSamples: 0, numClasses: 3 }), 'elr: numSamples is 0, expected a positive integer'],
  [() => elr({ numSamples: 5, numClasses: 1 }), 'elr: numClasses is 1, expected an integer >= 2'],
  [() => elr({ numSamples: 5, numClasses: 3, beta: 1 }), 'elr: beta is 1, expected 0 <= beta < 1'],
  [
    () => elr({ numSamples: 5, numClasses: 3 }).setState([1]),
    'elr: the state has 1 numbers, expected 15, 3 per sample',
  ],
  [() => truncatedGce({ numSamples: 5, k: 1 }), 'truncatedGce: k is 1, expected 0 < k < 1'],
  [() => cores({ beta: () => -1 }), 'cores: beta is -1 in epoch 0, expected a finite number >= 0'],
  [() => cores({ prior: [0.5, 0.6] }), 'cores: prior is [0.5,0.6], expected probabilities that sum to 1'],
  [() => coresPrior([0.5, 0.5], 4, [2, 2]), 'coresPrior: removed sums to 4 of 4 samples, expected some left'],
])('bad input %#', (call, message) => {
  scope(() => expect(call).toThrow(message));
});
