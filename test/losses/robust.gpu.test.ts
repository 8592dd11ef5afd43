import { describe, expect, test } from 'vitest';
import { backward, grad, requireGrad, scope, tensor } from 'evenkeel';
import * as losses from 'evenkeel/losses';
import type { Loss } from 'evenkeel/losses';
import { mul, sum } from 'evenkeel/ops';
import { checkLoss, type LossCase } from '../support/check-loss.ts';
import { readAll, takeGrad } from '../support/check-op.ts';

const C = 5;
const softmax = (z: readonly number[]): number[] => {
  const top = Math.max(...z);
  const e = z.map((v) => Math.exp(v - top));
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / total);
};
/** A loss of the label's probability, by the formula of its paper. */
const ofP = (make: () => Loss, phi: (p: number) => number, rest: Partial<LossCase> = {}): LossCase => ({
  make,
  classes: C,
  isShiftInvariant: true,
  reference: (z, y) => phi(softmax(z)[y]!),
  ...rest,
});
/** The share of the label in a sum over the classes. */
const share = (make: () => Loss, f: (p: number) => number): LossCase => ({
  make,
  classes: C,
  isShiftInvariant: true,
  reference: (z, y) => f(softmax(z)[y]!) / softmax(z).reduce((t, p) => t + f(p), 0),
});
const A = -Math.log(1e-4);
const gce = (p: number, q: number): number => (1 - p ** q) / q;
const alpha = (p: number, a: number): number =>
  a === 1 ? -Math.log(p) : a === Infinity ? 1 - p : (a / (a - 1)) * (1 - p ** (1 - 1 / a));
const phuberGce = (p: number): number => {
  const bend = 10 ** (1 / (0.7 - 1));
  return p > bend ? gce(p, 0.7) : -10 * p + 10 * bend + gce(bend, 0.7);
};
/** Clipped to norm 1.5, then cross-entropy: not invariant to shifts. */
const clipped = (z: readonly number[], y: number): number => {
  const n = Math.hypot(...z);
  return -Math.log(softmax(n >= 1.5 ? z.map((v) => (1.5 * v) / n) : z)[y]!);
};

/** exp_t(z - lambda) that sums to 1, by bisection. */
const tempered = (z: readonly number[], t: number): number[] => {
  if (t === 1) return softmax(z);
  const at = (lambda: number): number[] => z.map((v) => Math.max(0, 1 + (1 - t) * (v - lambda)) ** (1 / (1 - t)));
  let [low, high] = [Math.max(...z), Math.max(...z) + 1e4];
  for (let i = 0; i < 200; i++) {
    const mid = (low + high) / 2;
    if (at(mid).reduce((a, b) => a + b, 0) > 1) low = mid;
    else high = mid;
  }
  return at(low);
};
const biTempered = (z: readonly number[], y: number, t1: number, t2: number): number => {
  const p = tempered(z, t2);
  const logT = (v: number): number => (t1 === 1 ? Math.log(v) : (v ** (1 - t1) - 1) / (1 - t1));
  return -logT(p[y]!) - (1 - p.reduce((t, v) => t + v ** (2 - t1), 0)) / (2 - t1);
};
const entropy = (p: readonly number[]): number => -p.reduce((t, v) => t + (v > 0 ? v * Math.log(v) : 0), 0);
const jensenShannon = (z: readonly number[], y: number, pi: number): number => {
  const p = softmax(z);
  return (
    (entropy(p.map((v, c) => (1 - pi) * v + (c === y ? pi : 0))) - (1 - pi) * entropy(p)) /
    -((1 - pi) * Math.log(1 - pi))
  );
};
/** Symmetric noise of rate 0.3, but for class 0, which is always taken for class 1. */
const transition = Array.from({ length: C }, (_, i) =>
  Array.from({ length: C }, (_, j) => (i === 0 ? [0.6, 0.4, 0, 0, 0][j]! : i === j ? 0.7 : 0.075)),
);
const noisy = (z: readonly number[], y: number): number =>
  softmax(z).reduce((t, p, c) => t + p * transition[c]![y]!, 0);

