import * as objectives from 'evenkeel/objectives';
import { describe, expect, test } from 'vitest';
import { grad, requireGrad, tensor, type Tensor } from 'evenkeel';
import * as losses from 'evenkeel/losses';
import type { Loss, LossInputs } from 'evenkeel/losses';
import { mul, sum } from 'evenkeel/ops';
import { readAll } from '../support/check-op.ts';
import { PARTS } from '../support/loss-parts.ts';
import { C, counts, LOSS_TABLE } from '../support/loss-table.ts';

const I = Infinity;
const transition = Array.from({ length: C }, (_, i) => Array.from({ length: C }, (_, j) => (i === j ? 0.6 : 0.1)));
const identity = Array.from({ length: C }, (_, i) => Array.from({ length: C }, (_, j) => Number(i === j)));
const ofGroups = (loss: losses.GroupLoss): Loss =>
  Object.assign(
    (z: Parameters<Loss>[0], y: Parameters<Loss>[1], inputs: LossInputs = {}) =>
      loss(z, y, { groups: Array.from({ length: z.shape[0]! }, (_, i) => i % 2), ...inputs }),
    { dispose: loss.dispose },
  ) as unknown as Loss;

/**
 * Exported functions that are no loss of logits and labels alone: their pieces, objectives, and what has a test of its
 * own below.
 */
const others = [
  ...PARTS,
  'adjustedCrossEntropy',
  'deviceTable',
  'klDro',
  'cdbTau',
  'cdbWeights',
  'labelSmoothings',
  'vsAdjustments',
  'alphaSchedule',
  'temperedSoftmax',
  'elr',
  'truncatedGce',
  'clipLogits',
  'logitClipBounds',
  'symmetricNoiseExcess',
  'logitClamp',
  'noisedTopK',
  'twoHead',
  'influenceBalanced',
  'influenced',
  'manifoldMixup',
  'cutmix',
  'mixed',
  'mixup',
  'remix',
  'remixWeight',
  'unimix',
  'unimixPartnerProbabilities',
  'groupDro',
  'binaryVs',
];

/** A loss of logits and labels by its name, made without options; undefined where that is no such loss. */
const plain = (name: string): (() => Loss) | undefined => {
  const make = losses[name as keyof typeof losses] as () => Loss;
  try {
    return 'setClassWeight' in make() ? make : undefined;
  } catch {
    return undefined; // It needs options.
  }
};
/** The first row of the table of losses that makes the loss of that name. */
const fromTable = (name: string): (() => Loss) | undefined =>
  Object.values(LOSS_TABLE).find(({ make }) => make().name === name)?.make;

/** Losses that neither their defaults nor the table of losses make, and further settings of others. */
const special: Record<string, () => Loss> = {
  'crossEntropy, smoothed': () => losses.crossEntropyLoss({ labelSmoothing: 0.1 }),
  'ldam, scale in the head': () => losses.ldam({ classCounts: counts, scaleIn: 'head' }),
  classBalancedCrossEntropy: () => losses.classBalancedCrossEntropy({ classCounts: counts }),
  classBalancedFocal: () => losses.classBalancedFocal({ classCounts: counts }),
  'classBalancedFocal, softmax': () => losses.classBalancedFocal({ classCounts: counts, activation: 'softmax' }),
  cdb: () => losses.cdb({ numClasses: C }),
  'focal, gamma 0': () => losses.focal({ gamma: 0 }),
  'focal, weight in the probability': () => losses.focal({ weightIn: 'probability', weight: [1, 2, 1, 0.5, 1] }),
  'focal, detached': () => losses.focal({ detach: true, gamma: 0.5 }),
  labelAwareSmoothing: () => losses.labelAwareSmoothing({ classCounts: counts }),
  'labelAwareSmoothing, without any': () =>
    losses.labelAwareSmoothing({ classCounts: counts, smoothHead: 0, smoothTail: 0 }),
  linfHinge: () => objectives.linfHinge({ epsTrain: 0.4 }),
  linfMargin: () => objectives.linfMargin({ epsTrain: 0.4 }),
  'linfMargin, lambda 0': () => objectives.linfMargin({ epsTrain: 0.4, lambda: 0 }),
  alphaLoss: () => losses.alphaLoss({ alpha: 1 }),
  'alphaLoss, alpha 1/2': () => losses.alphaLoss({ alpha: 0.5 }),
  'alphaLoss, alpha Infinity': () => losses.alphaLoss({ alpha: Infinity }),
  'cores, beta 2': () => losses.cores({ beta: () => 2 }),
  'cores, a class of prior 0': () => losses.cores({ beta: () => 2, prior: [0.4, 0, 0.3, 0.3, 0] }),
  forwardCorrection: () => losses.forwardCorrection({ transition }),
  'forwardCorrection, no noise': () => losses.forwardCorrection({ transition: identity }),
  backwardCorrection: () => losses.backwardCorrection({ transition }),
  'backwardCorrection, no noise': () => losses.backwardCorrection({ transition: identity }),
  'biTempered, cross-entropy': () => losses.biTempered({ t1: 1, t2: 1 }),
  'biTempered, t1 = 1': () => losses.biTempered({ t1: 1, t2: 1.5 }),
  logitClip: () => losses.logitClip(losses.crossEntropyLoss()),
  logitNorm: () => losses.logitNorm(losses.crossEntropyLoss()),
  combined: () =>
    losses.combined([
      [1, losses.nce()],
      [0.5, losses.rce()],
      [0, losses.crossEntropyLoss()],
    ]),
  'gce with a floor': () => losses.gce({ floor: 1e-7 }),
  'sce, alpha 0': () => losses.sce({ alpha: 0 }),
  'cpc without pairs': () => losses.cpc({ lambdaBec: 0 }),
  'mbls, lambda 0': () => losses.mbls({ lambda: 0 }),
  groupVs: () => ofGroups(losses.groupVs({ groupCounts: [90, 10] })),
  absgd: () => losses.absgd(losses.crossEntropyLoss(), { lambda: Infinity }),
};
const exported = Object.keys(losses).filter((name) => !others.includes(name));
/** Every loss of logits and labels. */
const table: Record<string, () => Loss> = { ...special };
for (const name of exported) {
  const make = special[name] ?? plain(name) ?? fromTable(name);
  if (make) table[name] = make;
}

