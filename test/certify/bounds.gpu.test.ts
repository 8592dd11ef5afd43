import { describe, expect, test } from 'vitest';
import { NdArray, noGrad, scope, tensor, type Tensor } from 'evenkeel';
import { pgd } from 'evenkeel/attack';
import { ABSTAIN, certifyBounds, certifyMargin, crownBounds, intervalBounds } from 'evenkeel/certify';
import * as nn from 'evenkeel/nn';
import { hostUniform, key } from 'evenkeel/random';
import { boundsOf } from '../support/certify.ts';

const EPS = 0.05;
/** Two inputs, the bounds of a box around each, and points in it: corners and inside. */
function boxes(shape: readonly number[], seed = 1, eps = EPS) {
  const size = shape.reduce((a, b) => a * b, 1);
  const x = hostUniform(2, size, key(seed));
  const points = Array.from({ length: 24 }, (_, s) => {
    const u = hostUniform(2, size, key(100 + s), { low: -1, high: 1 });
    return x.map((v, i) => v + eps * (s % 2 ? u[i]! : Math.sign(u[i]!)));
  });
  return { x, low: x.map((v) => v - eps), high: x.map((v) => v + eps), points, shape: [2, ...shape] };
}

async function read(made: () => Tensor[]): Promise<Float32Array[]> {
  const tensors = noGrad(() => scope(made));
  return Promise.all(
    tensors.map(async (t) => {
      const v = (await t.read()) as Float32Array;
      t.dispose();
      return v;
    }),
  );
}

/** Every sampled output lies between the bounds; returns them. */
async function expectInside(
  model: nn.Sequential,
  b: ReturnType<typeof boxes>,
  of: typeof crownBounds = intervalBounds,
) {
  const at = (v: Float32Array): Tensor => tensor(v, { shape: b.shape });
  const [lower, upper, ...outputs] = await read(() => {
    const y = of(model, { lower: at(b.low), upper: at(b.high) });
    return [y.lower, y.upper, ...b.points.map((p) => model.forward(at(p)))];
  });
  for (const y of outputs)
    y.forEach((v, i) => expect(v >= lower![i]! && v <= upper![i]!, `${lower![i]} <= ${v} <= ${upper![i]}`).toBe(true));
  return { lower: lower!, upper: upper! };
}

const { Linear, ReLU, Sequential, Conv2d, Flatten } = nn;
const small: [string, () => nn.Layer[], number[]][] = [
  ['linear, relu', () => [Linear(6, 9), ReLU(), Linear(9, 3)], [6]],
  [
    'curves',
    () => [Linear(6, 6), nn.Sigmoid(), Linear(6, 6), nn.Tanh(), Linear(6, 6), nn.Softplus(), nn.ELU(), nn.LeakyReLU()],
    [6],
  ],
  [
    'curves that dip',
    () => [
      Linear(6, 30),
      nn.SiLU(),
      nn.GELU(),
      nn.GELU({ approximate: 'tanh' }),
      nn.LeakyReLU({ negativeSlope: -0.3 }),
      nn.ELU({ alpha: -1 }),
    ],
    [6],
  ],
  [
    'convolution, pooling, batch norm',
    () => [
      Conv2d(2, 3, 3, { padding: 1, stride: 2 }),
      nn.BatchNorm(3),
      ReLU(),
      nn.MaxPool2d(2, { stride: 1 }),
      nn.AvgPool2d(2, { stride: 1 }),
      nn.AdaptiveAvgPool2d(1),
      Flatten(),
    ],
    [2, 7, 6],
  ],
  [
    'layer and group norm, dropout',
    () => [
      Conv2d(2, 4, 3, { padding: 'same', groups: 2, dilation: 2 }),
      nn.GroupNorm(2, 4),
      nn.Dropout(0.5),
      Flatten(),
      nn.LayerNorm(4 * 30),
    ],
    [2, 5, 6],
  ],
  [
    'residual blocks, padded shortcut',
    () => [
      nn.Residual(Sequential(Conv2d(2, 4, 3, { padding: 1, stride: 2 }), ReLU()), nn.PadShortcut(2, 4, 2), {
        activation: 'relu',
      }),
      Flatten(),
    ],
    [2, 6, 6],
  ],
  [
    'scaled classes',
    () => [Linear(6, 5), nn.ClassScale(5), ReLU(), Linear(5, 3), nn.ClassScale(3, { bias: true })],
    [6],
  ],
  [
    'distances with a head',
    () => [nn.LinfDistLinear(6, 7), nn.MeanShift(7), nn.NtkLinear(7, 5), nn.Tanh(), nn.NtkLinear(5, 3)],
    [6],
  ],
  ['cosine head', () => [Linear(6, 5), nn.CosineLinear(5, 3, { scale: 4 })], [6]],
  [
    'distances',
    () => [
      nn.LinfDistConv2d(1, 3, 3, { stride: 2, padding: 1 }),
      nn.MeanShift(3),
      Flatten(),
      nn.LinfDistLinear(27, 4),
      nn.Bias(4),
      nn.NegatedDistance(),
    ],
    [1, 5, 6],
  ],
];

