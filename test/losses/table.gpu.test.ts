import { expect, test } from 'vitest';
import { scope } from 'evenkeel';
import * as losses from 'evenkeel/losses';
import { checkLoss, type LossCase } from '../support/check-loss.ts';

const C = 5;
const counts = [500, 200, 80, 30, 10];

/** log sum exp of a row of logits. */
const lse = (a: readonly number[]): number => {
  const m = Math.max(...a);
  return m + Math.log(a.reduce((t, v) => t + Math.exp(v - m), 0));
};
const ce = (a: readonly number[], y: number): number => lse(a) - a[y]!;
const total = counts.reduce((a, b) => a + b, 0);
const margins = counts.map((n) => 0.5 * (10 / n) ** 0.25);

const rows: Record<string, LossCase> = {
  crossEntropy: { make: () => losses.crossEntropy(), classes: C, isShiftInvariant: true, reference: ce },
  'crossEntropy, smoothed': {
    make: () => losses.crossEntropy({ labelSmoothing: 0.1 }),
    weightMultiplies: false,
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => 0.9 * ce(z, y) + (0.1 / C) * z.reduce((t, _, c) => t + ce(z, c), 0),
  },
  'ldam, s = 10': {
    make: () => losses.ldam({ clsNumList: counts, s: 10 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => ce(z.map((v, c) => 10 * (v - (c === y ? margins[y]! : 0))), y),
  },
  'ldam with s in the head': {
    make: () => losses.ldam({ clsNumList: counts, s: 10, scaleIn: 'head' }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => ce(z.map((v, c) => v - (c === y ? 10 * margins[y]! : 0)), y),
  },
  'vs (gamma .3, tau 1)': {
    make: () => losses.vs({ clsNumList: counts, gamma: 0.3, tau: 1 }),
    classes: C,
    isShiftInvariant: false,
    reference: (z, y) => ce(z.map((v, c) => (counts[c]! / counts[0]!) ** 0.3 * v + Math.log(counts[c]! / total)), y),
  },
  logitAdjusted: {
    make: () => losses.logitAdjusted({ clsNumList: counts, tau: 1.5 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) => ce(z.map((v, c) => v + 1.5 * Math.log(counts[c]! / total)), y),
  },
  balancedSoftmax: { make: () => losses.balancedSoftmax({ clsNumList: counts }), classes: C, isShiftInvariant: true, reference: (z, y) => ce(z.map((v, c) => v + Math.log(counts[c]!)), y) },
  cdt: { make: () => losses.cdt({ clsNumList: counts, gamma: 0.2 }), classes: C, isShiftInvariant: false, reference: (z, y) => ce(z.map((v, c) => (counts[c]! / counts[0]!) ** 0.2 * v), y) },
  'focal, gamma 2': { make: () => losses.focal({ gamma: 2 }), classes: C, isShiftInvariant: true, reference: (z, y) => (1 - Math.exp(-ce(z, y))) ** 2 * ce(z, y) },
  ldamHinge: { make: () => losses.ldamHinge({ clsNumList: counts }), classes: C, isShiftInvariant: true },
};

test.each(Object.entries(rows))('%s', (_name, row) => checkLoss(row));

test('ldam without margin is cross-entropy of s z', () => {
  scope(() => expect(losses.ldam({ clsNumList: counts, maxM: 0 }).name).toBe('ldam'));
  return checkLoss({ make: () => losses.ldam({ clsNumList: counts, maxM: 0, s: 3 }), classes: C, isShiftInvariant: true, reference: (z, y) => ce(z.map((v) => 3 * v), y) });
});
