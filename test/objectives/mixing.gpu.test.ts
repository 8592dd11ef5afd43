import { describe, expect, test } from 'vitest';
import { backward, NdArray, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { balancedSoftmax, bayias, crossEntropyLoss, logitAdjusted, type Objective } from 'evenkeel/losses';
import {
  cutmix,
  mixed,
  mixedLoss,
  mixup,
  remix,
  remixWeight,
  unimix,
  unimixFactor,
  unimixPartnerProbabilities,
  type Mixing,
  type MixupOptions,
  type Mixture,
} from 'evenkeel/objectives';
import { Linear, Sequential } from 'evenkeel/nn';
import { mean } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { beta, key } from 'evenkeel/random';
import { incompleteBeta } from 'evenkeel/stats';
import { fit } from 'evenkeel/train';
import dataFile from '../golden/longtail-data.json';
import { readAll, takeGrad } from '../support/check-op.ts';
import { casesOf, dense, flat, relativeError } from '../support/golden.ts';
import { clusters } from '../support/synthetic.ts';
import { keep } from '../support/keep.ts';

const read = async (make: () => Tensor): Promise<number[]> => Array.from((await readAll(() => [make()]))[0]!);
const pick = (counts: readonly number[], labels: readonly number[]): number[] => labels.map((y) => counts[y]!);
const expectedFactor = (m: number, alpha: number): number => 0.5 + m - incompleteBeta(m, alpha, alpha);
const close = (got: ArrayLike<number>, want: readonly number[], tolerance = 1e-5): void => {
  expect(got.length).toBe(want.length);
  want.forEach((w, i) =>
    expect(relativeError(got[i]!, w), `element ${i}: ${got[i]}, expected ${w}`).toBeLessThan(tolerance),
  );
};
const sum = (a: readonly number[]): number => a.reduce((t, v) => t + v, 0);

describe('golden', () => {
  test.each(casesOf(dataFile, 'unimixFactor'))('$name', async ({ options, inputs, outputs }) => {
    const counts = flat(inputs.counts);
    const [own, other] = [pick(counts, flat(inputs.labels1)), pick(counts, flat(inputs.labels2))];
    const factor = (draws: readonly number[]): Promise<number[]> =>
      read(() => unimixFactor(tensor(own), tensor(other), tensor(draws)));
    const got = await factor(flat(inputs.betaDraws));
    // A sum that is 1 but for rounding may turn once more.
    flat(outputs.xi).forEach((want, i) =>
      expect(Math.min(Math.abs(got[i]! - want), Math.abs(1 - Math.abs(got[i]! - want)))).toBeLessThan(1e-6),
    );
    const m = await factor(own.map(() => 0));
    close(m, flat(outputs.m));
    close(
      own.map((n, i) => expectedFactor(other[i]! / (n + other[i]!), options.alpha as number)),
      flat(outputs.expectedXi),
      1e-12,
    );
  });
  test.each(casesOf(dataFile, 'unimixSampler'))('$name', async ({ options, inputs, outputs }) => {
    const [counts, tau] = [flat(inputs.counts), options.tau as number];
    const probabilities = (labels: readonly number[]): Promise<number[]> =>
      read(() => unimixPartnerProbabilities(tensor(pick(counts, labels)), { tau }));
    close(await probabilities(flat(inputs.labels)), flat(outputs.partnerProbability));
    // The whole training set as one batch: its classes come as the expected marginal says.
    const all = counts.flatMap((n, c) => new Array<number>(n).fill(c));
    const marginal = counts.map(() => 0);
    (await probabilities(all)).forEach((p, i) => (marginal[all[i]!]! += p));
    close(marginal, flat(outputs.expectedClassMarginal), 3e-5);
  });
  test.each(casesOf(dataFile, 'unimixBayiasLoss'))('$name', async ({ inputs, outputs }) => {
    const loss = keep(bayias({ classCounts: flat(inputs.counts) }));
    const [logits, labels] = [dense(inputs.logits), flat(inputs.labels1)];
    const pair = (): Pick<Mixture, 'partner' | 'weight'> => ({
      partner: tensor(flat(inputs.labels2), { dtype: 'i32' }),
      weight: tensor(flat(inputs.xi)),
    });
    const [each, slope] = await readAll(() => {
      const leaf = requireGrad(tensor(logits.data, { shape: logits.shape }));
      const values = mixedLoss(loss, leaf, tensor(labels, { dtype: 'i32' }), pair());
      backward(mean(values));
      return [values.detach(), takeGrad(leaf)];
    });
    close(each!, flat(outputs.perSample));
    expect(relativeError(sum(Array.from(each!)) / labels.length, flat(outputs.loss)[0]!)).toBeLessThan(1e-5);
    const want = flat(outputs.gradLogits);
    const largest = Math.max(...want.map(Math.abs));
    want.forEach((w, i) => expect(Math.abs(slope![i]! - w)).toBeLessThan(1e-5 * largest));
  });
  test('all cases', () =>
    expect(['unimixFactor', 'unimixSampler', 'unimixBayiasLoss'].map((m) => casesOf(dataFile, m).length)).toEqual([
      6, 10, 2,
    ]));
});

describe('identities of UniMix', () => {
  const counts = [100, 50, 20, 5];
  const total = 175;
  test('swapping the pair: m_ij + m_ji = 1; equal counts: a half and uniform partners', async () => {
    const zero = counts.map(() => 0);
    const m = await read(() => unimixFactor(tensor(counts), tensor([5, 20, 50, 100]), tensor(zero)));
    expect(m[0]).toBeCloseTo(0.04761905, 7);
    close([m[0]! + m[3]!, m[1]! + m[2]!], [1, 1], 1e-6);
    expect(await read(() => unimixFactor(tensor([7]), tensor([7]), tensor([0])))).toEqual([0.5]);
    expect(await read(() => unimixPartnerProbabilities(tensor([7, 7, 7, 7]), { tau: -3 }))).toEqual([
      0.25, 0.25, 0.25, 0.25,
    ]);
  });
  test('marginals of the specification', async () => {
    const all = counts.flatMap((n) => new Array<number>(n).fill(n));
    for (const [tau, want] of [
      [0, [0.5714286, 0.2857143, 0.1142857, 0.0285714]],
      [-0.5, [0.42053433, 0.29736267, 0.18806867, 0.09403433]],
      [-1, [0.25, 0.25, 0.25, 0.25]],
    ] as const) {
      const p = await read(() => unimixPartnerProbabilities(tensor(all), { tau }));
      close(
        counts.map((n) => n * p[all.indexOf(n)]!),
        [...want],
        2e-6,
      );
    }
  });
  test('mean of the factor, and uniform for alpha 1 whatever the counts', async () => {
    const n = 200_000;
    const draw = (alpha: number): Promise<number[]> =>
      read(() =>
        unimixFactor(
          tensor(new Float32Array(n).fill(100)),
          tensor(new Float32Array(n).fill(5)),
          beta([n], key(3), { a: alpha, b: alpha }),
        ),
      );
    // Standard errors are below 8e-4.
    expect(Math.abs(sum(await draw(0.8)) / n - 0.47517)).toBeLessThan(0.004);
    expect(Math.abs(sum(await draw(0.5)) / n - 0.40757)).toBeLessThan(0.004);
    const even = (await draw(1)).sort((a, b) => a - b);
    expect(Math.max(...even.filter((_, i) => i % 100 === 0).map((v, i) => Math.abs(v - (100 * i) / n)))).toBeLessThan(
      0.005,
    );
  });
  test('bayias: uniform prior is balanced softmax; a known prior is the logit adjustment', async () => {
    const z = [2, 1, 0.5, -1, 0.3, -0.2, 0.1, 0.4, -1.5, 0.7, 2.2, 0];
    const of = (make: () => ReturnType<typeof bayias>): Promise<number[]> => {
      const loss = keep(make());
      return read(() => loss(tensor(z, { shape: [3, 4] }), [0, 3, 1], { reduction: 'none' }));
    };
    const want = [0.20787161, 3.31593493, 1.11970182];
    for (const make of [
      () => bayias({ classCounts: counts }),
      () => bayias({ classCounts: counts, testPrior: 'balanced' }),
      () => bayias({ classCounts: counts, testPrior: [2, 2, 2, 2] }),
      () => balancedSoftmax({ classCounts: counts }),
    ])
      close(await of(make), want, 1e-5);
    close(
      await of(() => bayias({ classCounts: counts, testPrior: [1, 2, 3, 4] })),
      await of(() => logitAdjusted({ classCounts: counts, testPrior: [1, 2, 3, 4] })),
      1e-6,
    );
    close(await of(() => bayias({ classCounts: counts, testPrior: counts })), [0.4951819, 1.16142034, 1.8064966], 1e-5);
    expect(await of(() => bayias({ classCounts: [9, 0, 3, 1] }))).toSatisfy((v: number[]) => v.every(Number.isFinite));
  });
  test('expected label mass for alpha 1: half the prior, half the partners', async () => {
    const labels = counts.flatMap((n, c) => new Array<number>(n).fill(c));
    const rule = keep(unimix({ classCounts: counts, alpha: 1, tau: -0.5 }));
    const mass = counts.map(() => 0);
    const rounds = 40;
    for (let round = 0; round < rounds; round++) {
      const [partner, weight] = await readAll(() => {
        const m = rule({
          x: tensor(labels, { shape: [total, 1] }),
          y: tensor(labels, { dtype: 'i32' }),
          random: { key: key(5), first: tensor([round * total, 0], { dtype: 'u32' }) },
        });
        return [m.partner as unknown as Tensor, m.weight];
      });
      labels.forEach((y, i) => {
        mass[y]! += weight![i]! / (rounds * total);
        mass[partner![i]!]! += (1 - weight![i]!) / (rounds * total);
      });
    }
    const q = [0.42053433, 0.29736267, 0.18806867, 0.09403433];
    // 7000 samples: three standard errors are below 0.02.
    mass.forEach((v, c) => expect(Math.abs(v - (counts[c]! / total + q[c]!) / 2)).toBeLessThan(0.02));
  });
});

/**
 * Partners, label shares and inputs of one batch of 40 whose inputs are one-hot labels, so that a mixed input shows its
 * shares.
 */
async function batchOf(
  rule: Mixing,
  first = 0,
): Promise<{ y: number[]; partner: number[]; weight: number[]; x: number[][] }> {
  keep(rule);
  const y = Array.from({ length: 40 }, (_, i) => (3 * i) % 4);
  const hot = Float32Array.from({ length: 160 }, (_, i) => Number(y[Math.floor(i / 4)] === i % 4));
  const [partner, weight, x] = await readAll(() => {
    const m = rule({
      x: tensor(hot, { shape: [40, 4] }),
      y: tensor(y, { dtype: 'i32' }),
      random: { key: key(1), first: tensor([first, 0], { dtype: 'u32' }) },
    });
    return [m.partner as unknown as Tensor, m.weight, m.x];
  });
  return {
    y,
    partner: Array.from(partner!),
    weight: Array.from(weight!),
    x: y.map((_, i) => Array.from(x!.subarray(4 * i, 4 * i + 4))),
  };
}
const shareOf = (share: number, y: number, partner: number): number[] =>
  [0, 1, 2, 3].map((c) => (c === y ? share : 0) + (c === partner ? 1 - share : 0));

describe('rules', () => {
  const classCounts = [100, 50, 20, 5];
  test.each<[string, () => Mixing]>([
    ['mixup', () => mixup({ alpha: 0.4 })],
    ['mixup, a share each', () => mixup({ perSample: true })],
    ['unimix', () => unimix({ classCounts })],
    ['remix, no label moves', () => remix({ classCounts, tau: 0 })],
  ])('%s: inputs and labels are mixed by the same shares; draws follow the place in the run', async (_, make) => {
    const got = await batchOf(make(), 80);
    got.y.forEach((y, i) =>
      got.x[i]!.forEach((v, c) => expect(v).toBeCloseTo(shareOf(got.weight[i]!, y, got.partner[i]!)[c]!, 6)),
    );
    expect(await batchOf(make(), 80)).toEqual(got);
    expect((await batchOf(make(), 120)).weight).not.toEqual(got.weight);
  });
  test('mixup: partners are a permutation, one share or one each', async () => {
    const [one, each] = [await batchOf(mixup()), await batchOf(mixup({ perSample: true }))];
    expect([...one.partner].sort()).toEqual([...one.y].sort());
    expect(new Set(one.weight).size).toBe(1);
    expect(new Set(each.weight).size).toBeGreaterThan(30);
  });
  test('remix: the rarer class takes the label, by the rule', async () => {
    const weights = [0.49, 0.5, 0.51, 0.5, 0.3, 0.7, 0.2, 0.9];
    const pairs = [
      [100, 5],
      [100, 5],
      [5, 100],
      [5, 100],
      [100, 50],
      [50, 100],
      [60, 20],
      [20, 60],
    ];
    const got = await read(() =>
      remixWeight(tensor(pairs.map(([a]) => a!)), tensor(pairs.map(([, b]) => b!)), tensor(weights)),
    );
    close(got, [0, 0.5, 1, 0.5, 0.3, 0.7, 0, 1], 1e-6);
    const { y, partner, weight, x } = await batchOf(remix({ classCounts, perSample: true }));
    const moved = y.filter((c, i) => {
      // 4 rows of a label with itself show no share.
      const share = c === partner[i] ? weight[i]! : x[i]![c]!;
      const [a, b] = [classCounts[c]!, classCounts[partner[i]!]!];
      const want = a >= 3 * b && share < 0.5 ? 0 : b >= 3 * a && 1 - share < 0.5 ? 1 : share;
      expect(weight[i]).toBeCloseTo(want, 6);
      return want !== share;
    });
    expect(moved.length).toBeGreaterThan(2);
  });
  test.each<[string, MixupOptions, number]>([
    ['one box', {}, 1],
    ['a box each', { perSample: true }, 30],
  ])(
    'cutmix, %s: the share is the part of the image that is left, and the rest is a box',
    async (_, options, distinct) => {
      const rule = keep(cutmix(options));
      const [n, channels, h, w] = [40, 2, 9, 13];
      const y = Array.from({ length: n }, (_, i) => i);
      const [partner, weight, x] = await readAll(() => {
        const images = tensor(
          Float32Array.from({ length: n * channels * h * w }, (_, i) => Math.floor(i / (channels * h * w))),
          { shape: [n, channels, h, w] },
        );
        const m = rule({
          x: images,
          y: tensor(y, { dtype: 'i32' }),
          random: { key: key(2), first: tensor([7, 0], { dtype: 'u32' }) },
        });
        return [m.partner as unknown as Tensor, m.weight, m.x];
      });
      expect(Array.from(partner!).sort((a, b) => a - b)).toEqual(y);
      const sizes = new Set<string>();
      for (let i = 0; i < n; i++) {
        const image = x!.subarray(i * channels * h * w, (i + 1) * channels * h * w);
        expect(image.every((v) => v === i || v === partner![i])).toBe(true);
        if (partner![i] === i) continue;
        const inside = Array.from(image, (v, k) => (v === i ? -1 : k)).filter((k) => k >= 0);
        const [rows, columns] = [new Set(inside.map((k) => Math.floor(k / w) % h)), new Set(inside.map((k) => k % w))];
        expect(inside.length).toBe(channels * rows.size * columns.size);
        expect(weight![i]).toBeCloseTo(1 - (rows.size * columns.size) / (h * w), 5);
        sizes.add(`${[...rows]} ${[...columns]}`);
      }
      expect(sizes.size).toBeGreaterThanOrEqual(Math.min(distinct, 25));
      if (distinct === 1) expect(sizes.size).toBe(1);
    },
  );
});

describe('training', () => {
  const data = clusters({ n: 200, classes: 4, seed: 1 });
  const train = async (objective: Objective, epochs = 3): Promise<{ losses: number[]; weights: number[] }> => {
    keep(objective);
    const model = Sequential(Linear(16, 4));
    const losses: number[] = [];
    await fit(model, data, {
      objective,
      optimizer: sgd({ lr: 0.1 }),
      epochs,
      batchSize: 50,
      seed: 2,
      onStep: ({ loss }) => void losses.push(loss),
    });
    const weights = [...(await model.stateDict()).values()].flatMap((p) => Array.from(p.data));
    model.dispose();
    return { losses, weights };
  };
  const classCounts = [50, 50, 50, 50];
  test('the same seed trains alike, and it learns', async () => {
    const make = (): Objective => mixed(unimix({ classCounts }), bayias({ classCounts }));
    const a = await train(make(), 8);
    expect(await train(make(), 8)).toEqual(a);
    expect(sum(a.losses.slice(-8)) / 8).toBeLessThan((0.8 * sum(a.losses.slice(0, 4))) / 4);
  });
  test('until: from that epoch on the inputs are as they are', async () => {
    const plain: Objective = ({ x, y, forward }) => keep(crossEntropyLoss())(forward(x), y, { reduction: 'mean' });
    const want = await train(plain);
    close((await train(mixed(mixup(), crossEntropyLoss(), { until: 0 }))).losses, want.losses, 1e-5);
    const half = await train(mixed(mixup(), crossEntropyLoss(), { until: 1 }));
    const whole = await train(mixed(mixup(), crossEntropyLoss()));
    expect(half.losses.slice(0, 4)).toEqual(whole.losses.slice(0, 4));
    expect(half.losses.slice(5)).not.toEqual(whole.losses.slice(5));
  });
  test('a share stays with its sample; the released code parts them', async () => {
    const point = makeDataset(
      new NdArray(
        Float32Array.from({ length: 6 }, (_, i) => i),
        [6, 1],
      ),
      [0, 1, 1, 0, 1, 0],
    );
    const rule = (): Mixing =>
      Object.assign(
        ({ x }: { x: Tensor }) =>
          ({
            x,
            partner: tensor([1, 1, 0, 0, 0, 1], { dtype: 'i32' }),
            weight: tensor([0.9, 0.2, 0.7, 0.1, 0.5, 1]),
          }) satisfies Mixture,
        { dispose() {} },
      );
    const value = async (compat?: 'released-code'): Promise<number> => {
      const objective = keep(mixed(rule(), crossEntropyLoss(), compat ? { compat } : {}));
      return (
        await readAll(() => [
          objective({
            x: tensor(point.x),
            y: tensor(point.y, { dtype: 'i32' }),
            forward: (x: Tensor) => tensor([0, 2, 1, 0, 0, 1, 3, 0, 1, 1, 0, 0], { shape: [x.shape[0]!, 2] }),
          } as never),
        ])
      )[0]![0]!;
    };
    const z = [
      [0, 2],
      [1, 0],
      [0, 1],
      [3, 0],
      [1, 1],
      [0, 0],
    ];
    const ce = (i: number, y: number): number => Math.log(Math.exp(z[i]![0]!) + Math.exp(z[i]![1]!)) - z[i]![y]!;
    const [y, partner, w] = [
      [0, 1, 1, 0, 1, 0],
      [1, 1, 0, 0, 0, 1],
      [0.9, 0.2, 0.7, 0.1, 0.5, 1],
    ];
    const each = y.map((c, i) => w[i]! * ce(i, c) + (1 - w[i]!) * ce(i, partner[i]!));
    expect(await value()).toBeCloseTo(sum(each) / 6, 5);
    const share = sum(w) / 6;
    const released =
      (share * sum(y.map((c, i) => ce(i, c)))) / 6 + ((1 - share) * sum(partner.map((c, i) => ce(i, c)))) / 6;
    expect(Math.abs(released - sum(each) / 6)).toBeGreaterThan(0.05);
    expect(await value('released-code')).toBeCloseTo(released, 5);
  });
  test('logits of 1e4 stay finite', async () => {
    const loss = keep(bayias({ classCounts: [1000, 1] }));
    const got = await read(() =>
      mixedLoss(loss, tensor([1e4, -1e4, -1e4, 1e4], { shape: [2, 2] }), tensor([1, 1], { dtype: 'i32' }), {
        partner: tensor([0, 0], { dtype: 'i32' }),
        weight: tensor([0.5, 1]),
      }),
    );
    expect(got.every(Number.isFinite)).toBe(true);
  });
});

test('errors', () => {
  expect(() => mixup({ alpha: 0 })).toThrow(new RangeError('mixup: alpha is 0, expected a finite number > 0'));
  expect(() => cutmix({ alpha: NaN })).toThrow(new RangeError('cutmix: alpha is NaN, expected a finite number > 0'));
  expect(() => unimix({ classCounts: [1, -1] })).toThrow(
    new RangeError('unimix: classCounts[1] is -1, expected a finite number >= 0'),
  );
  expect(() => unimix({ classCounts: [1], tau: NaN })).toThrow(
    new RangeError('unimix: tau is NaN, expected a finite number'),
  );
  expect(() => remix({ classCounts: [1], kappa: 0.5 })).toThrow(
    new RangeError('remix: kappa is 0.5, expected a finite number >= 1'),
  );
  expect(() => remix({ classCounts: [1], tau: 2 })).toThrow(
    new RangeError('remix: tau is 2, expected a number in 0..1'),
  );
  expect(() => mixed(mixup(), keep(crossEntropyLoss()), { until: -1 })).toThrow(
    new RangeError('mixed: until is -1, expected a number >= 0 or Infinity'),
  );
  expect(() => bayias({ classCounts: [1, 2], testPrior: [1] })).toThrow(
    new RangeError('bayias: testPrior has 1 entries, expected 2, one per class'),
  );
  expect(() => bayias({ classCounts: [1, NaN] })).toThrow(
    new RangeError('bayias: classCounts[1] is NaN, expected a finite number >= 0'),
  );
  scope(() => {
    const inputs = {
      x: tensor([1, 2]),
      y: tensor([0, 1], { dtype: 'i32' }),
      random: { key: key(0), first: tensor([0, 0], { dtype: 'u32' }) },
    };
    expect(() => cutmix()({ ...inputs, x: tensor([1, 2], { shape: [2, 1] }) })).toThrow(
      'cutmix: x has shape [2,1], expected (batch, ..., height, width)',
    );
  });
});
