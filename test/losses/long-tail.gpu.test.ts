import { afterEach, describe, expect, test } from 'vitest';
import { backward, capture, requireGrad, scope, tensor } from 'evenkeel';
import {
  balancedSoftmax,
  bayias,
  binaryVs,
  cdb,
  cdbWeights,
  cdt,
  classBalancedCrossEntropy,
  classBalancedFocal,
  crossEntropyLoss,
  effectiveNumberWeights,
  focal,
  groupVs,
  labelAwareSmoothing,
  labelSmoothings,
  ldamHinge,
  logitAdjusted,
  vs,
  vsAdjustments,
  type GroupLoss,
  type LabelSmoothingsOptions,
  type Loss,
} from 'evenkeel/losses';
import type { Reduction } from 'evenkeel/ops';
import file from '../golden/longtail-losses.json';
import { readAll, takeGrad } from '../support/check-op.ts';
import { casesOf, dense, flat, type GoldenCase } from '../support/golden.ts';
import { sample } from '../support/sample.ts';
import { U } from '../support/tolerance.ts';

const made: { dispose(): void }[] = [];
afterEach(() => made.splice(0).forEach((loss) => loss.dispose()));
const keep = <T extends { dispose(): void }>(loss: T): T => (made.push(loss), loss);

type Make = (reduction: Reduction) => Loss | GroupLoss;
const z0 = [2, 1, 0.5, -1, 0.3, -0.2, 0.1, 0.4, -1.5, 0.7, 2.2, 0];
const y0 = [0, 3, 1];
const classCounts = [100, 50, 20, 5];

/** Values, the reduced loss and its gradient. */
async function evaluate(
  make: Make,
  data: readonly number[],
  shape: readonly number[],
  labels: readonly number[],
  reduction: Reduction,
  groups?: readonly number[],
): Promise<Float32Array[]> {
  const [each, all] = [keep(make('none')), keep(make(reduction === 'none' ? 'sum' : reduction))] as GroupLoss[];
  return readAll(() => {
    const leaf = requireGrad(tensor(data, { shape }));
    const value = all!(leaf, labels, { groups: groups! });
    backward(value);
    return [each!(tensor(data, { shape }), labels, { groups: groups! }), value, takeGrad(leaf)];
  });
}

async function check(
  c: GoldenCase,
  make: Make,
  { logits = 'logits', s = 1 }: { logits?: string; s?: number } = {},
): Promise<void> {
  const { data, shape } = dense(c.inputs[logits]);
  const groups = c.inputs.groups === undefined ? undefined : flat(c.inputs.groups);
  const got = await evaluate(
    make,
    data,
    logits === 'logit' ? [...shape, 1] : shape,
    flat(c.inputs.labels),
    c.options.reduction as Reduction,
    groups,
  );
  const magnitude = s * Math.max(...data.map(Math.abs)) + 10;
  [c.outputs.perSample, c.outputs.loss ?? c.outputs.lossSum, c.outputs.gradLogits].forEach((output, k) => {
    if (output === undefined) return;
    const want = flat(output);
    const largest = Math.max(...want.filter(Number.isFinite).map(Math.abs), 0);
    // exp passes on the rounding of a logit.
    const bound = Math.max(1e-5, 16 * magnitude * U) * largest + 4 * U * magnitude;
    want.forEach((w, i) => {
      expect(Number.isFinite(got[k]![i]), `output ${k}, element ${i} is ${got[k]![i]}`).toBe(true);
      // Where the reference has 0 times infinity, ours only has to be finite.
      if (Number.isFinite(w))
        expect(
          Math.abs(got[k]![i]! - w),
          `output ${k}, element ${i}: ${got[k]![i]}, expected ${w}`,
        ).toBeLessThanOrEqual(bound);
    });
  });
}

const counts = (c: GoldenCase): number[] => flat(c.inputs.counts);
const weights = (c: GoldenCase): number[] | undefined =>
  c.inputs.classWeights ? flat(c.inputs.classWeights) : undefined;
