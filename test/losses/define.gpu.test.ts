import { describe, expect, test } from 'vitest';
import { backward, capture, requireGrad, scope, ShapeError, tensor, type Tensor } from 'evenkeel';
import {
  absgd,
  adjustedCrossEntropy,
  asLoss,
  cdb,
  combined,
  crossEntropyLoss,
  defineKernelLoss,
  defineLoss,
  deviceTable,
  groupDro,
  logitClamp,
  logitClip,
  logitNorm,
  scheduledLoss,
  type Loss,
  type LossFunction,
  type LossInputs,
  type LossOptions,
  type Objective,
} from 'evenkeel/losses';
import { manifoldMixup, mixed, mixup } from 'evenkeel/objectives';
import { Linear, Sequential } from 'evenkeel/nn';
import { add, exp, gather, indexSelect, logSoftmax, mean, mul, neg, reshape, sub } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { checkLoss } from '../support/check-loss.ts';
import { expectWithin, readAll, takeGrad, upload } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { integers, sample } from '../support/sample.ts';
import { clusters } from '../support/synthetic.ts';
import { close } from '../support/tolerance.ts';

// Cross-entropy written as a loss of one value a sample: everything around the value must agree with the fused one.
const nll = (logits: Tensor, labels: Tensor<'i32'>): Tensor => {
  const rows = labels.size;
  return neg(reshape(gather(logSoftmax(logits), reshape(labels, [rows, 1])), [rows]));
};
const weight = [0.5, 2, 1, 3];
const z = sample([6, 4]);
const labels = integers(6, 4, 3);

describe.each(['none', 'mean', 'sum', 'weightedMean'] as const)('reduction %s', (reduction) => {
  test.each([
    { name: 'plain' },
    { name: 'class weights', weight },
    { name: 'sample weights', sampleWeight: [0, 1, 2, 0.5, 1, 1] },
    { name: 'both', weight, sampleWeight: [0, 1, 2, 0.5, 1, 1] },
  ])('$name: value and gradient of the fused loss', async ({ weight, sampleWeight }) => {
    const run = async (make: typeof crossEntropyLoss): Promise<Float32Array[]> => {
      const loss = make({ weight, reduction });
      const got = await readAll(() => {
        const x = requireGrad(upload(z));
        const y = loss(x, labels, sampleWeight && { sampleWeight: tensor(sampleWeight) });
        if (y.size === 1) backward(y);
        return [y, takeGrad(x)];
      });
      loss.dispose();
      return got;
    };
    const want = await run(crossEntropyLoss);
    const got = await run((options) => defineLoss({ name: 'nll', values: nll, ...options }));
    got.forEach((g, i) =>
      expectWithin(g, { shape: [], data: Float64Array.from(want[i]!) }, close(1e-5, 1e-6), `output ${i}`),
    );
  });
});

test('a call may ask for values, and dense logits keep their shape', async () => {
  const loss = defineLoss({ name: 'nll', values: nll });
  const y = scope(() => loss(upload(sample([2, 3, 4])), labels, { reduction: 'none' }));
  expect([y.shape, loss.reduction, loss.name]).toEqual([[2, 3], 'weightedMean', 'nll']);
  y.dispose();
  loss.dispose();
});

test('new class weights reach a captured step', async () => {
  const loss = defineLoss({ name: 'nll', values: nll, weight });
  const fused = crossEntropyLoss({ weight });
  const [x, y] = [upload(z), tensor(labels, { dtype: 'i32' })];
  const step = capture(() => [loss(x, y), fused(x, y)]);
  for (const next of [null, [1, 1, 1, 10], null]) {
    for (const l of [loss, fused]) l.setClassWeight(next);
    const [a, b] = await Promise.all(step.run().map((t) => t.item()));
    expect(a).toBeCloseTo(b!, 5);
  }
  step.dispose();
  for (const t of [x, y, loss, fused]) t.dispose();
});

test('a label outside the classes counts for nothing on the device', async () => {
  const loss = defineLoss({ name: 'nll', values: nll });
  const y = scope(() => loss(upload(z), tensor([-100, 1, 2, 3, 0, 9], { dtype: 'i32' })));
  const rest = scope(() => loss(tensor(z.data.slice(4, 20), { shape: [4, 4] }), [1, 2, 3, 0]));
  expect(await y.item()).toBeCloseTo(await rest.item(), 5);
  for (const t of [y, rest, loss]) t.dispose();
});

