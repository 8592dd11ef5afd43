import { describe, expect, test } from 'vitest';
import { backward, capture, NdArray, noGrad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import {
  crossEntropyLoss,
  equalization,
  grouped,
  groupDro,
  groupVs,
  type GroupDro,
  type GroupDroOptions,
} from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { readAll, takeGrad } from '../support/check-op.ts';
import { relativeError } from '../support/golden.ts';
import { keep } from '../support/keep.ts';

const close = (got: ArrayLike<number>, want: readonly number[], tolerance = 1e-5): void => {
  expect(got.length).toBe(want.length);
  want.forEach((w, i) =>
    expect(Math.abs(got[i]! - w), `element ${i}: ${got[i]}, expected ${w}`).toBeLessThan(
      tolerance * Math.max(0.1, Math.abs(w)),
    ),
  );
};
const sum = (a: readonly number[]): number => a.reduce((t, v) => t + v, 0);

const groupCounts = [60, 25, 10, 5];
interface Batch {
  z: number[][];
  y: number[];
  groups: number[];
}
const batches: Batch[] = [0, 1, 2, 3, 4].map((b) => {
  const groups = [0, 0, 0, 1, 0, 1, 2, 3].map((g) => (b === 2 && g === 3 ? 0 : b === 3 && g === 2 ? 1 : g));
  return {
    groups,
    y: groups.map((g, i) => (g + i) % 2),
    z: groups.map((g, i) => [Math.sin(3 * b + i) * 2, Math.cos(5 * b - g * i)]),
  };
});
const ceOf = ({ z, y }: Batch): number[] => z.map((row, i) => Math.log(sum(row.map((v) => Math.exp(v - row[y[i]!]!)))));
const groupMeans = ({ groups }: Batch, losses: readonly number[]): number[] =>
  groupCounts.map((_, g) => {
    const own = losses.filter((_, i) => groups[i] === g);
    return own.length === 0 ? 0 : sum(own) / own.length;
  });

/** Values and weights of the released code's rules, in f64. */
function reference({
  eta = 0.01,
  adjustment = 0,
  rule,
  alpha = 0.2,
  rate = 0.1,
}: Omit<GroupDroOptions, 'groupCounts'>): { values: number[]; weights: number[][] } {
  let q = groupCounts.map(() => 0.25);
  let [mean, seen] = [groupCounts.map(() => 0), groupCounts.map(() => false)];
  const weights: number[][] = [];
  const values = batches.map((batch) => {
    const losses = groupMeans(batch, ceOf(batch));
    const extra = groupCounts.map((n) => adjustment / Math.sqrt(n));
    if (rule === 'greedy') {
      mean = mean.map((m, g) =>
        !batch.groups.includes(g) ? m : seen[g] ? (1 - rate) * m + rate * losses[g]! : losses[g]!,
      );
      seen = seen.map((s, g) => s || batch.groups.includes(g));
      const order = [0, 1, 2, 3].sort((a, b) => mean[b]! + extra[b]! - mean[a]! - extra[a]! || a - b);
      let left = alpha;
      q = [0, 0, 0, 0];
      for (const g of order) {
        const taken = Math.min(left, groupCounts[g]! / 100);
        q[g] = taken / alpha;
        left -= taken;
      }
    } else {
      const raw = q.map((v, g) => v * Math.exp(eta * (losses[g]! + extra[g]!)));
      q = raw.map((v) => v / sum(raw));
    }
    weights.push(q);
    return sum(q.map((v, g) => v * losses[g]!));
  });
  return { values, weights };
}

const valueOf = async (loss: GroupDro, { z, y, groups }: Batch): Promise<number> =>
  (await readAll(() => [loss(requireGrad(tensor(z.flat(), { shape: [8, 2] })), y, { groups })]))[0]![0]!;

describe('groupDro', () => {
  test.each<[string, Omit<GroupDroOptions, 'groupCounts'>]>([
    ['defaults', {}],
    ['a large step', { eta: 2 }],
    ['adjusted', { eta: 0.5, adjustment: 3 }],
    ['greedy', { rule: 'greedy' }],
    ['greedy, adjusted', { rule: 'greedy', adjustment: 4, alpha: 0.5, rate: 0.4 }],
  ])('%s: five batches, two without a group', async (_, options) => {
    const want = reference(options);
    const loss = keep(groupDro(crossEntropyLoss(), { groupCounts, ...options }));
    for (const [b, batch] of batches.entries()) {
      expect(relativeError(await valueOf(loss, batch), want.values[b]!)).toBeLessThan(1e-5);
      close(await loss.groupWeights(), want.weights[b]!);
    }
  });
  test('the gradient is that of sum q_g L_g with constant q', async () => {
    const loss = keep(groupDro(crossEntropyLoss(), { groupCounts, eta: 1 }));
    const [batch] = batches as [Batch];
    const [slope, terms, total] = await readAll(() => {
      const leaf = requireGrad(tensor(batch.z.flat(), { shape: [8, 2] }));
      const value = loss(leaf, batch.y, { groups: batch.groups });
      backward(value);
      return [
        takeGrad(leaf),
        noGrad(() =>
          loss(tensor(batch.z.flat(), { shape: [8, 2] }), batch.y, { groups: batch.groups, reduction: 'none' }),
        ),
        value,
      ];
    });
    const {
      weights: [q],
    } = reference({ eta: 1 });
    const want = batch.z.flatMap((row, i) => {
      const all = sum(row.map(Math.exp));
      const factor = q![batch.groups[i]!]! / batch.groups.filter((g) => g === batch.groups[i]).length;
      return row.map((v, c) => factor * (Math.exp(v) / all - Number(c === batch.y[i])));
    });
    close(slope!, want);
    expect(terms!.length).toBe(8);
    expect(total![0]).toBeCloseTo(reference({ eta: 1 }).values[0]!, 5);
  });
  test('noGrad leaves q as it was; a saved state goes on; sample weights are the measure of the means', async () => {
    const options = { groupCounts, eta: 0.7 };
    const loss = keep(groupDro(crossEntropyLoss(), options));
    for (const batch of batches.slice(0, 3)) await valueOf(loss, batch);
    const state = await loss.state();
    await readAll(() => [
      noGrad(() =>
        loss(tensor(batches[3]!.z.flat(), { shape: [8, 2] }), batches[3]!.y, { groups: batches[3]!.groups }),
      ),
    ]);
    expect(await loss.state()).toEqual(state);
    const other = keep(groupDro(crossEntropyLoss(), options));
    other.setState(state);
    expect(await valueOf(other, batches[3]!)).toBe(await valueOf(loss, batches[3]!));
    expect(await other.state()).toEqual(await loss.state());
    const { z, y, groups } = batches[0]!;
    const twice = keep(groupDro(crossEntropyLoss(), options));
    const weighted = (
      await readAll(() => [
        twice(tensor(z.flat(), { shape: [8, 2] }), y, {
          groups,
          sampleWeight: tensor(groups.map((_, i) => (i === 1 ? 0 : 3))),
        }),
      ])
    )[0]![0]!;
    const without = keep(groupDro(crossEntropyLoss(), options));
    const drop = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== 1);
    const want = (
      await readAll(() => [without(tensor(drop(z).flat(), { shape: [7, 2] }), drop(y), { groups: drop(groups) })])
    )[0]![0]!;
    expect(weighted).toBeCloseTo(want, 5);
  });
  test('one group is the mean; eta 0 the mean of the group means; a captured step moves q', async () => {
    const { z, y, groups } = batches[0]!;
    const one = keep(groupDro(crossEntropyLoss(), { groupCounts: [9] }));
    const losses = ceOf(batches[0]!);
    expect(await valueOf(one, { z, y, groups: groups.map(() => 0) })).toBeCloseTo(sum(losses) / 8, 5);
    expect(await valueOf(keep(groupDro(crossEntropyLoss(), { groupCounts, eta: 0 })), batches[0]!)).toBeCloseTo(
      sum(groupMeans(batches[0]!, losses)) / 4,
      5,
    );
    const loss = keep(groupDro(crossEntropyLoss(), { groupCounts, eta: 3 }));
    const [x, g] = [keep(requireGrad(tensor(z.flat(), { shape: [8, 2] }))), keep(tensor(groups, { dtype: 'i32' }))];
    const labels = keep(tensor(y, { dtype: 'i32' }));
    const step = keep(capture(() => loss(x, labels, { groups: g })));
    const first = await step.value.item();
    const values = [first];
    for (let i = 0; i < 3; i++) values.push(await step.run().item());
    // The weight goes to the group of the largest loss.
    for (let i = 1; i < 4; i++) expect(values[i]).toBeGreaterThan(values[i - 1]!);
    expect(values[3]).toBeLessThanOrEqual(Math.max(...groupMeans(batches[0]!, losses)) + 1e-5);
  });
  test('around groupVs, and finite for logits of 1e4', async () => {
    const loss = keep(groupDro(groupVs({ groupCounts }), { groupCounts, eta: 1 }));
    const extreme = { ...batches[0]!, z: batches[0]!.z.map((row) => row.map((v) => 1e4 * Math.sign(v))) };
    const plain = keep(groupVs({ groupCounts }));
    const each = Array.from(
      (
        await readAll(() => [
          plain(tensor(batches[0]!.z.flat(), { shape: [8, 2] }), batches[0]!.y, {
            groups: batches[0]!.groups,
            reduction: 'none',
          }),
        ])
      )[0]!,
    );
    const means = groupMeans(batches[0]!, each);
    const raw = means.map((m) => Math.exp(m));
    expect(await valueOf(loss, batches[0]!)).toBeCloseTo(sum(raw.map((v, g) => (v / sum(raw)) * means[g]!)), 4);
    expect(Number.isFinite(await valueOf(loss, extreme))).toBe(true);
    expect(sum(await loss.groupWeights())).toBeCloseTo(1, 5);
  });
});

