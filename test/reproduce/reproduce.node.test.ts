import { describe, expect, test } from 'vitest';
import { experiments } from '../../examples/reproduce/index.ts';
import { ldamDrw } from '../../examples/reproduce/ldam-drw.ts';
import {
  judgePaired,
  meanAndDeviation,
  percentWithDeviation,
  type PairedRun,
} from '../../examples/reproduce/lib/statistics.ts';
import { lateEpoch } from '../../examples/reproduce/lib/long-tail.ts';

test('mean and standard deviation with n - 1', () => {
  expect(meanAndDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({ mean: 5, sd: Math.sqrt(32 / 7) });
  expect(meanAndDeviation([3])).toEqual({ mean: 3, sd: null });
  expect(percentWithDeviation([0.85, 0.87])).toBe('86.00 ± 1.41');
  expect(percentWithDeviation([0.85])).toBe('85.00');
});

describe('paired comparison', () => {
  const run = (
    seed: number,
    method: string,
    acc: number,
    ece: number,
  ): { dataset: string; seed: number; method: string; acc: number; ece: number } => ({
    dataset: 'd',
    seed,
    method,
    acc,
    ece,
  });
  const runs = [
    run(0, 'a', 0.5, 0.1),
    run(0, 'b', 0.6, 0.04),
    run(1, 'a', 0.5, 0.1),
    run(1, 'b', 0.64, 0.02),
    run(2, 'a', 0.1, 0.9),
  ];

  test('pairs by seed, and a lower metric may be the better one', () => {
    const { holds, result, table } = judgePaired(runs, [
      { metric: 'acc', label: 'accuracy', baseline: 'a', method: 'b', margin: 12 },
      { metric: 'ece', label: 'ECE', baseline: 'a', method: 'b', lowerIsBetter: true, margin: 6.9 },
    ]);
    expect(holds).toBe(true);
    expect(table.rows.map((row) => row.slice(4))).toEqual([
      ['12.00 ± 2.83', '>= 12', 'yes'],
      ['-7.00 ± 1.41', '<= -6.9', 'yes'],
    ]);
    expect(result['d: ECE, b against a']).toMatchObject({ seeds: 2, holds: true });
  });

  test('does not hold below a margin, or where no seed has both', () => {
    expect(
      judgePaired(runs, [{ metric: 'acc', label: 'accuracy', baseline: 'a', method: 'b', margin: 12.1 }]).holds,
    ).toBe(false);
    expect(
      judgePaired(runs, [{ metric: 'acc', label: 'accuracy', baseline: 'a', method: 'c', margin: -100 }]).holds,
    ).toBe(false);
  });
});

describe('ldam-drw', () => {
  const runs = (dataset: string, ce: number[], ours: number[]): PairedRun[] => {
    const rest = { bestBalancedAccuracy: 0.9, bestEpoch: 1, accuracy: 0, many: 0, medium: 0, few: 0, seconds: 0 };
    return ce.flatMap((value, seed) => [
      { dataset, seed, method: 'ce' as const, balancedAccuracy: value, ...rest },
      { dataset, seed, method: 'ldam-drw' as const, balancedAccuracy: ours[seed]!, ...rest },
    ]);
  };

  test('holds when the mean difference reaches two points on every data set', () => {
    const verdict = ldamDrw.judge([
      ...runs('mnist', [0.8, 0.82], [0.83, 0.84]),
      ...runs('fashion-mnist', [0.7, 0.7], [0.75, 0.71]),
    ]);
    expect(verdict.holds).toBe(true);
    // The best test epoch is shown and has no say.
    expect(verdict.table.rows.map((row) => [row[0], row[1], row[6]])).toEqual([
      ['mnist', 'balanced accuracy', 'yes'],
      ['fashion-mnist', 'balanced accuracy', 'yes'],
      ['mnist', 'balanced accuracy, best test epoch', ''],
      ['fashion-mnist', 'balanced accuracy, best test epoch', ''],
    ]);
    expect(verdict.table.rows[0]).toEqual([
      'mnist',
      'balanced accuracy',
      'ce 81.00 ± 1.41',
      'ldam-drw 83.50 ± 0.71',
      '2.50 ± 0.71',
      '>= 2',
      'yes',
    ]);
  });

  test('does not hold when one data set falls short, or without runs', () => {
    const verdict = ldamDrw.judge([...runs('mnist', [0.8], [0.9]), ...runs('fashion-mnist', [0.7], [0.715])]);
    expect(verdict.holds).toBe(false);
    expect(verdict.result).toMatchObject({ mnist: { holds: true }, 'fashion-mnist': { holds: false, seeds: 1 } });
    expect(ldamDrw.judge([]).holds).toBe(false);
  });

  test('is listed, states its protocol, and names its data sets', () => {
    const [first] = experiments;
    expect(first!.id).toBe('ldam-drw');
    expect(first!.protocol({ data: 'both', seeds: 3, epochs: 10 })).toMatch(
      /imbalance 100.*mnist CE: rate 0\.2 .*fashion-mnist LDAM-DRW: rate 0\.02 .*3 seeds/,
    );
    expect(first!.datasets({ data: 'both' })).toEqual(['mnist', 'fashion-mnist']);
    expect(first!.datasets({ data: 'mnist' })).toEqual(['mnist']);
    expect(() => first!.datasets({ data: 'cifar' })).toThrow(
      "--data is 'cifar', expected mnist or fashion-mnist or both; a folder needs --full",
    );
    expect(first!.protocol({ data: '/cifar', seeds: 1, epochs: null, full: true })).toMatch(
      /CIFAR-10, ResNet-32.*200 epochs.*s 30, largest margin 0\.5.*1 seed, paired\.$/,
    );
    expect(first!.datasets({ data: '/cifar', full: true })).toEqual(['cifar10:/cifar']);
    expect(() => first!.datasets({ data: 'both', full: true })).toThrow('--full needs --data DIR');
  });
});

test('the late epoch leaves epochs on both sides of it where there are two', () => {
  const late = (epochs: number): number => lateEpoch(epochs, { lateShare: 0.7 });
  expect([1, 2, 3, 4, 10, 200].map(late)).toEqual([1, 1, 2, 3, 7, 140]);
});
