import { describe, expect, test } from 'vitest';
import { absgdLt } from '../../examples/reproduce/absgd-lt.ts';
import { cdbLt } from '../../examples/reproduce/cdb-lt.ts';
import type { Experiment } from '../../examples/reproduce/lib/experiment.ts';
import { experiments } from '../../examples/reproduce/index.ts';
import { judgeLongTail, longTailSource } from '../../examples/reproduce/lib/long-tail-experiment.ts';
import { longTailRecipe, type LongTailRun } from '../../examples/reproduce/lib/long-tail.ts';
import { othersLt } from '../../examples/reproduce/others-lt.ts';
import { unimixBayiasLt } from '../../examples/reproduce/unimix-bayias-lt.ts';
import { vsLt } from '../../examples/reproduce/vs-lt.ts';

const run = (method: string, seed: number, balancedAccuracy: number, ece = 0.1): LongTailRun => ({
  dataset: 'd',
  seed,
  method,
  balancedAccuracy,
  bestBalancedAccuracy: balancedAccuracy + 0.01 * seed,
  bestEpoch: 2,
  accuracy: balancedAccuracy,
  many: 0.9,
  medium: 0.8,
  few: 0.7,
  ece,
  perClass: [],
  seconds: 1,
});
const both = (figures: Record<string, number | [number, number]>): LongTailRun[] =>
  Object.entries(figures).flatMap(([method, value]) =>
    [0, 1].map((seed) => (typeof value === 'number' ? run(method, seed, value) : run(method, seed, ...value))),
  );
const flags = { seeds: 3, methods: [], epochs: null, full: false, data: null };
const full = { ...flags, seeds: 1, full: true, data: '/cifar' };

describe('claims', () => {
  test.each<[string, Experiment, boolean, LongTailRun[]]>([
    ['vs-lt', vsLt, true, both({ ce: 0.8, la: 0.832, cdt: 0.82, vs: 0.83 })],
    ['vs-lt, too small a lead', vsLt, false, both({ ce: 0.8, la: 0.81, cdt: 0.81, vs: 0.819 })],
    ['vs-lt, behind CDT', vsLt, false, both({ ce: 0.8, la: 0.83, cdt: 0.84, vs: 0.83 })],
    ['vs-lt, behind LA', vsLt, false, both({ ce: 0.8, la: 0.84, cdt: 0.82, vs: 0.83 })],
    ['vs-lt, a method left out', vsLt, false, both({ ce: 0.8, la: 0.83, vs: 0.83 })],
    [
      'unimix-bayias-lt',
      unimixBayiasLt,
      true,
      both({ ce: [0.8, 0.1], bayias: [0.8, 0.1], 'unimix-bayias': [0.83, 0.09] }),
    ],
    [
      'unimix-bayias-lt, worse calibrated',
      unimixBayiasLt,
      false,
      both({ ce: [0.8, 0.1], bayias: [0.8, 0.1], 'unimix-bayias': [0.83, 0.11] }),
    ],
    [
      'absgd-lt',
      absgdLt,
      true,
      both({ ce: 0.8, absgd: 0.7, 'absgd-two-stage': 0.8, 'ce-drw': 0.82, 'absgd-drw': 0.825, 'cb-focal': 0.8 }),
    ],
    [
      'absgd-lt, level',
      absgdLt,
      false,
      both({ ce: 0.8, absgd: 0.9, 'absgd-two-stage': 0.9, 'ce-drw': 0.83, 'absgd-drw': 0.825, 'cb-focal': 0.9 }),
    ],
    ['cdb-lt', cdbLt, true, both({ ce: 0.8, 'cdb-w': 0.811, 'cdb-w-dynamic': 0.4, 'cdb-w-cifar': 0.7, 'cdb-s': 0.7 })],
    [
      'cdb-lt, level',
      cdbLt,
      false,
      both({ ce: 0.8, 'cdb-w': 0.805, 'cdb-w-dynamic': 0.4, 'cdb-w-cifar': 0.9, 'cdb-s': 0.9 }),
    ],
    ['others-lt', othersLt, true, both({ ce: 0.8, 'cb-focal': 0.821, mixup: 0.7 })],
    ['others-lt, level', othersLt, false, both({ ce: 0.8, 'cb-focal': 0.819, mixup: 0.9 })],
    ['nothing run', cdbLt, false, []],
  ])('%s', (_what, experiment, holds, runs) => expect(experiment.judge(runs).holds).toBe(holds));

  test('comparisons that are secondary have no say', () => {
    const comparison = { metric: 'balancedAccuracy', label: 'balanced accuracy', baseline: 'ce' };
    const { holds, table, result } = judgeLongTail(
      both({ ce: 0.8, a: 0.9, b: 0.7 }),
      [{ ...comparison, method: 'a', margin: 5 }],
      [{ ...comparison, method: 'b' }],
    );
    expect(holds).toBe(true);
    expect(table.rows.map((row) => row.slice(4))).toEqual([
      ['10.00 ± 0.00', '>= 5', 'yes'],
      ['-10.00 ± 0.00', '', ''],
      ['10.00 ± 0.00', '', ''],
    ]);
    expect(table.rows.at(-1)!.slice(1, 4)).toEqual([
      'balanced accuracy, best test epoch',
      'ce 80.50 ± 0.71',
      'a 90.50 ± 0.71',
    ]);
    expect(result['d: balanced accuracy, b against ce (secondary)']).toMatchObject({
      b: { mean: 0.7 },
      seeds: 2,
    });
    expect(JSON.stringify(result)).not.toMatch(/"holds":false/);
  });
});

