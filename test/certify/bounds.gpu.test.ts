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

const { linear, relu, sequential, conv2d, flatten } = nn;
const small: [string, () => nn.Layer[], number[]][] = [
  ['linear, relu', () => [linear(6, 9), relu(), linear(9, 3)], [6]],
  [
    'curves',
    () => [linear(6, 6), nn.sigmoid(), linear(6, 6), nn.tanh(), linear(6, 6), nn.softplus(), nn.elu(), nn.leakyRelu()],
    [6],
  ],
  [
    'curves that dip',
    () => [
      linear(6, 30),
      nn.silu(),
      nn.gelu(),
      nn.gelu({ approximate: 'tanh' }),
      nn.leakyRelu({ negativeSlope: -0.3 }),
      nn.elu({ alpha: -1 }),
    ],
    [6],
  ],
  [
    'convolution, pooling, batch norm',
    () => [
      conv2d(2, 3, 3, { padding: 1, stride: 2 }),
      nn.batchNorm(3),
      relu(),
      nn.maxPool2d(2, { stride: 1 }),
      nn.avgPool2d(2, { stride: 1 }),
      nn.adaptiveAvgPool2d(1),
      flatten(),
    ],
    [2, 7, 6],
  ],
  [
    'layer and group norm, dropout',
    () => [
      conv2d(2, 4, 3, { padding: 'same', groups: 2, dilation: 2 }),
      nn.groupNorm(2, 4),
      nn.dropout(0.5),
      flatten(),
      nn.layerNorm(4 * 30),
    ],
    [2, 5, 6],
  ],
  [
    'residual blocks, padded shortcut',
    () => [
      nn.residual(sequential(conv2d(2, 4, 3, { padding: 1, stride: 2 }), relu()), nn.padShortcut(2, 4, 2), {
        activation: 'relu',
      }),
      flatten(),
    ],
    [2, 6, 6],
  ],
  [
    'scaled classes',
    () => [linear(6, 5), nn.classScale(5), relu(), linear(5, 3), nn.classScale(3, { bias: true })],
    [6],
  ],
  [
    'distances with a head',
    () => [nn.linfDistLinear(6, 7), nn.meanShift(7), nn.ntkLinear(7, 5), nn.tanh(), nn.ntkLinear(5, 3)],
    [6],
  ],
  ['cosine head', () => [linear(6, 5), nn.cosineLinear(5, 3, { scale: 4 })], [6]],
  [
    'distances',
    () => [
      nn.linfDistConv2d(1, 3, 3, { stride: 2, padding: 1 }),
      nn.meanShift(3),
      flatten(),
      nn.linfDistLinear(27, 4),
      nn.bias(4),
      nn.negatedDistance(),
    ],
    [1, 5, 6],
  ],
];

describe('intervals', () => {
  test.each(small)('%s', async (_, layers, shape) => {
    using model = sequential(...layers()).init({ seed: 2 });
    const { lower, upper } = await expectInside(model, boxes(shape));
    expect(lower.every((v, i) => Number.isFinite(v) && v <= upper[i]! && upper[i]! < 1e3)).toBe(true);
  });

  test('a layer without rule, an embedding, and a finite p are refused', () => {
    const box = () => ({ lower: tensor([[0, 0]].flat(), { shape: [1, 2] }), upper: tensor([1, 1], { shape: [1, 2] }) });
    const own = { kind: 'mine', specs: {}, params: {}, forward: (x: Tensor) => x };
    scope(() => {
      expect(() => intervalBounds(own, box())).toThrow('intervalBounds: there is no rule for a layer of kind mine');
      expect(() => intervalBounds(nn.embedding(3, 2), box())).toThrow('intervalBounds: embedding takes integers');
      expect(() => intervalBounds(nn.linfDistLinear(2, 2, { power: new nn.DistancePower(8) }), box())).toThrow(
        'p 8, expected Infinity',
      );
      expect(() => crownBounds(sequential(nn.tanh()), box())).toThrow('crown: layer 0 (tanh) is none of linear');
    });
  });
});