describe('intervals', () => {
  test.each(small)('%s', async (_, layers, shape) => {
    using model = Sequential(...layers()).init({ seed: 2 });
    const { lower, upper } = await expectInside(model, boxes(shape));
    expect(lower.every((v, i) => Number.isFinite(v) && v <= upper[i]! && upper[i]! < 1e3)).toBe(true);
  });

  test('a layer without rule, an embedding, and a finite p are refused', () => {
    const box = () => ({ lower: tensor([[0, 0]].flat(), { shape: [1, 2] }), upper: tensor([1, 1], { shape: [1, 2] }) });
    const own = { kind: 'mine', specs: {}, params: {}, forward: (x: Tensor) => x };
    scope(() => {
      expect(() => intervalBounds(own, box())).toThrow('intervalBounds: there is no rule for a layer of kind mine');
      expect(() => intervalBounds(nn.Embedding(3, 2), box())).toThrow('intervalBounds: Embedding takes integers');
      expect(() => intervalBounds(nn.LinfDistLinear(2, 2, { power: new nn.DistancePower(8) }), box())).toThrow(
        'p 8, expected Infinity',
      );
      expect(() => crownBounds(Sequential(nn.Tanh()), box())).toThrow('crown: layer 0 (Tanh) is none of Linear');
    });
  });
});

