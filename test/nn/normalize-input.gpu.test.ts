import { describe, expect, test } from 'vitest';
import { NdArray, scope, tensor } from 'evenkeel';
import { pgd } from 'evenkeel/attack';
import { certifyMargin, crownBounds, intervalBounds, boxAround } from 'evenkeel/certify';
import { Conv2d, Flatten, Linear, linfDistMlp, LinfDistNet, NormalizeInput, ReLU, Sequential } from 'evenkeel/nn';
import { crossEntropyLoss } from 'evenkeel/losses';
import { makeDataset } from 'evenkeel/data';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { hostUniform, key } from 'evenkeel/random';
import { boundsOf } from '../support/certify.ts';

// The constants of CIFAR-10.
const [MEAN, STD] = [
  [0.4914, 0.4822, 0.4465],
  [0.247, 0.2435, 0.2616],
];
const COUNT = 6;
const x = new NdArray(hostUniform(COUNT, 3 * 4 * 4, key(1)), [COUNT, 3, 4, 4]);
const y = [0, 1, 0, 1, 0, 1];
const normalized = new NdArray(
  x.data.map((v, i) => (v - MEAN[Math.floor(i / 16) % 3]!) / STD[Math.floor(i / 16) % 3]!),
  x.shape,
);

test.each([
  { shape: [2, 3, 4, 4], mean: MEAN, std: STD },
  { shape: [5, 3], mean: MEAN, std: [2, 3, 4] },
  { shape: [2, 1, 5, 5], mean: 0.1307, std: 0.3081 },
  { shape: [4, 7], mean: [0.5], std: 0.5 },
  { shape: [2, 3, 6], mean: 0.25, std: STD },
])('(x - mean) / std in each channel: %o', async ({ shape, mean, std }) => {
  using model = Sequential(NormalizeInput({ mean, std })).init();
  const size = shape.reduce((a, b) => a * b, 1);
  const data = hostUniform(1, size, key(2));
  const got = (await model.logits(new NdArray(data, shape))).data;
  const inner = shape.slice(2).reduce((a, b) => a * b, 1);
  const of = (v: number | number[], c: number): number =>
    Math.fround(typeof v === 'number' ? v : v.length === 1 ? v[0]! : v[c]!);
  data.forEach((v, i) => {
    const c = Math.floor(i / inner) % shape[1]!;
    const want = (v - of(mean, c)) / of(std, c);
    expect(Math.abs(got[i]! - want)).toBeLessThanOrEqual(4 * 2 ** -23 * Math.abs(want) + 2 ** -24 / of(std, c));
  });
});

describe('in a model', () => {
  const rest = (): ReturnType<typeof Linear>[] => [Conv2d(3, 4, 3), ReLU(), Flatten(), Linear(16, 2)] as never;
  const build = (): Sequential => Sequential(NormalizeInput({ mean: MEAN, std: STD }), ...rest()).init({ seed: 3 });

  test('nothing of it is trained, and a file brings its own constants', async () => {
    using model = build();
    expect([...model.parameters.keys()]).toEqual(['1.weight', '1.bias', '4.weight', '4.bias']);
    expect([...model.namedBuffers.keys()]).toEqual(['0.mean', '0.std']);
    const loss = crossEntropyLoss();
    await fit(model, makeDataset(x, y, { numClasses: 2 }), {
      loss,
      optimizer: sgd({ lr: 0.1 }),
      epochs: 2,
      batchSize: 3,
    });
    loss.dispose();
    const state = await model.stateDict();
    expect(Array.from(state.get('0.mean')!.data)).toEqual(MEAN.map(Math.fround));
    expect(Array.from(state.get('0.std')!.data)).toEqual(STD.map(Math.fround));
    using other = Sequential(NormalizeInput({ mean: [0, 0, 0], std: 1 }), ...rest())
      .init({ seed: 9 })
      .load(await model.save());
    expect((await other.logits(x)).data).toEqual((await model.logits(x)).data);
  });

  test('logits are those of the plain model on normalised images', async () => {
    using model = build();
    using plain = Sequential(...rest()).init({ seed: 3 });
    const state = await model.stateDict();
    plain.loadStateDict(
      new Map(
        [...state]
          .filter(([name]) => !name.startsWith('0.'))
          .map(([name, v]) => [String(Number(name[0]) - 1) + name.slice(1), v]),
      ),
    );
    const [a, b] = [await model.logits(x), await plain.logits(normalized)];
    a.data.forEach((v, i) => expect(Math.abs(v - b.data[i]!)).toBeLessThan(1e-5));
  });

  test.each(['ibp', 'crown-ibp', 'crown'] as const)('bounds are in pixels: %s', async (method) => {
    using model = build();
    const labels = Array.from(
      (await model.logits(x)).data.reduce<number[]>(
        (all, v, i, d) => (i % 2 ? all : [...all, v >= d[i + 1]! ? 0 : 1]),
        [],
      ),
    );
    const certified = (eps: number): Promise<boolean[]> =>
      boundsOf(model, x, { labels, eps, method }).then((c) => c.certified);
    expect(await certified(0)).toEqual(new Array(COUNT).fill(true));
    expect(await certified(1)).toEqual(new Array(COUNT).fill(false));
    for (const eps of [1e-3, 0.02]) {
      using images = tensor(x);
      const box = scope(() => boxAround(images, { eps }));
      const bounds = scope(() => (method === 'ibp' ? intervalBounds(model, box) : crownBounds(model, box, { method })));
      const [low, high] = [await bounds.lower.read(), await bounds.upper.read()];
      for (let trial = 0; trial < 20; trial++) {
        const noise = hostUniform(1, x.data.length, key(50 + trial), { low: -eps, high: eps });
        const near = x.data.map((v, i) =>
          Math.min(1, Math.max(0, v + (trial % 2 ? noise[i]! : eps * Math.sign(noise[i]!)))),
        );
        const out = (await model.logits(new NdArray(near, x.shape))).data;
        expect(out.every((v, i) => low[i]! <= v && v <= high[i]!)).toBe(true);
      }
      for (const t of [box.lower, box.upper, bounds.lower, bounds.upper]) t.dispose();
      const safe = await certified(eps);
      using found = await pgd(model, x, labels, { eps, steps: 10 });
      const attacked = (await model.logits(new NdArray(await found.read(), x.shape))).data;
      safe.forEach((is, i) =>
        expect(!is || (attacked[2 * i]! >= attacked[2 * i + 1]! ? 0 : 1) === labels[i]).toBe(true),
      );
    }
  });
});