describe('grouped', () => {
  // Group 1 is a small group of labels against the trend.
  const n = 60;
  const groups = Array.from({ length: n }, (_, i) => Number(i % 6 === 0));
  const y = Array.from({ length: n }, (_, i) => i % 2);
  const x = Float32Array.from({ length: 2 * n }, (_, k) => {
    const i = Math.floor(k / 2);
    return (k % 2 === 0 ? (groups[i] ? -1 : 1) : 0.3) * (2 * y[i]! - 1);
  });
  const data = makeDataset(new NdArray(x, [n, 2]), y);
  const train = async (make: () => Parameters<typeof grouped>[0]): Promise<number[]> => {
    const loss = make();
    const objective = keep(grouped(loss, groups));
    const model = Sequential(Linear(2, 2));
    await fit(model, data, { objective, optimizer: sgd({ lr: 0.2 }), epochs: 30, batchSize: 25, seed: 1 });
    const [weight] = [...(await model.stateDict()).values()].map((p) => Array.from(p.data));
    model.dispose();
    return weight!;
  };
  test('the groups follow the rows of shuffled batches', async () => {
    const counts = [50, 10];
    const [plain, robust] = [
      await train(() => Object.assign(crossEntropyLoss(), { numGroups: 2 }) as never),
      await train(() => groupDro(crossEntropyLoss(), { groupCounts: counts, eta: 0.5 })),
    ];
    // The second feature is right for both groups: weight moves to it from the first.
    const ratio = (w: number[]): number => Math.abs((w[3]! - w[1]!) / (w[2]! - w[0]!));
    expect(ratio(robust)).toBeGreaterThan(1.2 * ratio(plain));
    expect(await train(() => groupVs({ groupCounts: counts }))).toEqual(
      await train(() => groupVs({ groupCounts: counts })),
    );
  });
});

