import { expect, test } from 'vitest';
import { judge, smoothMixFashion, smoothMixMnist, type SmoothMixRun } from '../../examples/reproduce/smoothmix.ts';

const runs = (seed: number, ...acrs: [number, number, number]): SmoothMixRun[] =>
  (['gaussian', 'consistency', 'smoothmix'] as const).map((method, i) => ({
    dataset: 'fashion-mnist',
    seed,
    method,
    n: 1000,
    acr: acrs[i]!,
    accuracyAt: [1, 1, 1, 1],
    trainSeconds: 1,
    certifySeconds: 1,
  }));

test('holds when the order of the mean radii and the gap are right', () => {
  const verdict = judge([...runs(0, 0.7, 0.73, 0.76), ...runs(1, 0.7, 0.76, 0.75)]);
  expect(verdict.holds).toBe(true);
  expect(verdict.table.rows[2]).toEqual([
    'smoothmix - gaussian',
    '0.700 ± 0.000',
    '0.755 ± 0.007',
    '0.055 ± 0.007',
    '>= 0.05',
    '0.079',
    'yes',
  ]);
  expect(verdict.result).toMatchObject({ 'smoothmix - consistency': { seeds: 2, holds: true } });
  // Without official figures at this n there is none to show.
  expect(judge(runs(0, 0.7, 0.73, 0.76).map((run) => ({ ...run, n: 700 }))).table.rows[2]!.slice(-2)).toEqual([
    '',
    'yes',
  ]);
  expect(
    judge(runs(0, 0.7, 0.73, 0.76).map((run) => ({ ...run, dataset: 'mnist', n: 10_000 }))).table.rows[2]![5],
  ).toBe('0.167');
});

test('does not hold when the gap is too small, the order wrong, a method missing, or without runs', () => {
  expect(judge(runs(0, 0.7, 0.72, 0.74)).holds).toBe(false);
  expect(judge(runs(0, 0.7, 0.77, 0.76)).holds).toBe(false);
  expect(judge(runs(0, 0.7, 0.7, 0.76)).holds).toBe(false);
  expect(judge(runs(0, 0.7, 0.73, 0.76).slice(1)).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('states its protocol, quick and full', () => {
  const flags = { seeds: 3, full: false, images: null, epochs: null, certified: 500, n: 1000 };
  expect(smoothMixFashion.protocol(flags)).toMatch(
    /784-128-10 on the first 10000 training images of fashion-mnist for 10 epochs.*sigma 0\.5.*2 steps of 1, eta 5.*held-out training images.*first 500 test images.*3 seeds, paired/,
  );
  expect(smoothMixMnist.protocol({ ...flags, full: true, seeds: 1 })).toMatch(
    /LeNet on the first 60000 training images of mnist for 90 epochs.*a tenth of it after each 30.*1, 2 and 4 noisy copies; noise of sigma 1\..*8 steps of 1.*1 seed, paired/,
  );
  expect(smoothMixFashion.datasets(flags)).toEqual(['fashion-mnist']);
  expect(smoothMixMnist.datasets(flags)).toEqual(['mnist']);
});
