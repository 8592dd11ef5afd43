import { describe, expect, test } from 'vitest';
import {
  averageK,
  conformal,
  evaluateSets,
  loadSetPredictor,
  rapsSettings,
  setError,
  topKPredictor,
  type ConformalOptions,
} from 'evenkeel/sets';
import { testRandom } from '../support/fuzz.ts';

/**
 * Probabilities over five classes and labels: of those probabilities, or with `shift` of others, as of a model that is
 * wrong.
 */
function rowsOf(n: number, seed: number, shift = 0): { p: number[][]; y: number[] } {
  const random = testRandom(seed);
  const unit = (): number => random(2 ** 30) / 2 ** 30;
  const p: number[][] = [];
  const y: number[] = [];
  for (let i = 0; i < n; i++) {
    const weights = Array.from({ length: 5 }, () => (-Math.log(1 - unit())) ** 3);
    const total = weights.reduce((a, b) => a + b, 0);
    p.push(weights.map((w) => w / total));
    let u = unit();
    let c = 0;
    while (c < 4 && u >= p[i]![c]!) u -= p[i]![c++]!;
    y.push((c + (unit() < shift ? 1 : 0)) % 5);
  }
  return { p, y };
}

const kinds: Omit<ConformalOptions, 'alpha'>[] = [
  { score: 'lac' },
  { score: 'aps' },
  { score: 'raps', lambda: 0.05, kReg: 1 },
  { score: 'saps', lambda: 0.1 },
];

describe.each(kinds)('$score', (options) => {
  test.each([0, 0.3])('covers 1 - alpha whatever the model: labels shifted in a share of %s', (shift) => {
    // Over calibration splits of n rows the coverage follows Beta(k, n + 1 - k), k = ceil((n + 1) (1 - alpha)).
    const [n, m, trials, alpha] = [60, 60, 120, 0.2];
    const k = Math.ceil((n + 1) * (1 - alpha));
    const mean = k / (n + 1);
    let hits = 0;
    for (let t = 0; t < trials; t++) {
      const { p, y } = rowsOf(n + m, 1000 * t + 7, shift);
      const rule = conformal({ ...options, alpha, seed: t }).fit(p.slice(0, n), y.slice(0, n));
      hits += m * evaluateSets(rule.sets(p.slice(n)), y.slice(n), { numClasses: 5 }).coverage;
    }
    // Variance of the number of hits of one trial: beta-binomial.
    const variance = m * mean * (1 - mean) * (1 + (m - 1) / (n + 2));
    expect(Math.abs(hits - trials * m * mean)).toBeLessThan(4 * Math.sqrt(trials * variance));
  });

  test('the quantile is the ceil((n + 1)(1 - alpha))-th score: at least that many calibration rows are covered', () => {
    const { p, y } = rowsOf(49, 3);
    const own = { ...options, randomized: false, alpha: 0.1 };
    const { coverage } = evaluateSets(conformal(own).fit(p, y).sets(p), y, { numClasses: 5 });
    expect(coverage).toBeCloseTo(45 / 49, 12);
  });

  test('class-conditional: each class is covered, and has a quantile of its own', () => {
    const [n, alpha] = [1000, 0.2];
    const { p, y } = rowsOf(2 * n, 11, 0.2);
    const rule = conformal({ ...options, alpha, perClass: true }).fit(p.slice(0, n), y.slice(0, n));
    expect(rule.state.quantiles).toHaveLength(5);
    const { classCoverage } = evaluateSets(rule.sets(p.slice(n)), y.slice(n), { numClasses: 5 });
    for (const c of classCoverage) expect(Math.abs(c - 0.8)).toBeLessThan(4 * Math.sqrt((2 * 0.16) / 180));
  });

  test('the state survives JSON; seeds decide, and rows keep their sets however they are split', () => {
    const { p, y } = rowsOf(80, 5);
    const rule = conformal({ ...options, alpha: 0.2, seed: 3 }).fit(p, y);
    const sets = rule.sets(p);
    expect(loadSetPredictor(JSON.parse(JSON.stringify(rule.state))).sets(p)).toEqual(sets);
    expect([...rule.sets(p.slice(0, 7), { first: 0 }).sets, ...rule.sets(p.slice(7), { first: 7 }).sets]).toEqual(
      sets.sets,
    );
    expect(rule.sets(p, { allowEmpty: false }).sets.every((set) => set.length > 0)).toBe(true);
  });
});