describe('before a distance net', () => {
  const [mean, std] = [
    [0.2, 0.5, 0.7, 0.1],
    [0.5, 0.25, 0.3, 0.8],
  ];
  test('the radius is in units of the pixels', async () => {
    const net = linfDistMlp([4, 8, 3]);
    using model = new LinfDistNet({ pixels: NormalizeInput({ mean, std }), ...net.children }, net.power).init({
      seed: 4,
    });
    using plain = linfDistMlp([4, 8, 3]).init({ seed: 1 });
    plain.loadStateDict(new Map([...(await model.stateDict())].filter(([name]) => !name.startsWith('pixels.'))));
    const pixels = hostUniform(40, 4, key(8));
    const inner = pixels.map((v, i) => (v - mean[i % 4]!) / std[i % 4]!);
    const [a, b] = [
      await certifyMargin(model, new NdArray(pixels, [40, 4])),
      await certifyMargin(plain, new NdArray(inner, [40, 4])),
    ];
    const noise = hostUniform(40, 4, key(9), { low: -1, high: 1 });
    a.radii.forEach((r, i) => {
      // The smallest std turns the radius of the net into one of pixels.
      expect(Math.abs(r - 0.25 * b.radii[i]!)).toBeLessThan(1e-5);
      expect(a.labels[i]).toBe(b.labels[i]);
    });
    const near = pixels.map((v, i) => v + 0.999 * a.radii[Math.floor(i / 4)]! * Math.sign(noise[i]!));
    const after = await certifyMargin(model, new NdArray(near, [40, 4]));
    a.radii.forEach((r, i) => expect(r === 0 || after.labels[i] === a.labels[i]).toBe(true));
    expect(a.radii.filter((r) => r > 0).length).toBeGreaterThan(30);
  });
  test('elsewhere, or with a std of 0, it is refused', async () => {
    const net = linfDistMlp([4, 4, 3]);
    const [first, ...others] = Object.entries(net.children);
    const flat = first![1].kind === 'Flatten' ? [first!, others.shift()!] : [first!];
    using model = new LinfDistNet(
      Object.fromEntries([...flat, ['pixels', NormalizeInput({ mean, std })], ...others]) as never,
      net.power,
    ).init();
    await expect(certifyMargin(model, [[0, 0, 0, 0]])).rejects.toThrow(
      'certifyMargin: NormalizeInput comes after other layers, expected it first',
    );
    const other = linfDistMlp([4, 3]);
    using zero = new LinfDistNet({ pixels: NormalizeInput({ mean, std }), ...other.children }, other.power).init();
    (zero.namedBuffers.get('pixels.std') as ReturnType<typeof tensor>).write([1, 0, 1, 1]);
    await expect(certifyMargin(zero, [[0, 0, 0, 0]])).rejects.toThrow(
      'certifyMargin: NormalizeInput has a std of 0, expected positive numbers',
    );
  });
});

test('errors', async () => {
  for (const std of [0, -1, NaN, Infinity, 1e-46])
    expect(() => NormalizeInput({ mean: 0, std })).toThrow(
      `NormalizeInput: std[0] is ${std}, expected a positive number in f32`,
    );
  for (const mean of [NaN, Infinity, 1e39])
    expect(() => NormalizeInput({ mean, std: 1 })).toThrow(
      `NormalizeInput: mean[0] is ${mean}, expected a finite number in f32`,
    );
  expect(() => NormalizeInput({ mean: [0, 0], std: [1, 1, 1] })).toThrow(
    'NormalizeInput: mean has 2 entries, expected 3, one for each channel, or 1',
  );
  expect(() => NormalizeInput({ mean: 'x' as never, std: 1 })).toThrow(
    'NormalizeInput: mean is "x", expected an array of numbers',
  );
  expect(() => NormalizeInput({ mean: 0, stds: 1 } as never)).toThrow(
    "NormalizeInput: unknown option 'stds', did you mean 'std'?",
  );
  using model = Sequential(NormalizeInput({ mean: MEAN, std: STD })).init();
  await expect(model.logits(new NdArray(new Float32Array(32), [2, 1, 4, 4]))).rejects.toThrow(
    'NormalizeInput: x has shape [2,1,4,4], expected (batch, 3, ...)',
  );
});
