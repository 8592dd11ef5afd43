import { describe, expect, test } from 'vitest';
import { conformal, evaluateSets, loadSetPredictor, rapsSettings, type ConformalOptions } from 'evenkeel/calibrate';
import { testRandom } from '../support/fuzz.ts';

/** Probabilities over five classes and labels: of those probabilities, or with `shift` of others, as of a model that is wrong. */
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

const kinds: Omit<ConformalOptions, 'alpha'>[] = [{ score: 'lac' }, { score: 'aps' }, { score: 'raps', lambda: 0.05, kReg: 1 }, { score: 'saps', lambda: 0.1 }];

describe.each(kinds)('$score', (options) => {
  test.each([0, 0.3])('covers 1 - alpha whatever the model: labels shifted in a share of %s', (shift) => {
    // Over calibration splits of n rows the coverage follows Beta(k, n + 1 - k), k = ceil((n + 1) (1 - alpha)).
    const [n, m, trials, alpha] = [60, 60, 120, 0.2];
    const k = Math.ceil((n + 1) * (1 - alpha));
    const mean = k / (n + 1);
    let hits = 0;
    for (let t = 0; t < trials; t++) {
      const { p, y } = rowsOf(n + m, 1000 * t + 7, shift);
      const rule = conformal(p.slice(0, n), y.slice(0, n), { ...options, alpha, seed: t });
      hits += m * evaluateSets(rule.predict(p.slice(n)), y.slice(n), { classes: 5 }).coverage;
    }
    // Variance of the number of hits of one trial: beta-binomial.
    const variance = m * mean * (1 - mean) * (1 + (m - 1) / (n + 2));
    expect(Math.abs(hits - trials * m * mean)).toBeLessThan(4 * Math.sqrt(trials * variance));
  });

  test('the quantile is the ceil((n + 1)(1 - alpha))-th score: at least that many calibration rows are covered', () => {
    const { p, y } = rowsOf(49, 3);
    const own = { ...options, randomized: false, alpha: 0.1 };
    const { coverage } = evaluateSets(conformal(p, y, own).predict(p), y, { classes: 5 });
    expect(coverage).toBeCloseTo(45 / 49, 12);
  });

  test('class-conditional: each class is covered, and has a quantile of its own', () => {
    const [n, alpha] = [1000, 0.2];
    const { p, y } = rowsOf(2 * n, 11, 0.2);
    const rule = conformal(p.slice(0, n), y.slice(0, n), { ...options, alpha, perClass: true });
    expect(rule.state.quantiles).toHaveLength(5);
    const { classCoverage } = evaluateSets(rule.predict(p.slice(n)), y.slice(n), { classes: 5 });
    for (const c of classCoverage) expect(Math.abs(c - 0.8)).toBeLessThan(4 * Math.sqrt((2 * 0.16) / 180));
  });

  test('the state survives JSON; seeds decide, and rows keep their sets however they are split', () => {
    const { p, y } = rowsOf(80, 5);
    const rule = conformal(p, y, { ...options, alpha: 0.2, seed: 3 });
    const sets = rule.predict(p);
    expect(loadSetPredictor(JSON.parse(JSON.stringify(rule.state))).predict(p)).toEqual(sets);
    expect([...rule.predict(p.slice(0, 7)).sets, ...rule.predict(p.slice(7), { first: 7 }).sets]).toEqual(sets.sets);
    expect(rule.predict(p, { allowEmpty: false }).sets.every((set) => set.length > 0)).toBe(true);
  });
});

test('scores by hand: calibration quantiles of three rows', () => {
  const [p, y] = [[[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.25, 0.25, 0.5]], [0, 2, 1]];
  const quantile = (options: Omit<ConformalOptions, 'alpha'>): number => conformal(p, y, { ...options, alpha: 0.25, randomized: false }).state.quantiles[0]!;
  expect(quantile({ score: 'lac' })).toBeCloseTo(0.8, 12);
  // Ranks 1, 2 and 3: cumulated 0.5, 0.9, 1.
  expect(quantile({ score: 'aps' })).toBeCloseTo(1, 12);
  expect(quantile({ score: 'raps', lambda: 0.1, kReg: 1 })).toBeCloseTo(1.2, 12);
  // 0.5, 0.7 + 0.1, 0.5 + 2 * 0.1.
  expect(quantile({ score: 'saps', lambda: 0.1 })).toBeCloseTo(0.8, 12);
});

test('raps without a penalty is aps, with one its sets are smaller; settings come from a split of their own', () => {
  const { p, y } = rowsOf(600, 9, 0.3);
  const [tune, calib] = [{ p: p.slice(0, 200), y: y.slice(0, 200) }, { p: p.slice(200, 400), y: y.slice(200, 400) }];
  const aps = conformal(calib.p, calib.y, { alpha: 0.1 });
  expect(conformal(calib.p, calib.y, { alpha: 0.1, score: 'raps', lambda: 0, kReg: 0 }).predict(p).sets).toEqual(aps.predict(p).sets);
  const settings = rapsSettings(tune.p, tune.y, { alpha: 0.1 });
  expect([0.001, 0.01, 0.1, 0.2, 0.5]).toContain(settings.lambda);
  expect(Number.isInteger(settings.kReg) && settings.kReg >= 1 && settings.kReg <= 5).toBe(true);
  const largest = (rule: typeof aps): number => Math.max(...rule.predict(p).sets.map((set) => set.length));
  expect(largest(conformal(calib.p, calib.y, { alpha: 0.1, score: 'raps', lambda: 0.5, kReg: 2 }))).toBeLessThanOrEqual(largest(aps));
});

test('errors name what is wrong', () => {
  const { p, y } = rowsOf(8, 1);
  expect(() => conformal(p, y, { alpha: 0.1 })).toThrow('conformal: got 8 calibration rows, too few for alpha 0.1, expected at least 9');
  expect(() => conformal(p, y.map(() => 2), { alpha: 0.2, perClass: true })).toThrow('conformal: class 0 has 0 calibration rows, too few for alpha 0.2, expected at least 4');
  expect(() => conformal(p, y, { alpha: 1 })).toThrow('conformal: alpha is 1, expected a number in (0, 1)');
  expect(() => conformal(p, y, { alpha: 0.5, score: 'x' as never })).toThrow("conformal: score is x, expected 'lac', 'aps', 'raps' or 'saps'");
  expect(() => conformal(p, y, { alpha: 0.5, score: 'saps' })).toThrow('conformal: lambda is undefined, expected a finite number > 0');
  expect(() => conformal(p, y, { alpha: 0.5, score: 'raps' })).toThrow('conformal: lambda is undefined and kReg undefined, expected finite numbers of at least 0, such as those of rapsSettings()');
  expect(() => conformal([[2, -1]], [0], { alpha: 0.5 })).toThrow('conformal: probs is 2 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)');
  expect(() => conformal(p, [1], { alpha: 0.5 })).toThrow('conformal: labels has 1 entries, expected 8, one per row');
  expect(() => conformal(p, y, { alpha: 0.5 }).predict([[0.5, 0.5]])).toThrow('conformal: probs have 2 classes, expected 5');
  expect(() => rapsSettings(p, y, { alpha: 0.5, lambdas: [] })).toThrow('rapsSettings: lambdas is empty, expected at least one number');
});