/** Rows drawn from `rowsOf` so that class c is kept in a share of `keep`[c]. */
function thinned(n: number, seed: number, keep: readonly number[]): { p: number[][]; y: number[] } {
  const random = testRandom(seed + 99);
  const { p, y } = rowsOf(n, seed);
  const kept = y.flatMap((c, r) => (random(1000) / 1000 < keep[c]! ? [r] : []));
  return { p: kept.map((r) => p[r]!), y: kept.map((r) => y[r]!) };
}

describe('calibrated on a long tail, used where all classes are alike', () => {
  const tail = [1, 0.6, 0.35, 0.2, 0.1];
  test.each(kinds)('$score with a prior covers 1 - alpha there', (options) => {
    const [trials, alpha] = [40, 0.2];
    let [hits, plain, rows] = [0, 0, 0];
    for (let t = 0; t < trials; t++) {
      const calib = thinned(400, 31 * t + 5, tail);
      const test = rowsOf(400, 31 * t + 17);
      const covered = (prior?: 'balanced') =>
        400 *
        evaluateSets(
          conformal({ ...options, alpha, seed: t })
            .fit(calib.p, calib.y, { prior })
            .sets(test.p),
          test.y,
          {
            numClasses: 5,
          },
        ).coverage;
      hits += covered('balanced');
      plain += covered();
      rows += 400;
    }
    // Of about 180 rows with weights up to 10: four standard deviations and the gain of the row to come.
    expect(hits / rows).toBeGreaterThan(0.79);
    expect(hits / rows).toBeLessThan(0.84);
    expect(Math.abs(hits / rows - 0.8)).toBeLessThan(Math.abs(plain / rows - 0.8) + 0.03);
  });
  test('the weights of the row to come: by hand', () => {
    const p = [
      [0.9, 0.1],
      [0.8, 0.2],
      [0.7, 0.3],
      [0.6, 0.4],
      [0.35, 0.65],
    ];
    const y = [0, 0, 0, 0, 1];
    // LAC scores .1 .2 .3 .4 of weight 1/4 and .35 of weight 1, a row to come included, in units of 5/8.
    const { quantiles, warnings } = conformal({ alpha: 0.4, score: 'lac' }).fit(p, y, { prior: 'balanced' });
    // Class 0: .6 * 2.25 = 1.35 is reached at .35; class 1: .6 * 3 = 1.8 at .4.
    expect(quantiles).toEqual([0.35, 0.4].map((q) => expect.closeTo(q, 12)));
    expect(warnings).toEqual([]);
    expect(conformal({ alpha: 0.3, score: 'lac' }).fit(p, y, { prior: 'balanced' }).quantiles[1]).toBe(Infinity);
    // A class that the prior expects and the data lack is in every set.
    const absent = conformal({ alpha: 0.4, score: 'lac' }).fit(
      p.map((row) => [...row, 0]),
      y,
      { prior: [1, 1, 1] },
    );
    expect(absent.quantiles[2]).toBe(Infinity);
    expect(absent.sets([[0.9, 0.1, 0]]).sets[0]).toContain(2);
  });
  test('equal weights and the prior of the labels change nothing; a weight of n is n rows', () => {
    const { p, y } = rowsOf(60, 3);
    const counts = [0, 1, 2, 3, 4].map((c) => y.filter((d) => d === c).length);
    for (const options of kinds) {
      const own = { ...options, alpha: 0.2, randomized: false };
      const { quantiles } = conformal(own).fit(p, y);
      expect(conformal({ ...own }).fit(p, y, { sampleWeight: y.map(() => 2) }).quantiles).toEqual(quantiles);
      expect(conformal({ ...own }).fit(p, y, { prior: counts }).quantiles).toEqual(
        quantiles.flatMap((q) => [q, q, q, q, q]),
      );
      expect(conformal({ ...own, perClass: true }).fit(p, y, { prior: 'balanced' }).quantiles).toEqual(
        conformal({ ...own, perClass: true }).fit(p, y).quantiles,
      );
    }
    expect(() => conformal({ alpha: 0.2 }).fit(p, y, { sampleWeight: y.map((_, r) => (r === 0 ? 1000 : 1)) })).toThrow(
      'conformal: got 60 calibration rows, too few for alpha 0.2',
    );
    const { sets } = conformal({ alpha: 0.2 }).fit(p, y).sets(p);
    const times = y.map((_, r) => r % 3);
    const again = times.flatMap((n, r) => new Array<number>(n).fill(r));
    const { sizes: _, ...report } = evaluateSets({ sets, meanSize: NaN }, y, { numClasses: 5, sampleWeight: times });
    const { sizes: __, ...wanted } = evaluateSets(
      { sets: again.map((r) => sets[r]!), meanSize: NaN },
      again.map((r) => y[r]!),
      { numClasses: 5 },
    );
    for (const key of ['error', 'coverage', 'macroError', 'meanSize', 'emptyShare', 'singletonShare'] as const)
      expect(report[key]).toBeCloseTo(wanted[key], 12);
    report.classCoverage.forEach((c, i) => expect(c).toBeCloseTo(wanted.classCoverage[i]!, 12));
    expect(setError({ sets, meanSize: NaN }, y, { sampleWeight: times })).toBeCloseTo(wanted.error, 12);
  });
});