describe('equalization', () => {
  const classCounts = [600, 300, 96, 4];
  const z = Array.from({ length: 400 * 4 }, (_, i) => Math.sin(i));
  const y = Array.from({ length: 400 }, (_, i) => (i * 3) % 4);
  const values = async (loss: ReturnType<typeof equalization>): Promise<number[]> =>
    Array.from((await readAll(() => [keep(loss)(tensor(z, { shape: [400, 4] }), y, { reduction: 'none' })]))[0]!);
  const want = (row: number, keepsRare: boolean): number => {
    const own = z.slice(4 * row, 4 * row + 4);
    return Math.log(sum(own.filter((_, c) => c < 3 || y[row] === 3 || keepsRare).map(Math.exp))) - own[y[row]!]!;
  };
  test(
    'leaves the rare class out of the denominators of others about ' + 'as often as gamma says, anew in each call',
    async () => {
      const loss = keep(equalization({ classCounts, gamma: 0.7 }));
      const [a, b] = [await values(loss), await values(loss)];
      expect(a).not.toEqual(b);
      let left = 0;
      for (const got of [a, b]) {
        got.forEach((v, i) => {
          const [without, whole] = [want(i, false), want(i, true)];
          expect(Math.min(Math.abs(v - without), Math.abs(v - whole))).toBeLessThan(1e-5);
          if (y[i] !== 3 && Math.abs(v - without) < Math.abs(v - whole)) left++;
        });
      }
      // 600 draws: four standard errors are 0.075.
      expect(Math.abs(left / 600 - 0.7)).toBeLessThan(0.075);
      expect(await values(equalization({ classCounts, gamma: 0.7 }))).toEqual(a);
      expect(await values(equalization({ classCounts, gamma: 0.7, seed: 1 }))).not.toEqual(a);
    },
  );
  test('gamma 0, or no rare class: cross-entropy', async () => {
    for (const options of [{ gamma: 0 }, { gamma: 1, lambda: 0 }])
      close(
        await values(equalization({ classCounts, ...options })),
        y.map((_, i) => want(i, true)),
      );
  });
});