describe('planes', () => {
  test.each([
    small[0]!,
    ['neural-tangent layers', () => [nn.NtkLinear(6, 9), ReLU(), nn.NtkLinear(9, 5), ReLU(), nn.NtkLinear(5, 3)], [6]],
    [
      'average pooling',
      () => [
        Conv2d(2, 4, 3, { padding: 1 }),
        ReLU(),
        nn.AvgPool2d(3, { stride: 2, padding: 1 }),
        ReLU(),
        nn.AvgPool2d(2, { ceilMode: true, countIncludePad: false }),
        nn.AdaptiveAvgPool2d([2, 1]),
        Flatten(),
        Linear(8, 3),
      ],
      [2, 7, 6],
    ],
    [
      'residual blocks',
      () => [
        Conv2d(2, 4, 3, { padding: 1 }),
        ReLU(),
        nn.Residual(
          Sequential(Conv2d(4, 4, 3, { padding: 1 }), nn.BatchNorm(4), ReLU(), Conv2d(4, 4, 3, { padding: 1 })),
          null,
          { activation: 'relu' },
        ),
        nn.Residual(
          Sequential(Conv2d(4, 6, 3, { padding: 1, stride: 2 }), ReLU(), nn.Residual(Conv2d(6, 6, 1))),
          nn.PadShortcut(4, 6, 2),
        ),
        nn.Residual(ReLU(), Sequential(Conv2d(6, 6, 1), ReLU()), { activation: 'relu' }),
        nn.AdaptiveAvgPool2d(1),
        Flatten(),
        Linear(6, 3),
      ],
      [2, 6, 6],
    ],
    [
      'convolutions',
      () => [
        Conv2d(2, 3, 3, { padding: 1, stride: 2 }),
        nn.BatchNorm(3),
        ReLU(),
        Conv2d(3, 2, 2),
        ReLU(),
        Flatten(),
        Linear(12, 3),
      ],
      [2, 7, 6],
    ],
  ] as [string, () => nn.Layer[], number[]][])('%s: contain every point', async (_, layers, shape) => {
    using model = Sequential(...layers()).init({ seed: 5 });
    for (const method of ['crown', 'crown-ibp'] as const) {
      for (const eps of [0.01, 0.3]) {
        const { lower, upper } = await expectInside(model, boxes(shape, 3, eps), (m, x) =>
          crownBounds(m, x, { method }),
        );
        const ibp = await expectInside(model, boxes(shape, 3, eps));
        // In small boxes few relus are undecided, and planes beat intervals.
        const width = (b: { lower: Float32Array; upper: Float32Array }): number =>
          b.upper.reduce((sum, v, i) => sum + v - b.lower[i]!, 0);
        if (eps < 0.1) expect(width({ lower, upper })).toBeLessThan(width(ibp));
      }
    }
  });

  test('what cancels between the paths of a residual layer, and under a mean', async () => {
    using model = Sequential(
      nn.Residual(Sequential(Linear(4, 4))),
      Linear(4, 4),
      nn.Residual(Linear(4, 4, { bias: false })),
    ).init({ seed: 0 });
    const identity = (by: number): number[] => Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? by : 0));
    // (x - x + 1) through the identity, then twice that: 2 for every x.
    const weights = [identity(-1), [1, 1, 1, 1], identity(1), [0, 0, 0, 0], identity(1)];
    [...model.parameters.values()].forEach((p, i) => p.write(weights[i]!));
    const box = () => ({
      lower: tensor([-1, -1, -1, -1], { shape: [1, 4] }),
      upper: tensor([1, 1, 1, 1], { shape: [1, 4] }),
    });
    const [low, high, wide] = await read(() => [
      crownBounds(model, box()).lower,
      crownBounds(model, box()).upper,
      intervalBounds(model, box()).upper,
    ]);
    for (let i = 0; i < 4; i++) {
      expect(low![i]).toBeCloseTo(2, 2);
      expect(high![i]).toBeCloseTo(2, 2);
      expect(wide![i]).toBeCloseTo(6, 2);
    }
    using pooled = Sequential(
      Conv2d(1, 1, 1, { bias: false }),
      nn.AvgPool2d(2),
      Flatten(),
      Linear(1, 1, { bias: false }),
    ).init({ seed: 0 });
    for (const p of pooled.parameters.values()) p.write([2]);
    const [mean] = await read(() => [
      crownBounds(pooled, {
        lower: tensor([-1, 0, 1, 2], { shape: [1, 1, 2, 2] }),
        upper: tensor([0, 0, 3, 2], { shape: [1, 1, 2, 2] }),
      }).upper,
    ]);
    expect(mean![0]).toBeCloseTo(5, 3);
  });

  test('maximum pooling is refused, inside a residual layer too', () => {
    const box = () => ({
      lower: tensor(new Float32Array(4), { shape: [1, 1, 2, 2] }),
      upper: tensor(new Float32Array(4), { shape: [1, 1, 2, 2] }),
    });
    scope(() => {
      for (const layers of [[nn.MaxPool2d(2)], [nn.Residual(nn.MaxPool2d(1))]]) {
        expect(() => crownBounds(Sequential(...layers), box())).toThrow(
          /^crown: layer \w+ \(MaxPool2d\) is none of Linear, .*; use method ibp$/,
        );
      }
    });
  });

  test('a residual net: clean >= PGD >= certified, and CROWN certifies more than intervals', async () => {
    const block = (from: number, to: number, stride: number): nn.Layer =>
      nn.Residual(
        Sequential(Conv2d(from, to, 3, { padding: 1, stride }), ReLU(), Conv2d(to, to, 3, { padding: 1 })),
        nn.PadShortcut(from, to, stride),
        { activation: 'relu' },
      );
    using model = Sequential(
      Conv2d(1, 4, 3, { padding: 1 }),
      ReLU(),
      block(4, 4, 1),
      block(4, 8, 2),
      nn.AdaptiveAvgPool2d(1),
      Flatten(),
      Linear(8, 3),
    ).init({ seed: 4 });
    const x = new NdArray(hostUniform(12, 25, key(6)), [12, 1, 5, 5]);
    const clean = (await model.logits(x)).data;
    const rows = (data: Float32Array): number[] =>
      Array.from({ length: 12 }, (_, i) =>
        data.subarray(3 * i, 3 * i + 3).indexOf(Math.max(...data.subarray(3 * i, 3 * i + 3))),
      );
    const y = rows(clean);
    const margins = Array.from({ length: 12 }, (_, i) =>
      Array.from(clean.subarray(3 * i, 3 * i + 3)).sort((a, b) => b - a),
    ).map((z) => z[0]! - z[1]!);
    const eps = 0.04;
    const [ibp, crownIbp, crown] = await Promise.all(
      (['ibp', 'crown-ibp', 'crown'] as const).map((method) =>
        boundsOf(model, x, { labels: y, eps, method, batchSize: 10 }),
      ),
    );
    const [on, labels] = [tensor(x), tensor(y, { dtype: 'i32' })];
    const found = await pgd(model, on, labels, { eps, steps: 10, restarts: 3 });
    const after = rows((await model.logits(new NdArray(await found.read(), x.shape))).data);
    for (let i = 0; i < 12; i++) {
      if (crown!.certified[i]) expect(after[i]).toBe(y[i]);
      for (const c of [crownIbp!, crown!]) {
        expect(c.margins[i]).toBeGreaterThanOrEqual(ibp!.margins[i]!);
        expect(c.margins[i]).toBeLessThanOrEqual(margins[i]! + 1e-6);
      }
    }
    const count = (flags: boolean[]): number => flags.filter(Boolean).length;
    expect(count(crown!.certified)).toBeGreaterThan(count(ibp!.certified));
    for (const t of [on, labels, found]) t.dispose();
  });

  test('exact without undecided relus, where intervals are not', async () => {
    using model = Sequential(Linear(2, 2), Linear(2, 1)).init({ seed: 0 });
    model.loadStateDict(
      new Map(
        Object.entries({ '0.weight': [1, 1, 1, -1], '0.bias': [0, 0], '1.weight': [1, 1], '1.bias': [0] }).map(
          ([n, data]) => [n, { data, shape: n.endsWith('bias') ? [data.length] : [data.length / 2, 2] }],
        ),
      ),
    );
    const box = () => ({ lower: tensor([-1, -1], { shape: [1, 2] }), upper: tensor([1, 1], { shape: [1, 2] }) });
    const [planes, intervals] = await read(() => [crownBounds(model, box()).upper, intervalBounds(model, box()).upper]);
    expect(planes![0]).toBeCloseTo(2, 3);
    expect(intervals![0]).toBeCloseTo(4, 3);
  });

  test('may be looser than intervals in one output: relu on [-1, 2] from below', async () => {
    using model = Sequential(Linear(1, 1), ReLU(), Linear(1, 1)).init({ seed: 0 });
    for (const p of model.parameters.values()) p.write([p.rank === 2 ? 1 : 0]);
    const box = () => ({ lower: tensor([-1], { shape: [1, 1] }), upper: tensor([2], { shape: [1, 1] }) });
    const [planes, intervals] = await read(() => [crownBounds(model, box()).lower, intervalBounds(model, box()).lower]);
    expect(planes![0]).toBeCloseTo(-1, 3);
    expect(intervals![0]).toBeCloseTo(0, 3);
  });
});

