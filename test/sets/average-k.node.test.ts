import { describe, expect, test } from 'vitest';
import cases from '../golden/average-k.json';
import { softmaxRows } from 'evenkeel/calibrate';
import {
  ambiguity,
  averageK,
  errorCurves,
  evaluateSets,
  expectedSetError,
  loadSetPredictor,
  setError,
  topKPredictor,
  type AverageKState,
} from 'evenkeel/sets';
import { casesOf, dense, flat, toNumber } from '../support/golden.ts';
import { testRandom } from '../support/fuzz.ts';

type Expected = Record<string, unknown>;

describe.each(casesOf(cases, 'averageK'))('golden $name', ({ inputs, outputs }) => {
  const [calib, held] = [dense(inputs.calibrationProbabilities), dense(inputs.testProbabilities)];
  const [calibLabels, heldLabels] = [flat(inputs.calibrationLabels), flat(inputs.testLabels)];
  const [rows, classes] = calib.shape as [number, number];
  const entries = Object.entries(outputs) as [string, Expected][];

  test('all six sizes are there', () =>
    expect(entries.map(([name]) => name)).toEqual(['k1', 'k2', 'k3', 'k4', 'k5', 'k1.5']));

  test.each(entries)('%s: midpoint threshold, sets and errors', (name, out) => {
    const rule = averageK({ k: Number(name.slice(1)) }).fit(calib);
    expect(rule.state.threshold).toBeCloseTo(toNumber(out.lambda), 14);
    const sets = rule.sets(calib);
    expect(sets.sets.map((set) => set.length)).toEqual(flat(out.sizes));
    expect(sets.meanSize).toBeCloseTo(toNumber(out.meanSize), 12);
    expect(setError(sets, calibLabels)).toBeCloseTo(toNumber(out.empiricalError), 12);
    expect(expectedSetError(sets, calib)).toBeCloseTo(toNumber(out.expectedError), 12);
    const test = rule.sets(held);
    expect(test.sets.map((set) => set.length)).toEqual(flat(out.testSizes));
    expect(test.meanSize).toBeCloseTo(toNumber(out.testMeanSize), 12);
    expect(setError(test, heldLabels)).toBeCloseTo(toNumber(out.testEmpiricalError), 12);
    expect(expectedSetError(test, held)).toBeCloseTo(toNumber(out.testExpectedError), 12);
  });

  test.each(entries)('%s: ties taken at random', (name, out) => {
    const k = Number(name.slice(1));
    const { threshold, tieShare } = averageK({ k, tie: 'random' }).fit(calib).state;
    const mass = (isIn: (p: number) => boolean): [number, number] =>
      calib.data.reduce(([n, sum], p) => (isIn(p) ? [n + 1, sum + p] : [n, sum]), [0, 0]);
    const [above, aboveMass] = mass((p) => p > threshold);
    const [equal, equalMass] = mass((p) => p === threshold);
    expect((above + tieShare * equal) / rows).toBeCloseTo(k, 12);
    expect(tieShare).toBeLessThanOrEqual(1);
    if (toNumber(out.tieFraction) <= 1) {
      expect([threshold, tieShare]).toEqual([
        toNumber(out.tieThreshold),
        expect.closeTo(toNumber(out.tieFraction), 12),
      ]);
      expect(1 - (aboveMass + tieShare * equalMass) / rows).toBeCloseTo(toNumber(out.tieExpectedError), 12);
    } else {
      // With k rows no integer the file stays at floor(k rows) scores and takes the last with a "probability" above 1;
      // ours is the next score.
      expect(threshold).toBeLessThan(toNumber(out.tieThreshold));
    }
  });

  test.each(entries.filter(([, out]) => 'gain' in out))('%s: top-k, and the gain over it', (name, out) => {
    const k = Number(name.slice(1));
    const [point] = ambiguity(calib, { ks: [k] });
    expect(point!.topKError).toBeCloseTo(toNumber(out.topkExpectedError), 12);
    expect(point!.averageKError).toBeCloseTo(toNumber(out.tieExpectedError), 12);
    expect(point!.gain).toBeCloseTo(toNumber(out.gainIdentity), 12);
    expect(point!.topKError - point!.averageKError).toBeCloseTo(toNumber(out.gain), 12);
    expect(setError(topKPredictor({ k }).sets(calib), calibLabels)).toBeCloseTo(
      toNumber(out.topkEmpiricalErrorLowestIndex),
      12,
    );
  });

  test('sets are nested, errors fall with k, and all classes make no error', () => {
    const ks = [0.5, 1, 1.7, 2, 3, classes];
    const curve = errorCurves(calib, calibLabels, { ks });
    curve.slice(1).forEach((p, i) => expect(p.averageKError).toBeLessThanOrEqual(curve[i]!.averageKError));
    expect(curve.at(-1)).toMatchObject({ averageKError: 0, topKError: 0, meanSize: classes });
    expect(curve[0]!.topKError).toBeNull();
    const sets = ks.map((k) => averageK({ k }).fit(calib).sets(calib).sets);
    sets
      .slice(1)
      .forEach((larger, i) =>
        larger.forEach((set, r) => expect(sets[i]![r]!.every((c) => set.includes(c))).toBe(true)),
      );
  });

  test('the conservative threshold never exceeds k', () => {
    for (const [name] of entries)
      expect(
        averageK({ k: Number(name.slice(1)), tie: 'conservative' })
          .fit(calib)
          .sets(calib).meanSize,
      ).toBeLessThanOrEqual(Number(name.slice(1)));
  });
});