describe('planes', () => {
  test.each([
    small[0]!,
    ['neural-tangent layers', () => [nn.ntkLinear(6, 9), relu(), nn.ntkLinear(9, 5), relu(), nn.ntkLinear(5, 3)], [6]],
    [
      'average pooling',
      () => [
        conv2d(2, 4, 3, { padding: 1 }),
        relu(),
        nn.avgPool2d(3, { stride: 2, padding: 1 }),
        relu(),
        nn.avgPool2d(2, { ceilMode: true, countIncludePad: false }),
        nn.adaptiveAvgPool2d([2, 1]),
        flatten(),
        linear(8, 3),
      ],
      [2, 7, 6],
    ],
    [
      'residual blocks',
      () => [
        conv2d(2, 4, 3, { padding: 1 }),
        relu(),
        nn.residual(
          sequential(conv2d(4, 4, 3, { padding: 1 }), nn.batchNorm(4), relu(), conv2d(4, 4, 3, { padding: 1 })),
          null,
          { activation: 'relu' },
        ),
        nn.residual(
          sequential(conv2d(4, 6, 3, { padding: 1, stride: 2 }), relu(), nn.residual(conv2d(6, 6, 1))),
          nn.padShortcut(4, 6, 2),
        ),
        nn.residual(relu(), sequential(conv2d(6, 6, 1), relu()), { activation: 'relu' }),
        nn.adaptiveAvgPool2d(1),
        flatten(),
        linear(6, 3),
      ],
      [2, 6, 6],
    ],
    [
      'convolutions',
      () => [
        conv2d(2, 3, 3, { padding: 1, stride: 2 }),
        nn.batchNorm(3),
        relu(),
        conv2d(3, 2, 2),
        relu(),
        flatten(),
        linear(12, 3),
      ],
      [2, 7, 6],
    ],
  ] as [string, () => nn.Layer[], number[]][])('%s: contain every point', async (_, layers, shape) => {
    using model = sequential(...layers()).init({ seed: 5 });
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
    using model = sequential(
      nn.residual(sequential(linear(4, 4))),
      linear(4, 4),
      nn.residual(linear(4, 4, { bias: false })),
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
    using pooled = sequential(
      conv2d(1, 1, 1, { bias: false }),
      nn.avgPool2d(2),
      flatten(),
      linear(1, 1, { bias: false }),
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
      for (const layers of [[nn.maxPool2d(2)], [nn.residual(nn.maxPool2d(1))]]) {
        expect(() => crownBounds(sequential(...layers), box())).toThrow(
          /^crown: layer \w+ \(maxPool2d\) is none of linear, .*; use method ibp$/,
        );
      }
    });
  });

  test('a residual net: clean >= PGD >= certified, and CROWN certifies more than intervals', async () => {
    const block = (from: number, to: number, stride: number): nn.Layer =>
      nn.residual(
        sequential(conv2d(from, to, 3, { padding: 1, stride }), relu(), conv2d(to, to, 3, { padding: 1 })),
        nn.padShortcut(from, to, stride),
        { activation: 'relu' },
      );
    using model = sequential(
      conv2d(1, 4, 3, { padding: 1 }),
      relu(),
      block(4, 4, 1),
      block(4, 8, 2),
      nn.adaptiveAvgPool2d(1),
      flatten(),
      linear(8, 3),
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
    using model = sequential(linear(2, 2), linear(2, 1)).init({ seed: 0 });
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
    using model = sequential(linear(1, 1), relu(), linear(1, 1)).init({ seed: 0 });
    for (const p of model.parameters.values()) p.write([p.rank === 2 ? 1 : 0]);
    const box = () => ({ lower: tensor([-1], { shape: [1, 1] }), upper: tensor([2], { shape: [1, 1] }) });
    const [planes, intervals] = await read(() => [crownBounds(model, box()).lower, intervalBounds(model, box()).lower]);
    expect(planes![0]).toBeCloseTo(-1, 3);
    expect(intervals![0]).toBeCloseTo(0, 3);
  });
});

test('clean >= PGD >= certified on every image, and CROWN certifies no less than intervals', async () => {
  using model = sequential(linear(8, 16), relu(), linear(16, 16), relu(), linear(16, 4)).init({ seed: 7 });
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
  using model = sequential(linear(8, 16), relu(), linear(16, 4)).init({ seed: 7 });
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