test('errors', () => {
  const loss = defineLoss({ name: 'nll', values: nll, weight });
  scope(() => {
    expect(() => loss(upload(sample([2, 3])), [0, 1])).toThrow('nll: weight has 4 entries, the logits have 3 classes');
    expect(() => loss(upload(z), [0, 1])).toThrow('nll: got 2 labels for logits of shape [6,4]');
    expect(() => loss(upload(z), [0, 1, 2, 4, 0, 0])).toThrow('nll: labels[3] is 4, expected an integer in 0..3');
    expect(() => loss(upload(z), labels, { sampleWeight: tensor([1]) })).toThrow(
      'nll: sampleWeight has shape [1], expected [6]',
    );
    expect(() => defineLoss({ name: 'nll', values: nll, weight: [1, NaN, 1, 1] })(upload(z), labels)).toThrow(
      'nll: weight[1] is NaN, expected a finite number',
    );
    expect(() => defineLoss({ name: 'nll', values: nll, numClasses: 3 })(upload(z), labels)).toThrow(
      'nll: logits have shape [6,4], expected 3 classes on the last axis',
    );
  });
  loss.dispose();
});

// A loss of one's own, in one place.
const poly1 = ({ eps = 1, ...options }: LossOptions & { eps?: number } = {}): Loss =>
  defineLoss({
    name: 'poly1',
    values(logits, y) {
      const ce = nll(logits, y);
      return add(ce, mul(sub(1, exp(neg(ce))), eps));
    },
    ...options,
  });

test('a loss of ten lines does all that every loss does', () =>
  checkLoss({
    make: () => poly1({ eps: 0.5 }),
    classes: 4,
    isShiftInvariant: true,
    reference: (row, y) => {
      const ce = Math.log(row.reduce((t, v) => t + Math.exp(v), 0)) - row[y]!;
      return ce + 0.5 * (1 - Math.exp(-ce));
    },
  }));

describe('tables', () => {
  /** Cross-entropy with a margin of each class, which the host may move. */
  const withMargins = (margins: number[] | ReturnType<typeof deviceTable>) =>
    defineLoss({
      name: 'margins',
      tables: { margins },
      values: (logits, y, { tables }) => add(nll(logits, y), indexSelect(tables.margins, y)),
    });

  test('lists of the host lie on the device of the logits, and a captured step follows a table', async () => {
    const table = deviceTable([1, 2, 3, 4]);
    const [fixed, moved] = [withMargins([1, 2, 3, 4]), withMargins(table)];
    const [x, y] = [upload(z), tensor(labels, { dtype: 'i32' })];
    const plain = defineLoss({ name: 'nll', values: nll });
    const base = (await readAll(() => [plain(x, labels, { reduction: 'none' })]))[0]!;
    const step = capture(() => [fixed(x, y, { reduction: 'none' }), moved(x, y, { reduction: 'none' })]);
    for (const margins of [
      [1, 2, 3, 4],
      [5, 0, 0, 7],
    ]) {
      table.write(margins);
      expect(Array.from(await table.read())).toEqual(margins);
      const [a, b] = await Promise.all(step.run().map((t) => t.read()));
      labels.forEach((c, i) => {
        expect(a![i]).toBeCloseTo(base[i]! + c + 1, 5);
        expect(b![i]).toBeCloseTo(base[i]! + margins[c]!, 5);
      });
    }
    for (const t of [step, x, y, plain, fixed, moved]) t.dispose();
  });

  test('a matrix, whole numbers, and a change of the list of the caller', async () => {
    const list = [1, 2];
    const [kept, matrix, whole] = [
      deviceTable(list),
      deviceTable([
        [1, 2],
        [3, 4],
      ]),
      deviceTable([1, 2], { dtype: 'i32' }),
    ];
    list[0] = 9;
    expect(await kept.read()).toEqual([1, 2]);
    expect([kept.on(gpu).shape, matrix.on(gpu).shape, whole.on(gpu).dtype]).toEqual([[2], [2, 2], 'i32']);
    expect(await kept.on(gpu).read()).toEqual(Float32Array.of(1, 2));
    expect(kept.on(gpu)).toBe(kept.on(gpu));
    expect(() => kept.write([1])).toThrow(new ShapeError('deviceTable: got 1 values, the table holds 2'));
    for (const t of [kept, matrix, whole]) t.dispose();
  });
});

