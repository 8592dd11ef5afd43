import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import {
  brierLoss,
  cals,
  cpc,
  crossEntropyLoss,
  entropyPenalty,
  focal,
  focalAdaptive,
  l1Penalty,
  mbls,
  mmce,
  type AlmPenalty,
  type Cals,
  type Loss,
} from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { mul, sum } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { almPenaltyOf } from '../../src/losses/calibration/alm-penalty.ts';
import file from '../golden/calibration.json';
import { expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { dense, flat, type GoldenCase } from '../support/golden.ts';
import { planned } from '../support/golden-op.ts';
import { clusters } from '../support/synthetic.ts';

const elsewhere = {
  calsAlmTrace: 'run in multiplier-rules.node.test.ts',
  calsHrTrace: 'run in multiplier-rules.node.test.ts',
  almPenalty: 'run below and in multiplier-rules.node.test.ts',
  calibrationMetrics: 'run in test/metrics',
  calibrationBinEdges: 'run in test/metrics',
  temperatureScaling: 'run in test/calibrate',
};
const cases = planned({ file, later: elsewhere });

type Options = Record<string, number>;

/** Multipliers and factors of a case, put into a loss through its state. */
function withMultipliers(c: GoldenCase): Cals {
  const [lambda, rho] = [flat(c.inputs.lambda), flat(c.inputs.rho)];
  const { penalty, margin, normalize } = c.options as { penalty: AlmPenalty; margin: number; normalize: boolean };
  const loss = cals({ numClasses: lambda.length, penalty, margin, normalize });
  loss.setState({ lambda, rho, previous: null, epoch: 3 });
  return loss;
}

const make: Record<string, (o: Options, c: GoldenCase) => Loss> = {
  calsAlm: (_o, c) => withMultipliers(c),
  mbls: ({ margin, alpha }) => mbls({ margin, lambda: alpha }),
  labelSmoothing: ({ alpha }) => crossEntropyLoss({ labelSmoothing: alpha }),
  focal: ({ gamma }) => focal({ gamma }),
  focalAdaptive: ({ gamma, gammaLow, threshold }) => focalAdaptive({ gamma, gammaLow, threshold }),
  entropyPenalty: ({ alpha }) => entropyPenalty({ lambda: alpha, classReduction: 'mean' }),
  penaltyL1: ({ alpha }) => l1Penalty({ lambda: alpha }),
  brier: () => brierLoss(),
  mmce: ({ lamda }) => mmce({ lambda: lamda }),
  mmceWeighted: ({ lamda }) => mmce({ lambda: lamda, weighted: 'released-code' }),
  cpc: ({ lambd_bdc, lambd_bec }) => cpc({ lambdaBdc: lambd_bdc, lambdaBec: lambd_bec, compat: 'released-code' }),
};

test('golden cases that run here', () => expect([cases.length, file.length]).toEqual([95, 124]));

test.each(cases)('golden $name', async (c) => {
  const x = dense(c.inputs.logits);
  const loss = make[c.method!]!(c.options as Options, c);
  const got = await readAll(() => {
    const leaf = requireGrad(tensor(x.data, { shape: x.shape }));
    const value = loss(leaf, flat(c.inputs.labels), { reduction: 'mean' });
    backward(value);
    return [value, takeGrad(leaf)];
  });
  loss.dispose();
  [c.outputs.totalLoss ?? c.outputs.loss, c.outputs.gradLogitsTotal ?? c.outputs.gradLogits].forEach((w, k) => {
    const want = flat(w);
    const bound = 1e-5 * Math.max(...want.map(Math.abs)) + 1e-7;
    expectWithin(
      got[k]!,
      { shape: [want.length], data: Float64Array.from(want) },
      () => bound,
      ['loss', 'gradient'][k]!,
    );
  });
});

test.each(planned({ file, later: {} }).filter((c) => c.method === 'almPenalty'))('on the device, $name', async (c) => {
  const h = flat(c.inputs.h);
  const { penalty, lambda, rho } = c.options as { penalty: AlmPenalty; lambda: number; rho: number };
  const got = await readAll(() => {
    const leaf = requireGrad(tensor(h));
    const value = almPenaltyOf(penalty, leaf, tensor([lambda]), tensor([rho]));
    backward(sum(value));
    return [value, takeGrad(leaf)];
  });
  [c.outputs.value, c.outputs.autogradDerivative].forEach((w, k) => {
    const want = flat(w);
    expectWithin(
      got[k]!,
      { shape: [want.length], data: Float64Array.from(want) },
      ({ want: v }) => 4e-6 * Math.abs(v) + 1e-12,
      ['value', 'derivative'][k]!,
    );
  });
});

const values = async (loss: Loss, z: readonly number[][], y: readonly number[]): Promise<number[]> => {
  const [v] = await readAll(() => [
    loss(tensor(z.flat(), { shape: [z.length, z[0]!.length] }), y, { reduction: 'none' }),
  ]);
  loss.dispose();
  return Array.from(v!);
};
const gradients = async (loss: Loss, z: readonly number[][], y: readonly number[]): Promise<Float32Array> => {
  const [g] = await readAll(() => {
    const leaf = requireGrad(tensor(z.flat(), { shape: [z.length, z[0]!.length] }));
    backward(loss(leaf, y));
    return [takeGrad(leaf)];
  });
  loss.dispose();
  return g!;
};
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

describe('identities', () => {
  const z = [
    [12, 0, -3],
    [1, 7, 2],
    [0, 0, 0],
  ];
  const y = [0, 1, 2];
  test('the worked example, m = 5', async () => {
    const [plain, penalised, margins] = await Promise.all(
      [crossEntropyLoss(), cals({ numClasses: 3, margin: 5 }), mbls({ margin: 5, lambda: 1 })].map((loss) =>
        values(loss, z, y),
      ),
    );
    expect(mean(penalised!) - mean(plain!)).toBeCloseTo(0.333334, 5);
    expect(mean(margins!) - mean(plain!)).toBeCloseTo(2, 5);
    const loss = cals({ numClasses: 3, margin: 5 });
    loss.observe({ data: z.flat(), shape: [3, 3] });
    loss.epochEnd();
    [0.066668, 0.466668, 0.666668].forEach((want, c) => expect(loss.lambda[c]).toBeCloseTo(want, 6));
    expect(Array.from(loss.rho)).toEqual([1, 1, 1]);
  });
  test('a margin out of reach leaves cross-entropy', async () => {
    const want = await values(crossEntropyLoss(), z, y);
    expect(await values(mbls({ margin: 100 }), z, y)).toEqual(want);
    (await values(cals({ numClasses: 3, margin: 1e6 }), z, y)).forEach((v, i) => expect(v).toBeCloseTo(want[i]!, 5));
  });
  test('equal logits: no penalty of MbLS, no gradient of either', async () => {
    const flatRow = [[2, 2, 2]];
    const want = await gradients(crossEntropyLoss(), flatRow, [1]);
    expect((await values(mbls({ margin: 0 }), flatRow, [1]))[0]).toBeCloseTo(Math.log(3), 6);
    for (const loss of [cals({ numClasses: 3 }), mbls({ margin: 0 })])
      (await gradients(loss, flatRow, [1])).forEach((g, i) => expect(g).toBeCloseTo(want[i]!, 6));
  });
  test('sums over classes are `classes` times the means', async () => {
    const plain = await values(crossEntropyLoss(), z, y);
    for (const of of [mbls, entropyPenalty] as ((o: { classReduction: 'mean' | 'sum' }) => Loss)[]) {
      const [a, b] = [
        await values(of({ classReduction: 'mean' }), z, y),
        await values(of({ classReduction: 'sum' }), z, y),
      ];
      plain.forEach((v, i) => expect(b[i]! - v).toBeCloseTo(3 * (a[i]! - v), 4));
    }
  });
  test('no constraint on the confident: brier is 0 at one-hot, 2 when surely wrong', async () => {
    expect(
      await values(
        brierLoss(),
        [
          [1e4, 0],
          [1e4, 0],
        ],
        [0, 1],
      ),
    ).toEqual([0, 2]);
  });
  test('mmce: a batch of one kind has no weighted term, and ignored rows take no part', async () => {
    const sure = [
      [3, 0],
      [0, 2],
      [1, 0],
    ];
    const [plain, weighted] = [
      await values(crossEntropyLoss(), sure, [0, 1, 0]),
      await values(mmce({ weighted: true }), sure, [0, 1, 0]),
    ];
    weighted.forEach((v, i) => expect(v).toBeCloseTo(plain[i]!, 6));
    const loss = mmce();
    const [all, kept] = await readAll(() =>
      [sure, sure.slice(0, 2)].map((rows) =>
        loss(
          tensor(rows.flat(), { shape: [rows.length, 2] }),
          tensor([0, 0, -100].slice(0, rows.length), { dtype: 'i32' }),
        ),
      ),
    );
    loss.dispose();
    expect(all![0]).toBeCloseTo(kept![0]!, 6);
  });
  test('mmce weighted by 1 / n: by hand', async () => {
    // r = sigmoid(2), sigmoid(1); the first right, the second wrong.
    const [r, q] = [1 / (1 + Math.exp(-2)), 1 / (1 + Math.exp(-1))];
    const k = Math.exp(-(r - q) / 0.4);
    const term = Math.sqrt((1 - r) ** 2 + q ** 2 - 2 * (1 - r) * q * k);
    expect(
      (
        await values(
          mmce({ weighted: true }),
          [
            [2, 0],
            [1, 0],
          ],
          [0, 1],
        )
      )[0]! - Math.log(1 + Math.exp(-2)),
    ).toBeCloseTo(term, 4);
  });
  test('cpc: equal other logits are best; without compat that term is log 2 / 2 of each pair', async () => {
    const at = async (a: number): Promise<number> =>
      (await values(cpc({ lambdaBdc: 0 }), [[0, a, -a, 0]], [0]))[0]! -
      (await values(crossEntropyLoss(), [[0, a, -a, 0]], [0]))[0]!;
    expect(await at(0)).toBeCloseTo(Math.LN2 / 2, 5);
    expect(await at(1)).toBeGreaterThan(Math.LN2 / 2);
    const [plain, two] = [await values(crossEntropyLoss(), [[1, 0]], [0]), await values(cpc(), [[1, 0]], [0])];
    expect(two[0]! - plain[0]!).toBeCloseTo(0.1 * Math.log(1 + Math.exp(-1)), 6);
  });
  test('multipliers reach a loss that is already in use, weights of samples multiply', async () => {
    const loss = cals({ numClasses: 3, margin: 5 });
    const before = await values(loss, z, y);
    loss.setState({ lambda: [1, 1, 1], rho: [2, 2, 2], previous: null, epoch: 1 });
    const after = await values(loss, z, y);
    expect(after[0]).toBeGreaterThan(before[0]! + 1);
    const [weighted] = await readAll(() => [
      loss(tensor(z.flat(), { shape: [3, 3] }), y, {
        reduction: 'none',
        sampleWeight: mul(tensor([1, 2, 3]), 2) as Tensor,
      }),
    ]);
    weighted!.forEach((v, i) => expect(v).toBeCloseTo(after[i]! * 2 * (i + 1), 4));
    loss.dispose();
  });
});

test('fit renews the multipliers by its hook, and its captured step follows', async () => {
  const run = async (hook: boolean): Promise<{ loss: number[]; lambda: Float64Array; epoch: number }> => {
    using model = Sequential(Linear(16, 10)).init({ seed: 1 });
    const loss = cals({ numClasses: 10, margin: 0.5 });
    const onEpoch = loss.onEpoch(model, clusters({ n: 100, seed: 2 }));
    const history = await fit(model, clusters({ n: 200, seed: 1 }), {
      loss,
      optimizer: sgd({ lr: 0.1 }),
      epochs: 3,
      batchSize: 50,
      ...(hook && { onEpoch }),
    });
    loss.dispose();
    return { loss: history.loss, lambda: loss.lambda, epoch: loss.state().epoch };
  };
  const [without, with_] = [await run(false), await run(true)];
  expect([without.epoch, with_.epoch]).toEqual([0, 3]);
  expect(Math.min(...with_.lambda)).toBeGreaterThan(1e-3);
  expect(with_.loss[0]).toBe(without.loss[0]);
  expect(with_.loss[1]).toBeGreaterThan(without.loss[1]!);
});

test('errors', () => {
  expect(() => mbls({ margin: -1 })).toThrow('mbls: margin is -1, expected a finite number >= 0');
  expect(() => mbls({ classReduction: 'max' as never })).toThrow(
    "mbls: classReduction is 'max', expected 'mean' or 'sum'",
  );
  expect(() => entropyPenalty({ lambda: NaN })).toThrow('entropyPenalty: lambda is NaN, expected a finite number >= 0');
  expect(() => focalAdaptive({ threshold: 1 })).toThrow('focalAdaptive: threshold is 1, expected 0 < threshold < 1');
  expect(() => mmce({ width: 0 })).toThrow('mmce: width is 0, expected a finite number > 0');
  expect(() => mmce({ weighted: 1 as never })).toThrow("mmce: weighted is 1, expected true, false or 'released-code'");
  expect(() => cpc({ lambdaBec: -1 })).toThrow('cpc: lambdaBec is -1, expected a finite number >= 0');
  scope(() =>
    expect(() => cals({ numClasses: 4 })(tensor(new Float32Array(6), { shape: [2, 3] }), [0, 1])).toThrow(
      'cals: logits have shape [2,3], expected 4 classes on the last axis',
    ),
  );
});