describe('rows of a randomised rule have numbers of their own', () => {
  test.each([{ score: 'aps' as const }, { score: 'saps' as const, lambda: 0.1 }])(
    'predicted one at a time, $score covers as it does at once',
    (options) => {
      const [n, m, trials, alpha] = [60, 60, 60, 0.2];
      const mean = Math.ceil((n + 1) * (1 - alpha)) / (n + 1);
      let hits = 0;
      for (let t = 0; t < trials; t++) {
        const { p, y } = rowsOf(n + m, 500 * t + 3);
        const make = () => conformal({ ...options, alpha, seed: t }).fit(p.slice(0, n), y.slice(0, n));
        const rule = make();
        const single = p.slice(n).map((row) => rule.sets([row]).sets[0]!);
        expect(rule.next).toBe(m);
        expect(single).toEqual(make().sets(p.slice(n)).sets);
        hits += single.filter((set, r) => set.includes(y[n + r]!)).length;
      }
      const variance = m * mean * (1 - mean) * (1 + (m - 1) / (n + 2));
      expect(Math.abs(hits - trials * m * mean)).toBeLessThan(4 * Math.sqrt(trials * variance));
    },
  );

  test('one image again and again: its classes come and go as often as they should; `first` repeats', () => {
    const { p, y } = rowsOf(400, 17);
    const rule = conformal({ alpha: 0.2, seed: 1 }).fit(p, y);
    const row = [[0.6, 0.3, 0.05, 0.03, 0.02]];
    const q = rule.quantiles[0]!;
    // Class j is in when before_j + u p_j <= q.
    const expected = [0, 0.6, 0.9, 0.95, 0.98].map((before, c) => Math.min(1, Math.max(0, (q - before) / row[0]![c]!)));
    const seen = new Array<number>(5).fill(0);
    for (let i = 0; i < 2000; i++) for (const c of rule.sets(row).sets[0]!) seen[c]!++;
    seen.forEach((count, c) => expect(Math.abs(count / 2000 - expected[c]!)).toBeLessThan(0.045));
    expect(expected.some((e) => e > 0.05 && e < 0.95)).toBe(true);
    const again = rule.sets(row, { first: 3 });
    expect(rule.next).toBe(4);
    expect(rule.sets(row, { first: 3 })).toEqual(again);
  });

  test('random ties count too', () => {
    const tied = [[0.25, 0.25, 0.25, 0.25]];
    const rule = topKPredictor({ k: 1, tie: 'random' });
    expect(new Set(Array.from({ length: 60 }, () => rule.sets(tied).sets[0]![0])).size).toBe(4);
    const average = averageK({ k: 2, tie: 'random' }).fit([
      [0.25, 0.25, 0.25, 0.25],
      [0.25, 0.25, 0.25, 0.25],
    ]);
    const sizes = Array.from({ length: 1000 }, () => average.sets(tied).meanSize);
    expect(Math.abs(sizes.reduce((a, b) => a + b) / 1000 - 2)).toBeLessThan(0.13);
  });
});

test('scores by hand: calibration quantiles of three rows', () => {
  const [p, y] = [
    [
      [0.5, 0.3, 0.2],
      [0.1, 0.7, 0.2],
      [0.25, 0.25, 0.5],
    ],
    [0, 2, 1],
  ];
  const quantile = (options: Omit<ConformalOptions, 'alpha'>): number =>
    conformal({ ...options, alpha: 0.25, randomized: false }).fit(p, y).state.quantiles[0]!;
  expect(quantile({ score: 'lac' })).toBeCloseTo(0.8, 12);
  // Ranks 1, 2 and 3: cumulated 0.5, 0.9, 1.
  expect(quantile({ score: 'aps' })).toBeCloseTo(1, 12);
  expect(quantile({ score: 'raps', lambda: 0.1, kReg: 1 })).toBeCloseTo(1.2, 12);
  // 0.5, 0.7 + 0.1, 0.5 + 2 * 0.1.
  expect(quantile({ score: 'saps', lambda: 0.1 })).toBeCloseTo(0.8, 12);
});