test('the table has every loss', () => {
  expect(exported.filter((name) => !(name in table))).toEqual([]);
  expect(others.filter((name) => !(name in losses) && !(name in objectives))).toEqual([]);
});

const ngce = (row: number[], y: number, q: number): number => {
  const total = row.reduce((t, v) => t + Math.exp(v), 0);
  const f = row.map((v) => 1 - (Math.exp(v) / total) ** q);
  return f[y]! / f.reduce((a, b) => a + b, 0);
};
const z = [0.5, -1, 2, 0.3, -0.7];
const at = (...changes: [c: number, v: number][]): number[] =>
  z.map((v, c) => changes.find(([k]) => k === c)?.[1] ?? v);

/** Values and gradients of rows, one call; `twice`: by the recorded gradient. */
async function run(
  make: () => Loss,
  rows: number[][],
  labels: number[],
  { weight, twice = false }: { weight?: number[]; twice?: boolean } = {},
): Promise<{ values: number[]; gradient: number[][] }> {
  const loss = make();
  const [y, g] = await readAll(() => {
    const leaf = requireGrad(tensor(rows.flat(), { shape: [rows.length, C] }));
    const each = loss(leaf, tensor(labels, { dtype: 'i32' }), {
      reduction: 'none',
      sampleWeight: weight && tensor(weight),
    });
    return [each, ...grad(sum(mul(each, tensor(rows.map(() => 1)))), [leaf], { createGraph: twice })];
  });
  loss.dispose();
  return { values: Array.from(y!), gradient: rows.map((_, i) => Array.from(g!.slice(i * C, (i + 1) * C))) };
}

const clips = (name: string): boolean => ['logitClip', 'logitNorm'].includes(name);

