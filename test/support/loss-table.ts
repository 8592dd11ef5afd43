import * as losses from 'evenkeel/losses';
import * as objectives from 'evenkeel/objectives';
import type { LossCase } from './check-loss.ts';

/** Classes of the losses of the table, and training samples of each. */
export const C = 5;
export const counts = [500, 200, 80, 30, 10];

/** log sum exp of a row of logits. */
const lse = (a: readonly number[]): number => {
  const m = Math.max(...a);
  return m + Math.log(a.reduce((t, v) => t + Math.exp(v - m), 0));
};
/** Cross-entropy of a row of logits. */
export const ce = (a: readonly number[], y: number): number => lse(a) - a[y]!;
/** Cross-entropy of logits that are changed first, each by its value, its class and the label. */
const ceOf =
  (changed: (v: number, c: number, y: number) => number) =>
  (z: readonly number[], y: number): number =>
    ce(
      z.map((v, c) => changed(v, c, y)),
      y,
    );
const total = counts.reduce((a, b) => a + b, 0);
const margins = counts.map((n) => 0.5 * (10 / n) ** 0.25);

const multipliers = [0.1, 0.5, 1, 0.2, 0.05];
const calsOf = (penalty: losses.AlmPenalty): losses.Loss => {
  const loss = losses.cals({ numClasses: C, margin: 2, penalty });
  loss.setState({ lambda: multipliers, rho: [1, 1.2, 1.5, 2, 1], previous: null, epoch: 0 });
  return loss;
};
const calsTerm = (penalty: losses.AlmPenalty, z: readonly number[]): number =>
  z.reduce(
    (t, v, c) =>
      t + losses.almPenalty(penalty, (Math.max(...z) - v) / 2 - 1, multipliers[c]!, [1, 1.2, 1.5, 2, 1][c]!).value,
    0,
  ) / C;

const calsCase = (penalty: losses.AlmPenalty): LossCase => ({
  make: () => calsOf(penalty),
  classes: C,
  isShiftInvariant: true,
  least: -1,
  reference: (z, y) => ce(z, y) + calsTerm(penalty, z),
});

/**
 * Losses of logits and labels, each with its value in f64: what test/losses/table.gpu.test.ts checks. A loss that needs
 * options is made by its first row in test/losses/special-values.gpu.test.ts too.
 */
