import { describe, expect, test } from 'vitest';
import { NdArray, scope, tensor } from 'evenkeel';
import { logitAdjustment } from 'evenkeel/calibrate';
import { Smooth } from 'evenkeel/certify';
import { makeDataset, type Dataset } from 'evenkeel/data';
import { perClassAccuracy } from 'evenkeel/metrics';
import { ClassScale, CosineLinear, Linear, ReLU, Sequential, splitClassifier } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { crt, evaluate, featuresOf, fit, linearHead, lws, nearestClassMean, tauNorm } from 'evenkeel/train';
import { crossEntropyLoss } from 'evenkeel/losses';
import { clusters } from '../support/synthetic.ts';
import { certifyOne } from '../support/certify.ts';

/** Three overlapping classes of 200, 60 and 6 samples. */
function longTailed(): Dataset {
  const { x, y } = clusters({ n: 600, classes: 3, features: 6, spread: 1.6, seed: 2 });
  const seen = [0, 0, 0];
  const keep = Array.from(y.keys()).filter((i) => seen[y[i]!]!++ < [200, 60, 6][y[i]!]!);
  const data = Float32Array.from(keep.flatMap((i) => Array.from(x.at(i).data)));
  return makeDataset(
    new NdArray(data, [keep.length, 6]),
    keep.map((i) => y[i]!),
    { numClasses: 3 },
  );
}

const train = longTailed();
const test600 = clusters({ n: 600, classes: 3, features: 6, spread: 1.6, seed: 3 });
const net = (): Sequential => Sequential(Linear(6, 8), ReLU(), Sequential({ fc: Linear(8, 3) }));

async function trained(model = net()): Promise<Sequential> {
  const loss = crossEntropyLoss();
  await fit(model, train, { loss, optimizer: sgd({ lr: 0.1, momentum: 0.9 }), epochs: 6, batchSize: 64 });
  loss.dispose();
  return model;
}

const near = (a: ArrayLike<number>, b: ArrayLike<number>, by = 1e-5): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++)
    expect(Math.abs(a[i]! - b[i]!), `${i}: ${a[i]} and ${b[i]}`).toBeLessThan(by * Math.max(1, Math.abs(b[i]!)));
};

describe('splitClassifier', () => {
  test('features and classifier make up the logits, also in a nested model, and relu stays fused', async () => {
    using model = net().init({ seed: 1 });
    const { backbone, classifier } = splitClassifier(model);
    expect([backbone.width, classifier.kind, classifier.outFeatures]).toEqual([8, 'Linear', 3]);
    const features = await featuresOf(backbone, train, { batchSize: 100 });
    expect(features.x.shape).toEqual([266, 8]);
    expect(Math.min(...features.x.data)).toBe(0);
    using head = linearHead({
      weight: new NdArray(await classifier.params.weight!.read(), [3, 8]),
      bias: await classifier.params.bias!.read(),
    });
    near((await head.logits(features.x)).data, (await model.logits(train.x)).data);
    near((await backbone.with(head).logits(train.x, { batchSize: 7 })).data, (await model.logits(train.x)).data);
  });

  test('a model that is a classifier alone has its inputs for features', async () => {
    using model = Sequential(CosineLinear(6, 3)).init();
    expect((await featuresOf(splitClassifier(model).backbone, train)).x).toEqual(train.x);
  });

  test('errors', () => {
    expect(() => splitClassifier(Sequential(Linear(2, 2), ReLU()))).toThrow(
      'splitClassifier: the last layer is ReLU, expected Linear or CosineLinear',
    );
    expect(() => splitClassifier(Sequential())).toThrow(
      'splitClassifier: the last layer is missing, expected Linear or CosineLinear',
    );
  });
});

