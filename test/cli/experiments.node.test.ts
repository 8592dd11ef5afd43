import { describe, expect, test } from 'vitest';
import { experiments } from '../../src/cli/experiments/index.ts';
import { judge, type LdamDrwRun } from '../../src/cli/experiments/ldam-drw.ts';
import { meanAndDeviation, percentWithDeviation } from '../../src/cli/experiments/statistics.ts';
import { lateEpoch } from '../../src/cli/methods.ts';

test('mean and standard deviation with n - 1', () => {
  expect(meanAndDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({ mean: 5, sd: Math.sqrt(32 / 7) });
  expect(meanAndDeviation([3])).toEqual({ mean: 3, sd: null });
  expect(percentWithDeviation([0.85, 0.87])).toBe('86.00 ± 1.41');
  expect(percentWithDeviation([0.85])).toBe('85.00');
});

describe('ldam-drw', () => {
  const runs = (dataset: string, ce: number[], ours: number[]): LdamDrwRun[] => {
    const rest = { accuracy: 0, many: 0, medium: 0, few: 0, seconds: 0 };
    return ce.flatMap((value, seed) => [
      { dataset, seed, method: 'ce' as const, balancedAccuracy: value, ...rest },
      { dataset, seed, method: 'ldam-drw' as const, balancedAccuracy: ours[seed]!, ...rest },
    ]);
  };

  test('holds when the mean difference reaches two points on every data set', () => {
    const verdict = judge([...runs('mnist', [0.8, 0.82], [0.83, 0.84]), ...runs('fashion-mnist', [0.7, 0.7], [0.75, 0.71])]);
    expect(verdict.holds).toBe(true);
    expect(verdict.table.rows[0]).toEqual(['mnist', '81.00 ± 1.41', '83.50 ± 0.71', '2.50 ± 0.71', 'yes']);
  });

  test('does not hold when one data set falls short, or without runs', () => {
    const verdict = judge([...runs('mnist', [0.8], [0.9]), ...runs('fashion-mnist', [0.7], [0.715])]);
    expect(verdict.holds).toBe(false);
    expect(verdict.result).toMatchObject({ mnist: { holds: true }, 'fashion-mnist': { holds: false, seeds: 1 } });
    expect(judge([]).holds).toBe(false);
  });

  test('is listed, states its protocol, and names its data sets', () => {
    const [first] = experiments;
    expect(first!.id).toBe('ldam-drw');
    expect(first!.protocol({ data: 'both', seeds: 3, epochs: 10 })).toMatch(/imbalance 100.*mnist CE: rate 0\.2 .*fashion-mnist LDAM-DRW: rate 0\.02 .*3 seeds/);
    expect(first!.datasets({ data: 'both' })).toEqual(['mnist', 'fashion-mnist']);
    expect(first!.datasets({ data: 'mnist' })).toEqual(['mnist']);
  });
});

test('the late epoch leaves epochs on both sides of it where there are two', () => {
  const late = (epochs: number): number => lateEpoch(epochs, { lateShare: 0.7 });
  expect([1, 2, 3, 4, 10, 200].map(late)).toEqual([1, 1, 2, 3, 7, 140]);
});