const plans: Record<string, [number, (c: GoldenCase) => Make]> = {
  classBalancedCE: [
    6,
    (c) => (reduction) =>
      classBalancedCrossEntropy({ classCounts: counts(c), beta: c.options.beta as number, reduction }),
  ],
  focal: [
    36,
    (c) => (reduction) =>
      focal({
        gamma: c.options.gamma as number,
        weight: weights(c),
        weightIn: c.options.form === 'ldamRepo' ? 'probability' : 'loss',
        reduction,
      }),
  ],
  ldamHinge: [
    3,
    (c) => (reduction) => ldamHinge({ classCounts: counts(c), maxM: c.options.max_m as number, reduction }),
  ],
  logitAdjustment: [
    9,
    (c) => (reduction) => logitAdjusted({ classCounts: counts(c), tau: c.options.tau as number, reduction }),
  ],
  balancedSoftmax: [6, (c) => (reduction) => balancedSoftmax({ classCounts: counts(c), reduction })],
  bayias: [
    8,
    (c) => (reduction) => bayias({ classCounts: counts(c), testPrior: flat(c.inputs.testCounts), reduction }),
  ],
  cdt: [8, (c) => (reduction) => cdt({ classCounts: counts(c), gamma: c.options.gamma as number, reduction })],
  vs: [
    14,
    (c) => (reduction) =>
      vs({
        classCounts: counts(c),
        gamma: c.options.gamma as number,
        tau: c.options.tau as number,
        weight: weights(c),
        reduction,
      }),
  ],
  labelAwareSmoothing: [
    15,
    (c) => (reduction) => labelAwareSmoothing({ classCounts: counts(c), ...smoothing(c), reduction }),
  ],
  cdbCE: [
    6,
    (c) => (reduction) => {
      const loss = cdb({
        numClasses: flat(c.inputs.classAccuracy).length,
        tau: c.options.tau as number | 'dynamic',
        dynamic: 'cifar',
        reduction,
      });
      loss.update(flat(c.inputs.classAccuracy));
      return loss;
    },
  ],
};
function smoothing({ options }: GoldenCase): LabelSmoothingsOptions {
  return {
    smoothHead: options.smooth_head as number,
    smoothTail: options.smooth_tail as number,
    power: options.power as number,
    shape: options.shape === 'exp' ? 'power' : (options.shape as 'linear'),
  };
}

describe('golden', () => {
  describe.each(Object.entries(plans))('%s', (method, [count, make]) => {
    test.each(casesOf(file, method))('$name', (c) => check(c, make(c)));
    test('count', () => expect(casesOf(file, method).length).toBe(count));
  });
  test.each(casesOf(file, 'binaryVS'))('$name', (c) => {
    const o = c.options as Record<string, number> & { form: 'paper' | 'official' };
    return check(
      c,
      (reduction) =>
        binaryVs({ delta: [o.Delta_neg!, o.Delta_pos!], iota: [o.iota_neg!, o.iota_pos!], form: o.form, reduction }),
      { logits: 'logit', s: o.form === 'official' ? 30 : 1 },
    );
  });
  test.each(casesOf(file, 'groupVS'))('$name', (c) => {
    const { alpha, tau, form, mode } = c.options as { alpha: number; tau: number; form: string; mode?: string };
    const gamma = mode === 'additive' || mode === 'la_tau' ? 0 : alpha;
    return check(c, (reduction) =>
      groupVs({
        groupCounts: flat(c.inputs.groupCounts),
        gamma,
        tau,
        form: form === 'official' ? 'official' : 'paper',
        reduction,
      }),
    );
  });
  test.each(casesOf(file, 'labelAwareSmoothing'))('smoothings of $name', (c) => {
    flat(c.outputs.smoothing).forEach((want, i) =>
      expect(labelSmoothings(counts(c), smoothing(c))[i]).toBeCloseTo(want, 12),
    );
  });
  test.each(casesOf(file, 'vs').filter((c) => c.outputs.Delta))('Delta and iota of $name', (c) => {
    const { classScale, shift } = vsAdjustments(counts(c), c.options);
    flat(c.outputs.Delta).forEach((want, i) => expect(classScale[i]).toBeCloseTo(want, 12));
    flat(c.outputs.iota).forEach((want, i) => expect(shift[i]).toBeCloseTo(want, 12));
  });
});

