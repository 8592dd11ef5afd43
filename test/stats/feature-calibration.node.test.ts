import { describe, expect, test } from 'vitest';
import { classStatistics, type ClassStatistics } from '../../src/stats/class-statistics.ts';
import {
  headToTail,
  ladc,
  missingCounts,
  nearestMeans,
  tukey,
  type LadcOptions,
} from '../../src/stats/feature-calibration.ts';
import golden from '../golden/ladc.json';
import { casesOf, dense, flat, type GoldenCase } from '../support/golden.ts';

const near = (got: ArrayLike<number>, want: ArrayLike<number>): void => {
  expect(got.length).toBe(want.length);
  Array.from(want).forEach((v, i) =>
    expect(Math.abs(got[i]! - v), `${i}: ${got[i]} and ${v}`).toBeLessThanOrEqual(1e-10 * Math.max(1, Math.abs(v))),
  );
};
const statisticsOf = ({ inputs }: GoldenCase): ClassStatistics =>
  classStatistics(dense(inputs.features), flat(inputs.labels), 5);

test('every case of the golden file runs here or in class-statistics', () => {
  const here = [
    'freeLunch',
    'tailCalib',
    'ladcStyle',
    'headToTail',
    'tukey',
    'tailCalibSampleCount',
    'classStatistics',
  ];
  expect(here.reduce((n, method) => n + casesOf(golden, method).length, 0)).toBe(golden.length);
  expect(golden.length).toBe(25);
});

test.each(casesOf(golden, 'freeLunch'))('$name', ({ options, inputs, outputs }) => {
  const [baseMeans, baseCovariances] = [dense(inputs.baseMeans), dense(inputs.baseCovariances)];
  const [classes, width] = baseMeans.shape as [number, number];
  const base: ClassStatistics = {
    classes,
    width,
    counts: new Array<number>(classes).fill(9),
    means: Float64Array.from(baseMeans.data),
    covariances: Float64Array.from(baseCovariances.data),
    isDiagonal: false,
  };
  const point = tukey(flat(inputs.support), options.beta as number);
  near(point, flat(outputs.tukeySupport));
  const { means, covariances } = nearestMeans(
    base,
    { data: point, shape: [1, width] },
    { k: options.k as number, alpha: options.alpha as number },
  );
  near(means, flat(outputs.mean));
  near(covariances, flat(outputs.covariance));
});

test.each(casesOf(golden, 'tailCalib'))('$name', (c) => {
  const { options, inputs, outputs } = c;
  const labels = flat(inputs.labels);
  const own = dense(inputs.features).data.filter((_, i) => labels[Math.floor(i / 4)] === options.class);
  const points = { data: tukey(own, options.tukey as number), shape: [own.length / 4, 4] };
  const found = nearestMeans(statisticsOf(c), points, {
    k: options.topk as number,
    alpha: options.alpha as number,
    jitter: options.jitter as number,
  });
  expect(found.nearest.flat()).toEqual(flat(outputs.nearest));
  near(found.means, flat(outputs.means));
  near(found.covariances, flat(outputs.covariances));
});

test.each(casesOf(golden, 'ladcStyle'))('$name', (c) => {
  const { topm, ...options } = c.options as unknown as LadcOptions & { topm: number };
  const found = ladc(statisticsOf(c), { ...options, m: topm });
  found.classes.forEach((got, i) => {
    const want = c.outputs[`class${got.class}`] as Record<string, unknown>;
    near(got.similarity, flat(want.similarity));
    expect(got.selected).toEqual(flat(want.selected));
    near(got.weights, flat(want.weights));
    near([got.confidence], flat(want.confidence));
    near(found.means.subarray(4 * i, 4 * i + 4), flat(want.mean));
    near(found.covariances.subarray(16 * i, 16 * i + 16), flat(want.covariance));
  });
});

test('head to tail, the ladder at 0 and the missing counts', () => {
  const [c] = casesOf(golden, 'headToTail');
  const found = headToTail(statisticsOf(c!), { head: [0, 1, 2], tail: [3, 4], a: c!.options.a as number });
  near(found.w2.flat(), flat(c!.outputs.w2));
  near(found.weights.flat(), flat(c!.outputs.weights));
  near(found.means.flat(), flat(c!.outputs.mean));
  near(found.deviations.flat(), flat(c!.outputs.std));
  const [ladder] = casesOf(golden, 'tukey');
  near(tukey(flat(ladder!.inputs.x), 0, { eps: ladder!.options.eps as number }), flat(ladder!.outputs.y));
  const [sizes] = casesOf(golden, 'tailCalibSampleCount');
  const counts = flat(sizes!.inputs.counts);
  expect(missingCounts(counts)).toEqual(flat(sizes!.outputs.totals));
  expect(missingCounts(counts).map((n, i) => Math.floor(n / counts[i]!))).toEqual(flat(sizes!.outputs.floorPerPoint));
  expect(missingCounts([3, 9], 5)).toEqual([2, 0]);
});