test('disposal leaves nothing, and a loss that was freed may be called anew', async () => {
  const inner = crossEntropyLoss();
  const loss = defineLoss({
    name: 'all',
    tables: { factor: [2] },
    values: (logits, y, { tables }) => mul(inner(logits, y, { reduction: 'none' }), tables.factor),
    weight,
    owns: [inner],
  });
  const value = async (): Promise<number> => (await readAll(() => [loss(upload(z), labels)]))[0]![0]!;
  const first = await value();
  loss.dispose();
  const before = gpu.memory().live;
  expect(await value()).toBe(first);
  expect(gpu.memory().live).toBeGreaterThan(before);
  loss.dispose();
  expect(gpu.memory().live).toBe(before);
});

test('a kernel for all of it: cross-entropy of shifted logits', async () => {
  const shift = [0.5, -1, 2, 0];
  const kernel = defineKernelLoss({ name: 'shifted', kernel: adjustedCrossEntropy({ shift }), weight, numClasses: 4 });
  const rows = defineLoss({
    name: 'shifted',
    tables: { shift },
    values: (logits, y, { tables }) => nll(add(logits, tables.shift), y),
    weight,
  });
  const values = await readAll(() => [kernel(upload(z), labels), rows(upload(z), labels)]);
  expect(values[0]![0]).toBeCloseTo(values[1]![0]!, 5);
  expect(() => defineKernelLoss({ name: 'mine', kernel: adjustedCrossEntropy({ shift }), numClasses: 3 })).toThrow(
    'mine: shift has 4 entries, the logits have 3 classes',
  );
  for (const loss of [kernel, rows]) loss.dispose();
});

