import { describe, expect, test } from 'vitest';
import { backward, capture, grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { classTable, crossEntropy, mul, sum, takeInvalidLabels, type CrossEntropyOptions } from 'evenkeel/ops';
import { build, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/cross-entropy.ts';
import { checkOp, expectWithin, readAll, takeGrad, upload } from '../support/check-op.ts';
import { checkTwice } from '../support/check-twice.ts';
import { gpu } from '../support/gpu.ts';
import { expectSameBits } from '../support/same-bits.ts';
import { integers, sample } from '../support/sample.ts';
import { close, logForm, softmaxRelative, U, type Tolerance } from '../support/tolerance.ts';

const reductions = ['none', 'mean', 'sum', 'weightedMean'] as const;
const numbers = (n: number, seed: number, low: number, high: number): number[] =>
  Array.from(sample([n], { seed, low, high }).data);

interface Case {
  rows: number;
  classes: number;
  options?: reference.Adjustments;
  ignored?: boolean;
}

const c = 6;
const cases: Record<string, Case> = {
  'no rows': { rows: 0, classes: 3 },
  'one row, two classes': { rows: 1, classes: 2 },
  'one class': { rows: 5, classes: 1 },
  'prime sizes': { rows: 31, classes: 33 },
  'many classes': { rows: 3, classes: 257 },
  'classes in pieces': { rows: 2, classes: 4099, options: { labelSmoothing: 0.1 } },
  'more rows than one invocation adds up': { rows: 4099, classes: 3 },
  'a whole number of parts': { rows: 4352, classes: 2 },
  's = 30': { rows: 7, classes: 5, options: { s: 30 } },
  'class weights': { rows: 9, classes: c, options: { weight: numbers(c, 1, 0.1, 3) } },
  'scale and shift (VS, CDT, logit adjustment)': {
    rows: 9,
    classes: c,
    options: { scale: numbers(c, 1, 0.3, 1), shift: numbers(c, 2, -4, 0) },
  },
  'margin (LDAM)': {
    rows: 9,
    classes: c,
    options: { margin: numbers(c, 1, 0, 0.5), s: 10, weight: numbers(c, 5, 0.2, 2) },
  },
  'label smoothing': { rows: 9, classes: c, options: { labelSmoothing: 0.1 } },
  'label smoothing and weights': {
    rows: 9,
    classes: c,
    options: { labelSmoothing: 0.3, weight: numbers(c, 1, 0.1, 3) },
  },
  'sample weights': {
    rows: 9,
    classes: c,
    options: { sampleWeight: numbers(9, 3, 0, 2), weight: numbers(c, 1, 0.1, 3) },
  },
  'ignored rows': { rows: 9, classes: c, options: { ignoreIndex: -7, weight: numbers(c, 1, 0.1, 3) }, ignored: true },
  'a class that is ignored': {
    rows: 9,
    classes: c,
    options: { ignoreIndex: 1, weight: numbers(c, 1, 0.1, 3) },
    ignored: true,
  },
};

describe.each(reductions)('reduction %s', (reduction) => {
  test.each(Object.entries(cases))('%s', async (_name, { rows, classes, options = {}, ignored }) => {
    const labels = integers(rows, classes, 11).map((y, i) => (ignored && i % 3 === 0 ? options.ignoreIndex! : y));
    const all = { ...options, reduction };
    const z = sample([rows, classes], { seed: 5, low: -3, high: 3 });
    const { magnitude, range } = reference.crossEntropy(z, labels, all);
    const run = (t: Tensor): Tensor => {
      const { s, scale, shift, margin, weight, sampleWeight, ...rest } = all;
      const adjusted = scale || shift || margin || weight;
      return crossEntropy(t, tensor(labels, { dtype: 'i32' }), {
        ...rest,
        scale: s,
        classTable: adjusted
          ? tensor(classTable(classes, { classScale: scale, shift, margin, weight }), { shape: [4, classes] })
          : undefined,
        sampleWeight: sampleWeight && tensor(sampleWeight),
      } as CrossEntropyOptions);
    };
    const largest = Math.max(...(options.weight ?? [1])) * Math.max(...(options.sampleWeight ?? [1]));
    const values = (x: Dense): reference.CrossEntropy => reference.crossEntropy(x, labels, all);
    const counted = labels.filter((y) => y !== options.ignoreIndex).length;
    // A sum of rows adds their bounds; a mean of n rows has that of one, and rounding.
    const factor = reduction === 'sum' ? Math.max(1, counted) : 1;
    const relative = softmaxRelative(range, classes) + 8 * magnitude * U + (Math.sqrt(rows) + classes + 16) * U;
    // The error of adjusting a logit, three roundings of its magnitude, counts as a relative one behind exp.
    const gradientTolerance: Tolerance = ({ sum }) => relative * sum + 2 ** -126;
    await checkOp({
      inputs: [z],
      run,
      reference: (x) =>
        reduction === 'none'
          ? { shape: [rows], data: values(x).values }
          : build([], () => (counted ? values(x).loss : 0)),
      gradient: (dy, x) => {
        if (reduction === 'none') return [reference.crossEntropy(x, labels, all, Array.from(dy.data)).gradient];
        const { gradient } = values(x);
        return [
          {
            ...gradient,
            data: gradient.data.map((v) => v * dy.data[0]!),
            sum: gradient.sum.map((v) => v * Math.abs(dy.data[0]!)),
          },
        ];
      },
      tolerance: logForm(Math.max(range, magnitude / 8), factor * Math.max(1, largest)),
      gradientTolerance,
    });
    if (rows > 0 && rows < 100 && classes < 100) {
      await checkTwice(
        z,
        reduction === 'none' ? [rows] : [],
        run,
        (dy, x) => {
          if (reduction === 'none') return reference.crossEntropy(x, labels, all, Array.from(dy.data)).gradient;
          return build(x.shape, (i) => values(x).gradient.data[i]! * dy.data[0]!);
        },
        close(1e-4, 1e-5 * (options.s ?? 1) ** 2),
      );
    }
  });
});

test('labels of any leading shape, from the host', async () => {
  const z = sample([2, 3, 4]);
  const labels = [0, 1, 2, 3, 0, 1];
  const want = reference.crossEntropy(z, labels, { reduction: 'none' });
  const [y] = await readAll(() => {
    const loss = crossEntropy(upload(z), labels, { reduction: 'none' });
    expect(loss.shape).toEqual([2, 3]);
    return [loss];
  });
  expectWithin(y!, { shape: [2, 3], data: want.values }, logForm(want.range), 'values');
});

test('on the device a label outside the classes counts for nothing and is reported once', async () => {
  const z = sample([4, 3]);
  const want = reference.crossEntropy(z, [2, -100, -100, 0], {});
  const [y, g] = await readAll(() => {
    const x = requireGrad(upload(z));
    const loss = crossEntropy(x, tensor([2, 3, -1, 0], { dtype: 'i32' }));
    backward(loss);
    return [loss, takeGrad(x)];
  });
  expect(Math.abs(y![0]! - want.loss)).toBeLessThan(1e-5);
  expectWithin(g!, want.gradient, () => 1e-6, 'gradient');
  expect(await takeInvalidLabels(gpu)).toBe(2);
  expect(await takeInvalidLabels(gpu)).toBe(0);
});

test('logits of +-1e4 stay finite', async () => {
  const got = await readAll(() => {
    const x = requireGrad(tensor([1e4, -1e4, 0, -1e4, 1e4, 1e4], { shape: [2, 3] }));
    const loss = crossEntropy(x, [1, 0], { reduction: 'none' });
    return [loss, ...grad(crossEntropy(x, [1, 0]), [x])];
  });
  expect(Array.from(got[0]!)).toEqual([2e4, Math.fround(2e4 + Math.log(2))]);
  expect(Array.from(got[1]!)).toEqual([0.5, -0.5, 0, -0.5, 0.25, 0.25]);
});

describe('infinities', () => {
  const rowsOf = (
    values: number[][],
    labels: number[],
    options: reference.Adjustments = {},
    twice = false,
  ): Promise<Float32Array[]> =>
    readAll(() => {
      const x = requireGrad(tensor(values.flat(), { shape: [values.length, values[0]!.length] }));
      const { s, scale, shift, margin, weight, sampleWeight, ...rest } = options;
      const perClass = tensor(classTable(values[0]!.length, { classScale: scale, shift, margin, weight }), {
        shape: [4, values[0]!.length],
      });
      const y = crossEntropy(x, tensor(labels, { dtype: 'i32' }), {
        reduction: 'none',
        ...rest,
        scale: s,
        classTable: perClass,
        sampleWeight: sampleWeight && tensor(sampleWeight),
      } as CrossEntropyOptions);
      const [g] = grad(sum(y), [x], { createGraph: twice });
      return twice ? [y, g!, ...grad(sum(mul(g!, g!)), [x])] : [y, g!];
    });
  const near = (list: ArrayLike<number>, digits = 5): unknown[] =>
    Array.from(list, (v) => (Number.isFinite(v) ? expect.closeTo(v, digits) : v));
  const I = Infinity;
  const forms: Record<string, reference.Adjustments> = {
    plain: {},
    's = 30': { s: 30 },
    'scale, shift and margin': { scale: [0.5, 1, 0.3], shift: [-3, 0, -1], margin: [0.5, 0.1, 0.2], s: 3 },
    'class weights': { weight: [3, 0.5, 2] },
    'a masked class of weight 0': { weight: [0, 0.5, 2] },
    'a masked class of weight 0, smoothed': { weight: [0, 0.5, 2], labelSmoothing: 0.2 },
  };
  test.each(Object.entries(forms))('a masked class counts for nothing: %s', async (_name, options) => {
    const cut = (list?: readonly number[]): readonly number[] | undefined => list?.slice(1);
    const { labelSmoothing = 0 } = options;
    // Smoothing spreads its mass over three classes, one of weight 0.
    const rest = {
      ...options,
      scale: cut(options.scale),
      shift: cut(options.shift),
      margin: cut(options.margin),
      weight: cut(options.weight),
    };
    for (const twice of [false, true]) {
      const [y, g, h] = await rowsOf([[-I, 1, 2]], [1], options, twice);
      if (labelSmoothing === 0) {
        const [y0, g0, h0] = await rowsOf([[1, 2]], [0], rest, twice);
        expect(Array.from(y!)).toEqual(near(y0!));
        expect(Array.from(g!)).toEqual([0, ...near(g0!)]);
        if (twice) expect(Array.from(h!)).toEqual([0, ...near(h0!)]);
      } else {
        const [y0, g0] = await rowsOf([[-60, 1, 2]], [1], options, twice);
        expect(Array.from(y!)).toEqual(near(y0!));
        expect(Array.from(g!)).toEqual(near(g0!));
      }
    }
  });
  test('a masked label costs Infinity, with the gradient of the limit', async () => {
    const [y, g] = await rowsOf(
      [
        [-I, 1, 2],
        [-I, 1, 2],
      ],
      [1, 0],
    );
    expect(Array.from(y!)).toEqual([expect.closeTo(Math.log(1 + Math.E), 5), I]);
    expect(Array.from(g!)).toEqual(
      near([0, -1 / (1 + Math.exp(-1)), 1 / (1 + Math.exp(-1)), -1, 1 / (1 + Math.E), 1 / (1 + Math.exp(-1))]),
    );
    const [, twice] = await rowsOf(
      [
        [-I, 1, 2],
        [-I, 1, 2],
      ],
      [1, 0],
      {},
      true,
    );
    expect(Array.from(twice!)).toEqual(near(g!));
  });
  test('smoothing makes a masked class cost Infinity', async () => {
    const [y, g] = await rowsOf([[-I, 1, 2]], [1], { labelSmoothing: 0.3 });
    expect(y![0]).toBe(I);
    expect(g![0]).toBeCloseTo(-0.1, 6);
  });
  test('NaN and +Infinity give NaN', async () => {
    for (const bad of [
      [NaN, 1, 2],
      [1, NaN, 2],
      [1, 2, NaN],
      [I, 1, 2],
      [1, I, 2],
      [-I, -I, -I],
      [NaN, -I, I],
    ]) {
      for (const twice of [false, true]) {
        const [y, g] = await rowsOf([bad, [1, 2, 3]], [1, 0], {}, twice);
        expect(Number.isNaN(y![0]), `${bad}`).toBe(true);
        expect(Array.from(g!.slice(0, 3)), `${bad}`).toEqual([NaN, NaN, NaN]);
        expect(g!.slice(3).every(Number.isFinite)).toBe(true);
      }
    }
  });
  test('a row that is ignored, or of weight 0, counts for nothing whatever its logits', async () => {
    const clean = [1, 2, 0.5];
    for (const bad of [
      [NaN, 1, 2],
      [I, 1, 2],
      [-I, -I, -I],
      [1, -I, 2],
      [3e38, -3e38, 0],
    ]) {
      for (const [labels, options] of [
        [[-100, 0], {}],
        [[1, 0], { sampleWeight: [0, 1] }],
        [[1, 0], { weight: [1, 0, 1] }],
      ] as [number[], reference.Adjustments][]) {
        for (const twice of [false, true]) {
          for (const reduction of ['none', 'sum', 'mean', 'weightedMean'] as const) {
            const [y, g] = await rowsOf([bad, clean], labels, { ...options, reduction }, twice);
            const [y0, g0] = await rowsOf([[0, 0, 0], clean], labels, { ...options, reduction }, twice);
            expect(Array.from(y!), `${bad}, ${reduction}`).toEqual(Array.from(y0!));
            expect(Array.from(g!, Math.abs), `${bad}, ${reduction}`).toEqual(Array.from(g0!, Math.abs));
          }
        }
      }
    }
  });
});

test('a captured step follows a class table that the host rewrites', async () => {
  const z = tensor([1, 2, 0.5, -1], { shape: [2, 2] });
  const table = tensor(classTable(2, {}), { shape: [4, 2] });
  const labels = tensor([0, 1], { dtype: 'i32' });
  const step = capture(() => crossEntropy(z, labels, { classTable: table, reduction: 'weightedMean' }));
  const loss = (weight: number[]): number =>
    reference.crossEntropy({ shape: [2, 2], data: Float64Array.of(1, 2, 0.5, -1) }, [0, 1], {
      weight,
      reduction: 'weightedMean',
    }).loss;
  expect(await step.value.item()).toBeCloseTo(loss([1, 1]), 5);
  table.write(classTable(2, { weight: [3, 1] }));
  expect(await step.run().item()).toBeCloseTo(loss([3, 1]), 5);
  step.dispose();
  for (const t of [z, table, labels]) t.dispose();
});

test('errors', () => {
  scope(() => {
    const z = tensor(new Float32Array(6), { shape: [2, 3] });
    const labels = tensor([0, 1], { dtype: 'i32' });
    expect(() => crossEntropy(z, [0, 3])).toThrow('crossEntropy: labels[1] is 3, expected an integer in 0..2');
    expect(() => crossEntropy(z, [0, 0.5])).toThrow('crossEntropy: labels[1] is 0.5, expected an integer in 0..2');
    expect(() => crossEntropy(z, [0])).toThrow('crossEntropy: got 1 labels for logits of shape [2,3]');
    expect(() => crossEntropy(z, z as unknown as Tensor<'i32'>)).toThrow('crossEntropy: labels are f32, expected i32');
    expect(() => crossEntropy(z, tensor([0, 1, 2], { dtype: 'i32' }))).toThrow(
      'crossEntropy: labels has shape [3], expected [2]',
    );
    expect(() => crossEntropy(tensor(1), labels)).toThrow(
      'crossEntropy: logits have shape [], expected (..., classes)',
    );
    expect(() => crossEntropy(z, labels, { labelSmoothing: 1 })).toThrow(
      'crossEntropy: labelSmoothing is 1, expected 0 <= labelSmoothing < 1',
    );
    expect(() => crossEntropy(z, labels, { reduction: 'average' as 'mean' })).toThrow(
      'crossEntropy: reduction is average, expected one of none, mean, sum, weightedMean',
    );
    expect(() => crossEntropy(z, labels, { sampleWeight: tensor([1]) })).toThrow(
      'crossEntropy: sampleWeight has shape [1], expected [2]',
    );
    expect(() => crossEntropy(z, labels, { sampleWeight: labels as unknown as Tensor })).toThrow(
      'crossEntropy: sampleWeight is i32, expected f32',
    );
    expect(() => crossEntropy(z, labels, { classTable: z })).toThrow(
      'crossEntropy: classTable has shape [2,3], expected [4,3]',
    );
    expect(() => classTable(3, { weight: [1, 2] })).toThrow(
      'crossEntropy: weight has 2 entries, the logits have 3 classes',
    );
    expect(() => classTable(2, { shift: [0, Infinity] })).toThrow(
      'crossEntropy: shift[1] is Infinity, expected a finite number',
    );
  });
});

test.each([
  [1, 5],
  [7, 5],
  [12, 5],
  [70, 5],
  [2500, 5],
  [3, 100],
  [2, 4099],
])('%i rows, %i classes: value and gradient have the same bits in both tunings', (rows, classes) =>
  expectSameBits(() => {
    const z = requireGrad(upload(sample([rows, classes])));
    const labels = Int32Array.from({ length: rows }, (_, i) => (i === 2 ? -100 : (i * 3) % 5));
    const y = crossEntropy(z, labels, { labelSmoothing: 0.1 });
    backward(y);
    return [y, takeGrad(z)];
  }),
);