test('clean >= PGD >= certified on every image, and CROWN certifies no less than intervals', async () => {
  using model = Sequential(Linear(8, 16), ReLU(), Linear(16, 16), ReLU(), Linear(16, 4)).init({ seed: 7 });
  const x = new NdArray(hostUniform(60, 8, key(8)), [60, 8]);
  const classOf = (logits: Float32Array, i: number): number =>
    logits.subarray(4 * i, 4 * i + 4).indexOf(Math.max(...logits.subarray(4 * i, 4 * i + 4)));
  const clean = (await model.logits(x)).data;
  // Every seventh label is wrong.
  const y = Int32Array.from({ length: 60 }, (_, i) => (classOf(clean, i) + Number(i % 7 === 0)) % 4);
  const eps = 0.02;
  const [on, labels] = [tensor(x), tensor(y, { dtype: 'i32' })];
  const found = await pgd(model, on, labels, { eps, steps: 10, restarts: 3 });
  const attacked = (await model.logits(new NdArray(await found.read(), [60, 8]))).data;
  const [ibp, crownIbp, crown] = await Promise.all(
    (['ibp', 'crown-ibp', 'crown'] as const).map((method) =>
      boundsOf(model, x, { labels: y, eps, method, batchSize: 32 }),
    ),
  );
  for (let i = 0; i < 60; i++) {
    const survives = classOf(attacked, i) === y[i];
    if (survives) expect(classOf(clean, i)).toBe(y[i]);
    if (crown!.certified[i]) expect(survives).toBe(true);
    expect(crownIbp!.margins[i]).toBeGreaterThanOrEqual(ibp!.margins[i]!);
    expect(crown!.margins[i]).toBeGreaterThanOrEqual(ibp!.margins[i]!);
  }
  const count = (flags: boolean[]): number => flags.filter(Boolean).length;
  expect(count(crown!.certified)).toBeGreaterThan(0);
  expect(count(crown!.certified)).toBeGreaterThanOrEqual(count(ibp!.certified));
  for (const t of [on, labels, found]) t.dispose();
  await expect(
    boundsOf(model, new NdArray(Float32Array.of(0, 0, 0, 0, 0, 0, 0, 2), [1, 8]), { labels: [0], eps }),
  ).rejects.toThrow(
    "certifyBounds: x is 2 in row 0, outside the box [0,1]; give clip in the units of the model's input",
  );
  await expect(boundsOf(model, x, { labels: y.map(() => 4), eps })).rejects.toThrow(
    'certifyBounds: labels[0] is 4, expected an integer in 0..3',
  );
  await expect(boundsOf(model, x, { labels: [0], eps })).rejects.toThrow(
    'certifyBounds: labels has 1 entries, expected 60, one for each row of x',
  );
});

