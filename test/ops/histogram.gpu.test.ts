import { describe, expect, test } from 'vitest';
import { capture, grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { bincount, histogram, square, sum } from 'evenkeel/ops';
import { build, count } from '../reference/dense.ts';
import * as reference from '../reference/histogram.ts';
import { checkOp, expectSameBits, expectWithin, readAll, upload } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { close, exact, summed } from '../support/tolerance.ts';
import { asTuned } from '../support/tuning.ts';

describe.each([
  { bins: 1, low: -1, high: 1 },
  { bins: 10, low: -2, high: 2 },
  { bins: 33, low: 0.1, high: 0.7 },
  { bins: 257, low: -1.5, high: 1.9 },
  { bins: 15, low: 0, high: 1 },
])('$bins bins from $low to $high', ({ bins, low, high }) => {
  test.each([[[0]], [[1]], [[31]], [[33, 7]], [[257]], [[3, 4, 5]], [[1, 1000]], [[65_537, 3]]])(
    'shape %j',
    async (shape) => {
      const x = sample(shape, { seed: 5 });
      const make = (): Tensor<'u32'>[] => [histogram(upload(x), { numBins: bins, low, high })];
      const [y] = await readAll(make);
      expect(Array.from(y!)).toEqual(reference.histogram(x, bins, low, high));
      const step = capture(make);
      expect(Array.from(await step.run()[0]!.read())).toEqual(Array.from(y!));
      step.dispose();
    },
  );
});

test('edges belong to the bin on their right, the last one to its own; outside and NaN count nowhere', async () => {
  const edges = Float32Array.from({ length: 8 }, (_, i) => 0.1 + (i * 0.7) / 7);
  const beside = [...edges].flatMap((e) => [e * (1 - 2 ** -23), e, e * (1 + 2 ** -22)]);
  const x = build([beside.length + 6], (i) => Math.fround([...beside, NaN, Infinity, -Infinity, -0.1, 5, -NaN][i]!));
  const [y, z] = await readAll(() => [
    histogram(upload(x), { numBins: 7, low: 0.1, high: 0.8 }),
    histogram(tensor([0, 1, 2, 3, 4, 4]), { numBins: 4, low: 0, high: 4 }),
  ]);
  expect(Array.from(y!)).toEqual(reference.histogram(x, 7, 0.1, 0.8));
  expect(Array.from(z!)).toEqual([1, 1, 1, 3]);
});

const cases: { shape: number[]; classes: number }[] = [
  { shape: [0], classes: 3 },
  { shape: [1], classes: 1 },
  { shape: [31], classes: 5 },
  { shape: [33, 7], classes: 10 },
  { shape: [257], classes: 257 },
  { shape: [3, 4, 5], classes: 2 },
  { shape: [1031], classes: 3 },
  { shape: [65_537, 3], classes: 33 },
];

test.each(cases)('bincount of [$shape], $classes classes', async ({ shape, classes }) => {
  // Two labels below and two above the classes.
  const labels = integers(count(shape), classes + 4, 2).map((c) => c - 2);
  const plain = reference.bincount(
    labels,
    classes,
    build(shape, () => 1),
  );
  for (const dtype of ['i32', 'u32'] as const) {
    const [y] = await readAll(() => [
      bincount(
        tensor(
          labels.map((c) => (dtype === 'u32' ? c >>> 0 : c)),
          { shape, dtype },
        ),
        { numClasses: classes },
      ),
    ]);
    expect(Array.from(y!)).toEqual(Array.from(plain.data));
  }
  const constant = tensor(labels, { shape, dtype: 'i32' });
  await checkOp({
    inputs: [sample(shape)],
    run: (weights) => bincount(constant, { numClasses: classes, weights }),
    reference: (weights) => reference.bincount(labels, classes, weights),
    gradient: (dy, weights) => [reference.bincountGradient(dy, labels, weights)],
    tolerance: summed(count(shape)),
    gradientTolerance: exact,
  });
  constant.dispose();
});

test.each([
  { size: 1, classes: 1 },
  { size: 300, classes: 5 },
  { size: 1031, classes: 257 },
  { size: 70_001, classes: 10 },
  { size: 20_011, classes: 30_000 },
])('weighted sums of $size in $classes classes: each piece in order, the same bits on either tuning', async (c) => {
  const labels = integers(c.size, c.classes + 2, 4).map((l) => l - 1);
  const weights = sample([c.size], { seed: 8 });
  const made: Float32Array[] = [];
  for (const kind of ['software', 'hardware'] as const)
    await asTuned(kind, async () => {
      const [y] = await readAll(() => [
        bincount(tensor(labels, { dtype: 'i32' }), { numClasses: c.classes, weights: upload(weights) }),
      ]);
      made.push(y!);
    });
  expectSameBits(made[1]!, made[0]!, 'hardware and software');
  expectWithin(made[1]!, reference.bincount(labels, c.classes, weights), summed(c.size), 'weighted');
  if (c.size > 512) return;
  const inOrder = new Float32Array(c.classes);
  labels.forEach((l, i) => {
    if (l >= 0 && l < c.classes) inOrder[l]! += weights.data[i]!;
  });
  expectSameBits(made[1]!, inOrder, 'one piece');
});

test('second gradient with respect to the weights', async () => {
  const labels = [0, 2, 1, 2, 5, -1, 0];
  const x = sample([7], { seed: 3 });
  const [h] = await readAll(() => {
    const weights = requireGrad(upload(x));
    const [g] = grad(sum(square(bincount(tensor(labels, { dtype: 'i32' }), { numClasses: 3, weights }))), [weights], {
      createGraph: true,
    });
    return grad(sum(square(g!)), [weights]);
  });
  // g = 2 y[label]; the gradient of sum g^2 is 8 y[label] times the size of the class.
  const y = reference.bincount(labels, 3, x);
  const sizes = reference.bincount(
    labels,
    3,
    build([7], () => 1),
  );
  expectWithin(
    h!,
    build([7], (i) => 8 * (y.data[labels[i]!] ?? 0) * (sizes.data[labels[i]!] ?? 0)),
    close(1e-5, 1e-6),
    'second gradient',
  );
});

test('more than 65,535 workgroups of elements', async () => {
  const labels = integers(65_537 * 65, 4, 3);
  const [y, z] = await readAll(() => [
    bincount(tensor(labels, { dtype: 'i32' }), { numClasses: 4 }),
    histogram(tensor(labels), { numBins: 4, low: -0.5, high: 3.5 }),
  ]);
  const want = [0, 1, 2, 3].map((c) => labels.filter((v) => v === c).length);
  expect([Array.from(y!), Array.from(z!)]).toEqual([want, want]);
});

test('without a scope only the results stay', () => {
  const [x, labels] = [upload(sample([1031])), tensor(integers(1031, 5), { dtype: 'i32' })];
  for (const t of [
    x,
    labels,
    histogram(x, { numBins: 9, low: -1, high: 1 }),
    bincount(labels, { numClasses: 5 }),
    bincount(labels, { numClasses: 5, weights: x }),
  ])
    t.dispose();
});

test('errors', () => {
  scope(() => {
    const x = tensor([1, 2]);
    const labels = tensor([0, 1], { dtype: 'i32' });
    expect(() => histogram(x, { numBins: 0, low: 0, high: 1 })).toThrow(
      'histogram: numBins is 0, expected an integer >= 1',
    );
    expect(() => histogram(x, { numBins: 2, low: 1, high: 1 })).toThrow(
      'histogram: low is 1 and high 1, expected finite numbers with low < high',
    );
    expect(() => histogram(x, { numBins: 2, low: 1, high: Infinity })).toThrow(
      'histogram: low is 1 and high Infinity, expected finite numbers with low < high',
    );
    expect(() => histogram(labels as unknown as Tensor, { numBins: 2, low: 0, high: 1 })).toThrow(
      'histogram: x is i32, expected f32',
    );
    expect(() => bincount(x as unknown as Tensor<'i32'>, { numClasses: 2 })).toThrow(
      'bincount: x is f32, expected i32 or u32',
    );
    expect(() => bincount(labels, { numClasses: 1.5 })).toThrow(
      'bincount: numClasses is 1.5, expected an integer >= 1',
    );
    expect(() => bincount(labels, { numClasses: 2, weights: tensor([1]) })).toThrow(
      'bincount: weights has shape [1], expected [2]',
    );
  });
});