describe('vectors of the specification', () => {
  const weight = effectiveNumberWeights(classCounts, 0.9999);
  const table: [string, Make, number[], number?][] = [
    ['focal, gamma 1', (reduction) => focal({ gamma: 1, reduction }), [0.19338832, 0.79784787, 1.50981839, 0.83368486]],
    ['focal, gamma 2', (reduction) => focal({ reduction }), [0.07552587, 0.54808858, 1.2618632, 0.62849255]],
    [
      'logitAdjusted',
      (reduction) => logitAdjusted({ classCounts, reduction }),
      [0.20787161, 3.31593493, 1.11970182, 1.54783612],
    ],
    ['cdt', (reduction) => cdt({ classCounts, reduction }), [0.45693759, 1.32790999, 1.35935105, 1.04806621]],
    [
      'vs',
      (reduction) => vs({ classCounts, gamma: 0.2, tau: 1.2, reduction }),
      [0.15787315, 4.0199864, 0.79067822, 1.65617926],
    ],
    ['ldamHinge', (reduction) => ldamHinge({ classCounts, reduction }), [0, 0.475, 0.65617066], 1 / 4],
    [
      'labelAwareSmoothing',
      (reduction) => labelAwareSmoothing({ classCounts, reduction }),
      [1.0451819, 1.18642034, 1.91261116, 1.38140447],
    ],
  ];
  test.each(table)('%s', async (_, make, want, factor = 1) => {
    const got = (
      await evaluate(
        make,
        z0.map((v) => v * factor),
        [3, 4],
        y0,
        'mean',
      )
    )
      .slice(0, 2)
      .flatMap((v) => Array.from(v));
    want.forEach((w, i) => expect(got[i]).toBeCloseTo(w, 5));
  });
  test('class-balanced focal: the weight beside p and inside it', async () => {
    const mean = async (make: Make): Promise<number> => (await evaluate(make, z0, [3, 4], y0, 'mean'))[1]![0]!;
    expect(await mean((reduction) => focal({ gamma: 1, weight, weightIn: 'probability', reduction }))).toBeCloseTo(
      1.1367112,
      5,
    );
    expect(
      await mean((reduction) => classBalancedFocal({ classCounts, gamma: 1, activation: 'softmax', reduction })),
    ).toBeCloseTo(0.91279972, 5);
  });
});