test('half the inputs certain, half uniform over three: top-2 misses a sixth, average-2 nothing', () => {
  const p = [
    [1, 0, 0],
    [1 / 3, 1 / 3, 1 / 3],
  ];
  const [point] = ambiguity(p, { ks: [2] });
  expect([point!.topKError, point!.averageKError, point!.gain]).toEqual([
    expect.closeTo(1 / 6, 12),
    expect.closeTo(0, 12),
    expect.closeTo(1 / 6, 12),
  ]);
  expect(point!.changed).toBe(0.5);
  expect([...point!.kth, ...point!.next]).toEqual([0, 1 / 3, 0, 1 / 3]);
});

test('constant ambiguity: no gain, and the sets are those of top-k', () => {
  const p = [
    [0.6, 0.3, 0.1],
    [0.1, 0.6, 0.3],
    [0.3, 0.1, 0.6],
  ];
  for (const { gain, changed } of ambiguity(p)) expect([gain, changed]).toEqual([0, 0]);
  expect(averageK({ k: 2 }).fit(p).sets(p)).toEqual(topKPredictor({ k: 2 }).sets(p));
});

test('random ties: the mean size is k, rows keep their sets however they are split', () => {
  const rows = 1000;
  const p = Array.from({ length: rows }, () => [0.25, 0.25, 0.25, 0.25]);
  const rule = averageK({ k: 1.5, tie: 'random', seed: 4 }).fit(p);
  const whole = rule.sets(p);
  expect(Math.abs(whole.meanSize - 1.5)).toBeLessThan(4 * Math.sqrt((4 * 0.375 * 0.625) / rows));
  expect([...rule.sets(p.slice(0, 10), { first: 0 }).sets, ...rule.sets(p.slice(10), { first: 10 }).sets]).toEqual(
    whole.sets,
  );
  expect(averageK({ k: 1.5, tie: 'random', seed: 5 }).fit(p).sets(p).sets).not.toEqual(whole.sets);
});

test('top-k ties: the lowest class, or any alike', () => {
  const p = Array.from({ length: 3000 }, () => [0.2, 0.4, 0.4]);
  expect(topKPredictor({ k: 1 }).sets(p.slice(0, 2)).sets).toEqual([[1], [1]]);
  const seconds = topKPredictor({ k: 1, tie: 'random' })
    .sets(p)
    .sets.filter(([c]) => c === 2).length;
  expect(Math.abs(seconds - 1500)).toBeLessThan(4 * Math.sqrt(750));
});

test('the report of sets', () => {
  const sets = { sets: [[0, 1], [], [2], [0]], meanSize: 1 };
  expect(evaluateSets(sets, [1, 0, 2, 2], { numClasses: 4 })).toEqual({
    error: 0.5,
    coverage: 0.5,
    macroError: 0.5,
    classCoverage: [0, 1, 0.5, NaN],
    meanSize: 1,
    sizes: [1, 2, 1, 0, 0],
    sizeCoverage: [0, 0.5, 1, NaN, NaN],
    emptyShare: 0.25,
    singletonShare: 0.5,
  });
});

test('limits: all classes, none, and no empty set where none is allowed', () => {
  const p = [
    [0.5, 0.3, 0.2],
    [0.8, 0.2, 0],
  ];
  expect(averageK({ k: 3 }).fit(p).sets(p).sets).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
  expect(averageK({ k: 0.2 }).fit(p).sets(p).sets).toEqual([[], []]);
  expect(averageK({ k: 0.2 }).fit(p).sets(p, { allowEmpty: false })).toEqual({ sets: [[0], [0]], meanSize: 1 });
  const logits = [
    [3, -1],
    [0, 5],
  ];
  expect(averageK({ k: 1, input: 'scores' }).fit(logits).sets(logits).sets).toEqual([[0], [1]]);
  expect(
    averageK({ k: 2, input: 'scores' })
      .fit(logits)
      .sets([[-9, -9]]).sets,
  ).toEqual([[0, 1]]);
});