test('without labels the class of the model is certified; a label that is another class is not', async () => {
  using model = Sequential(Linear(8, 16), ReLU(), Linear(16, 4)).init({ seed: 7 });
  const x = new NdArray(hostUniform(30, 8, key(8)), [30, 8]);
  const logits = (await model.logits(x)).data;
  const own = Array.from({ length: 30 }, (_, i) => {
    const row = Array.from(logits.subarray(4 * i, 4 * i + 4));
    return row.indexOf(Math.max(...row));
  });
  const eps = 0.01;
  const free = await certifyBounds(model, x, { eps, batchSize: 7 });
  expect(free).toEqual(await certifyBounds(model, x, { labels: own, eps }));
  expect(free.radii.filter((r) => r === eps).length).toBeGreaterThan(10);
  free.labels.forEach((label, i) => {
    expect(label).toBe(free.margins[i]! > 0 ? own[i] : ABSTAIN);
    expect(free.radii[i]).toBe(label === ABSTAIN ? 0 : eps);
  });
  const wrong = await certifyBounds(model, x, { labels: own.map((c) => (c + 1) % 4), eps });
  expect([...wrong.labels, ...wrong.radii]).toEqual([...new Array(30).fill(ABSTAIN), ...new Array(30).fill(0)]);
});

test('without the pixel box intervals of a distance net give the Lipschitz bound; with it no less', async () => {
  using net = nn.linfDistMlp([12, 20, 20, 5]).init({ seed: 3 });
  const x = new NdArray(hostUniform(40, 12, key(4)), [40, 12]);
  const { labels, radii } = await certifyMargin(net, x);
  for (const eps of [0.02, 0.1]) {
    const free = await boundsOf(net, x, { labels, eps, clip: null });
    const boxed = await boundsOf(net, x, { labels, eps });
    for (let i = 0; i < 40; i++) {
      // margin of the box = margin - 2 eps; lower bounds are cut at 0, which no distance here comes near.
      expect(Math.abs(free.margins[i]! - 2 * (radii[i]! - eps))).toBeLessThan(5e-4);
      expect(boxed.margins[i]!).toBeGreaterThanOrEqual(free.margins[i]! - 1e-6);
    }
  }
});