test('errors', () => {
  const base = keep(crossEntropyLoss());
  expect(() => groupDro(base, { groupCounts: [1, -1] })).toThrow(
    new RangeError('groupDro: groupCounts[1] is -1, expected a finite number >= 0'),
  );
  expect(() => groupDro(base, { groupCounts, eta: -1 })).toThrow(
    new RangeError('groupDro: eta is -1, expected a finite number >= 0'),
  );
  expect(() => groupDro(base, { groupCounts, alpha: 0 })).toThrow(
    new RangeError('groupDro: alpha is 0, expected 0 < alpha <= 1'),
  );
  expect(() => groupDro(base, { groupCounts, rule: 'all' as never })).toThrow(
    new RangeError("groupDro: rule is 'all', expected 'exponentiated' or 'greedy'"),
  );
  expect(() => equalization({ classCounts: [1], gamma: 2 })).toThrow(
    new RangeError('equalization: gamma is 2, expected a number in 0..1'),
  );
  expect(() => grouped(groupDro(base, { groupCounts }), [0, -1])).toThrow(
    new RangeError('grouped: groups[1] is -1, expected an integer in 0..3'),
  );
  const loss = keep(groupDro(base, { groupCounts }));
  expect(() => loss.setState([1])).toThrow(
    new RangeError('groupDro: the state has 1 entries, expected 8 finite numbers'),
  );
  scope(() => {
    const z: Tensor = tensor([0, 0], { shape: [1, 2] });
    expect(() => (loss as unknown as ReturnType<typeof crossEntropyLoss>)(z, [0])).toThrow(
      new TypeError('groupDro: groups are missing, expected one a sample'),
    );
    expect(() => loss(z, [0], { groups: [4] })).toThrow('groupDro: groups[0] is 4, expected an integer in 0..3');
    expect(() => loss(z, [0], { groups: [0, 1] })).toThrow('groupDro: got 2 groups for logits of shape [1,2]');
  });
});
