// A walk through what may be wrong with the inputs of long-tailed methods: a sentence that names it, or the rule of its
// page.
import * as objectives from 'evenkeel/objectives';
import { describe, expect, test } from 'vitest';
import { backward, grad, NdArray, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { cdbSampler, makeDataset } from 'evenkeel/data';
import * as losses from 'evenkeel/losses';
import { balancedAccuracy, groupBalancedError, perClassAccuracy, shotAccuracy, worstGroup } from 'evenkeel/metrics';
import { Linear, Sequential } from 'evenkeel/nn';
import { crossEntropy as crossEntropyOp, nllLoss } from 'evenkeel/ops';
import { drw, sgd } from 'evenkeel/optim';
import { key } from 'evenkeel/random';
import { fit } from 'evenkeel/train';
import { readAll, takeGrad } from '../support/check-op.ts';
import { keep } from '../support/keep.ts';

type Counted = (classCounts: ArrayLike<number>) => losses.Loss;
/** Losses made from the counts of the classes. */
const counted: Record<string, Counted> = {
  ldam: (classCounts) => losses.ldam({ classCounts }),
  ldamHinge: (classCounts) => losses.ldamHinge({ classCounts }),
  vs: (classCounts) => losses.vs({ classCounts }),
  logitAdjusted: (classCounts) => losses.logitAdjusted({ classCounts }),
  balancedSoftmax: (classCounts) => losses.balancedSoftmax({ classCounts }),
  cdt: (classCounts) => losses.cdt({ classCounts }),
  bayias: (classCounts) => losses.bayias({ classCounts }),
  classBalancedCrossEntropy: (classCounts) => losses.classBalancedCrossEntropy({ classCounts }),
  classBalancedFocal: (classCounts) => losses.classBalancedFocal({ classCounts }),
  equalization: (classCounts) => losses.equalization({ classCounts }),
  labelAwareSmoothing: (classCounts) => losses.labelAwareSmoothing({ classCounts }),
};
/** The same and those without counts, for four classes. */
const all: Record<string, () => losses.Loss> = {
  ...Object.fromEntries(Object.entries(counted).map(([name, make]) => [name, () => make([40, 20, 5, 1])])),
  crossEntropyLoss: () => losses.crossEntropyLoss(),
  focal: () => losses.focal(),
  cdb: () => losses.cdb({ numClasses: 4 }),
};
const others: Record<string, (counts: ArrayLike<number>) => unknown> = {
  unimix: (classCounts) => objectives.unimix({ classCounts }),
  remix: (classCounts) => objectives.remix({ classCounts }),
};
const grouped: Record<string, (counts: ArrayLike<number>) => unknown> = {
  groupVs: (groupCounts) => losses.groupVs({ groupCounts }),
  groupDro: (groupCounts) => losses.groupDro(keep(losses.crossEntropyLoss()), { groupCounts }),
};
const z = [2, 1, 0.5, -1, 0.3, -0.2, 0.1, 0.4, -1.5, 0.7, 2.2, 0];
const logits = (): Tensor => tensor(z, { shape: [3, 4] });

/** Values, reduced value and its gradient. */
async function valuesOf(
  loss: losses.Loss,
  labels: readonly number[] | (() => Tensor<'i32'>),
  sampleWeight?: readonly number[],
): Promise<number[][]> {
  const y = () => (typeof labels === 'function' ? labels() : labels);
  const inputs = () => (sampleWeight ? { sampleWeight: tensor(sampleWeight) } : {});
  const got = await readAll(() => {
    const leaf = requireGrad(logits());
    const value = loss(leaf, y(), inputs());
    backward(value);
    return [loss(logits(), y(), { reduction: 'none', ...inputs() }), value, takeGrad(leaf)];
  });
  return got.map((g) => Array.from(g));
}
const expectFinite = (lists: readonly (readonly number[])[]): void =>
  lists.flat().forEach((v, i) => expect(Number.isFinite(v), `number ${i} is ${v}`).toBe(true));

describe('counts', () => {
  test.each(Object.entries(counted))(
    '%s: an empty class, and nothing but empty classes, give finite losses and gradients',
    async (_, make) => {
      for (const counts of [
        [40, 0, 5, 1],
        [0, 0, 0, 0],
        [0, 7, 7, 7],
      ])
        expectFinite(await valuesOf(keep(make(counts)), [0, 1, 3]));
    },
  );
  test.each([...Object.entries(counted), ...Object.entries(others)])(
    '%s refuses counts that are none',
    (name, make) => {
      for (const bad of [-1, NaN, Infinity])
        expect(() => make([40, bad])).toThrow(
          new RangeError(`${name}: classCounts[1] is ${bad}, expected a finite number >= 0`),
        );
      expect(() => make([])).toThrow(new RangeError(`${name}: classCounts has 0 entries, expected at least 1`));
    },
  );
  test.each(Object.entries(grouped))('%s refuses counts that are none', (name, make) => {
    for (const bad of [-1, NaN, Infinity])
      expect(() => make([40, bad])).toThrow(
        new RangeError(`${name}: groupCounts[1] is ${bad}, expected a finite number >= 0`),
      );
    expect(() => make([])).toThrow(new RangeError(`${name}: groupCounts has 0 entries, expected at least 1`));
  });
  test.each(Object.entries(counted))('%s: counts of three classes do not fit logits of four', (name, make) => {
    scope(() =>
      expect(() => keep(make([40, 20, 5]))(logits(), [0, 1, 2])).toThrow(
        `${name}: logits have shape [3,4], expected 3 classes on the last axis`,
      ),
    );
  });
  test.each([
    ['unimix', objectives.unimix],
    ['remix', objectives.remix],
  ] as const)('%s: counts of three classes do not fit logits of two', async (_, make) => {
    const data = makeDataset(new NdArray(new Float32Array(8), [4, 2]), [0, 1, 0, 1]);
    const objective = keep(objectives.mixed(make({ classCounts: [9, 9, 9] }), losses.crossEntropyLoss()));
    const model = keep(Sequential(Linear(2, 2)).init());
    await expect(fit(model, data, { objective, optimizer: sgd({ lr: 0.1 }), epochs: 1 })).rejects.toThrow(
      'mixed: logits have shape [4,2], expected 3 classes, as many as classCounts has',
    );
  });
});

describe('options', () => {
  const classCounts = [40, 5];
  const base = (): losses.Loss => keep(losses.crossEntropyLoss());
  test.each<[() => unknown, string]>([
    [() => losses.ldam({ classCounts, maxM: -1 }), 'ldam: maxM is -1, expected a finite number >= 0'],
    [() => losses.ldam({ classCounts, maxM: NaN }), 'ldam: maxM is NaN, expected a finite number >= 0'],
    [() => losses.ldam({ classCounts, scale: -1 }), 'ldam: scale is -1, expected a finite number > 0'],
    [() => losses.ldam({ classCounts, scale: Infinity }), 'ldam: scale is Infinity, expected a finite number > 0'],
    [
      () => losses.ldam({ classCounts, scaleIn: 'both' as never }),
      "ldam: scaleIn is 'both', expected 'loss' or 'head'",
    ],
    [
      () => losses.ldamHinge({ classCounts, maxM: Infinity }),
      'ldamHinge: maxM is Infinity, expected a finite number >= 0',
    ],
    [() => losses.vs({ classCounts, gamma: Infinity }), 'vs: gamma is Infinity, expected a finite number'],
    [() => losses.vs({ classCounts, tau: NaN }), 'vs: tau is NaN, expected a finite number'],
    [() => losses.logitAdjusted({ classCounts, tau: NaN }), 'logitAdjusted: tau is NaN, expected a finite number'],
    [
      () => losses.bayias({ classCounts, testPrior: [1, -1] }),
      'bayias: testPrior[1] is -1, expected a finite number > 0',
    ],
    [() => losses.binaryVs({ delta: [1, 0], iota: [0, 0] }), 'binaryVs: delta[1] is 0, expected a finite number > 0'],
    [
      () => losses.binaryVs({ delta: [NaN, 1], iota: [0, 0] }),
      'binaryVs: delta[0] is NaN, expected a finite number > 0',
    ],
    [
      () => losses.binaryVs({ delta: [1, 1], iota: [0, -Infinity] }),
      'binaryVs: iota[1] is -Infinity, expected a finite number',
    ],
    [
      () => losses.binaryVs({ delta: [1, 1], iota: [0, 0], form: 'code' as never }),
      "binaryVs: form is 'code', expected 'paper' or 'official'",
    ],
    [() => losses.groupVs({ groupCounts: [1], tau: Infinity }), 'groupVs: tau is Infinity, expected a finite number'],
    [
      () => losses.groupVs({ groupCounts: [1], form: 'la' as never }),
      "groupVs: form is 'la', expected 'paper' or 'official'",
    ],
    [
      () => losses.groupDro(base(), { groupCounts: [1], eta: NaN }),
      'groupDro: eta is NaN, expected a finite number >= 0',
    ],
    [
      () => losses.groupDro(base(), { groupCounts: [1], adjustment: -1 }),
      'groupDro: adjustment is -1, expected a finite number >= 0',
    ],
    [
      () => losses.classBalancedCrossEntropy({ classCounts, beta: 1 }),
      'classBalancedCrossEntropy: beta is 1, expected 0 <= beta < 1',
    ],
    [
      () => losses.classBalancedFocal({ classCounts, beta: -0.1 }),
      'classBalancedFocal: beta is -0.1, expected 0 <= beta < 1',
    ],
    [
      () => losses.classBalancedFocal({ classCounts, gamma: NaN }),
      'classBalancedFocal: gamma is NaN, expected a finite number >= 0',
    ],
    [
      () => losses.classBalancedFocal({ classCounts, activation: 'tanh' as never }),
      "classBalancedFocal: activation is 'tanh', expected 'sigmoid' or 'softmax'",
    ],
    [() => losses.focal({ gamma: Infinity }), 'focal: gamma is Infinity, expected a finite number >= 0'],
    [
      () => losses.focal({ weightIn: 'inside' as never }),
      "focal: weightIn is 'inside', expected 'loss' or 'probability'",
    ],
    [() => losses.equalization({ classCounts, lambda: -1 }), 'equalization: lambda is -1, expected a number in 0..1'],
    [() => losses.equalization({ classCounts, seed: -1 }), 'key: seed is -1, expected an integer from 0 to 2^53 - 1'],
    [
      () => losses.labelAwareSmoothing({ classCounts, smoothTail: NaN }),
      'labelAwareSmoothing: smoothTail is NaN, expected a number in 0..1',
    ],
    [
      () => losses.labelAwareSmoothing({ classCounts, shape: 'round' as never }),
      "labelAwareSmoothing: shape is 'round', expected 'concave', 'linear', 'convex' or 'power'",
    ],
    [
      () => losses.labelSmoothings(classCounts, { shape: 'power', power: -1 }),
      'labelSmoothings: power is -1, expected a finite number > 0',
    ],
    [() => losses.influenceBalanced({ eps: 0 }), 'influenceBalanced: eps is 0, expected a finite number > 0'],
    [() => losses.cdb({ numClasses: 0 }), 'cdb: numClasses is 0, expected a positive integer'],
    [() => losses.cdb({ numClasses: 2, tau: NaN }), "cdb: tau is NaN, expected 'dynamic' or a finite number >= 0"],
    [
      () => losses.cdb({ numClasses: 2, dynamic: 'code' as never }),
      "cdb: dynamic is 'code', expected 'paper' or 'cifar'",
    ],
    [
      () => losses.cdbTau([0.5], { dynamic: 'code' as never }),
      "cdbTau: dynamic is 'code', expected 'paper' or 'cifar'",
    ],
    [() => losses.absgd(base(), { lambda: 0 }), 'absgd: lambda is 0, expected a number that is not 0'],
    [() => losses.absgd(base(), { lambda: -0 }), 'absgd: lambda is 0, expected a number that is not 0'],
    [() => losses.absgd(base()).setLambda(0), 'absgd: lambda is 0, expected a number that is not 0'],
    [() => losses.absgd(base(), { compat: 'paper' as never }), "absgd: compat is 'paper', expected 'released-code'"],
    [
      () => losses.logitClip(base(), { compat: 'paper' as never }),
      "logitClip: compat is 'paper', expected 'released-code'",
    ],
    [
      () => objectives.mixed(objectives.mixup(), base(), { compat: 'paper' as never }),
      "mixed: compat is 'paper', expected 'released-code'",
    ],
    [() => objectives.unimix({ classCounts, alpha: -1 }), 'unimix: alpha is -1, expected a finite number > 0'],
    [() => objectives.remix({ classCounts, kappa: NaN }), 'remix: kappa is NaN, expected a finite number >= 1'],
    [() => drw({ from: -1 }), 'drw: from is -1, expected a finite number >= 0'],
    [() => drw({ beta: 1 }), 'drw: beta is 1, expected 0 <= beta < 1'],
    [
      () => drw({ rule: 'sqrt' as never }),
      "drw: rule is 'sqrt', expected 'effective' or 'inverse' or a function of the counts",
    ],
  ])('%#', (make, sentence) => expect(make).toThrow(new RangeError(sentence)));
  test('klDro', () =>
    scope(() =>
      expect(() => losses.klDro(tensor([1]), { lambda: 0 })).toThrow(
        'klDro: lambda is 0, expected a finite number that is not 0',
      ),
    ));
  test.each(Object.entries(all))('%s: an unknown reduction', (_, make) => {
    scope(() =>
      expect(() => keep(make())(logits(), [0, 1, 2], { reduction: 'average' as never })).toThrow(
        /^\w+: reduction is 'average', expected 'none', 'mean', 'sum' or 'weightedMean'$/,
      ),
    );
  });
});

describe('labels', () => {
  test.each(Object.entries(all))('%s', async (name, make) => {
    const loss = keep(make());
    scope(() => {
      for (const bad of [4, -1, 0.5, NaN])
        expect(() => loss(logits(), [0, bad, 1])).toThrow(
          new RangeError(`${name}: labels[1] is ${bad}, expected an integer in 0..3`),
        );
      expect(() => loss(logits(), [0, 1])).toThrow(`${name}: got 2 labels for logits of shape [3,4]`);
      expect(() => loss(logits(), tensor([0, 1], { dtype: 'i32' }))).toThrow(
        `${name}: labels has shape [2], expected [3]`,
      );
      expect(() => loss(logits(), tensor([0, 1, 2]) as never)).toThrow(`${name}: labels are f32, expected i32`);
      expect(() => loss(tensor(1), [0])).toThrow(`${name}: logits have shape []`);
    });
    // -100 counts for nothing, on the host and on the device; so does a label on the device that lies outside.
    const [each, mean] = await valuesOf(loss, [0, -100, -100]);
    expect(each!.slice(1).map(Math.abs)).toEqual([0, 0]);
    expect(mean![0]).toBeCloseTo(each![0]!, 5);
    const device = await valuesOf(loss, () => tensor([0, -100, 9], { dtype: 'i32' }));
    expect(device[0]!.slice(1).map(Math.abs)).toEqual([0, 0]);
    expectFinite(device);
    // Where none counts, the loss and its gradient are 0.
    for (const g of await valuesOf(loss, [-100, -100, -100])) expect(g.every((v) => v === 0)).toBe(true);
  });
  test.each<[string, () => losses.Loss]>([
    ['crossEntropyLoss', () => losses.crossEntropyLoss()],
    ['focal', () => losses.focal()],
    ['ldamHinge', () => losses.ldamHinge({ classCounts: [9, 9] })],
  ])('fit counts labels that the model has no output for, whatever the loss: %s', async (_, make) => {
    const data = makeDataset(new NdArray(new Float32Array(12), [6, 2]), [0, 1, 2, 0, 2, 1]);
    const model = keep(Sequential(Linear(2, 2)).init());
    await expect(fit(model, data, { loss: keep(make()), optimizer: sgd({ lr: 0.1 }), epochs: 1 })).rejects.toThrow(
      'fit: 2 labels lie outside the classes of the model; does its last layer have one output for each class?',
    );
  });
  test('a gradient that can be differentiated again is 0, too, where no row counts', async () => {
    for (const reduction of ['mean', 'weightedMean'] as const) {
      const [g] = await readAll(() => {
        const leaf = requireGrad(logits());
        return grad(crossEntropyOp(leaf, [-100, -100, -100], { reduction }), [leaf], { createGraph: true }).map((t) =>
          t.detach(),
        );
      });
      expect(g!.every((v) => v === 0)).toBe(true);
    }
    const [v] = await readAll(() => [nllLoss(logits(), [-100, -100, -100])]);
    expect(v![0]).toBe(0);
  });
});

describe('weights', () => {
  test.each(Object.entries(all))('%s refuses class weights that are negative, not finite, or too few', (name, make) => {
    const loss = keep(make());
    for (const bad of [-1, NaN, Infinity]) {
      expect(() => {
        loss.setClassWeight([1, bad, 1, 1]);
        scope(() => loss(logits(), [0, 1, 2]));
      }).toThrow(`${name}: weight[1] is ${bad}, expected a finite number >= 0`);
      loss.setClassWeight(null);
    }
    expect(() => {
      loss.setClassWeight([1, 1]);
      scope(() => loss(logits(), [0, 1, 2]));
    }).toThrow(`${name}: weight has 2 entries, the logits have 4 classes`);
  });
  test.each(Object.entries(all))('%s: where all weights of a batch are 0, every mean is 0', async (_, make) => {
    for (const reduction of ['mean', 'weightedMean'] as const) {
      const loss = keep(make());
      loss.setClassWeight([1, 0, 0, 1]);
      const [value] = await readAll(() => [loss(logits(), [1, 2, 1], { reduction })]);
      // A smoothed label weighs the other classes, too; here none is.
      expect(value![0]).toBe(0);
    }
  });
  test('ABSGD and group DRO: sample weights that are all 0 leave a loss of 0 and no NaN behind', async () => {
    const attention = keep(losses.absgd(losses.crossEntropyLoss(), { lambda: 2 }));
    const robust = keep(losses.groupDro(losses.crossEntropyLoss(), { groupCounts: [5, 5] }));
    for (const weights of [
      [0, 0, 0],
      [1, 1, 1],
    ]) {
      expectFinite(await valuesOf(attention, [0, 1, 2], weights));
      const [v] = await readAll(() => [
        robust(logits(), [0, 1, 2], { groups: [0, 1, 0], sampleWeight: tensor(weights) }),
      ]);
      expect(Number.isFinite(v![0])).toBe(true);
    }
    const { logU } = await attention.state();
    expect(logU).toBeGreaterThan(-10);
    expectFinite([await robust.groupWeights()]);
  });
});

describe('a class without validation images', () => {
  const scores = [
    [0.9, 0.1, 0],
    [0.2, 0.8, 0],
    [0.6, 0.4, 0],
  ];
  const accuracy = perClassAccuracy(scores, [0, 1, 1]);
  test('has the accuracy NaN, which CDB takes as: keep the difficulty', () => {
    expect(accuracy).toEqual([1, 0.5, NaN]);
    const loss = keep(losses.cdb({ numClasses: 3, tau: 1 }));
    expectFinite([Array.from(loss.update(accuracy))]);
    expect(loss.classWeights[2]).toBeCloseTo((3 * 1) / 1.51, 12);
    expectFinite([Array.from(loss.update([NaN, NaN, NaN]))]);
    expect(loss.classWeights[2]).toBeCloseTo((3 * 1) / 1.51, 12);
    for (const all of [0, 1]) expect(Array.from(loss.update([all, all, all]))).toEqual([1, 1, 1]);
    expect(() => loss.update([0.5, 1.1, 0])).toThrow(
      'cdbWeights: accuracy[1] is 1.1, expected a number in 0..1, or NaN',
    );
    expect(() => loss.update([0.5])).toThrow('cdb: got 1 accuracies, expected 3');
  });
  test('is drawn as before by CDB-S', () => {
    const data = makeDataset(
      new NdArray(new Float32Array(300), [300, 1]),
      Array.from({ length: 300 }, (_, i) => i % 3),
    );
    const sampler = cdbSampler();
    sampler.setClassAccuracy(accuracy);
    const drawn = Array.from(sampler(data, { epoch: 0, epochs: 1, seed: 0 }), (i) => data.y[i]!);
    const share = (c: number): number => drawn.filter((y) => y === c).length / 300;
    // Difficulties of .01, .5 and still 1.
    expect(share(2)).toBeGreaterThan(0.55);
    expect(share(0)).toBeLessThan(0.05);
  });
  test('has no part in metrics', () => {
    expect(balancedAccuracy(scores, [0, 1, 1])).toBe(0.75);
    expect(shotAccuracy(scores, [0, 1, 1], { classCounts: [500, 50, 5] })).toEqual({ many: 1, medium: 0.5, few: null });
  });
});

describe('groups', () => {
  test('without members in a batch, or in the training set, leave the loss finite', async () => {
    for (const counts of [
      [10, 5, 3],
      [10, 5, 0],
      [0, 0, 0],
    ]) {
      for (const make of [
        () => losses.groupVs({ groupCounts: counts }),
        () => losses.groupDro(losses.crossEntropyLoss(), { groupCounts: counts }),
        () => losses.groupDro(losses.crossEntropyLoss(), { groupCounts: counts, rule: 'greedy' }),
      ]) {
        const loss = keep(make());
        expectFinite(
          await valuesOf(
            ((x: Tensor, y: ArrayLike<number>, inputs: losses.LossInputs) =>
              loss(x, y, { groups: [0, 0, 1], ...inputs })) as losses.Loss,
            [0, 1, 2],
          ),
        );
      }
    }
  });
  test('absent from the test set have no part in metrics', () => {
    const scores = [
      [0.9, 0.1],
      [0.2, 0.8],
      [0.6, 0.4],
    ];
    expect(groupBalancedError(scores, [0, 1, 1], [0, 0, 3])).toBe(0.5);
    expect(worstGroup(scores, [0, 1, 1], [0, 0, 3])).toEqual({ group: 3, accuracy: 0 });
  });
  test('that do not fit', async () => {
    const loss = keep(losses.groupVs({ groupCounts: [10, 5] }));
    expect(() => losses.grouped(loss, [0, 2])).toThrow(
      new RangeError('grouped: groups[1] is 2, expected an integer in 0..1'),
    );
    const data = makeDataset(new NdArray(new Float32Array(6), [3, 2]), [0, 1, 1]);
    const model = keep(Sequential(Linear(2, 2)).init());
    const objective = losses.grouped(loss, [0, 1]);
    await expect(fit(model, data, { objective, optimizer: sgd({ lr: 0.1 }), epochs: 1 })).rejects.toThrow(
      'fit: the dataset has 3 rows, the objective has numbers for 2',
    );
    scope(() =>
      expect(() => loss(logits(), [0, 1, 2], { groups: [0, -1, 1] })).toThrow(
        'groupVs: groups[1] is -1, expected an integer in 0..1',
      ),
    );
  });
});

test('mixing finds no counts for labels outside, and stays finite', async () => {
  const rule = keep(objectives.unimix({ classCounts: [9, 0] }));
  const got = await readAll(() => {
    const { x, weight } = rule({
      x: tensor([1, 2, 3], { shape: [3, 1] }),
      y: tensor([0, 1, 7], { dtype: 'i32' }),
      random: { key: key(0), first: tensor([0, 0], { dtype: 'u32' }) },
    });
    return [x, weight];
  });
  expectFinite(got.map((g) => Array.from(g)));
});