const catalogue: Record<string, LossCase> = {
  mae: ofP(
    () => losses.mae(),
    (p) => 1 - p,
  ),
  'mae, distance to one-hot': ofP(
    () => losses.mae({ scale: 2 }),
    (p) => 2 * (1 - p),
  ),
  gce: ofP(
    () => losses.gce(),
    (p) => gce(p, 0.7),
  ),
  phuberCE: ofP(
    () => losses.phuberCE(),
    (p) => (p > 0.1 ? -Math.log(p) : -10 * p + Math.log(10) + 1),
  ),
  phuberGCE: ofP(() => losses.phuberGCE(), phuberGce),
  taylorCE: ofP(
    () => losses.taylorCE({ order: 3 }),
    (p) => 1 - p + (1 - p) ** 2 / 2 + (1 - p) ** 3 / 3,
  ),
  rce: ofP(
    () => losses.rce(),
    (p) => A * (1 - p),
  ),
  sce: ofP(
    () => losses.sce(),
    (p) => -0.1 * Math.log(p) + A * (1 - p),
  ),
  agce: ofP(
    () => losses.agce(),
    (p) => (1.6 ** 0.6 - (0.6 + p) ** 0.6) / 0.6,
  ),
  aul: ofP(
    () => losses.aul(),
    (p) => ((5.5 - p) ** 3 - 4.5 ** 3) / 3,
  ),
  ael: ofP(
    () => losses.ael(),
    (p) => Math.exp(-p / 2.5),
  ),
  'focal 0.5': ofP(
    () => losses.focal({ gamma: 0.5 }),
    (p) => -Math.sqrt(1 - p) * Math.log(p),
  ),
  'focal 3': ofP(
    () => losses.focal({ gamma: 3 }),
    (p) => -((1 - p) ** 3) * Math.log(p),
  ),
  ...Object.fromEntries(
    [0.8, 1, 1.5, 4, Infinity].map((a) => [
      `alpha ${a}`,
      ofP(
        () => losses.alphaLoss({ alpha: a }),
        (p) => alpha(p, a),
      ),
    ]),
  ),
  nce: share(
    () => losses.nce(),
    (p) => -Math.log(p),
  ),
  nfl: share(
    () => losses.nfl(),
    (p) => -Math.sqrt(1 - p) * Math.log(p),
  ),
  ngce: share(
    () => losses.ngce(),
    (p) => 1 - p ** 0.7,
  ),
  'nce + rce': {
    ...share(
      () =>
        losses.combined([
          [1, losses.nce()],
          [10, losses.rce()],
        ]),
      () => 1,
    ),
    reference: (z, y) =>
      Math.log(softmax(z)[y]!) / softmax(z).reduce((t, p) => t + Math.log(p), 0) + 10 * A * (1 - softmax(z)[y]!),
  },
  cores: {
    make: () => losses.cores({ beta: () => 0.5 }),
    classes: C,
    isShiftInvariant: true,
    least: -20,
    reference: (z, y) => -Math.log(softmax(z)[y]!) + (0.5 / C) * softmax(z).reduce((t, p) => t + Math.log(p), 0),
  },
  'bi-tempered': {
    make: () => losses.biTempered(),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => biTempered(z, y, 0.8, 1.2),
  },
  'bi-tempered, 0.2 and 1.8': {
    make: () => losses.biTempered({ t1: 0.2, t2: 1.8 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => biTempered(z, y, 0.2, 1.8),
    tolerance: 2e-5,
  },
  'bi-tempered at 1 and 1': {
    make: () => losses.biTempered({ t1: 1, t2: 1 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => -Math.log(softmax(z)[y]!),
  },
  jensenShannon: {
    make: () => losses.jensenShannon(),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => jensenShannon(z, y, 0.5),
  },
  'jensenShannon 0.1': {
    make: () => losses.jensenShannon({ pi: 0.1 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => jensenShannon(z, y, 0.1),
  },
  negativeLearning: ofP(
    () => losses.negativeLearning(),
    (p) => -Math.log1p(-p),
  ),
  forwardCorrection: {
    make: () => losses.forwardCorrection({ transition }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => -Math.log(noisy(z, y)),
  },
  'normalised logits': {
    make: () => losses.logitNorm(losses.crossEntropyLoss(), { tau: 0.5 }),
    classes: C,
    isShiftInvariant: false,
    reference: (z, y) => -Math.log(softmax(z.map((v) => v / (0.5 * (Math.hypot(...z) + 1e-7))))[y]!),
  },
  'clamped logits': {
    make: () => losses.logitClamp(losses.crossEntropyLoss(), { low: -1, high: 2 }),
    classes: C,
    isShiftInvariant: false,
    reference: (z, y) => -Math.log(softmax(z.map((v) => Math.min(2, Math.max(-1, v))))[y]!),
  },
  'logit penalty': {
    make: () => losses.logitPenalty(),
    classes: C,
    isShiftInvariant: false,
    reference: (z) => z.reduce((t, v) => t + (v * v) / 2, 0),
  },
  'clipped cross-entropy': {
    make: () => losses.logitClip(losses.crossEntropyLoss(), { tau: 1.5 }),
    classes: C,
    isShiftInvariant: false,
    reference: clipped,
  },
};

test.each(Object.entries(catalogue))('%s', (_name, row) => checkLoss(row));

const valuesOf = async (loss: Loss, z: readonly number[], labels: readonly number[] = [0]): Promise<Float32Array> => {
  const [v] = await readAll(() => [
    loss(
      tensor(
        labels.flatMap(() => z),
        { shape: [labels.length, z.length] },
      ),
      labels,
      { reduction: 'none' },
    ),
  ]);
  loss.dispose();
  return v!;
};
const gradientOf = async (loss: Loss, z: readonly number[], label: number): Promise<Float32Array> => {
  const [g] = await readAll(() => {
    const leaf = requireGrad(tensor(z, { shape: [1, z.length] }));
    backward(loss(leaf, [label]));
    return [takeGrad(leaf)];
  });
  loss.dispose();
  return g!;
};
/** Two logits that give the first class the probability p. */
const at = (p: number): number[] => [Math.log(p / (1 - p)), 0];
const relative = (got: number, want: number): number => Math.abs(got / want - 1);

describe('worked values, to 2e-6', () => {
  test.each<[string, () => Loss, number, number]>([
    ['alpha 2', () => losses.alphaLoss({ alpha: 2 }), 0.37, 0.783447],
    ['gce 0.5', () => losses.gce({ q: 0.5 }), 0.37, 0.783447],
    ['gce 0.7', () => losses.gce(), 0.37, 0.716304],
    ['gce 0.8', () => losses.gce({ q: 0.8 }), 0.37, 0.68575],
    ['taylor 1', () => losses.taylorCE({ order: 1 }), 0.37, 0.63],
    ['taylor 2', () => losses.taylorCE(), 0.37, 0.82845],
    ['taylor 3', () => losses.taylorCE({ order: 3 }), 0.37, 0.911799],
    ['taylor 6', () => losses.taylorCE({ order: 6 }), 0.37, 0.981451],
    ['taylor, many terms', () => losses.taylorCE({ order: 60 }), 0.37, 0.994252],
    ['phuber 10', () => losses.phuberCE(), 0.05, 2.802585],
    ['phuber 2', () => losses.phuberCE({ tau: 2 }), 0.3, 1.093147],
    ['rce', () => losses.rce(), 0.37, 5.802514],
    ['agce', () => losses.agce(), 0.37, 0.573152],
    ['aul', () => losses.aul(), 0.37, 14.626899],
    ['ael', () => losses.ael(), 0.37, 0.862431],
    ['alpha 1/2 at p = 0.001', () => losses.alphaLoss({ alpha: 0.5 }), 0.001, 999],
  ])('%s', async (_name, make, p, want) => {
    // The values are rounded to six places.
    expect(Math.abs((await valuesOf(make(), at(p)))[0]! - want)).toBeLessThan(5.1e-7 + 2e-6 * want);
  });
  test('nce of (2, 1, 0, -1) at label 1', async () =>
    expect((await valuesOf(losses.nce(), [2, 1, 0, -1], [1]))[0]).toBeCloseTo(0.185573, 6));
  test('a clip by hand, with its gradient', async () => {
    const make = (): Loss => losses.logitClip(losses.crossEntropyLoss(), { tau: 1.5 });
    const g = await gradientOf(make(), [3, 0, -1, 2], 1);
    [0.020906, -0.34543, 0.09172, 0.014501].forEach((want, k) => expect(g[k]).toBeCloseTo(want, 6));
    expect(Math.abs(g.reduce((t, v, k) => t + v * [3, 0, -1, 2][k]!, 0))).toBeLessThan(1e-6);
  });
});

describe('sums over the labels', () => {
  const z = [2, 1, 0, -1, 0.3];
  const labels = [0, 1, 2, 3, 4];
  const total = async (loss: Loss): Promise<number> => (await valuesOf(loss, z, labels)).reduce((a, b) => a + b, 0);
  test.each<[string, () => Loss, number]>([
    ['mae: K - 1', () => losses.mae(), C - 1],
    ['rce: A (K - 1)', () => losses.rce(), A * (C - 1)],
    ['alpha = Infinity: K - 1', () => losses.alphaLoss({ alpha: Infinity }), C - 1],
    ['nce: 1', () => losses.nce(), 1],
    ['nfl: 1', () => losses.nfl(), 1],
    ['ngce: 1', () => losses.ngce(), 1],
  ])('symmetric losses, %s', async (_name, make, want) =>
    expect(relative(await total(make()), want)).toBeLessThan(2e-6),
  );
});

describe('alpha', () => {
  test.each([1e-2, 1e-4, 1e-6, 1e-8, 1e-12, 0].flatMap((d) => (d ? [1 - d, 1 + d] : [1])))(
    'no precision is lost near 1: alpha %f, value and gradient in f32',
    async (a) => {
      const u = (a - 1) / a;
      for (const p of [0.9999, 0.9, 0.3, 1e-3, 1e-8]) {
        const z = at(p);
        const nll = Math.log1p(Math.exp(-z[0]!));
        const want = u === 0 ? nll : -Math.expm1(-u * nll) / u;
        expect(
          relative((await valuesOf(losses.alphaLoss({ alpha: a }), z))[0]!, want),
          `value at p = ${p}`,
        ).toBeLessThan(2e-6);
        const slope = -Math.exp(-u * nll) / (1 + Math.exp(z[0]!));
        expect(
          relative((await gradientOf(losses.alphaLoss({ alpha: a }), z, 0))[0]!, slope),
          `gradient at p = ${p}`,
        ).toBeLessThan(2e-6);
      }
    },
  );
  test(
    'alpha is gce with q = 1 - 1 / alpha, and the gradient at ' + 'alpha = 2 that of cross-entropy times sqrt p',
    async () => {
      const z = [0.3, -1.2, 2, 0.7];
      for (const a of [1.25, 2, 10 / 3, 8])
        expect((await valuesOf(losses.alphaLoss({ alpha: a }), z, [1]))[0]).toBeCloseTo(
          (await valuesOf(losses.gce({ q: 1 - 1 / a }), z, [1]))[0]!,
          6,
        );
      const [ce, two] = [
        await gradientOf(losses.crossEntropyLoss(), z, 1),
        await gradientOf(losses.alphaLoss({ alpha: 2 }), z, 1),
      ];
      const root = Math.sqrt(softmax(z)[1]!);
      ce.forEach((g, k) => expect(relative(two[k]!, root * g)).toBeLessThan(3e-6));
    },
  );
  test('falls with alpha at every p', async () => {
    for (const p of [0.01, 0.3, 0.95]) {
      const values: number[] = [];
      for (const a of [0.5, 0.8, 1 - 1e-4, 1, 1 + 1e-4, 1.5, 2, 4, Infinity])
        values.push((await valuesOf(losses.alphaLoss({ alpha: a }), at(p)))[0]!);
      values.slice(1).forEach((v, i) => expect(v).toBeLessThanOrEqual(values[i]! * (1 + 2e-7)));
    }
  });
});

test(
  'phuber: continuous, with slope -tau at p = 1 / tau; with two classes, clipping at tau <= 1 leaves the ' +
    'linear part, a scaled mae',
  async () => {
    const step = 1e-3;
    const [below, above] = [
      await valuesOf(losses.phuberCE({ tau: 4 }), at(0.25 - step)),
      await valuesOf(losses.phuberCE({ tau: 4 }), at(0.25 + step)),
    ];
    expect((above[0]! - below[0]!) / (2 * step)).toBeCloseTo(-4, 2);
    // Ten classes clipped to norm 2 have p below 1/2: phuber with tau = 2 has the gradient of 2 (1 - p).
    const z = [9, 1, 0, 3, -4, 2, 2, 0.5, 1, 7];
    const of = (base: Loss): Promise<Float32Array> => gradientOf(losses.logitClip(base, { tau: 2 }), z, 3);
    const [a, b] = [await of(losses.phuberCE({ tau: 2 })), await of(losses.mae({ scale: 2 }))];
    a.forEach((v, k) => expect(v).toBeCloseTo(b[k]!, 7));
  },
);

test('sce, focal and the sums contain their limits', async () => {
  const z = [0.3, -1.2, 2];
  const ce = (await valuesOf(losses.crossEntropyLoss(), z, [1]))[0]!;
  for (const loss of [
    losses.sce({ alpha: 1, beta: 0 }),
    losses.focal({ gamma: 0 }),
    losses.gce({ q: 0 }),
    losses.alphaLoss(),
    losses.cores({ beta: () => 0 }),
    losses.combined([[1, losses.crossEntropyLoss()]]),
  ])
    expect((await valuesOf(loss, z, [1]))[0]).toBeCloseTo(ce, 6);
});

test(
  'focal, detached: the slope is that of cross-entropy times the factor, with the class weight outside and ' +
    'inside of it',
  async () => {
    const z = [0.3, -1.2, 2];
    const weight = [1, 0.4, 2];
    const p = softmax(z);
    for (const [weightIn, factor] of [
      ['loss', (1 - p[1]!) ** 2],
      ['probability', (1 - p[1]! ** 0.4) ** 2],
    ] as const) {
      const make = (): Loss => losses.focal({ gamma: 2, detach: true, weight, weightIn });
      expect((await valuesOf(make(), z, [1]))[0]).toBeCloseTo(-0.4 * factor * Math.log(p[1]!), 6);
      const g = await gradientOf(make(), z, 1);
      p.forEach((v, c) => expect(g[c]).toBeCloseTo(0.4 * factor * (v - (c === 1 ? 1 : 0)), 6));
    }
  },
);

test(
  'normalised logits: the scale does not count, the gradient is orthogonal to them, zeros and large ones are ' +
    'finite',
  async () => {
    const make = (): Loss => losses.logitNorm(losses.crossEntropyLoss(), { tau: 0.3 });
    const z = [2, 1, 0, -1, 0.3];
    expect((await valuesOf(make(), z, [1]))[0]).toBeCloseTo(
      (
        await valuesOf(
          make(),
          z.map((v) => 100 * v),
          [1],
        )
      )[0]!,
      5,
    );
    const g = await gradientOf(make(), z, 1);
    expect(Math.abs(g.reduce((t, v, k) => t + v * z[k]!, 0))).toBeLessThan(2e-6);
    for (const row of [
      [0, 0, 0],
      [1e30, -1e30, 0],
    ])
      expect(
        [...(await valuesOf(make(), row, [1])), ...(await gradientOf(make(), row, 1))].every(Number.isFinite),
      ).toBe(true);
  },
);

describe('corrections by the transition', () => {
  const z = [0.4, -1.1, 2, 0.3, -0.5];
  const all = [0, 1, 2, 3, 4];
  test(
    'backward: the mean over noisy labels is the clean ' + 'cross-entropy; without noise both are cross-entropy',
    async () => {
      const [back, ce] = [
        await valuesOf(losses.backwardCorrection({ transition }), z, all),
        await valuesOf(losses.crossEntropyLoss(), z, all),
      ];
      transition.forEach((row, c) => expect(row.reduce((t, p, y) => t + p * back[y]!, 0)).toBeCloseTo(ce[c]!, 5));
      const identity = transition.map((row, c) => row.map((_, j) => Number(c === j)));
      for (const loss of [
        losses.forwardCorrection({ transition: identity }),
        losses.backwardCorrection({ transition: identity }),
      ])
        (await valuesOf(loss, z, all)).forEach((v, c) => expect(v).toBeCloseTo(ce[c]!, 5));
      const loss = losses.backwardCorrection({ transition });
      const g = await gradientOf(loss, z, 2);
      expect(Math.abs(g.reduce((a, b) => a + b, 0))).toBeLessThan(1e-5);
    },
  );
  test('forward: at the clean probabilities the mean over noisy labels is stationary', async () => {
    const p = softmax(z);
    const weight = all.map((y) => p.reduce((t, v, c) => t + v * transition[c]![y]!, 0));
    const slopes: Float32Array[] = [];
    for (const y of all) slopes.push(await gradientOf(losses.forwardCorrection({ transition }), z, y));
    for (let k = 0; k < C; k++) expect(slopes.reduce((t, g, y) => t + weight[y]! * g[k]!, 0)).toBeCloseTo(0, 6);
  });
  test('errors', () => {
    expect(() => losses.forwardCorrection({ transition: [] })).toThrow(
      'forwardCorrection: transition has 0 rows, expected one for each class',
    );
    expect(() =>
      losses.forwardCorrection({
        transition: [
          [1, 0],
          [1, 0],
        ],
      }),
    ).toThrow('forwardCorrection: column 1 of transition is 0, expected a label that can occur');
    expect(() =>
      losses.backwardCorrection({
        transition: [
          [0.5, 0.5],
          [0.5, 0.5],
        ],
      }),
    ).toThrow('backwardCorrection: transition is singular, expected a matrix with an inverse');
    expect(() =>
      losses.backwardCorrection({
        transition: [
          [0.5, 0.4],
          [0, 1],
        ],
      }),
    ).toThrow('backwardCorrection: row 0 of transition is [0.5,0.4], expected probabilities that sum to 1');
    expect(() => losses.forwardCorrection({ transition: [[1], [0, 1]] })).toThrow(
      'forwardCorrection: row 0 of transition has 1 entries, expected 2',
    );
  });
});

describe('bi-tempered', () => {
  test(
    'bounded for t1 < 1, which cross-entropy is not; many classes ' + 'and sharp temperatures have their normaliser',
    async () => {
      const far = [-1e4, 0, 0, 0, 1e4];
      expect((await valuesOf(losses.biTempered({ t1: 0.5 }), far, [0]))[0]).toBeLessThan(1 / 0.5 + 1);
      for (const [classes, t2] of [
        [1000, 1.2],
        [10_000, 1.2],
        [300, 1.9],
        [50, 1.01],
      ] as const) {
        const row = Array.from({ length: classes }, (_, c) => Math.sin(c));
        expect(
          relative((await valuesOf(losses.biTempered({ t2 }), row, [3]))[0]!, biTempered(row, 3, 0.8, t2)),
          `${classes} classes, t2 = ${t2}`,
        ).toBeLessThan(2e-5);
      }
    },
  );
  test('its probabilities sum to 1, are those of the reference, and of softmax at t2 = 1', async () => {
    const rows = [
      [0.4, -1.1, 2, 0.3],
      [1e4, -1e4, 0, 0],
    ];
    const [p, plain] = await readAll(() => [
      losses.temperedSoftmax(tensor(rows.flat(), { shape: [2, 1, 4] }), { t2: 1.6 }),
      losses.temperedSoftmax(tensor(rows[0]!), { t2: 1 }),
    ]);
    rows.forEach((row, r) => {
      expect(p!.slice(4 * r, 4 * r + 4).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
      tempered(row, 1.6).forEach((v, c) => expect(p![4 * r + c]).toBeCloseTo(v, 6));
    });
    softmax(rows[0]!).forEach((v, c) => expect(plain![c]).toBeCloseTo(v, 6));
  });
  test('second derivatives', async () => {
    const z = [0.4, -1.1, 2, 0.3];
    const slope = (row: readonly number[], k: number): number => {
      const moved = (h: number): number =>
        biTempered(
          row.map((v, c) => (c === k ? v + h : v)),
          1,
          0.7,
          1.4,
        );
      return (moved(1e-4) - moved(-1e-4)) / 2e-4;
    };
    const loss = losses.biTempered({ t1: 0.7, t2: 1.4 });
    const [h] = await readAll(() => {
      const leaf = requireGrad(tensor(z, { shape: [1, 4] }));
      const [g] = grad(loss(leaf, [1]), [leaf], { createGraph: true });
      return grad(sum(mul(g!, tensor([1, 2, -1, 0.5], { shape: [1, 4] }))), [leaf]);
    });
    loss.dispose();
    z.forEach((_, k) => {
      const along = (e: number): number =>
        [1, 2, -1, 0.5].reduce(
          (t, w, c) =>
            t +
            w *
              slope(
                z.map((v, j) => (j === k ? v + e : v)),
                c,
              ),
          0,
        );
      expect(h![k]).toBeCloseTo((along(1e-3) - along(-1e-3)) / 2e-3, 3);
    });
  });
  test('errors', () => {
    expect(() => losses.biTempered({ t1: 1.1 })).toThrow('biTempered: t1 is 1.1, expected a number in 0..1');
    expect(() => losses.biTempered({ t2: 2 })).toThrow('biTempered: t2 is 2, expected 1 <= t2 < 2');
    expect(() => losses.biTempered({ iterations: 0 })).toThrow(
      'biTempered: iterations is 0, expected a positive integer',
    );
  });
});

test('Jensen-Shannon: between cross-entropy and the absolute error', async () => {
  const z = [0.4, -1.1, 2];
  const p = softmax(z)[1]!;
  expect(relative((await valuesOf(losses.jensenShannon({ pi: 1e-4 }), z, [1]))[0]!, -Math.log(p))).toBeLessThan(2e-3);
  expect(relative((await valuesOf(losses.jensenShannon({ pi: 1 - 1e-6 }), z, [1]))[0]!, 1 - p)).toBeLessThan(0.1);
  for (const pi of [0, 1, NaN])
    expect(() => losses.jensenShannon({ pi })).toThrow(`jensenShannon: pi is ${pi}, expected 0 < pi < 1`);
});

test('errors', () => {
  expect(() => losses.logitNorm(losses.crossEntropyLoss(), { tau: 0 })).toThrow(
    'logitNorm: tau is 0, expected a finite number > 0',
  );
  expect(() => losses.logitClamp(losses.crossEntropyLoss(), { low: 2 })).toThrow(
    'logitClamp: low is 2 and high 1, expected finite numbers with low < high',
  );
  scope(() => {
    const z = tensor([1, 2], { shape: [1, 2] });
    expect(() => losses.clipLogits(z, 0)).toThrow('clipLogits: tau is 0, expected a number > 0 or Infinity');
    expect(() => losses.clipLogits(z, 1, { p: 0.5 })).toThrow(
      'clipLogits: p is 0.5, expected a number >= 1 or Infinity',
    );
    const loss = losses.nce();
    expect(() => loss(tensor([1, 2], { shape: [2, 1] }), [0, 0])).toThrow(
      'nce: logits have shape [2,1], expected at least 2 classes',
    );
    loss.dispose();
  });
  expect(() => losses.logitClip(losses.crossEntropyLoss(), { compat: 'x' as never })).toThrow(
    "logitClip: compat is 'x', expected 'released-code'",
  );
  expect(() => losses.gce({ q: 2 })).toThrow('gce: q is 2, expected a number in 0..1');
  expect(() => losses.gce({ floor: 1 })).toThrow('gce: floor is 1, expected 0 <= floor < 1');
  expect(() => losses.alphaLoss({ eps: -1e-8 })).toThrow('alphaLoss: eps is -1e-8, expected 0 <= eps < 1');
  expect(() => losses.mae({ scale: NaN })).toThrow('mae: scale is NaN, expected a finite number >= 0');
  expect(() => losses.sce({ beta: Infinity })).toThrow('sce: beta is Infinity, expected a finite number >= 0');
  expect(() => losses.ngce({ floor: 1 })).toThrow('ngce: floor is 1, expected 0 <= floor < 1');
  expect(() => losses.combined([])).toThrow('combined: parts has 0 entries, expected at least 1');
  scope(() =>
    expect(() => losses.combined([[NaN, losses.nce()]])).toThrow(
      'combined: the factor of part 0 is NaN, expected a finite number',
    ),
  );
});
