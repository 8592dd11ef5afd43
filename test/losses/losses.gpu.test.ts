import { afterEach, describe, expect, test } from 'vitest';
import { backward, capture, grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { crossEntropyLoss, effectiveNumberWeights, ldam, ldamMargins, type Loss } from 'evenkeel/losses';
import {
  classTable,
  crossEntropy as fused,
  matmul,
  mul,
  normalize,
  sum,
  type ClassAdjustments,
  type Reduction,
} from 'evenkeel/ops';
import { drw } from 'evenkeel/optim';
import dataFile from '../golden/longtail-data.json';
import lossFile from '../golden/longtail-losses.json';
import { expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { casesOf, dense, flat, type GoldenCase } from '../support/golden.ts';
import { sample } from '../support/sample.ts';
import { softmaxRelative, U } from '../support/tolerance.ts';

type Make = (reduction: Reduction) => (z: Tensor, labels: readonly number[]) => Tensor;

/** Value for each sample, reduced loss and gradient of a golden case, relative to the largest entry. */
async function checkLoss(c: GoldenCase, make: Make, magnitude: number): Promise<void> {
  const logits = dense(c.inputs.logits);
  const labels = flat(c.inputs.labels);
  const reduction = c.options.reduction as Reduction;
  const classes = logits.shape.at(-1)!;
  // 1e-5; for logits (times s) of large magnitude the rounding of the logit itself is what exp passes on.
  const relative = Math.max(1e-5, 8 * magnitude * U + softmaxRelative(2 * magnitude, classes));
  const got = await readAll(() => {
    const z = (): Tensor => tensor(logits.data, { shape: logits.shape });
    const leaf = requireGrad(z());
    const loss = make(reduction === 'none' ? 'sum' : reduction)(leaf, labels);
    backward(loss);
    return [make('none')(z(), labels), loss, takeGrad(leaf)];
  });
  const wanted = [c.outputs.perSample, c.outputs.loss ?? c.outputs.lossSum, c.outputs.gradLogits].map(flat);
  wanted.forEach((want, k) => {
    const largest = Math.max(...want.map(Math.abs));
    const name = ['perSample', 'loss', 'gradLogits'][k]!;
    // A value near zero, where the label wins by far, carries the rounding of its logits.
    expectWithin(
      got[k]!,
      { shape: [want.length], data: Float64Array.from(want) },
      () => relative * largest + (k < 2 ? 4 * U * (1 + magnitude) : 1e-30),
      name,
    );
  });
}

const largest = (x: readonly number[]): number => Math.max(...x.map(Math.abs));

// The table of a loss is needed until its backward pass.
const made: Loss[] = [];
afterEach(() => made.splice(0).forEach((loss) => loss.dispose()));

const fromLoss =
  (of: (reduction: Reduction) => Loss): Make =>
  (reduction) =>
  (z, labels) => {
    const loss = of(reduction);
    made.push(loss);
    return loss(z, labels);
  };
/** The fused op with a class table, as every loss of scales and shifts uses it. */
const fromTable =
  (adjust: ClassAdjustments): Make =>
  (reduction) =>
  (z, labels) =>
    fused(z, labels, {
      reduction,
      classTable: tensor(classTable(z.shape.at(-1)!, adjust), { shape: [4, z.shape.at(-1)!] }),
    });

// The others are checked in long-tail.gpu.test.ts, class-weights.node.test.ts and cdb.node.test.ts.
test('80 of the 211 cases of losses run here', () =>
  expect([
    lossFile.filter((c) =>
      ['crossEntropy', 'classBalancedCE', 'ldam', 'logitAdjustment', 'balancedSoftmax', 'cdt', 'vs'].includes(c.method),
    ).length,
    lossFile.length,
  ]).toEqual([80, 211]));

describe('golden values', () => {
  const weights = (c: GoldenCase): number[] | undefined =>
    c.inputs.classWeights ? flat(c.inputs.classWeights) : undefined;
  const of = (method: string, n: number): GoldenCase[] => {
    const cases = casesOf(lossFile, method);
    if (cases.length !== n) throw new Error(`${method}: ${cases.length} cases, expected ${n}`);
    return cases;
  };

  test.each(of('crossEntropy', 15))('$name', (c) =>
    checkLoss(
      c,
      fromLoss((reduction) => crossEntropyLoss({ weight: weights(c), reduction })),
      largest(flat(c.inputs.logits)),
    ),
  );

  test.each(of('classBalancedCE', 6))('$name', (c) => {
    const weight = effectiveNumberWeights(flat(c.inputs.counts), c.options.beta as number);
    return checkLoss(
      c,
      fromLoss((reduction) => crossEntropyLoss({ weight, reduction })),
      largest(flat(c.inputs.logits)),
    );
  });

  test.each(of('ldam', 22))('$name', async (c) => {
    const { s, max_m: maxM } = c.options as { s: number; max_m: number };
    const classCounts = flat(c.inputs.counts);
    if (c.outputs.margins)
      flat(c.outputs.margins).forEach((m, i) => expect(ldamMargins(classCounts, maxM)[i]).toBeCloseTo(m, 12));
    await checkLoss(
      c,
      fromLoss((reduction) => ldam({ classCounts, maxM, scale: s, weight: weights(c), reduction })),
      s * (largest(flat(c.inputs.logits)) + maxM),
    );
  });

  const priors = (c: GoldenCase): number[] => {
    const counts = flat(c.inputs.counts);
    const all = counts.reduce((t, n) => t + n, 0);
    return counts.map((n) => n / all);
  };
  const scales = (c: GoldenCase): number[] => {
    const counts = flat(c.inputs.counts);
    return counts.map((n) => (n / Math.max(...counts)) ** (c.options.gamma as number));
  };
  const shifts = (c: GoldenCase, tau: number): number[] => priors(c).map((p) => tau * Math.log(p));
  const adjusted: [string, number, (c: GoldenCase) => ClassAdjustments][] = [
    ['logitAdjustment', 9, (c) => ({ shift: shifts(c, c.options.tau as number) })],
    ['balancedSoftmax', 6, (c) => ({ shift: flat(c.inputs.counts).map(Math.log) })],
    ['cdt', 8, (c) => ({ classScale: scales(c) })],
    ['vs', 14, (c) => ({ classScale: scales(c), shift: shifts(c, c.options.tau as number), weight: weights(c) })],
  ];
  describe.each(adjusted)('%s', (method, n, adjust) => {
    test.each(of(method, n))('$name', (c) =>
      checkLoss(c, fromTable(adjust(c)), largest(flat(c.inputs.logits)) + largest(Array.from(adjust(c).shift ?? [0]))),
    );
  });

  test.each(casesOf(dataFile, 'normedLinear'))('cosine head $name (weights stored transposed there)', async (c) => {
    const [x, w, dy] = [c.inputs.x, c.inputs.weight, c.inputs.gradOutput].map(dense) as [
      ReturnType<typeof dense>,
      ReturnType<typeof dense>,
      ReturnType<typeof dense>,
    ];
    const [inner, out] = w.shape as [number, number];
    const turn = (data: readonly number[], rows: number, cols: number): number[] =>
      Array.from({ length: rows * cols }, (_, i) => data[(i % cols) * rows + Math.floor(i / cols)]!);
    const got = await readAll(() => {
      const leaf = requireGrad(tensor(x.data, { shape: x.shape }));
      const weight = requireGrad(tensor(turn(w.data, out, inner), { shape: [out, inner] }));
      const y = matmul(normalize(leaf), normalize(weight), { transposeB: true });
      backward(sum(mul(y, tensor(dy.data, { shape: dy.shape }))));
      return [y, takeGrad(leaf), takeGrad(weight)];
    });
    const wanted = [flat(c.outputs.output), flat(c.outputs.gradX), turn(flat(c.outputs.gradWeight), out, inner)];
    wanted.forEach((want, k) =>
      expectWithin(
        got[k]!,
        { shape: [want.length], data: Float64Array.from(want) },
        () => 1e-5 * Math.max(1, largest(want)),
        `output ${k}`,
      ),
    );
  });

  // Without the rule of square roots, which drw does not offer.
  test.each(casesOf(dataFile, 'drwWeights').filter((c) => c.options.rule !== 'inverseSqrt'))('$name', (c) => {
    const { epoch = 200, rule = 'effective' } = c.options as { epoch?: number; rule?: 'effective' | 'inverse' };
    const counts = flat(c.inputs.counts);
    const weight =
      drw({ from: 160, rule }).classWeight!({ epoch, epochs: 200, step: 0, stepsPerEpoch: 1 }, counts) ??
      counts.map(() => 1);
    flat(c.outputs.weights).forEach((want, i) => expect(Math.abs(weight[i]! / want - 1)).toBeLessThan(1e-12));
  });
});

describe('vectors of the specification', () => {
  const z = [2, 1, 0.5, -1, 0.3, -0.2, 0.1, 0.4, -1.5, 0.7, 2.2, 0];
  const labels = [0, 3, 1];
  const classCounts = [100, 50, 20, 5];
  const values = async (make: Make, factor = 1): Promise<number[]> => {
    const data = z.map((v) => v * factor);
    const [each, mean, g] = await readAll(() => {
      const leaf = requireGrad(tensor(data, { shape: [3, 4] }));
      return [make('none')(leaf, labels), make('mean')(leaf, labels), ...grad(make('sum')(leaf, labels), [leaf])];
    });
    return [...each!, ...mean!, ...g!.slice(4, 8)];
  };
  const expectValues = async (make: Make, want: number[], factor = 1): Promise<void> =>
    (await values(make, factor)).forEach((v, i) =>
      expect(Math.abs(v - want[i]!)).toBeLessThan(2e-6 * Math.max(1, Math.abs(want[i]!))),
    );

  test('cross-entropy', () =>
    expectValues(
      fromLoss((reduction) => crossEntropyLoss({ reduction })),
      [0.4951819, 1.16142034, 1.8064966, 1.15436628, 0.28325143, 0.17180068, 0.23190666, -0.68695876],
    ));
  test('class-balanced weights, both means', async () => {
    const weight = effectiveNumberWeights(classCounts, 0.9999);
    const [a, b] = await readAll(() =>
      (['weightedMean', 'mean'] as const).map((reduction) =>
        fromLoss(() => crossEntropyLoss({ weight, reduction }))(reduction)(tensor(z, { shape: [3, 4] }), labels),
      ),
    );
    expect(a![0]).toBeCloseTo(1.18852462, 5);
    expect(b![0]).toBeCloseTo(1.30163669, 5);
  });
  test('LDAM, s = 30', () =>
    expectValues(
      fromLoss((reduction) => ldam({ classCounts, reduction })),
      [0.51959177, 14.47045879, 19.68511995, 11.55839017, 24.06452076, 0.56594328, 5.36952037, -29.99998442],
      1 / 4,
    ));
  test('LDAM, s = 10', () =>
    expectValues(
      fromLoss((reduction) => ldam({ classCounts, scale: 10, reduction })),
      [0.75574496, 5.39274147, 6.56728738, 4.23859127, 5.25848849, 1.50658218, 3.18943449, -9.95450516],
      1 / 4,
    ));
  test('s in the head is the same loss', async () => {
    const own = await values(
      fromLoss((reduction) => ldam({ classCounts, scale: 10, reduction })),
      1 / 4,
    );
    const head = await values(
      fromLoss((reduction) => ldam({ classCounts, scale: 10, scaleIn: 'head', reduction })),
      10 / 4,
    );
    own.slice(0, 4).forEach((v, i) => expect(head[i]).toBeCloseTo(v, 5));
    own.slice(4).forEach((v, i) => expect(head[4 + i]! * 10).toBeCloseTo(v, 4));
  });
});

describe('identities', () => {
  const rows = 17;
  const z = sample([rows, 5], { low: -1, high: 1 });
  const labels = Array.from({ length: rows }, (_, i) => (i * 3) % 5);
  const classCounts = [500, 120, 40, 9, 2];
  const each = async (make: Make): Promise<Float32Array> =>
    (await readAll(() => [make('none')(tensor(z.data, { shape: z.shape }), labels)]))[0]!;
  const scaled = fromLoss((reduction) => ldam({ classCounts, maxM: 0, scale: 7, reduction }));

  test('maxM = 0 is cross-entropy of s z', async () => {
    const ce: Make = (reduction) => (t, y) => fused(t, y, { scale: 7, reduction });
    expect(Array.from(await each(scaled))).toEqual(Array.from(await each(ce)));
  });
  test('equal counts: every margin is maxM', () =>
    expect(Array.from(ldamMargins([7, 7, 7], 0.3))).toEqual([0.3, 0.3, 0.3]));
  test('LDAM is at least the cross-entropy of s z, and grows with the margin', async () => {
    const [plain, some, more] = [
      await each(scaled),
      await each(fromLoss((reduction) => ldam({ classCounts, maxM: 0.2, scale: 7, reduction }))),
      await each(fromLoss((reduction) => ldam({ classCounts, maxM: 0.5, scale: 7, reduction }))),
    ];
    plain.forEach((v, i) => {
      expect(some[i]!).toBeGreaterThan(v);
      expect(more[i]!).toBeGreaterThan(some[i]!);
    });
  });
  test('rows of the gradient sum to 0', async () => {
    const [g] = await readAll(() => {
      const leaf = requireGrad(tensor(z.data, { shape: z.shape }));
      return grad(fromLoss((reduction) => ldam({ classCounts, reduction }))('sum')(leaf, labels), [leaf]);
    });
    // Five entries of at most s = 30, each within the bound of softmax.
    for (let r = 0; r < rows; r++)
      expect(Math.abs(g!.slice(r * 5, r * 5 + 5).reduce((t, v) => t + v, 0))).toBeLessThan(
        5 * 30 * softmaxRelative(60, 5),
      );
  });
  test('a shift of all logits of a row changes nothing', async () => {
    const moved = z.data.map((v, i) => Math.fround(v + Math.floor(i / 5)));
    const [a, b] = await readAll(() =>
      [z.data, moved].map((data) =>
        fromLoss((reduction) => crossEntropyLoss({ reduction }))('none')(tensor(data, { shape: z.shape }), labels),
      ),
    );
    a!.forEach((v, i) => expect(Math.abs(v - b![i]!)).toBeLessThan(1e-5));
  });
  test('a class without samples gives no NaN, in loss, weights and gradient', async () => {
    const counts = [50, 0, 10];
    const got = await readAll(() => {
      const leaf = requireGrad(tensor([0.1, 0.2, -0.3, 0.5, 0.1, 0.2], { shape: [2, 3] }));
      const loss = ldam({ classCounts: counts, weight: effectiveNumberWeights(counts, 0.9999) });
      const value = loss(leaf, [1, 0]);
      const out = [value, ...grad(value, [leaf])];
      loss.dispose();
      return out;
    });
    for (const v of got.flatMap((g) => Array.from(g))) expect(Number.isFinite(v)).toBe(true);
  });
});

describe('class weights by epoch', () => {
  test('setClassWeight reaches a captured step; null puts back the first ones', async () => {
    const loss = crossEntropyLoss({ weight: [1, 3], reduction: 'weightedMean' });
    const z = tensor([1, -1, 0.5, 0.25], { shape: [2, 2] });
    const labels = tensor([0, 1], { dtype: 'i32' });
    const step = capture(() => loss(z, labels));
    const [a, b] = [Math.log(1 + Math.exp(-2)), Math.log(1 + Math.exp(0.25))];
    expect(await step.value.item()).toBeCloseTo((a + 3 * b) / 4, 6);
    loss.setClassWeight([9, 1]);
    expect(await step.run().item()).toBeCloseTo((9 * a + b) / 10, 6);
    loss.setClassWeight(null);
    expect(await step.run().item()).toBeCloseTo((a + 3 * b) / 4, 6);
    for (const t of [step, loss, z, labels]) t.dispose();
  });
  test('sample weights multiply', async () => {
    const loss = crossEntropyLoss({ reduction: 'sum' });
    const [y] = await readAll(() => [
      loss(tensor([0, 0, 0, 0], { shape: [2, 2] }), [0, 1], { sampleWeight: tensor([2, 0.5]) }),
    ]);
    expect(y![0]).toBeCloseTo(2.5 * Math.log(2), 6);
    loss.dispose();
  });
});

test('errors', () => {
  scope(() => {
    const z = tensor(new Float32Array(6), { shape: [2, 3] });
    const margin = ldam({ classCounts: [1, 2] });
    expect(() => margin(z, [0, 1])).toThrow('ldam: logits have shape [2,3], expected 2 classes on the last axis');
    expect(() => crossEntropyLoss({ weight: [1, 2] })(z, [0, 1])).toThrow(
      'crossEntropyLoss: logits have shape [2,3], expected 2 classes on the last axis',
    );
    expect(() => ldam({ classCounts: [1, 2], scale: 0 })).toThrow('ldam: scale is 0, expected a finite number > 0');
    expect(() => ldam({ classCounts: [1, -2] })).toThrow('ldam: classCounts[1] is -2, expected a finite number >= 0');
  });
});