describe('losses that take more than logits and labels', () => {
  const bad = [at([1, NaN]), at([2, I]), z.map(() => -I)];
  const rowsOf = (rows: number[][]): Tensor => requireGrad(tensor(rows.flat(), { shape: [rows.length, C] }));
  const both = async (make: (x: Tensor) => Tensor, rows: number[][]): Promise<number[][]> =>
    (
      await readAll(() => {
        const x = rowsOf(rows);
        const y = make(x);
        return [y, ...grad(y.size === 1 ? y : sum(y), [x])];
      })
    ).map((v) => Array.from(v, (n) => n + 0));
  const zero = z.map(() => 0);

  test(
    'rows of sample weight 0 inside absgd, groupDro and ' + 'influenceBalanced, by base losses of every kind',
    async () => {
      for (const base of [() => losses.crossEntropyLoss(), () => losses.focalAdaptive(), () => losses.gce()]) {
        const made = {
          absgd: () => losses.absgd(base(), { lambda: 2 }),
          groupDro: () => ofGroups(losses.groupDro(base(), { groupCounts: [5, 5] })),
          logitClip: () => losses.logitClip(base()),
          influenceBalanced: () => {
            const loss = losses.influenceBalanced();
            return Object.assign(
              (...[x, y, inputs]: Parameters<Loss>) =>
                loss(x, y, { features: tensor([1, 2, 3, 4], { shape: [2, 2] }), ...inputs }),
              { dispose: loss.dispose },
            ) as unknown as Loss;
          },
        };
        for (const [name, make] of Object.entries(made)) {
          for (const row of bad) {
            const got = await run(make, [row, z], [2, 0], { weight: [0, 1] });
            const want = await run(make, [zero, z], [2, 0], { weight: [0, 1] });
            expect([got.values[1], got.gradient[1]], `${name}, ${row}`).toEqual([want.values[1], want.gradient[1]]);
            expect([Math.abs(got.values[0]!), got.gradient[0]!.map(Math.abs)], `${name}, ${row}`).toEqual([0, zero]);
          }
        }
      }
    },
  );

  test('groupDro: a group whose loss is infinite leaves the means of the others alone', async () => {
    const { values } = await run(
      () => ofGroups(losses.groupDro(losses.crossEntropyLoss(), { groupCounts: [5, 5], eta: 0 })),
      [z, at([2, -I])],
      [0, 2],
    );
    expect(values).toEqual([expect.closeTo(0.5 * (Math.log(z.reduce((t, v) => t + Math.exp(v), 0)) - z[0]!), 5), I]);
  });

  test.each(['exponentiated', 'greedy'] as const)(
    'groupDro, %s: a group without training samples takes no weight, whatever the adjustment',
    async (rule) => {
      const loss = losses.groupDro(losses.crossEntropyLoss(), { groupCounts: [5, 0, 5], adjustment: 3, eta: 1, rule });
      for (let step = 0; step < 3; step++) await readAll(() => [loss(rowsOf([z, z]), [0, 0], { groups: [0, 2] })]);
      const [a, b, c] = await loss.groupWeights();
      expect(b).toBe(0);
      expect(a! + c!).toBeCloseTo(1, 5);
      loss.dispose();
    },
  );

  test('truncatedGce: a sample that is left out counts for nothing', async () => {
    const loss = losses.truncatedGce({ numSamples: 2 });
    loss.setState([0, 1]);
    const of = (x: Tensor): Tensor => loss.loss(x, [2, 0], tensor([0, 1], { dtype: 'u32' }));
    for (const row of bad) expect(await both(of, [row, z]), `${row}`).toEqual(await both(of, [zero, z]));
    loss.dispose();
  });

  test('mixed shares of 0 and 1', async () => {
    const loss = losses.crossEntropyLoss();
    const share = (x: Tensor): Tensor =>
      objectives.mixedLoss(loss, x, tensor([2, 2], { dtype: 'i32' }), {
        partner: tensor([1, 1], { dtype: 'i32' }),
        weight: tensor([1, 0]),
      });
    const [y, g] = await both(share, [at([1, -I]), at([2, -I])]);
    const rest = [0.5, 2, 0.3, -0.7].map(Math.exp).reduce((a, b) => a + b);
    const other = [0.5, -1, 0.3, -0.7].map(Math.exp).reduce((a, b) => a + b);
    expect(y).toEqual([expect.closeTo(Math.log(rest) - 2, 5), expect.closeTo(Math.log(other) + 1, 5)]);
    expect([g![1], g![C + 2]]).toEqual([0, 0]);
    loss.dispose();
  });

  test('singleLogit and binaryVs at -Infinity', async () => {
    const single = losses.singleLogit(losses.crossEntropyLoss());
    const vs = losses.binaryVs({ delta: [1, 0.5], iota: [0.2, 0.3] });
    for (const [loss, shape] of [
      [single, [3]],
      [vs, [3, 1]],
    ] as const) {
      const [y, g] = await readAll(() => {
        const f = requireGrad(tensor([-I, -I, NaN], { shape: [...shape] }));
        const value = loss(f, [0, 1, -100], { reduction: 'none' });
        return [value, ...grad(sum(value), [f])];
      });
      expect(Array.from(y!)).toEqual([0, I, 0]);
      expect(Array.from(g!, (v) => v + 0)).toEqual([0, loss === vs ? -0.5 : -1, 0]);
      loss.dispose();
    }
  });

  test('twoHead: masked classes of either head', async () => {
    const loss = losses.twoHead({ numClasses: C, k: 1 });
    const wide = (row: number[]): Promise<Float32Array[]> =>
      readAll(() => {
        const x = requireGrad(tensor([...row, ...row], { shape: [1, 2 * C] }));
        const y = loss(x, [2], { reduction: 'sum' });
        return [y, ...grad(y, [x])];
      });
    const [y, g] = await wide(at([1, -I]));
    const [far, slope] = await wide(at([1, -1e4]));
    expect(y![0]).toBeCloseTo(far![0]!, 5);
    expect(Array.from(g!)).toEqual(Array.from(slope!, (v) => expect.closeTo(v, 5)));
    expect((await wide(at([2, -I])))[0]![0]).toBe(I);
    loss.dispose();
  });
});