export const LOSS_TABLE: Readonly<Record<string, LossCase>> = {
  crossEntropy: { make: () => losses.crossEntropyLoss(), classes: C, isShiftInvariant: true, reference: ce },
  'crossEntropy, smoothed': {
    make: () => losses.crossEntropyLoss({ labelSmoothing: 0.1 }),
    weightMultiplies: false,
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => 0.9 * ce(z, y) + (0.1 / C) * z.reduce((t, _, c) => t + ce(z, c), 0),
  },
  'ldam, s = 10': {
    make: () => losses.ldam({ classCounts: counts, scale: 10 }),
    classes: C,
    isShiftInvariant: true,
    reference: ceOf((v, c, y) => 10 * (v - (c === y ? margins[y]! : 0))),
  },
  'ldam with s in the head': {
    make: () => losses.ldam({ classCounts: counts, scale: 10, scaleIn: 'head' }),
    classes: C,
    isShiftInvariant: true,
    reference: ceOf((v, c, y) => v - (c === y ? 10 * margins[y]! : 0)),
  },
  'vs (gamma .3, tau 1)': {
    make: () => losses.vs({ classCounts: counts, gamma: 0.3, tau: 1 }),
    classes: C,
    isShiftInvariant: false,
    reference: ceOf((v, c) => (counts[c]! / counts[0]!) ** 0.3 * v + Math.log(counts[c]! / total)),
  },
  logitAdjusted: {
    make: () => losses.logitAdjusted({ classCounts: counts, tau: 1.5 }),
    classes: C,
    isShiftInvariant: true,
    reference: ceOf((v, c) => v + 1.5 * Math.log(counts[c]! / total)),
  },
  balancedSoftmax: {
    make: () => losses.balancedSoftmax({ classCounts: counts }),
    classes: C,
    isShiftInvariant: true,
    reference: ceOf((v, c) => v + Math.log(counts[c]!)),
  },
  cdt: {
    make: () => losses.cdt({ classCounts: counts, gamma: 0.2 }),
    classes: C,
    isShiftInvariant: false,
    reference: ceOf((v, c) => (counts[c]! / counts[0]!) ** 0.2 * v),
  },
  'focal, gamma 2': {
    make: () => losses.focal({ gamma: 2 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => (1 - Math.exp(-ce(z, y))) ** 2 * ce(z, y),
  },
  'mbls, m = 2': {
    make: () => losses.mbls({ margin: 2, lambda: 0.5 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => ce(z, y) + (0.5 / C) * z.reduce((t, v) => t + Math.max(0, Math.max(...z) - v - 2), 0),
  },
  'cals, m = 2': calsCase('phr'),
  'cals by p2': calsCase('p2'),
  calsHr: {
    make: () => losses.calsHr({ numClasses: C, margin: 1 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => ce(z, y) + (0.1 / C) * z.reduce((t, v) => t + Math.max(0, Math.max(...z) - v - 1), 0),
  },
  entropyPenalty: {
    make: () => losses.entropyPenalty({ lambda: 0.2 }),
    classes: C,
    isShiftInvariant: true,
    least: -0.2 * Math.log(C),
    reference: (z, y) => ce(z, y) - 0.2 * z.reduce((t, _, c) => t + ce(z, c) * Math.exp(-ce(z, c)), 0),
  },
  l1Penalty: {
    make: () => losses.l1Penalty({ lambda: 0.3 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => ce(z, y) + 0.3 * z.reduce((t, _, c) => t + Math.abs(Math.exp(-ce(z, c)) - 1 / C), 0),
  },
  brier: {
    make: () => losses.brierLoss(),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => z.reduce((t, _, c) => t + (Math.exp(-ce(z, c)) - Number(c === y)) ** 2, 0),
  },
  focalAdaptive: {
    make: () => losses.focalAdaptive(),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => (1 - Math.exp(-ce(z, y))) ** (Math.exp(-ce(z, y)) < 0.2 ? 5 : 3) * ce(z, y),
  },
  mmce: { make: () => losses.mmce(), classes: C, isShiftInvariant: true, isPerSample: false },
  'mmce, weighted': {
    make: () => losses.mmce({ weighted: true }),
    classes: C,
    isShiftInvariant: true,
    isPerSample: false,
  },
  cpc: {
    make: () => losses.cpc(),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => {
      const rest = z.filter((_, c) => c !== y);
      const pairs = rest.flatMap((a, i) => rest.filter((_, j) => j !== i).map((b) => Math.log1p(Math.exp(b - a))));
      return (
        ce(z, y) +
        (0.1 / rest.length) * rest.reduce((t, v) => t + Math.log1p(Math.exp(v - z[y]!)), 0) +
        pairs.reduce((a, b) => a + b, 0) / (2 * pairs.length)
      );
    },
  },
  bayias: {
    make: () => losses.bayias({ classCounts: counts, testPrior: [1, 2, 3, 2, 2] }),
    classes: C,
    isShiftInvariant: true,
    reference: ceOf((v, c) => v + Math.log(counts[c]! / total) - Math.log([1, 2, 3, 2, 2][c]! / 10)),
  },
  'equalization, always': {
    make: () => losses.equalization({ classCounts: counts, lambda: 0.05, gamma: 1 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => lse(z.filter((_, c) => c === y || counts[c]! >= 0.05 * total)) - z[y]!,
    least: -20,
  },
  linfHinge: {
    make: () => objectives.linfHinge({ epsTrain: 0.4 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => {
      const margins = z.map((v, c) => (c === y ? 0 : Math.max(0, v - z[y]! + 0.8)));
      return 0.75 * Math.max(...margins) + (0.25 / C) * margins.reduce((a, b) => a + b, 0);
    },
  },
  ldamHinge: { make: () => losses.ldamHinge({ classCounts: counts }), classes: C, isShiftInvariant: true },
};