describe('heads', () => {
  test('cRT helps the rare class, and the model stays as it is', async () => {
    using model = await trained();
    const before = await model.stateDict();
    const { backbone } = splitClassifier(model);
    const features = await featuresOf(backbone, train);
    using better = backbone.with(await crt(features, { seed: 4, epochs: 12 }));
    const [plain, ours] = [await evaluate(model, test600), await evaluate(better, test600)];
    expect(ours.perClass[2]!).toBeGreaterThan(plain.perClass[2]! + 0.2);
    expect(ours.balancedAccuracy).toBeGreaterThan(plain.balancedAccuracy + 0.05);
    expect(await model.stateDict()).toEqual(before);
    // Same seed, same head; options of fit reach it.
    using again = await crt(features, { seed: 4, epochs: 12 });
    expect(await again.stateDict()).toEqual(await better.head.stateDict());
    using cosine = await crt(features, { classifier: CosineLinear(8, 3, { scale: 5 }), epochs: 1 });
    expect([...cosine.parameters.keys()]).toEqual(['classifier.weight']);
  });

  test.each([false, true])('LWS with bias %s learns on frozen logits alone', async (bias) => {
    using model = await trained();
    const { backbone, classifier } = splitClassifier(model);
    using better = backbone.with(await lws(await featuresOf(backbone, train), classifier, { bias, epochs: 20 }));
    const state = await better.head.stateDict();
    expect([...state.keys()]).toEqual([
      'classifier.weight',
      'classifier.bias',
      'scale.scale',
      ...(bias ? ['scale.bias'] : []),
    ]);
    expect(state.get('classifier.weight')!.data).toEqual(await classifier.params.weight!.read());
    const scale = state.get('scale.scale')!.data;
    const shift = bias ? state.get('scale.bias')!.data : [0, 0, 0];
    expect(Array.from(scale)).not.toContain(1);
    near(
      (await better.logits(test600.x)).data,
      (await model.logits(test600.x)).data.map((z, i) => scale[i % 3]! * z + shift[i % 3]!),
      1e-4,
    );
    const [plain, ours] = [await evaluate(model, test600), await evaluate(better, test600)];
    expect(ours.perClass[2]!).toBeGreaterThan(plain.perClass[2]! + (bias ? 0.2 : 0.02));
  });

  test('LWS on a cosine classifier keeps its scale', async () => {
    using model = Sequential(CosineLinear(6, 3, { scale: 4 })).init();
    const { backbone, classifier } = splitClassifier(model);
    using head = await lws(await featuresOf(backbone, train), classifier, { epochs: 1 });
    const state = await head.stateDict();
    const scale = state.get('scale.scale')!.data;
    near(
      (await head.logits(train.x)).data,
      (await model.logits(train.x)).data.map((z, i) => scale[i % 3]! * z),
      1e-4,
    );
  });

  test('tau-norm: 0 drops the bias alone, 1 gives unit rows, a zero row stays', async () => {
    using model = Sequential(Linear(2, 3)).init();
    model.loadStateDict(
      new Map([
        ['0.weight', { shape: [3, 2], data: [3, 4, 0, 0, 0, 2] }],
        ['0.bias', { shape: [3], data: [9, 9, 9] }],
      ]),
    );
    const { classifier } = splitClassifier(model);
    for (const [tau, want] of [
      [0, [3, 4, 0, 0, 0, 2]],
      [1, [0.6, 0.8, 0, 0, 0, 1]],
      [0.5, [3 / Math.sqrt(5), 4 / Math.sqrt(5), 0, 0, 0, Math.SQRT2]],
    ] as const) {
      using head = await tauNorm(classifier, { tau });
      const state = await head.stateDict();
      expect([...state.keys()]).toEqual(['classifier.weight']);
      near(state.get('classifier.weight')!.data, want, 1e-6);
    }
    for (const tau of [1000, 130])
      await expect(tauNorm(classifier, { tau })).rejects.toThrow(
        `tauNorm: tau is ${tau}, which takes the weights of class 0, of length 5, to`,
      );
    await expect(tauNorm(classifier, { tau: -1 })).rejects.toThrow('tauNorm: tau is -1, expected a finite number >= 0');
    using cosine = Sequential(CosineLinear(2, 3)).init();
    await expect(tauNorm(splitClassifier(cosine).classifier)).rejects.toThrow(
      'tauNorm: the classifier is CosineLinear, whose weights have unit length, expected Linear',
    );
  });

  test('nearest class mean: by distance and by angle', async () => {
    const data = makeDataset(new NdArray(Float32Array.of(1, 0, 3, 0, 0, 1, 0, 1), [4, 2]), [0, 0, 1, 1]);
    const x = new NdArray(Float32Array.of(1.2, 1.1, 0.4, 0.3, 0, 0), [3, 2]);
    using euclidean = nearestClassMean(data);
    // |x - (2, 0)|^2 and |x - (0, 1)|^2, less |x|^2, with the sign turned.
    near((await euclidean.logits(x)).data, [0.8, 1.2, -2.4, -0.4, -4, -1]);
    using cosine = nearestClassMean(data, { metric: 'cosine' });
    near((await cosine.logits(x)).data, [1.2 / Math.hypot(1.2, 1.1), 1.1 / Math.hypot(1.2, 1.1), 0.8, 0.6, 0, 0]);
    expect(perClassAccuracy(await nearestAndFree(train), train.y)[2]!).toBeGreaterThan(0.5);
    expect(() => nearestClassMean(makeDataset(data.x, [0, 0, 2, 2]))).toThrow(
      'nearestClassMean: class 1 has no sample, so no mean',
    );
    expect(() => nearestClassMean(data, { metric: 'manhattan' as 'cosine' })).toThrow(
      "nearestClassMean: metric is 'manhattan', expected 'euclidean' or 'cosine'",
    );
  });

  test.each([300, 3e4, -3e4])('nearest class mean of features around %s: as of those around 0', async (offset) => {
    // Multiples of 1/64, which f32 holds at that distance.
    const grid = ({ x, y }: { x: NdArray; y: ArrayLike<number> }, by: number): Dataset =>
      makeDataset(
        new NdArray(
          Float32Array.from(x.data, (v) => Math.round(v * 64) / 64 + by),
          x.shape,
        ),
        y,
        { numClasses: 3 },
      );
    const best = async (by: number): Promise<number[]> => {
      using head = nearestClassMean(grid(train, by));
      const { data } = await head.logits(grid(test600, by).x);
      return Array.from({ length: 600 }, (_, i) =>
        [0, 1, 2].reduce((top, c) => (data[3 * i + c]! > data[3 * i + top]! ? c : top), 0),
      );
    };
    const [near, far] = [await best(0), await best(offset)];
    expect(far.filter((c, i) => c !== near[i]).length).toBeLessThan(6);
  });

  test('a head takes part like a model: smoothing, calibration, forward on the device', async () => {
    using model = await trained();
    const { backbone } = splitClassifier(model);
    using better = backbone.with(nearestClassMean(await featuresOf(backbone, train)));
    using smooth = new Smooth(better, { numClasses: 3, sigma: 0.1 });
    expect((await certifyOne(smooth, test600.x.at(0), { n0: 20, n: 100 })).label).toBeLessThan(3);
    const adjusted = logitAdjustment({ classCounts: train.classCounts }).wrap(better);
    expect((await adjusted.predict(test600.x)).shape).toEqual([600, 3]);
    const z = scope(() => better.forward(tensor(test600.x.slice(0, 2))));
    near(await z.read(), (await better.logits(test600.x.slice(0, 2))).data);
    z.dispose();
  });

  test('errors', async () => {
    const flat = makeDataset(new NdArray(new Float32Array(8), [2, 2, 2]), [0, 1]);
    await expect(crt(flat)).rejects.toThrow('crt: features have shape [2,2,2], expected (n, width); see featuresOf()');
    using model = Sequential(Linear(4, 3)).init();
    await expect(lws(train, splitClassifier(model).classifier)).rejects.toThrow(
      'lws: the features have width 6, the classifier takes 4',
    );
    expect(() => linearHead({ weight: new NdArray(new Float32Array(4), [4]) })).toThrow(
      'linearHead: weight has shape [4], expected (classes, width)',
    );
    expect(() => linearHead({ weight: new NdArray(new Float32Array(4), [2, 2]), bias: [1] })).toThrow(
      'linearHead: bias has 1 entries, expected 2',
    );
    expect(() => ClassScale(0)).toThrow('ClassScale: classes is 0, expected a positive integer');
    await expect(crt(train, { epochs: 0 })).rejects.toThrow('crt: epochs is 0, expected a positive integer');
  });
});

async function nearestAndFree(data: Dataset): Promise<NdArray<Float32Array>> {
  using head = nearestClassMean(data);
  return await head.predict(data.x);
}