describe.each(Object.entries(table))('%s', (name, make) => {
  // One batch couples the rows of mmce, so each row goes alone.
  const single = async (row: number[], label: number, options = {}) => {
    const { values, gradient } = await run(make, [row], [label], options);
    return { value: values[0]!, slope: gradient[0]! };
  };

  if (!clips(name))
    test('masked classes: the limit of ever lower logits, in value and gradient', async () => {
      for (const [masked, label] of [
        [[1], 2],
        [[1, 3], 2],
        [[0, 1, 3, 4], 2],
        [[2], 2],
        [[1, 2], 2],
      ] as const) {
        const row = (v: number): number[] => at(...masked.map((c): [number, number] => [c, v]));
        const got = await single(row(-I), label);
        const [near, far] = [await single(row(-1e4), label), await single(row(-1e6), label)];
        const what = `${masked} masked, label ${label}`;
        const grows =
          (Math.abs(far.value) > 10 * Math.abs(near.value) && Math.abs(far.value) > 100) ||
          (name === 'biTempered, t1 = 1' && (masked as readonly number[]).includes(label));
        if (grows) expect(got.value, what).toBe(Math.sign(far.value) * I);
        else
          expect(Math.abs(got.value - far.value), `${what}: ${got.value}, ${far.value}`).toBeLessThan(
            2e-3 * (1 + Math.abs(far.value)),
          );
        // Hinges that are infinite alike share the gradient otherwise than large ones.
        if (grows && name.startsWith('linf')) continue;
        far.slope.forEach((s, c) => {
          if (Math.abs(s) > 3 * Math.abs(near.slope[c]!) + 1) return; // no limit either
          expect(Math.abs(got.slope[c]! - s), `${what}: slope ${c} is ${got.slope[c]}, ${s} at -1e6`).toBeLessThan(
            2e-3 * (1 + Math.abs(s)),
          );
        });
      }
    });

  if (
    clips(name) ||
    ['crossEntropyLoss', 'brierLoss', 'focal', 'nce', 'ngce', 'gce', 'entropyPenalty', 'jensenShannon'].includes(name)
  )
    test('a masked class is as one that is not there', async () => {
      // nce and ngce count it, as a class that costs Infinity and 1.
      if (['nce', 'ngce'].includes(name))
        return expect((await single(at([1, -I]), 2)).value).toBeCloseTo(
          name === 'nce' ? 0 : ngce(at([1, -I]), 2, 0.7),
          5,
        );
      const got = await single(at([1, -I]), 2);
      const loss = make();
      const [y, g] = await readAll(() => {
        const leaf = requireGrad(
          tensor(
            z.filter((_, c) => c !== 1),
            { shape: [1, C - 1] },
          ),
        );
        const value = loss(leaf, [1], { reduction: 'sum' });
        return [value, ...grad(value, [leaf])];
      });
      loss.dispose();
      expect(got.value).toBeCloseTo(y![0]!, 5);
      const slopes = Array.from(g!, (s) => expect.closeTo(s, 5));
      expect(got.slope).toEqual([slopes[0], 0, ...slopes.slice(1)]);
    });

  test('NaN and +Infinity make the value and the gradient of their row NaN, and no other', async () => {
    for (const bad of [at([1, NaN]), at([2, NaN]), at([1, I]), at([2, I]), z.map(() => -I)]) {
      const alone = await single(bad, 2);
      expect(alone.value, `${bad}`).toBe(NaN);
      expect(alone.slope, `${bad}`).toEqual([NaN, NaN, NaN, NaN, NaN]);
      if (name === 'mmce') continue;
      const { values, gradient } = await run(make, [bad, z], [2, 0]);
      const clean = await run(make, [z, z], [2, 0]);
      expect([values[1], gradient[1]], `${bad}`).toEqual([clean.values[1], clean.gradient[1]]);
    }
  });

  test('a row that is ignored, or of weight 0, counts for nothing whatever its logits', async () => {
    for (const bad of [at([1, NaN]), at([2, I]), at([2, -I]), z.map(() => -I), z.map(() => NaN)]) {
      for (const [labels, weight] of [
        [[-100, 0], undefined],
        [
          [2, 0],
          [0, 1],
        ],
      ] as [number[], number[] | undefined][]) {
        for (const twice of [false, true]) {
          const { values, gradient } = await run(make, [bad, z], labels, { weight, twice });
          const clean = await run(make, [z.map(() => 0), z], labels, { weight, twice });
          expect([Math.abs(values[0]!), gradient[0]!.map(Math.abs)], `${bad}, labels ${labels}`).toEqual([
            0,
            [0, 0, 0, 0, 0],
          ]);
          if (name === 'mmce' && weight) continue;
          expect([values[1], gradient[1]], `${bad}, labels ${labels}`).toEqual([clean.values[1], clean.gradient[1]]);
        }
      }
    }
  });
});