test('raps without a penalty is aps, with one its sets are smaller; settings come from a split of their own', () => {
  const { p, y } = rowsOf(600, 9, 0.3);
  const [tune, calib] = [
    { p: p.slice(0, 200), y: y.slice(0, 200) },
    { p: p.slice(200, 400), y: y.slice(200, 400) },
  ];
  const aps = conformal({ alpha: 0.1 }).fit(calib.p, calib.y);
  expect(conformal({ alpha: 0.1, score: 'raps', lambda: 0, kReg: 0 }).fit(calib.p, calib.y).sets(p).sets).toEqual(
    aps.sets(p).sets,
  );
  const settings = rapsSettings(tune.p, tune.y, { alpha: 0.1 });
  expect([0.001, 0.01, 0.1, 0.2, 0.5]).toContain(settings.lambda);
  expect(Number.isInteger(settings.kReg) && settings.kReg >= 1 && settings.kReg <= 5).toBe(true);
  const largest = (rule: typeof aps): number => Math.max(...rule.sets(p).sets.map((set) => set.length));
  expect(
    largest(conformal({ alpha: 0.1, score: 'raps', lambda: 0.5, kReg: 2 }).fit(calib.p, calib.y)),
  ).toBeLessThanOrEqual(largest(aps));
});

test('a class of too few calibration rows has an infinite quantile: it is in every set, and a warning says so', () => {
  const { p, y } = rowsOf(200, 13);
  // Class 3 has no row left, class 4 three, of the four that alpha 0.2 needs.
  const kept = y
    .map((c, r) => (c === 3 || (c === 4 && y.slice(0, r).filter((d) => d === 4).length >= 3) ? -1 : r))
    .filter((r) => r >= 0);
  const rule = conformal({ alpha: 0.2, perClass: true }).fit(
    kept.map((r) => p[r]!),
    kept.map((r) => y[r]!),
  );
  expect(rule.quantiles.map((q) => q === Infinity)).toEqual([false, false, false, true, true]);
  expect(rule.warnings).toEqual(
    [3, 4].map((c) => `conformal: class ${c} has too few calibration rows for alpha 0.2, so that it is in every set`),
  );
  const loaded = loadSetPredictor(JSON.parse(JSON.stringify(rule.state)));
  expect(loaded).toMatchObject({ quantiles: rule.quantiles, warnings: rule.warnings });
  for (const set of loaded.sets(p).sets) expect(set).toEqual(expect.arrayContaining([3, 4]));
  expect(conformal({ alpha: 0.2, perClass: true }).fit(p, y).warnings).toEqual([]);
  // One quantile for all needs its rows.
  expect(() => conformal({ alpha: 0.2 }).fit(p.slice(0, 3), y.slice(0, 3))).toThrow(
    'conformal: got 3 calibration rows, too few for alpha 0.2, expected at least 4',
  );
});

test('errors name what is wrong', () => {
  const { p, y } = rowsOf(8, 1);
  expect(() => conformal({ alpha: 0.1 }).fit(p, y)).toThrow(
    'conformal: got 8 calibration rows, too few for alpha 0.1, expected at least 9',
  );
  expect(() => conformal({ alpha: 1 }).fit(p, y)).toThrow('conformal: alpha is 1, expected 0 < alpha < 1');
  expect(() => conformal({ alpha: 0.5, score: 'x' as never }).fit(p, y)).toThrow(
    "conformal: score is 'x', expected 'lac', 'aps', 'raps' or 'saps'",
  );
  expect(() => conformal({ alpha: 0.5, score: 'saps' }).fit(p, y)).toThrow(
    'conformal: lambda is undefined, expected a finite number > 0',
  );
  expect(() => conformal({ alpha: 0.5, score: 'raps' }).fit(p, y)).toThrow(
    'conformal: lambda is undefined and kReg undefined, expected finite numbers of at least 0, such as those ' +
      'of rapsSettings()',
  );
  expect(() => conformal({ alpha: 0.5 }).fit([[2, -1]], [0])).toThrow(
    'conformal: probs is 2 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)',
  );
  expect(() => conformal({ alpha: 0.5 }).fit(p, [1])).toThrow(
    'conformal: labels has 1 entries, expected 8, one per row',
  );
  expect(() =>
    conformal({ alpha: 0.5 })
      .fit(p, y)
      .sets([[0.5, 0.5]]),
  ).toThrow('conformal: probs have 2 classes, expected 5');
  expect(() => rapsSettings(p, y, { alpha: 0.5, lambdas: [] })).toThrow(
    'rapsSettings: lambdas has 0 entries, expected at least 1',
  );
});