test(
  'weights: a weight of n is n rows, equal ones change nothing, and the mean size is k where the classes come ' +
    'as the prior says',
  () => {
    const random = testRandom(71);
    const p = softmaxRows(Array.from({ length: 40 }, () => Array.from({ length: 5 }, () => random(12) / 4)));
    const rows = Array.from({ length: 40 }, (_, r) => Array.from(p.at(r).data));
    const labels = rows.map((_, r) => (r < 25 ? 0 : r < 35 ? 1 : 2 + (r % 3)));
    const times = rows.map(() => random(4));
    const repeated = times.flatMap((n, r) => new Array<number[]>(n).fill(rows[r]!));
    for (const k of [0.3, 1, 1.7, 2.5, 5]) {
      for (const tie of ['midpoint', 'conservative', 'random'] as const) {
        const one = averageK({ k, tie }).fit(rows).state;
        expect(averageK({ k, tie }).fit(rows, null, { sampleWeight: rows.map(() => 3) }).state).toMatchObject({
          threshold: one.threshold,
          tieShare: expect.closeTo(one.tieShare, 12),
        });
        const many = averageK({ k, tie }).fit(repeated, null, { sampleWeight: repeated.map(() => 1) }).state;
        const weighed = averageK({ k, tie }).fit(rows, null, { sampleWeight: times }).state;
        // A row of weight n is taken as a whole: between its scores there is no midpoint.
        if (tie !== 'midpoint')
          expect(weighed).toMatchObject({ threshold: many.threshold, tieShare: expect.closeTo(many.tieShare, 12) });
      }
      const { threshold, tieShare } = averageK({ k, tie: 'random' }).fit(rows, labels, { prior: 'balanced' }).state;
      const counts = [0, 1, 2, 3, 4].map((c) => labels.filter((y) => y === c).length);
      const size = rows.reduce(
        (sum, row, r) =>
          sum +
          row.reduce((n, v) => n + (v > threshold ? 1 : v === threshold ? tieShare : 0), 0) / counts[labels[r]!]! / 5,
        0,
      );
      expect(size).toBeCloseTo(k, 10);
    }
    expect(() => averageK({ k: 1 }).fit(rows, null, { prior: 'balanced' })).toThrow(
      'averageK: prior is given without labels, expected the labels of the rows',
    );
    expect(() => averageK({ k: 1, input: 'scores' }).fit([[1, NaN]])).toThrow(
      'averageK: probs is NaN at row 0, class 1',
    );
    expect(() =>
      averageK({ k: 1, input: 'scores' })
        .fit([[1, 2]])
        .sets([[1, -Infinity]]),
    ).toThrow('averageK: probs is -Infinity at row 0, class 1, expected finite numbers');
  },
);

test('a state survives JSON', () => {
  const random = testRandom(3);
  const p = Array.from({ length: 20 }, () => {
    const v = [1 + random(9), 1 + random(9), 1 + random(9)];
    return v.map((x) => x / v.reduce((a, b) => a + b, 0));
  });
  for (const rule of [
    topKPredictor({ k: 2 }),
    averageK({ k: 1.3 }).fit(p),
    averageK({ k: 0.01 }).fit(p),
    averageK({ k: 3 }).fit(p),
    averageK({ k: 1.3, tie: 'random', seed: 2 }).fit(p),
  ]) {
    expect(loadSetPredictor(JSON.parse(JSON.stringify(rule.state))).sets(p)).toEqual(rule.sets(p));
  }
  expect(() => loadSetPredictor({ kind: 'x' } as never)).toThrow(
    'loadSetPredictor: kind is x, expected that of a set predictor',
  );
  expect(() => loadSetPredictor({ kind: 'averageK', threshold: null } as unknown as AverageKState)).toThrow(
    'averageK: threshold is null, expected a finite number',
  );
});