describe('a plain function is a loss', () => {
  const each = (logits: Tensor, y: Tensor<'i32'>): Tensor => nll(logits, y);
  const average = (logits: Tensor, y: Tensor<'i32'>): Tensor => mean(nll(logits, y));

  test('one value a sample: weights and reductions as those of a definition', async () => {
    const [plain, defined] = [asLoss(each), defineLoss({ name: 'each', values: nll })];
    expect([plain.name, plain.reduction, asLoss(plain)]).toEqual(['each', 'weightedMean', plain]);
    const sampleWeight = [0, 1, 2, 0.5, 1, 1];
    for (const classWeight of [null, weight]) {
      for (const loss of [plain, defined]) loss.setClassWeight(classWeight);
      for (const reduction of ['none', 'mean', 'sum', 'weightedMean'] as const) {
        const [a, b] = await readAll(() =>
          [plain, defined].map((loss) => loss(upload(z), labels, { reduction, sampleWeight: tensor(sampleWeight) })),
        );
        expect(Array.from(a!), reduction).toEqual(Array.from(b!));
      }
    }
    for (const loss of [plain, defined]) loss.dispose();
  });

  test('a scalar is the mean, and has nothing else', async () => {
    const loss = asLoss(average);
    const [a, b, c] = await readAll(() => [
      loss(upload(z), labels),
      loss(upload(z), labels, { reduction: 'mean' }),
      average(upload(z), tensor(labels, { dtype: 'i32' })),
    ]);
    expect([a![0], b![0]]).toEqual([c![0], c![0]]);
    const end = 'return one value a sample, or use defineLoss';
    scope(() => {
      for (const [inputs, what] of [
        [{ reduction: 'none' }, "reduction 'none'"],
        [{ reduction: 'sum' }, "reduction 'sum'"],
        [{ sampleWeight: tensor([1, 1, 1, 1, 1, 1]) }, 'sample weights'],
      ] as const)
        expect(() => loss(upload(z), labels, inputs)).toThrow(
          new TypeError(`average: the function returns a scalar, which has no ${what}; ${end}`),
        );
      expect(() => loss.setClassWeight(weight)).toThrow(`which has no class weights; ${end}`);
      const weighted = asLoss(average);
      weighted.setClassWeight(weight);
      expect(() => weighted(upload(z), labels)).toThrow(`which has no class weights; ${end}`);
      weighted.setClassWeight(null);
      weighted(upload(z), labels);
    });
    // It has put nothing on the device.
    const before = gpu.memory().live;
    loss.dispose();
    expect(gpu.memory().live).toBe(before);
  });

  test.each<[string, (loss: Loss | LossFunction) => Loss]>([
    ['absgd', (loss) => absgd(loss, { lambda: 2 })],
    ['groupDro', (loss) => groupDro(loss, { groupCounts: [4, 2] }) as unknown as Loss],
    ['logitClip', (loss) => logitClip(loss, { tau: 0.5 })],
    ['logitNorm', (loss) => logitNorm(loss)],
    ['logitClamp', (loss) => logitClamp(loss)],
    ['cdb', (loss) => cdb({ numClasses: 4, loss, reduction: 'weightedMean' })],
    ['combined', (loss) => combined([[2, loss]])],
  ])('%s takes one, and frees what it made of it', async (name, wrap) => {
    const run = async (loss: Loss): Promise<number[]> => {
      const inputs = { groups: [0, 0, 1, 0, 1, 0] } as LossInputs;
      const got = await readAll(() => {
        const x = requireGrad(upload(z));
        const y = loss.name === 'groupDro' ? loss(x, labels, inputs) : loss(x, labels);
        backward(y);
        return [y, takeGrad(x)];
      });
      loss.dispose();
      return got.flatMap((g) => Array.from(g));
    };
    const want = await run(wrap(defineLoss({ name: 'each', values: nll })));
    const before = gpu.memory().live;
    expect(await run(wrap(each))).toEqual(want);
    expect(gpu.memory().live).toBe(before);
    expect(() => wrap(3 as never)).toThrow(
      `${name}: loss is 3, expected a loss, such as crossEntropyLoss(), or a function`,
    );
  });

  test('objectives take one', async () => {
    const data = clusters({ n: 40, classes: 4, features: 4, seed: 1 });
    const after = async (make: (loss: Loss | LossFunction) => Objective, loss: Loss | LossFunction) => {
      using model = Sequential(Linear(4, 4)).init({ seed: 2 });
      const objective = make(loss);
      const { loss: epochs } = await fit(model, data, {
        objective,
        optimizer: sgd({ lr: 0.1 }),
        epochs: 2,
        batchSize: 20,
        seed: 3,
      });
      objective.dispose?.();
      return epochs;
    };
    for (const make of [
      (loss: Loss | LossFunction) => mixed(mixup(), loss),
      (loss: Loss | LossFunction) => manifoldMixup(loss, { layers: [0] }),
      (loss: Loss | LossFunction) => scheduledLoss(loss, () => {}),
    ]) {
      const loss = defineLoss({ name: 'each', values: nll });
      expect(await after(make, each)).toEqual(await after(make, loss));
      loss.dispose();
    }
  });

  test('what it returns is looked at', () => {
    const nothing = asLoss((() => {}) as unknown as LossFunction);
    const rowsTwice = asLoss((logits: Tensor) => logits);
    scope(() => {
      expect(() => nothing(upload(z), labels)).toThrow(
        new TypeError('loss: the result of the function is undefined, expected a tensor'),
      );
      expect(() => rowsTwice(upload(z), labels)).toThrow(
        'loss: the result of the function has shape [6,4], expected [6]',
      );
    });
    expect(() => asLoss(3 as never)).toThrow(
      new TypeError('asLoss: loss is 3, expected a loss, such as crossEntropyLoss(), or a function'),
    );
  });
});

test('errors of a definition', () => {
  scope(() => {
    const wide = defineLoss({ name: 'mine', values: (logits) => logits });
    const empty = defineLoss({ name: 'mine', values: (() => null) as never });
    expect(() => wide(upload(z), labels)).toThrow('mine: the result of values has shape [6,4], expected [6]');
    expect(() => empty(upload(z), labels)).toThrow(
      new TypeError('mine: the result of values is null, expected a tensor'),
    );
    for (const loss of [wide, empty]) loss.dispose();
    expect(() => defineLoss({ name: 'mine', values: nll, tables: { margins: 3 as never } })).toThrow(
      'mine: tables.margins is 3, expected an array of numbers',
    );
    expect(() => defineLoss({ name: 'mine', values: nll, reduction: 'average' as never })).toThrow(
      "mine: reduction is 'average', expected 'none', 'mean', 'sum' or 'weightedMean'",
    );
    expect(() => defineLoss({ name: 'mine', values: nll, numClasses: 2, weight: [1, -1] })).toThrow(
      'mine: weight[1] is -1, expected a finite number >= 0',
    );
  });
});
