import { describe, expect, test } from 'vitest';
import { grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  klDiv,
  logSoftmax,
  mseLoss,
  mul,
  nllLoss,
  smoothL1Loss,
  softCrossEntropy,
  sum,
} from 'evenkeel/ops';
import { build, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/losses.ts';
import { logSoftmax as logSoftmaxReference, softmax as softmaxReference } from '../reference/softmax.ts';
import { checkOp, expectWithin, readAll, upload } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { close } from '../support/tolerance.ts';

const shapes = [[1], [31], [33, 7], [5, 257], [2, 3, 4], [257, 1], [1, 1], [4, 1, 3]];

interface ElementLoss {
  f: reference.Elementwise;
  run: (x: Tensor, t: Tensor, reduction: never) => Tensor;
  t?: { low: number; high: number };
  x?: { low: number; high: number };
}

const losses: Record<string, ElementLoss> = {
  mseLoss: { f: reference.mse, run: (x, t, reduction) => mseLoss(x, t, { reduction }) },
  'smoothL1Loss, beta 1': { f: reference.smoothL1(1), run: (x, t, reduction) => smoothL1Loss(x, t, { reduction }) },
  'smoothL1Loss, beta 0.3': {
    f: reference.smoothL1(0.3),
    run: (x, t, reduction) => smoothL1Loss(x, t, { reduction, beta: 0.3 }),
  },
  'smoothL1Loss, beta 0': {
    f: reference.smoothL1(0),
    run: (x, t, reduction) => smoothL1Loss(x, t, { reduction, beta: 0 }),
  },
  klDiv: {
    f: reference.kl,
    run: (x, t, reduction) => klDiv(x, t, { reduction }),
    x: { low: -5, high: 0 },
    t: { low: 0.05, high: 1 },
  },
  'klDiv of logs': {
    f: reference.klOfLogs,
    run: (x, t, reduction) => klDiv(x, t, { reduction, logTarget: true }),
    x: { low: -5, high: 0 },
    t: { low: -4, high: 0 },
  },
  binaryCrossEntropyWithLogits: {
    f: reference.logistic(1),
    run: (x, t, reduction) => binaryCrossEntropyWithLogits(x, t, { reduction }),
    x: { low: -6, high: 6 },
    t: { low: 0, high: 1 },
  },
  'binaryCrossEntropyWithLogits, posWeight 3': {
    f: reference.logistic(3),
    run: (x, t, reduction) => binaryCrossEntropyWithLogits(x, t, { reduction, posWeight: 3 }),
    t: { low: 0, high: 1 },
  },
};

describe.each(Object.entries(losses))('%s', (name, { f, run, x: range, t }) => {
  test.each(['mean', 'sum', 'none', ...(name.startsWith('klDiv') ? ['batchmean' as const] : [])] as const)(
    '%s',
    async (reduction) => {
      for (const shape of [...shapes, ...(reduction === 'none' || reduction === 'sum' ? [[0, 3]] : [])]) {
        // Targets lie on odd multiples of 1/64 beside even ones, so that no difference meets a kink.
        const inputs = [sample(shape, { seed: 3, ...range }), sample(shape, { seed: 4, low: -3, high: 3, ...t })];
        await checkOp({
          inputs,
          run: (a, b) => run(a, b, reduction as never),
          reference: (a, b) => reference.elementwise(f, a, b, reduction),
          gradient: (dy, a, b) => reference.elementwiseGradient(f, dy, a, b, reduction),
          tolerance: ({ want, sum: s }) => 3e-6 * Math.max(1, s, Math.abs(want)),
          gradientTolerance: close(1e-5, 3e-6),
        });
      }
    },
  );
});

test('klDiv: a target of 0 counts for nothing', async () => {
  const got = await readAll(() => {
    const [x, t] = [requireGrad(tensor([-1, -2])), requireGrad(tensor([0, 1]))];
    const y = klDiv(x, t, { reduction: 'sum' });
    return [y, ...grad(y, [x, t])];
  });
  expect(got.map((v) => Array.from(v))).toEqual([[2], [-0, -1], [1, 3]]);
});

describe('a term whose factor is 0 counts for nothing', () => {
  const I = Infinity;
  const run = (make: (x: Tensor, t: Tensor) => Tensor, x: number[][], t: number[][]): Promise<Float32Array[]> =>
    readAll(() => {
      const [a, b] = [x, t].map((rows) =>
        requireGrad(tensor(rows.flat(), { shape: [rows.length, rows[0]!.length] })),
      ) as [Tensor, Tensor];
      const y = make(a, b);
      return [y, ...grad(sum(mul(y, tensor(Array(y.size).fill(1), { shape: y.shape }))), [a, b])];
    });
  const list = (v: Float32Array | undefined): number[] => Array.from(v!, (n) => n + 0);
  const near = (v: number[]): unknown[] => v.map((n) => (Number.isFinite(n) ? expect.closeTo(n, 5) : n));
  const third = 1 / (1 + Math.E);

  test('softCrossEntropy: masked classes, rows without a target, NaN', async () => {
    const [y, g, t] = await run(
      (x, target) => softCrossEntropy(x, target, { reduction: 'none' }),
      [
        [-I, 1, 2],
        [-I, 1, 2],
        [NaN, 1, 2],
        [NaN, I, 2],
        [I, 1, 2],
      ],
      [
        [0, 1, 0],
        [0.5, 0.5, 0],
        [0, 1, 0],
        [0, 0, 0],
        [0, 1, 0],
      ],
    );
    expect(list(y)).toEqual(near([-Math.log(third), I, NaN, 0, NaN]));
    expect(list(g)).toEqual(
      near([0, third - 1, 1 - third, -0.5, third - 0.5, 1 - third, NaN, NaN, NaN, 0, 0, 0, NaN, NaN, NaN]),
    );
    expect(list(t).slice(0, 3)).toEqual(near([0, -Math.log(third), -Math.log(1 - third)]));
  });

  test('klDiv: targets of 0 against -Infinity, as probabilities and as logarithms', async () => {
    const [y, g] = await run(
      (x, target) => klDiv(x, target, { reduction: 'none' }),
      [[-I, -1, -I, NaN]],
      [[0, 0.5, 0.5, 1]],
    );
    expect(list(y)).toEqual(near([0, 0.5 * (Math.log(0.5) + 1), I, NaN]));
    expect(list(g)).toEqual(near([0, -0.5, -0.5, -1]));
    const [z, d, t] = await run(
      (x, target) => klDiv(x, target, { reduction: 'none', logTarget: true }),
      [[-I, -1, -2, -I]],
      [[-I, -I, -1, -1]],
    );
    expect(list(z)).toEqual(near([0, 0, Math.exp(-1), I]));
    expect(list(d)).toEqual(near([0, 0, -Math.exp(-1), -Math.exp(-1)]));
    expect(list(t).slice(0, 3)).toEqual(near([0, 0, 2 * Math.exp(-1)]));
  });

  test('binaryCrossEntropyWithLogits: infinite logits, weights of 0, and no cancellation', async () => {
    const x = [[I, I, -I, -I, 0, -20, -40]];
    const target = [[1, 0, 0, 1, 1, 0, 0]];
    const [y, g] = await run((a, b) => binaryCrossEntropyWithLogits(a, b, { reduction: 'none' }), x, target);
    expect(list(y).slice(0, 4)).toEqual([0, I, 0, I]);
    expect(y![5]! / Math.exp(-20) - 1).toBeCloseTo(0, 4);
    expect(y![6]! / Math.exp(-40) - 1).toBeCloseTo(0, 4);
    expect(list(g).slice(0, 4)).toEqual([0, 1, 0, -1]);
    const [w, dw] = await run(
      (a, b) =>
        binaryCrossEntropyWithLogits(a, b, {
          reduction: 'none',
          weight: tensor([0, 0, 1, 0, 0, 0, 2], { shape: [1, 7] }),
          posWeight: 3,
        }),
      [[...x[0]!.slice(0, 4), NaN, ...x[0]!.slice(5)]],
      target,
    );
    expect(list(w).slice(0, 6)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(list(dw).slice(0, 6)).toEqual([0, 0, 0, 0, 0, 0]);
    const [p, dp] = await run(
      (a, b) => binaryCrossEntropyWithLogits(a, b, { reduction: 'none', posWeight: 0 }),
      [[-I, -I]],
      [[1, 0]],
    );
    expect([list(p), list(dp)]).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('nllLoss: weights of 0 and ignored rows against -Infinity and NaN', async () => {
    const [y, g] = await readAll(() => {
      const x = requireGrad(tensor([-I, -1, -2, NaN, -1, NaN, -I, -3], { shape: [4, 2] }));
      const loss = nllLoss(x, [0, 1, 1, -100], { weight: tensor([0, 2]), reduction: 'none' });
      return [loss, ...grad(sum(mul(loss, tensor([1, 1, 0, 1]))), [x])];
    });
    expect(list(y)).toEqual([0, NaN, NaN, 0]);
    expect(list(g)).toEqual([0, 0, 0, -2, 0, 0, 0, 0]);
    const [mean] = await readAll(() => [
      nllLoss(tensor([-I, -1, -2, -5], { shape: [2, 2] }), [0, 1], {
        weight: tensor([0, 2]),
        reduction: 'weightedMean',
      }),
    ]);
    expect(mean![0]).toBe(5);
  });

  test('smoothL1Loss and mseLoss of an infinite difference', async () => {
    for (const beta of [0, 0.5]) {
      const [y, g] = await run((a, b) => smoothL1Loss(a, b, { reduction: 'none', beta }), [[I, -I, 3]], [[0, 0, 0]]);
      expect(list(y).slice(0, 2)).toEqual([I, I]);
      expect(list(g)).toEqual([1, -1, 1]);
    }
    expect(list((await run((a, b) => mseLoss(a, b, { reduction: 'none' }), [[I, 1]], [[0, 1]]))[0])).toEqual([I, 0]);
  });
});

test('logits of +-1e4 stay finite', async () => {
  const got = await readAll(() => {
    const x = requireGrad(tensor([1e4, -1e4, 1e4, -1e4]));
    const y = binaryCrossEntropyWithLogits(x, tensor([1, 0, 0, 1]), { reduction: 'none' });
    return [y, ...grad(sum(y), [x])];
  });
  expect(got.map((v) => Array.from(v, (n) => n + 0))).toEqual([
    [0, 0, 1e4, 1e4],
    [0, 0, 1, -1],
  ]);
});

const rows = [
  [1, 2],
  [7, 5],
  [31, 33],
  [2, 3, 4],
  [257, 3],
  [3, 1],
  [3, 257],
  [5, 10],
];

test.each(rows)('softCrossEntropy of [%s, %s, %s]', async (...dims) => {
  const shape = dims.filter((d) => d !== undefined) as number[];
  const target = softmaxReference(sample(shape, { seed: 8 }), -1);
  const classes = shape.at(-1)!;
  const n = target.data.length / classes;
  for (const reduction of ['mean', 'sum', 'none'] as const) {
    const scale = reduction === 'mean' ? 1 / n : 1;
    const value = (z: Dense, t: Dense): Dense => {
      const logs = logSoftmaxReference(z, -1);
      const each = build(
        shape.slice(0, -1),
        (r) =>
          -Array.from({ length: classes }, (_, c) => t.data[r * classes + c]! * logs.data[r * classes + c]!).reduce(
            (a, b) => a + b,
            0,
          ),
      );
      return reduction === 'none' ? each : build([], () => scale * each.data.reduce((a, b) => a + b, 0));
    };
    await checkOp({
      inputs: [sample(shape, { seed: 6, low: -4, high: 4 }), target],
      run: (z, t) => softCrossEntropy(z, t, { reduction }),
      reference: value,
      gradient: (dy, z, t) => {
        const [p, logs] = [softmaxReference(z, -1), logSoftmaxReference(z, -1)];
        const factor = (i: number): number =>
          reduction === 'none' ? dy.data[Math.floor(i / classes)]! : scale * dy.data[0]!;
        const mass = (i: number): number =>
          t.data.slice(i - (i % classes), i - (i % classes) + classes).reduce((a, b) => a + b, 0);
        return [
          build(shape, (i) => factor(i) * (mass(i) * p.data[i]! - t.data[i]!)),
          build(shape, (i) => -factor(i) * logs.data[i]!),
        ];
      },
      tolerance: ({ want }) => 1e-5 * Math.max(10, Math.abs(want)),
      gradientTolerance: close(1e-4, 1e-5),
    });
  }
});

test.each(['none', 'sum', 'mean', 'weightedMean'] as const)(
  'nllLoss of log-softmax is crossEntropy, reduction %s',
  async (reduction) => {
    const weight = [0.5, 2, 1];
    const labels = integers(31, 3, 5);
    const cases = [
      { y: labels, ignoreIndex: -100 },
      { y: labels.map((v, i) => (i % 4 ? v : -100)), ignoreIndex: -100 },
      { y: labels, ignoreIndex: 1 },
    ];
    for (const { y: list, ignoreIndex } of cases) {
      const z = sample([31, 3]);
      const [a, b, da, db] = await readAll(() => {
        const [p, q] = [requireGrad(upload(z)), requireGrad(upload(z))];
        const y = tensor(list, { dtype: 'i32' });
        const table = tensor([1, 1, 1, 0, 0, 0, 0, 0, 0, ...weight], { shape: [4, 3] });
        const one = nllLoss(logSoftmax(p), y, { weight: tensor(weight), reduction, ignoreIndex });
        const two = crossEntropy(q, y, { classTable: table, reduction, ignoreIndex });
        return [one, two, ...grad(sum(one), [p]), ...grad(sum(two), [q])];
      });
      expectWithin(a!, { shape: [], data: Float64Array.from(b!) }, close(1e-5, 1e-5), 'value');
      expectWithin(da!, { shape: [], data: Float64Array.from(db!) }, close(1e-4, 1e-5), 'gradient');
    }
  },
);

test('gradients of gradients: softCrossEntropy against central differences', async () => {
  const z = sample([4, 3], { seed: 2 });
  const [t, v] = [softmaxReference(sample([4, 3], { seed: 3 }), -1), sample([4, 3], { seed: 4 })];
  const gradient = (e: number): Float64Array => {
    const p = softmaxReference(
      build(z.shape, (i) => z.data[i]! + e * v.data[i]!),
      -1,
    );
    return p.data.map((q, i) => (q - t.data[i]!) / 4);
  };
  const [ahead, behind] = [gradient(1e-5), gradient(-1e-5)];
  const [h] = await readAll(() => {
    const x = requireGrad(upload(z));
    const [first] = grad(softCrossEntropy(x, upload(t)), [x], { createGraph: true });
    return grad(sum(mul(first!, upload(v))), [x]);
  });
  expectWithin(
    h!,
    build(z.shape, (i) => (ahead[i]! - behind[i]!) / 2e-5),
    close(1e-4, 1e-6),
    'Hessian-vector product',
  );
});

test('errors', () => {
  scope(() => {
    const [x, y] = [tensor([1, 2]), tensor([1, 2, 3])];
    expect(() => mseLoss(x, y)).toThrow('mseLoss: target has shape [3], expected [2]');
    expect(() => mseLoss(x, x, { reduction: 'average' as 'mean' })).toThrow(
      'mseLoss: reduction is average, expected one of mean, sum, none',
    );
    expect(() => smoothL1Loss(x, x, { beta: -1 })).toThrow('smoothL1Loss: beta is -1, expected a finite number >= 0');
    expect(() => smoothL1Loss(x, y)).toThrow('smoothL1Loss: target has shape [3], expected [2]');
    expect(() => klDiv(x, y)).toThrow('klDiv: target has shape [3], expected [2]');
    expect(() => klDiv(x, x, { reduction: 'weightedMean' as 'mean' })).toThrow(
      'klDiv: reduction is weightedMean, expected one of mean, batchmean, sum, none',
    );
    expect(() => binaryCrossEntropyWithLogits(x, y)).toThrow(
      'binaryCrossEntropyWithLogits: target has shape [3], expected [2]',
    );
    expect(() => softCrossEntropy(x, y)).toThrow('softCrossEntropy: target has shape [3], expected [2]');
    expect(() => softCrossEntropy(tensor(1), tensor(1))).toThrow(
      'softCrossEntropy: logits have shape [], expected (..., classes)',
    );
    expect(() => nllLoss(tensor([0, 0], { shape: [1, 2] }), [2])).toThrow(
      'nllLoss: labels[0] is 2, expected an integer in 0..1',
    );
    expect(() => nllLoss(tensor([0, 0], { shape: [1, 2] }), tensor([0]) as unknown as Tensor<'i32'>)).toThrow(
      'nllLoss: labels are f32, expected i32',
    );
    expect(() => nllLoss(tensor(1), [0])).toThrow('nllLoss: logProbs have shape [], expected (..., classes)');
    expect(() => nllLoss(x, tensor([1, 2], { dtype: 'i32' }))).toThrow('nllLoss: labels has shape [2], expected []');
  });
});