describe('identities', () => {
  const [c] = casesOf(golden, 'classStatistics');
  const s = statisticsOf(c!);
  const roles = { head: [0, 1, 2], tail: [3, 4] };

  test('nu = 0 keeps the own statistics; alpha adds to the diagonal exactly', () => {
    const own = ladc(s, { ...roles, nu: 0, alpha: 0 });
    near(own.means, s.means.slice(12));
    near(own.covariances, s.covariances.slice(48));
    const more = ladc(s, { ...roles, nu: 0, alpha: 0.5 });
    more.covariances.forEach((v, i) => expect(v).toBe(own.covariances[i]! + ((i % 16) % 5 === 0 ? 0.5 : 0)));
  });
  test('a large nu takes the head alone; keepMean the covariance alone', () => {
    near(ladc(s, { ...roles, m: 1, nu: 1e15, alpha: 0 }).means.slice(0, 4), s.means.slice(8, 12));
    const kept = ladc(s, { ...roles, m: 1, nu: 1e15, alpha: 0, keepMean: true });
    near(kept.means, s.means.slice(12));
    near(kept.covariances.slice(0, 16), s.covariances.slice(32, 48));
  });
  test('identical statistics stay as they are with m = 1', () => {
    const twin: ClassStatistics = {
      ...s,
      classes: 2,
      counts: [9, 3],
      means: Float64Array.of(...s.means.slice(0, 4), ...s.means.slice(0, 4)),
      covariances: Float64Array.of(...s.covariances.slice(0, 16), ...s.covariances.slice(0, 16)),
    };
    const out = ladc(twin, { head: [0], tail: [1], m: 1, alpha: 0 });
    near(out.means, s.means.slice(0, 4));
    near(out.covariances, s.covariances.slice(0, 16));
  });
  test('one class without alpha: Free Lunch is TailCalib', () => {
    const points = { data: [1, 2, 3, 4], shape: [1, 4] };
    expect(nearestMeans(s, points, { k: 1, alpha: 0 })).toEqual(nearestMeans(s, points, { k: 1, alpha: 0, jitter: 0 }));
  });
});

test('ladc: extreme exponents of the sizes choose the larger or the smaller class', () => {
  const s = classStatistics({ data: [0, 1, 2, 3, 4, 9], shape: [6, 1] }, [0, 0, 1, 1, 1, 2], 3);
  for (const kappa of [1000, -1000, 1e6]) {
    const [found] = ladc(s, { head: [0, 1], tail: [2], kappa }).classes;
    expect(found!.weights[found!.selected.indexOf(kappa > 0 ? 1 : 0)]).toBe(1);
  }
});

test('errors', () => {
  const s = classStatistics({ data: [0, 1, 2, 3, 9], shape: [5, 1] }, [0, 0, 1, 1, 2], 4);
  expect(() => tukey([1, -1], 0.5)).toThrow('tukey: x[1] is -1, expected a number >= 0; take features after a relu');
  expect(() => tukey([1], -1)).toThrow('tukey: lambda is -1, expected a finite number >= 0');
  expect(() => nearestMeans(s, { data: [1, 2], shape: [1, 2] })).toThrow(
    'nearestMeans: points have width 2, the statistics 1',
  );
  expect(() => nearestMeans(s, { data: [1], shape: [1, 1] }, { k: 5 })).toThrow(
    'nearestMeans: k is 5, expected an integer in 1..4',
  );
  expect(() => nearestMeans(s, { data: [9], shape: [1, 1] }, { k: 1 })).toThrow(
    'nearestMeans: class 2 is among the nearest and has 1 rows, expected at least 2 for a covariance',
  );
  expect(() => ladc(s, { head: [0, 1, 0], tail: [2] })).toThrow(
    'ladc: class 0 is twice in head, expected each class once',
  );
  expect(() => ladc(s, { head: [0, 1], tail: [2, 2] })).toThrow(
    'ladc: class 2 is twice in tail, expected each class once',
  );
  expect(() => headToTail(s, { head: [0, 0], tail: [2] })).toThrow(
    'headToTail: class 0 is twice in head, expected each class once',
  );
  expect(() => ladc(s, { head: [0, 1], tail: [1] })).toThrow('ladc: class 1 is in head and tail, expected one of them');
  expect(() => ladc(s, { head: [0, 2], tail: [1] })).toThrow('ladc: head class 2 has 1 rows, expected at least 2');
  expect(() => ladc(s, { head: [0, 1], tail: [3] })).toThrow('ladc: tail class 3 has no rows, expected at least 1');
  expect(() => ladc(s, { head: [0, 1], tail: [7] })).toThrow('ladc: class 7 is not in 0..3');
  expect(() => ladc(s, { head: [0, 1], tail: [2], m: 3 })).toThrow(
    'ladc: m is 3, expected an integer in 1..2, the head classes',
  );
  expect(() => ladc(s, { head: [0, 1], tail: [2], nu: -1 })).toThrow('ladc: nu is -1, expected a finite number >= 0');
  expect(() => ladc(s, { head: [0, 1], tail: [2], temperature: 0 })).toThrow(
    'ladc: temperature is 0, expected a finite number > 0',
  );
  expect(() => ladc(s, { head: [0, 1], tail: [2], similarity: 'l1' as 'w2' })).toThrow(
    "ladc: similarity is 'l1', expected 'euclidean', 'cosine' or 'w2'",
  );
  expect(() => nearestMeans(s, { data: [1], shape: [1, 1] }, { k: 1, alpha: NaN })).toThrow(
    'nearestMeans: alpha is NaN, expected a finite number >= 0',
  );
  expect(() => nearestMeans(s, { data: [1], shape: [1, 1] }, { k: 1, jitter: -1 })).toThrow(
    'nearestMeans: jitter is -1, expected a finite number >= 0',
  );
  expect(() => headToTail(s, { head: [0], tail: [7] })).toThrow('headToTail: class 7 is not in 0..3');
  expect(() => headToTail(s, { head: [], tail: [2] })).toThrow('headToTail: head has no class, expected at least 1');
  expect(() => headToTail(s, { head: [0], tail: [3] })).toThrow('headToTail: class 3 has no rows, expected at least 1');
  expect(() => headToTail(s, { head: [0], tail: [2], a: 2 })).toThrow('headToTail: a is 2, expected a number in 0..1');
});