describe('identities', () => {
  const rows = 13;
  const z = sample([rows, 4]);
  const labels = Array.from({ length: rows }, (_, i) => (i * 3) % 4);
  const run = async (make: Make, data = Array.from(z.data)): Promise<number[]> =>
    (await evaluate(make, data, [rows, 4], labels, 'sum')).flatMap((v) => Array.from(v));
  const same: [string, Make, Make][] = [
    [
      'vs, gamma 0: logitAdjusted',
      (reduction) => vs({ classCounts, gamma: 0, tau: 1.3, reduction }),
      (reduction) => logitAdjusted({ classCounts, tau: 1.3, reduction }),
    ],
    [
      'vs, tau 0: cdt',
      (reduction) => vs({ classCounts, tau: 0, reduction }),
      (reduction) => cdt({ classCounts, reduction }),
    ],
    [
      'logitAdjusted: balancedSoftmax',
      (reduction) => logitAdjusted({ classCounts, testPrior: [3, 3, 3, 3], reduction }),
      (reduction) => balancedSoftmax({ classCounts, reduction }),
    ],
    [
      'vs, both 0: cross-entropy',
      (reduction) => vs({ classCounts, gamma: 0, tau: 0, reduction }),
      (reduction) => crossEntropyLoss({ reduction }),
    ],
    [
      'vs of equal counts: cross-entropy',
      (reduction) => vs({ classCounts: [7, 7, 7, 7], gamma: 2, tau: 3, reduction }),
      (reduction) => crossEntropyLoss({ reduction }),
    ],
    [
      'focal, gamma 0: cross-entropy',
      (reduction) => focal({ gamma: 0, reduction }),
      (reduction) => crossEntropyLoss({ reduction }),
    ],
    [
      'no smoothing: cross-entropy',
      (reduction) => labelAwareSmoothing({ classCounts, smoothHead: 0, smoothTail: 0, reduction }),
      (reduction) => crossEntropyLoss({ reduction }),
    ],
    [
      'cdb before an update: cross-entropy',
      (reduction) => cdb({ numClasses: 4, reduction }),
      (reduction) => crossEntropyLoss({ reduction }),
    ],
  ];
  test.each(same)('%s', async (_, a, b) => {
    const [got, want] = [await run(a), await run(b)];
    want.forEach((w, i) => expect(Math.abs(got[i]! - w)).toBeLessThan(2e-5 * Math.max(1, Math.abs(w))));
  });
  test('a free bias makes logit adjustment post hoc: the loss of z - tau log pi is cross-entropy of z', async () => {
    const moved = Array.from(z.data, (v, i) => v - 1.3 * Math.log(classCounts[i % 4]! / 175));
    const [got, want] = [
      await run((reduction) => logitAdjusted({ classCounts, tau: 1.3, reduction }), moved),
      await run((reduction) => crossEntropyLoss({ reduction })),
    ];
    want.forEach((w, i) => expect(Math.abs(got[i]! - w)).toBeLessThan(2e-5 * Math.max(1, Math.abs(w))));
  });
  test(
    'two classes: vs of (0, f) is the binary form with one factor; ' + 'groups that are the labels give it with two',
    async () => {
      const counts = [90, 10];
      const f = Array.from(z.data.slice(0, rows));
      const two = f.flatMap((v) => [0, v]);
      const y = labels.map((c) => c % 2);
      const each = async (
        make: Make,
        data: readonly number[],
        width: number,
        groups?: readonly number[],
      ): Promise<number[]> => Array.from((await evaluate(make, data, [rows, width], y, 'sum', groups))[0]!);
      const close = (got: number[], want: number[]): void =>
        want.forEach((w, i) => expect(Math.abs(got[i]! - w)).toBeLessThan(1e-5 * Math.max(1, w)));
      const factor = (10 / 90) ** 0.4;
      const shift = Math.log(90 / 10);
      close(
        await each((reduction) => vs({ classCounts: counts, gamma: 0.4, tau: 1, reduction }), two, 2),
        await each((reduction) => binaryVs({ delta: [factor, factor], iota: [-shift, shift], reduction }), f, 1),
      );
      const iota: [number, number] = [-0.8 * Math.log(0.9), -0.8 * Math.log(0.1)];
      close(
        await each((reduction) => groupVs({ groupCounts: counts, gamma: 0.4, tau: 0.8, reduction }), two, 2, y),
        await each((reduction) => binaryVs({ delta: [1, factor], iota, reduction }), f, 1),
      );
    },
  );
  test('vs: sum_c g_c / Delta_c = 0', async () => {
    const g = (await run((reduction) => vs({ classCounts, reduction }))).slice(rows + 1);
    const { classScale } = vsAdjustments(classCounts);
    for (let r = 0; r < rows; r++)
      expect(Math.abs(classScale.reduce((t, d, c) => t + g[r * 4 + c]! / d, 0))).toBeLessThan(1e-5);
  });
  test.each<[string, Make]>([
    ['vs', (reduction) => vs({ classCounts, reduction })],
    ['focal', (reduction) => focal({ gamma: 0.5, reduction })],
    [
      'focal, weight inside',
      (reduction) => focal({ gamma: 0.5, weight: [1, 2, 3, 0], weightIn: 'probability', reduction }),
    ],
    ['classBalancedFocal', (reduction) => classBalancedFocal({ classCounts, gamma: 0.5, reduction })],
    ['ldamHinge', (reduction) => ldamHinge({ classCounts, reduction })],
    ['labelAwareSmoothing', (reduction) => labelAwareSmoothing({ classCounts, reduction })],
    ['a class without samples', (reduction) => vs({ classCounts: [10, 0, 3, 1], reduction })],
  ])('%s is finite for logits of 1e4', async (_, make) => {
    for (const v of await run(
      make,
      Array.from(z.data, (x) => 1e4 * Math.sign(x)),
    ))
      expect(Number.isFinite(v)).toBe(true);
  });
});