describe('protocols', () => {
  test.each<[Experiment, RegExp, RegExp]>([
    [
      vsLt,
      /^Exponential long tail of imbalance 100 of Fashion-MNIST, 784-64-10.*8 epochs, warm-up over 2, the rate times 0\.1 from epoch 7;.*VS: gamma 0\.025, tau 0\.75.*seeds 100 and 101.*3 seeds, paired\.$/,
      /CIFAR-10, ResNet-32.*200 epochs, warm-up over 5, the rate times 0\.01 from epoch 161 and again 181.*VS: gamma 0\.2, tau 1\.2.*published code.*1 seed, paired\.$/,
    ],
    [
      unimixBayiasLt,
      /40 epochs.*UniMix: alpha 0\.8, tau -0\.1.*seed 100.*after the last epoch, and also after the best of every 4th;/,
      /batches of 64, 200 epochs.*the best of all;/,
    ],
    [
      absgdLt,
      /lambda \S+ from the start.*seeds 100 and 101/,
      /the rate times 0\.01 from epoch 160; what is deferred starts in epoch 161.*lambda 5 from the start, 5 in the second.*gamma 0\.7/,
    ],
    [othersLt, /8 epochs.*gamma 0\.5; equalisation/, /200 epochs.*gamma 1; equalisation/],
    [
      cdbLt,
      /tau 0\.5, the best of.*seeds 100 and 101.*100 further training images of each class/,
      /batches of 32, 240 epochs, the rate times 0\.01 from epoch 161 and again 211.*25 further training images/,
    ],
  ])('of %o', (experiment, quick, paper) => {
    expect(experiment.protocol(flags)).toMatch(quick);
    expect(experiment.protocol(full)).toMatch(paper);
    expect(experiments).toContain(experiment);
  });

  test('--full and --data come together', () => {
    expect(longTailSource(flags)).toBe('fashion-mnist');
    expect(longTailSource(full)).toBe('cifar10:/cifar');
    expect(() => longTailSource({ full: true, data: null })).toThrow(
      new RangeError('--full needs --data DIR, the folder of the binary version of CIFAR-10'),
    );
    expect(() => longTailSource({ full: false, data: '/cifar' })).toThrow(
      new RangeError('--data is the folder of CIFAR-10 for --full, expected both or neither'),
    );
  });

  test('--epochs keeps the shares of a recipe', () => {
    expect(longTailRecipe({ full: false, epochs: 5 })).toMatchObject({ epochs: 5, batchSize: 128, drops: [0.8] });
    expect(
      longTailRecipe({ full: true, epochs: null }, { full: { batchSize: 64 }, quick: { epochs: 40 } }),
    ).toMatchObject({ epochs: 200, batchSize: 64, drops: [0.8, 0.9] });
    expect(vsLt.options({ ...flags, methods: ['vs'] })).toEqual({
      seeds: 3,
      methods: ['vs'],
      epochs: null,
      full: false,
    });
  });
});
