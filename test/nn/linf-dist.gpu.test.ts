import { describe, expect, test } from 'vitest';
import { backward, capture, NdArray, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { pgd } from 'evenkeel/attack';
import { boxAround, certifyMargin, intervalBounds } from 'evenkeel/certify';
import { linfMargin } from 'evenkeel/objectives';
import { LinfDistConv2d, linfDistMlp, Sequential, DistancePower, type LinfDistNet } from 'evenkeel/nn';
import { add, crossEntropy, div, mul, oneHot, sub, sum } from 'evenkeel/ops';
import { hostNormal, hostUniform, key } from 'evenkeel/random';
import file from '../golden/linf-dist.json';
import { expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { casesOf, dense, flat, toNumber, type GoldenCase } from '../support/golden.ts';
import { close } from '../support/tolerance.ts';
import { boundsOf } from '../support/certify.ts';

const upload = (c: GoldenCase, name: string): Tensor => {
  const { data, shape } = dense(c.inputs[name]);
  return tensor(data, { shape });
};
const expectOutput = (got: ArrayLike<number>, c: GoldenCase, name: string, bound = close(2e-5, 2e-6)): void =>
  expectWithin(got, { data: Float64Array.from(flat(c.outputs[name])), shape: [] }, bound, name);

/** The net of a golden case. */
function netOf(c: GoldenCase): LinfDistNet {
  const depth = Object.keys(c.inputs).filter((n) => /^w\d+$/.test(n)).length;
  const of = (i: number) => dense(c.inputs[`w${i}`]).shape;
  const sizes = [of(1)[1]!, ...Array.from({ length: depth }, (_, i) => of(i + 1)[0]!)];
  const net = linfDistMlp(sizes, { p: c.options.p === undefined ? Infinity : toNumber(c.options.p) }).init({ seed: 0 });
  const names: Record<string, string> = { 'bias.bias': 'bias', 'output.scale': 'scale' };
  for (let i = 1; i <= depth; i++) {
    names[`dist${i}.weight`] = `w${i}`;
    if (i < depth) names[`shift${i}.running_mean`] = `runningMean${i}`;
  }
  return net.loadStateDict(
    new Map(Object.entries(names).map(([to, from]) => [to, dense(c.inputs[from])])),
  ) as LinfDistNet;
}

/** (g_j - g_y + 2 epsTrain) / (2 epsTrain), 0 at the label: the margins that the hinge is the largest of. */
function worstOf(g: Tensor, targets: number[], epsTrain: number): Tensor {
  const own = oneHot(targets, g.shape[1]!);
  return add(div(sub(g, sum(mul(g, own), { axes: 1, keepDim: true })), 2 * epsTrain), sub(1, own));
}

/** Every output of the file's cases is named here, so that one that nothing compares would show. */
test.each([
  ['linfObjectiveV2', ['loss', 'hinge', 'crossEntropy', 'logits', 'worst', 'gradDistances', 'gradScale']],
  [
    'linfNetTrainStep',
    [
      'loss',
      'logits',
      'worst',
      'gradScale',
      'gradW1',
      'gradW2',
      'gradW3',
      'gradBias',
      'runningMean1After',
      'runningMean2After',
    ],
  ],
  [
    'linfNetCertificate',
    ['logits', 'g', 'gLower', 'gUpper', 'worst', 'ibpCertified', 'marginRadius', 'marginCertified'],
  ],
])('outputs of %s', (op, compared) => {
  for (const { outputs } of casesOf(file, op))
    expect(Object.keys(outputs).filter((name) => !compared.includes(name))).toEqual([]);
});

describe('objective', () => {
  test.each(casesOf(file, 'linfObjectiveV2'))('$name', async (c) => {
    const loss = linfMargin({
      epsTrain: c.options.epsTrain as number,
      lambda: c.options.lambda as number,
      maxHinge: c.options.clip as number,
      scale: () => scale,
    });
    let scale: Tensor;
    const got = await readAll(() => {
      const distances = requireGrad(upload(c, 'distances'));
      scale = requireGrad(upload(c, 'scale'));
      const g = requireGrad(
        tensor(
          dense(c.inputs.distances).data.map((d) => -d),
          { shape: distances.shape },
        ),
      );
      const value = loss(g, flat(c.inputs.target));
      backward(value);
      return [value, takeGrad(g), takeGrad(scale)];
    });
    loss.dispose();
    const targets = flat(c.inputs.target);
    const parts = await readAll(() => {
      const g = mul(upload(c, 'distances'), -1);
      const logits = mul(g, upload(c, 'scale'));
      const hinge = linfMargin({
        epsTrain: c.options.epsTrain as number,
        lambda: 0,
        maxHinge: c.options.clip as number,
      });
      const values = [
        hinge(g, targets),
        crossEntropy(logits, targets),
        logits,
        worstOf(g, targets, c.options.epsTrain as number),
      ];
      hinge.dispose();
      return values;
    });
    expectOutput(parts[2]!, c, 'logits');
    expectOutput(parts[3]!, c, 'worst', close(2e-5, 1e-5));
    if ('hinge' in c.outputs) expectOutput(parts[0]!, c, 'hinge');
    if ('crossEntropy' in c.outputs) expectOutput(parts[1]!, c, 'crossEntropy');
    expectOutput(got[0]!, c, 'loss');
    expectOutput(
      got[1]!.map((v) => -v),
      c,
      'gradDistances',
      close(2e-5, 1e-7),
    );
    if ('gradScale' in c.outputs) expectOutput(got[2]!, c, 'gradScale', close(2e-5, 1e-6));
  });

  test('new numbers reach a captured step; errors', async () => {
    const loss = linfMargin({ epsTrain: 1, lambda: 0 });
    const g = tensor([1, 0], { shape: [1, 2] });
    const y = tensor([0], { dtype: 'i32' });
    const step = capture(() => loss(g, y));
    expect(await step.value.item()).toBeCloseTo(0.5, 6);
    loss.set({ epsTrain: 2 });
    expect(await step.run().item()).toBeCloseTo(0.75, 6);
    expect(() => loss.set({ epsTrain: 0 })).toThrow('linfMargin: epsTrain is 0, expected a finite number > 0');
    expect(() => linfMargin({ epsTrain: 1, lambda: -1 })).toThrow(
      'linfMargin: lambda is -1, expected a finite number >= 0',
    );
    for (const t of [step, g, y, loss]) t.dispose();
  });
});

describe('training step', () => {
  test.each(casesOf(file, 'linfNetTrainStep'))('$name', async (c) => {
    using net = netOf(c);
    net.power.set(net.power.value);
    const loss = linfMargin({
      epsTrain: c.options.epsTrain as number,
      lambda: c.options.lambda as number,
      scale: () => net.scale,
    });
    const targets = flat(c.inputs.target);
    const [value, logits, worst] = scope(() => {
      const g = net.forward(upload(c, 'x'), { training: true });
      const v = loss(g, targets);
      backward(v);
      return [v, mul(g, net.scale).detach(), worstOf(g, targets, c.options.epsTrain as number).detach()];
    }) as [Tensor, Tensor, Tensor];
    const p = toNumber(c.options.p);
    const bound = p >= 64 && p < Infinity ? close(2e-3, 1e-5) : close(5e-5, 2e-6);
    expectOutput(await value.read(), c, 'loss', bound);
    expectOutput(await logits.read(), c, 'logits', bound);
    expectOutput(await worst.read(), c, 'worst', p >= 64 && p < Infinity ? bound : close(5e-5, 2e-5));
    const grads = await net.arena.grads.read();
    const depth = net.layers.filter((l) => l.kind === 'LinfDistLinear').length;
    const wanted: [string, string][] = [
      ['bias.bias', 'gradBias'],
      ['output.scale', 'gradScale'],
    ];
    for (let i = 1; i <= depth; i++) wanted.push([`dist${i}.weight`, `gradW${i}`]);
    for (const [name, want] of wanted) {
      const { offset, size } = net.parameters.get(name)!;
      expectOutput(grads.slice(offset, offset + size), c, want, bound);
    }
    for (let i = 1; i < depth; i++)
      expectOutput((await net.stateDict()).get(`shift${i}.running_mean`)!.data, c, `runningMean${i}After`, bound);
    for (const t of [value, logits, worst, loss]) t.dispose();
  });
});

describe('certificates', () => {
  test.each(casesOf(file, 'linfNetCertificate'))('$name', async (c) => {
    using net = netOf(c);
    const { data, shape } = dense(c.inputs.x);
    const { labels, radii } = await certifyMargin(net, new NdArray(Float32Array.from(data), shape), { batchSize: 3 });
    const target = flat(c.inputs.target);
    const radius = Array.from(radii, (r, i) => (labels[i] === target[i] ? r : 0));
    expectOutput(radius, c, 'marginRadius', close(0, 3e-6));
    radius.forEach((r, i) => expect(r).toBeLessThanOrEqual(Math.max(0, flat(c.outputs.marginRadius)[i]!)));
    expect(radius.map((r) => Number(r > (c.options.eps as number)))).toEqual(flat(c.outputs.marginCertified));
  });

  test.each(casesOf(file, 'linfNetCertificate'))('$name by intervals with the pixel box', async (c) => {
    using net = netOf(c);
    const { data, shape } = dense(c.inputs.x);
    const { eps, down, up } = c.options as { eps: number; down: number; up: number };
    const images = new NdArray(Float32Array.from(data), shape);
    const clip = [down, up] as const;
    expectOutput((await net.logits(images)).data, c, 'g');
    const scale = flat(c.inputs.scale)[0]!;
    expectOutput(
      (await net.logits(images)).data.map((v) => v * scale),
      c,
      'logits',
    );
    // Bounds are those of the file, widened: never inside them by more than the rounding of the file's own f64 sums.
    const [lower, upper] = await readAll(() => {
      const box = intervalBounds(net, boxAround(upload(c, 'x'), { eps, clip }));
      return [box.lower, box.upper];
    });
    expectOutput(lower!, c, 'gLower', close(0, 3e-5));
    expectOutput(upper!, c, 'gUpper', close(0, 3e-5));
    flat(c.outputs.gLower).forEach((v, i) => expect(lower![i]!).toBeLessThanOrEqual(v + 1e-12));
    flat(c.outputs.gUpper).forEach((v, i) => expect(upper![i]!).toBeGreaterThanOrEqual(v - 1e-12));
    const target = flat(c.inputs.target);
    const { certified, margins } = await boundsOf(net, images, { labels: target, eps, clip, batchSize: 4 });
    expect(certified.map(Number)).toEqual(flat(c.outputs.ibpCertified));
    // worst_j = (upper_j - lower_y) / (2 eps), 0 at the label.
    const worst = flat(c.outputs.worst);
    const classes = worst.length / target.length;
    target.forEach((y, i) => {
      const want = -2 * eps * Math.max(...worst.slice(i * classes, (i + 1) * classes).filter((_, j) => j !== y));
      expect(Math.abs(margins[i]! - want)).toBeLessThan(6e-5);
      expect(margins[i]!).toBeLessThanOrEqual(want + 1e-9);
    });
  });

  test('outputs are 1-Lipschitz for any weights, and no attack inside the radius succeeds', async () => {
    using net = linfDistMlp([12, 20, 20, 5]).init({ seed: 3 });
    const x = hostUniform(64, 12, key(4));
    const noise = hostNormal(64, 12, key(5));
    const eps = 0.05;
    const a = await net.logits(new NdArray(x, [64, 12]));
    const b = await net.logits(
      new NdArray(
        x.map((v, i) => v + eps * Math.sign(noise[i]!)),
        [64, 12],
      ),
    );
    a.data.forEach((v, i) => expect(Math.abs(v - b.data[i]!)).toBeLessThanOrEqual(eps + 1e-5));
    const { labels, radii } = await certifyMargin(net, new NdArray(x, [64, 12]));
    const [on, y] = [tensor(x, { shape: [64, 12] }), tensor(labels, { dtype: 'i32' })];
    const found = await pgd(net, on, y, { eps, steps: 10, restarts: 2 });
    const after = await net.logits(new NdArray(await found.read(), [64, 12]));
    radii.forEach((r, i) => {
      const row = after.data.subarray(i * 5, i * 5 + 5);
      if (r >= eps * 1.0001) expect(row.indexOf(Math.max(...row))).toBe(labels[i]);
    });
    expect(radii.some((r) => r > eps)).toBe(true);
    net.power.set(8);
    await expect(certifyMargin(net, new NdArray(x, [64, 12]))).rejects.toThrow(
      'certifyMargin: p is 8, expected Infinity; call model.power.set(Infinity)',
    );
    for (const t of [on, y, found]) t.dispose();
  });
});

test("the papers' shapes have the papers' numbers of parameters, and 784-64-10 and 784-128-128-10 theirs", () => {
  const wide = (inputs: number, depth: number): number[] => [inputs, ...new Array<number>(depth - 1).fill(5120), 10];
  // Without allocating any: weights, a bias a class, and the one scale of the outputs.
  expect(linfDistMlp(wide(784, 5)).parameterCount).toBe(82_708_491);
  expect(linfDistMlp(wide(3072, 6)).parameterCount).toBe(120_637_451);
  expect([linfDistMlp([784, 64, 10]), linfDistMlp([784, 128, 128, 10])].map((net) => net.parameterCount)).toEqual([
    50_827, 118_027,
  ]);
  const { layers } = linfDistMlp([4, 5, 3]);
  expect(layers.map((l) => l.kind)).toEqual([
    'Flatten',
    'LinfDistLinear',
    'MeanShift',
    'LinfDistLinear',
    'Bias',
    'NegatedDistance',
  ]);
});

test('a captured step follows the power; identity starts; the convolution layer', async () => {
  using net = linfDistMlp([3, 4, 2], { p: 9 }).init({ seed: 1 });
  const w = (await net.stateDict()).get('dist1.weight')!.data;
  expect([w[0], w[4], w[8], w[9]]).toEqual([-10, -10, -10, -10]);
  const x = tensor([0.1, 0.2, 0.3], { shape: [1, 3] });
  const step = capture(() => net.forward(x));
  const first = await step.value.read();
  net.power.set(65);
  expect(await step.run().read()).not.toEqual(first);
  expect(() => net.power.set(0)).toThrow('DistancePower: p is 0, expected a number >= 1 or Infinity');
  const power = new DistancePower(4);
  using conv = Sequential(LinfDistConv2d(1, 2, 3, { stride: 2, padding: 1, power })).init({ seed: 2 });
  // The authors put -10 in the middle of channel o mod in, where there are no more channels than filters.
  using started = Sequential(
    LinfDistConv2d(2, 3, [3, 2], { identity: 10 }),
    LinfDistConv2d(3, 2, 3, { identity: 10 }),
  ).init({ seed: 3 });
  const [wide, narrow] = [...(await started.stateDict()).values()].map(({ data }) => Array.from(data)) as [
    number[],
    number[],
  ];
  expect(wide.flatMap((v, i) => (v === -10 ? [i] : []))).toEqual([0, 1, 2].map((o) => (o * 2 + (o % 2)) * 6 + 3));
  expect(narrow).not.toContain(-10);
  const y = scope(() => conv.forward(tensor(new Float32Array(25), { shape: [1, 1, 5, 5] })));
  expect(y.shape).toEqual([1, 2, 3, 3]);
  power.dispose();
  for (const t of [step, x, y]) t.dispose();
});