test('cdb: an update reaches a captured step, and null keeps it', async () => {
  const loss = keep(cdb({ numClasses: 2, tau: 1 }));
  const [z, labels] = [keep(tensor([0, 0, 0, 0], { shape: [2, 2] })), keep(tensor([0, 0], { dtype: 'i32' }))];
  const step = keep(capture(() => loss(z, labels)));
  expect(await step.value.item()).toBeCloseTo(Math.LN2, 6);
  expect(Array.from(loss.update([0.5, 0.75]))).toEqual(Array.from(cdbWeights([0.5, 0.75], { tau: 1 })));
  loss.setClassWeight(null);
  expect(await step.run().item()).toBeCloseTo((4 / 3) * Math.LN2, 6);
  loss.update([0.5, NaN]);
  expect(loss.classWeights[0]).toBeCloseTo(4 / 3, 12);
});

test('new class weights reach focal with the weight inside', async () => {
  const loss = keep(focal({ gamma: 0, weightIn: 'probability' }));
  const value = async (): Promise<number> =>
    (await readAll(() => [loss(tensor([0, 0], { shape: [1, 2] }), [1])]))[0]![0]!;
  expect(await value()).toBeCloseTo(Math.LN2, 6);
  loss.setClassWeight([1, 3]);
  expect(await value()).toBeCloseTo(3 * Math.LN2, 5);
  loss.setClassWeight(null);
  expect(await value()).toBeCloseTo(Math.LN2, 6);
});

test('errors', () => {
  expect(() => vs({ classCounts: [1, -1] })).toThrow(
    new RangeError('vs: classCounts[1] is -1, expected a finite number >= 0'),
  );
  expect(() => cdt({ classCounts: [1], gamma: NaN })).toThrow(
    new RangeError('cdt: gamma is NaN, expected a finite number'),
  );
  expect(() => logitAdjusted({ classCounts: [1, 2], testPrior: [1, 0] })).toThrow(
    new RangeError('logitAdjusted: testPrior[1] is 0, expected a finite number > 0'),
  );
  expect(() => logitAdjusted({ classCounts: [1, 2], testPrior: [1] })).toThrow(
    new RangeError('logitAdjusted: testPrior has 1 entries, expected 2, one per class'),
  );
  expect(() => focal({ gamma: -1 })).toThrow(new RangeError('focal: gamma is -1, expected a finite number >= 0'));
  expect(() => focal({ weight: [-1], weightIn: 'probability' })).toThrow(
    new RangeError('focal: weight[0] is -1, expected a finite number >= 0'),
  );
  expect(() => labelSmoothings([1], { smoothHead: 2 })).toThrow(
    new RangeError('labelSmoothings: smoothHead is 2, expected a number in 0..1'),
  );
  expect(() => keep(cdb({ numClasses: 2 })).update([1])).toThrow(new RangeError('cdb: got 1 accuracies, expected 2'));
  scope(() => {
    const z = tensor([0, 0], { shape: [1, 2] });
    expect(() => keep(vs({ classCounts: [1] }))(z, [0])).toThrow(
      'vs: logits have shape [1,2], expected 1 classes on the last axis',
    );
    expect(() => keep(groupVs({ groupCounts: [1, 2] }))(z, [0], { groups: [2] })).toThrow(
      'groupVs: groups[0] is 2, expected an integer in 0..1',
    );
    expect(() => keep(groupVs({ groupCounts: [1, 2] }))(z, [0], { groups: [0, 1] })).toThrow(
      'groupVs: got 2 groups for logits of shape [1,2]',
    );
  });
});