test('errors name what is wrong', () => {
  const p = [
    [0.5, 0.3, 0.2],
    [0.8, 0.2, 0],
  ];
  expect(() => averageK({ k: 4 }).fit(p)).toThrow('averageK: k is 4, expected 0 < k <= 3');
  expect(() => averageK({ k: 0 }).fit(p)).toThrow('averageK: k is 0, expected 0 < k <= 3');
  expect(() => averageK({ k: NaN }).fit(p)).toThrow('averageK: k is NaN, expected 0 < k <= 3');
  expect(() => averageK({ k: 1, tie: 'x' as never }).fit(p)).toThrow(
    "averageK: tie is 'x', expected 'midpoint', 'conservative' or 'random'",
  );
  expect(() => averageK({ k: 1, input: 'x' as never }).fit(p)).toThrow(
    "averageK: input is 'x', expected 'probabilities' or 'scores'",
  );
  expect(() => averageK({ k: 1 }).fit([[3, -1, 2]])).toThrow(
    'averageK: probs is 3 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)',
  );
  expect(() => averageK({ k: 1 }).fit([[0.5, 0.2, 0.2]])).toThrow(
    /averageK: probs sum to 0\.8999\d* in row 0, expected 1/,
  );
  expect(() => topKPredictor({ k: 0 })).toThrow('topKPredictor: k is 0, expected a positive integer');
  expect(() => topKPredictor({ k: 1, tie: 'x' as never })).toThrow(
    "topKPredictor: tie is 'x', expected 'first' or 'random'",
  );
  expect(() => topKPredictor({ k: 4 }).sets(p)).toThrow(
    'topKPredictor: k is 4, expected at most 3, the number of classes',
  );
  expect(() => topKPredictor({ k: 1 }).sets(p, { first: -1 })).toThrow('sets: first is -1, expected an integer >= 0');
  expect(() => ambiguity(p, { ks: [3] })).toThrow('ambiguity: ks[0] is 3, expected an integer in 1..2');
  expect(() => evaluateSets(topKPredictor({ k: 1 }).sets(p), [0, 3], { numClasses: 3 })).toThrow(
    'evaluateSets: labels[1] is 3, expected an integer in 0..2',
  );
  expect(() => evaluateSets(topKPredictor({ k: 1 }).sets(p), [0, 1], { numClasses: 0 })).toThrow(
    'evaluateSets: numClasses is 0, expected a positive integer',
  );
  expect(() => expectedSetError(topKPredictor({ k: 1 }).sets(p), [[1, 0, 0]])).toThrow(
    'expectedSetError: probs have 1 rows, expected 2, one per set',
  );
});

test('topK by class weights: the sets whose weighted error is least; the state keeps them', () => {
  const p = [
    [0.6, 0.3, 0.1],
    [0.4, 0.35, 0.25],
  ];
  const rule = topKPredictor({ k: 1, weight: [1, 1.5, 10] });
  expect(rule.sets(p).sets).toEqual([[2], [2]]);
  expect(topKPredictor({ k: 1, weight: [1, 1.5, 2] }).sets(p).sets).toEqual([[0], [1]]);
  expect(topKPredictor({ k: 2, weight: [0, 1, 1] }).sets(p).sets).toEqual([
    [1, 2],
    [1, 2],
  ]);
  expect(topKPredictor({ k: 1, weight: [2, 2, 2] }).sets(p)).toEqual(topKPredictor({ k: 1 }).sets(p));
  expect(loadSetPredictor(JSON.parse(JSON.stringify(rule.state))).sets(p)).toEqual(rule.sets(p));
  expect(topKPredictor({ k: 1 }).state).toEqual({ kind: 'topK', k: 1, tie: 'first', seed: 0 });
  expect(() => rule.sets([[0.5, 0.5]])).toThrow('topKPredictor: weight has 3 entries, expected 2, one per class');
  expect(() => topKPredictor({ k: 1, weight: [1, NaN] })).toThrow(
    'topKPredictor: weight[1] is NaN, expected a finite number >= 0',
  );
  expect(() => topKPredictor({ k: 1, weight: [0, 0] })).toThrow(
    'topKPredictor: weight is 0 for every class, expected a positive one',
  );
});

test('ambiguity by weight: a row of weight n counts as n rows, one of weight 0 not at all', () => {
  const p = [
    [0.7, 0.2, 0.1],
    [0.5, 0.3, 0.2],
    [0.4, 0.4, 0.2],
    [0.9, 0.05, 0.05],
  ];
  const times = [1, 3, 0, 2];
  const many = ambiguity(times.flatMap((n, r) => new Array<number[]>(n).fill(p[r]!)));
  const weighed = ambiguity(p, { sampleWeight: times });
  weighed.forEach(({ k, threshold, tieShare, topKError, averageKError, gain, changed }, i) => {
    const of = many[i]!;
    expect([k, threshold]).toEqual([of.k, of.threshold]);
    [tieShare, topKError, averageKError, gain, changed].forEach((v, j) =>
      expect(v).toBeCloseTo([of.tieShare, of.topKError, of.averageKError, of.gain, of.changed][j]!, 12),
    );
  });
  const labels = [0, 0, 0, 1];
  const balanced = { sampleWeight: [1 / 3, 1 / 3, 1 / 3, 1] };
  const byPrior = ambiguity(p, { ks: [1], labels, prior: 'balanced' })[0]!;
  expect(byPrior.topKError).toBeCloseTo(ambiguity(p, { ks: [1], ...balanced })[0]!.topKError, 12);
  expect(() => ambiguity(p, { prior: 'balanced' })).toThrow(
    'ambiguity: prior is given without labels, expected the labels of the rows',
  );
});
