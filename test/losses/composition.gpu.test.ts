// Losses compose: wrappers around any loss, deferred class weights over any weighted loss, dense logits for all.
import * as objectives from 'evenkeel/objectives';
import { describe, expect, test } from 'vitest';
import { backward, NdArray, requireGrad, tensor, type Tensor } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import * as losses from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { sum } from 'evenkeel/ops';
import { drw, sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { readAll, takeGrad } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { keep } from '../support/keep.ts';

const C = 4;
const classCounts = [400, 90, 20, 5];
const z = sample([6, C], { seed: 4, low: -3, high: 3 });
const labels = integers(6, C, 9);

type Row = (z: readonly number[], y: number) => number;
const ce: Row = (a, y) => Math.log(a.reduce((t, v) => t + Math.exp(v), 0)) - a[y]!;
const margins = classCounts.map((n) => 0.5 * (5 / n) ** 0.25);
const ldam =
  (s: number): Row =>
  (a, y) =>
    ce(
      a.map((v, c) => s * (v - (c === y ? margins[y]! : 0))),
      y,
    );
const vs: Row = (a, y) =>
  ce(
    a.map((v, c) => (classCounts[c]! / 400) ** 0.3 * v + Math.log(classCounts[c]! / 515)),
    y,
  );
const focal: Row = (a, y) => (1 - Math.exp(-ce(a, y))) ** 2 * ce(a, y);
const clip =
  (tau: number, f: Row): Row =>
  (a, y) => {
    const norm = Math.hypot(...a);
    return f(norm >= tau ? a.map((v) => (tau * v) / norm) : a, y);
  };
/** Rows weighed by exp(L / lambda) / mean exp(L / lambda), constants of the gradient: the first step of ABSGD. */
const attention = (lambda: number, f: Row, factors: readonly number[]): number[] => {
  const each = labels.map((y, r) => factors[y]! * f(Array.from(z.data.slice(r * C, r * C + C)), y));
  const raw = each.map((v) => Math.exp(v / lambda));
  return raw.map((v) => (v * labels.length) / raw.reduce((a, b) => a + b));
};
const ones = classCounts.map(() => 1);

interface Composed {
  make: () => losses.Loss;
  row: Row;
  /** Constant factor of each row. */
  factor?: readonly number[];
}
const composed: Record<string, Composed> = {
  'logitClip(ldam)': {
    make: () => losses.logitClip(losses.ldam({ classCounts, scale: 5 }), { tau: 2 }),
    row: clip(2, ldam(5)),
  },
  'logitClip(vs)': { make: () => losses.logitClip(losses.vs({ classCounts })), row: clip(1, vs) },
  'absgd(vs)': {
    make: () => losses.absgd(losses.vs({ classCounts }), { lambda: 2 }),
    row: vs,
    factor: attention(2, vs, ones),
  },
  'absgd(ldam), lambda below 0': {
    make: () => losses.absgd(losses.ldam({ classCounts, scale: 5 }), { lambda: -5 }),
    row: ldam(5),
    factor: attention(-5, ldam(5), ones),
  },
  'absgd(focal)': {
    make: () => losses.absgd(losses.focal(), { lambda: 1 }),
    row: focal,
    factor: attention(1, focal, ones),
  },
  'absgd(logitClip(ldam))': {
    make: () => losses.absgd(losses.logitClip(losses.ldam({ classCounts, scale: 5 }), { tau: 2 }), { lambda: 3 }),
    row: clip(2, ldam(5)),
    factor: attention(3, clip(2, ldam(5)), ones),
  },
  'logitClip(absgd(vs))': {
    make: () => losses.logitClip(losses.absgd(losses.vs({ classCounts }), { lambda: 2 }), { tau: 3 }),
    row: clip(3, vs),
    factor: attention(2, clip(3, vs), ones),
  },
  'cdb(focal)': {
    make: () => updated(losses.cdb({ numClasses: C, loss: losses.focal(), tau: 1 })),
    row: focal,
    factor: labels.map((y) => [0.4, 0.8, 1.2, 1.6][y]!),
  },
  'cdb(ldam)': {
    make: () => updated(losses.cdb({ numClasses: C, loss: losses.ldam({ classCounts, scale: 5 }), tau: 1 })),
    row: ldam(5),
    factor: labels.map((y) => [0.4, 0.8, 1.2, 1.6][y]!),
  },
};
function updated(loss: losses.Cdb): losses.Cdb {
  loss.update([0.9, 0.8, 0.7, 0.6]);
  return loss;
}

describe('wrappers', () => {
  test.each(Object.entries(composed))(
    '%s: values and gradients',
    async (_, { make, row, factor = labels.map(() => 1) }) => {
      const [each, slope] = await readAll(() => {
        const leaf = requireGrad(tensor(z.data, { shape: z.shape }));
        const values = keep(make())(leaf, labels, { reduction: 'none' });
        const out = values.detach();
        backward(sum(values));
        return [out, takeGrad(leaf)];
      });
      labels.forEach((y, r) => {
        const a = Array.from(z.data.slice(r * C, r * C + C));
        const want = factor[r]! * row(a, y);
        expect(Math.abs(each![r]! - want), `row ${r}`).toBeLessThan(2e-5 * Math.max(1, Math.abs(want)));
        a.forEach((_v, c) => {
          const at = (t: number): number =>
            row(
              a.map((x, i) => (i === c ? x + t : x)),
              y,
            );
          const difference = (factor[r]! * (at(1e-5) - at(-1e-5))) / 2e-5;
          expect(Math.abs(slope![r * C + c]! - difference), `gradient ${r}, ${c}`).toBeLessThan(
            1e-4 * Math.max(1, Math.abs(difference)),
          );
        });
      });
    },
  );
});

/** Every weighted loss, wrapped ones among them, with the loss whose class weights are looked at. */
const weighted: Record<string, () => losses.Loss> = {
  crossEntropyLoss: () => losses.crossEntropyLoss(),
  'crossEntropy, mean': () => losses.crossEntropyLoss({ reduction: 'mean' }),
  ldam: () => losses.ldam({ classCounts }),
  ldamHinge: () => losses.ldamHinge({ classCounts }),
  vs: () => losses.vs({ classCounts }),
  logitAdjusted: () => losses.logitAdjusted({ classCounts }),
  balancedSoftmax: () => losses.balancedSoftmax({ classCounts }),
  cdt: () => losses.cdt({ classCounts }),
  bayias: () => losses.bayias({ classCounts }),
  focal: () => losses.focal(),
  'focal, weight inside': () => losses.focal({ weightIn: 'probability' }),
  labelAwareSmoothing: () => losses.labelAwareSmoothing({ classCounts }),
  gce: () => losses.gce({ q: 0.7 }),
  'cdb(focal)': () => losses.cdb({ numClasses: C, loss: losses.focal() }),
  'logitClip(ldam)': () => losses.logitClip(losses.ldam({ classCounts })),
  'absgd(vs)': () => losses.absgd(losses.vs({ classCounts }), { lambda: 2, gamma: 1 }),
  'absgd(logitClip(ldam))': () =>
    losses.absgd(losses.logitClip(losses.ldam({ classCounts, scale: 3 })), { lambda: 2, gamma: 1 }),
};

describe('deferred re-weighting', () => {
  const y = Array.from({ length: 40 }, (_, i) => [0, 0, 0, 1, 1, 2, 0, 3][i % 8]!);
  const data = makeDataset(
    new NdArray(
      Float32Array.from({ length: 40 * 3 }, (_, i) => Math.sin(1 + i * i)),
      [40, 3],
    ),
    y,
  );
  /** Losses of the epochs of a model that stands still, and its logits. */
  const course = async (
    options: Partial<Parameters<typeof fit>[2]>,
  ): Promise<{ epochs: number[]; logits: Float32Array }> => {
    const model = keep(Sequential(Linear(3, C)));
    const { loss: epochs } = await fit(model, data, {
      optimizer: sgd({ lr: 0 }),
      schedule: drw({ from: 1 }),
      epochs: 2,
      batchSize: 40,
      seed: 1,
      ...options,
    } as Parameters<typeof fit>[2]);
    return { epochs, logits: (await model.logits(data.x)).data };
  };
  const valueAt = async (loss: losses.Loss, logits: Float32Array): Promise<number> =>
    (await readAll(() => [loss(tensor(logits, { shape: [40, C] }), y)]))[0]![0]!;

  test.each(Object.entries(weighted))('%s', async (_, make) => {
    const { epochs, logits } = await course({ loss: keep(make()) });
    const by = keep(make());
    const plain = await valueAt(by, logits);
    by.setClassWeight(Array.from(losses.effectiveNumberWeights(data.classCounts, 0.9999)));
    const late = await valueAt(by, logits);
    expect(Math.abs(epochs[0]! - plain)).toBeLessThan(2e-5 * Math.max(1, plain));
    expect(Math.abs(epochs[1]! - late)).toBeLessThan(2e-5 * Math.max(1, late));
    expect(Math.abs(late - plain)).toBeGreaterThan(1e-3);
  });

  test('by any rule, through objectives, and put back at the end', async () => {
    const loss = keep(losses.crossEntropyLoss({ reduction: 'mean' }));
    const schedule = drw({ from: 1, rule: (counts) => losses.smoothWeights(counts, 0.5) });
    const { epochs, logits } = await course({ loss, schedule });
    const plain = await valueAt(loss, logits);
    expect(epochs[0]!).toBeCloseTo(plain, 5);
    const roots = keep(
      losses.crossEntropyLoss({ reduction: 'mean', weight: losses.inverseSqrtWeights(data.classCounts) }),
    );
    expect(epochs[1]!).toBeCloseTo(await valueAt(roots, logits), 5);
    expect(await valueAt(loss, logits)).toBe(plain);
    // Mixing with nobody: the own label alone.
    const alone = Object.assign(
      ({ x, y: own }: objectives.MixingInputs) => ({ x, partner: own, weight: tensor(new Float32Array(40).fill(1)) }),
      { dispose: () => {} },
    );
    const still: Record<string, losses.Objective> = {
      mixed: keep(objectives.mixed(alone, losses.crossEntropyLoss())),
      scheduled: losses.scheduledLoss(loss, () => {}),
      grouped: keep(
        losses.grouped(
          losses.groupDro(losses.crossEntropyLoss(), { groupCounts: [40], eta: 0 }),
          new Array<number>(40).fill(0),
        ),
      ),
    };
    for (const [name, objective] of Object.entries(still)) {
      const found = await course({ objective, schedule });
      found.epochs.forEach((v, e) => expect(v, `${name}, epoch ${e}`).toBeCloseTo(epochs[e]!, 5));
    }
    const bare: losses.Objective = ({ x, y: own, forward }) => loss(forward(x), own);
    await expect(course({ objective: bare, schedule })).rejects.toThrow(
      'fit: the schedule sets class weights, which this objective does not take, expected a loss',
    );
  });
});

describe('dense logits (2, 3, classes)', () => {
  const groups = integers(6, 2, 5);
  const dense: Record<string, () => (x: Tensor, y: readonly number[], inputs: losses.LossInputs) => Tensor> = {
    ...Object.fromEntries(Object.entries(weighted).map(([name, make]) => [name, () => keep(make())])),
    classBalancedCrossEntropy: () => keep(losses.classBalancedCrossEntropy({ classCounts })),
    classBalancedFocal: () => keep(losses.classBalancedFocal({ classCounts })),
    equalization: () => keep(losses.equalization({ classCounts, lambda: 0.1, gamma: 1 })),
    groupVs: () => {
      const loss = keep(losses.groupVs({ groupCounts: [9, 2] }));
      return (x, y, inputs) => loss(x, y, { groups, ...inputs });
    },
    groupDro: () => {
      const loss = keep(losses.groupDro(losses.ldam({ classCounts }), { groupCounts: [9, 2] }));
      return (x, y, inputs) => loss(x, y, { groups, ...inputs });
    },
  };
  test.each(Object.entries(dense))(
    '%s: the values of the rows, in their shape, and the same mean and gradient',
    async (_, make) => {
      const run = async (shape: readonly number[]): Promise<{ shape: readonly number[]; numbers: number[][] }> => {
        let of: readonly number[] = [];
        const got = await readAll(() => {
          const leaf = requireGrad(tensor(z.data, { shape }));
          const sampleWeight = (): Tensor => tensor([1, 0.5, 2, 1, 0, 3], { shape: shape.slice(0, -1) });
          const each = make()(tensor(z.data, { shape }), labels, { reduction: 'none', sampleWeight: sampleWeight() });
          of = each.shape;
          const value = make()(leaf, labels, { sampleWeight: sampleWeight() });
          backward(value);
          return [each, value, takeGrad(leaf)];
        });
        return { shape: of, numbers: got.map((g) => Array.from(g)) };
      };
      const [rows, deep] = [await run([6, C]), await run([2, 3, C])];
      expect(deep.shape).toEqual([2, 3]);
      expect(deep.numbers).toEqual(rows.numbers);
    },
  );
});
