import { describe, expect, test } from 'vitest';
import cases from '../golden/average-k.json';
import {
  ambiguity,
  averageK,
  errorCurves,
  evaluateSets,
  expectedSetError,
  loadSetPredictor,
  setError,
  softmaxRows,
  topK,
  type AverageKState,
} from 'evenkeel/calibrate';
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
    const rule = averageK(calib, Number(name.slice(1)));
    expect(rule.state.threshold).toBeCloseTo(toNumber(out.lambda), 14);
    const sets = rule.predict(calib);
    expect(sets.sets.map((set) => set.length)).toEqual(flat(out.sizes));
    expect(sets.meanSize).toBeCloseTo(toNumber(out.meanSize), 12);
    expect(setError(sets, calibLabels)).toBeCloseTo(toNumber(out.empiricalError), 12);
    expect(expectedSetError(sets, calib)).toBeCloseTo(toNumber(out.expectedError), 12);
    const test = rule.predict(held);
    expect(test.sets.map((set) => set.length)).toEqual(flat(out.testSizes));
    expect(test.meanSize).toBeCloseTo(toNumber(out.testMeanSize), 12);
    expect(setError(test, heldLabels)).toBeCloseTo(toNumber(out.testEmpiricalError), 12);
    expect(expectedSetError(test, held)).toBeCloseTo(toNumber(out.testExpectedError), 12);
  });

  test.each(entries)('%s: ties taken at random', (name, out) => {
    const k = Number(name.slice(1));
    const { threshold, tieShare } = averageK(calib, k, { tie: 'random' }).state;
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
    const [point] = ambiguity(calib, [k]);
    expect(point!.topKError).toBeCloseTo(toNumber(out.topkExpectedError), 12);
    expect(point!.averageKError).toBeCloseTo(toNumber(out.tieExpectedError), 12);
    expect(point!.gain).toBeCloseTo(toNumber(out.gainIdentity), 12);
    expect(point!.topKError - point!.averageKError).toBeCloseTo(toNumber(out.gain), 12);
    expect(setError(topK(k).predict(calib), calibLabels)).toBeCloseTo(toNumber(out.topkEmpiricalErrorLowestIndex), 12);
  });

  test('sets are nested, errors fall with k, and all classes make no error', () => {
    const ks = [0.5, 1, 1.7, 2, 3, classes];
    const curve = errorCurves(calib, calibLabels, { ks });
    curve.slice(1).forEach((p, i) => expect(p.averageKError).toBeLessThanOrEqual(curve[i]!.averageKError));
    expect(curve.at(-1)).toMatchObject({ averageKError: 0, topKError: 0, meanSize: classes });
    expect(curve[0]!.topKError).toBeNull();
    const sets = ks.map((k) => averageK(calib, k).predict(calib).sets);
    sets
      .slice(1)
      .forEach((larger, i) =>
        larger.forEach((set, r) => expect(sets[i]![r]!.every((c) => set.includes(c))).toBe(true)),
      );
  });

  test('the conservative threshold never exceeds k', () => {
    for (const [name] of entries)
      expect(
        averageK(calib, Number(name.slice(1)), { tie: 'conservative' }).predict(calib).meanSize,
      ).toBeLessThanOrEqual(Number(name.slice(1)));
  });
});

test('half the inputs certain, half uniform over three: top-2 misses a sixth, average-2 nothing', () => {
  const p = [
    [1, 0, 0],
    [1 / 3, 1 / 3, 1 / 3],
  ];
  const [point] = ambiguity(p, [2]);
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
  expect(averageK(p, 2).predict(p)).toEqual(topK(2).predict(p));
});

test('random ties: the mean size is k, rows keep their sets however they are split', () => {
  const rows = 1000;
  const p = Array.from({ length: rows }, () => [0.25, 0.25, 0.25, 0.25]);
  const rule = averageK(p, 1.5, { tie: 'random', seed: 4 });
  const whole = rule.predict(p);
  expect(Math.abs(whole.meanSize - 1.5)).toBeLessThan(4 * Math.sqrt((4 * 0.375 * 0.625) / rows));
  expect([
    ...rule.predict(p.slice(0, 10), { first: 0 }).sets,
    ...rule.predict(p.slice(10), { first: 10 }).sets,
  ]).toEqual(whole.sets);
  expect(averageK(p, 1.5, { tie: 'random', seed: 5 }).predict(p).sets).not.toEqual(whole.sets);
});

test('top-k ties: the lowest class, or any alike', () => {
  const p = Array.from({ length: 3000 }, () => [0.2, 0.4, 0.4]);
  expect(topK(1).predict(p.slice(0, 2)).sets).toEqual([[1], [1]]);
  const seconds = topK(1, { tie: 'random' })
    .predict(p)
    .sets.filter(([c]) => c === 2).length;
  expect(Math.abs(seconds - 1500)).toBeLessThan(4 * Math.sqrt(750));
});

test('the report of sets', () => {
  const sets = { sets: [[0, 1], [], [2], [0]], meanSize: 1 };
  expect(evaluateSets(sets, [1, 0, 2, 2], { classes: 4 })).toEqual({
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
  expect(averageK(p, 3).predict(p).sets).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
  expect(averageK(p, 0.2).predict(p).sets).toEqual([[], []]);
  expect(averageK(p, 0.2).predict(p, { allowEmpty: false })).toEqual({ sets: [[0], [0]], meanSize: 1 });
  const logits = [
    [3, -1],
    [0, 5],
  ];
  expect(averageK(logits, 1, { input: 'scores' }).predict(logits).sets).toEqual([[0], [1]]);
  expect(averageK(logits, 2, { input: 'scores' }).predict([[-9, -9]]).sets).toEqual([[0, 1]]);
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
        const one = averageK(rows, k, { tie }).state;
        expect(averageK(rows, k, { tie, sampleWeight: rows.map(() => 3) }).state).toMatchObject({
          threshold: one.threshold,
          tieShare: expect.closeTo(one.tieShare, 12),
        });
        const many = averageK(repeated, k, { tie, sampleWeight: repeated.map(() => 1) }).state;
        const weighed = averageK(rows, k, { tie, sampleWeight: times }).state;
        // A row of weight n is taken as a whole: between its scores there is no midpoint.
        if (tie !== 'midpoint')
          expect(weighed).toMatchObject({ threshold: many.threshold, tieShare: expect.closeTo(many.tieShare, 12) });
      }
      const { threshold, tieShare } = averageK(rows, k, { tie: 'random', prior: 'balanced', labels }).state;
      const counts = [0, 1, 2, 3, 4].map((c) => labels.filter((y) => y === c).length);
      const size = rows.reduce(
        (sum, row, r) =>
          sum +
          row.reduce((n, v) => n + (v > threshold ? 1 : v === threshold ? tieShare : 0), 0) / counts[labels[r]!]! / 5,
        0,
      );
      expect(size).toBeCloseTo(k, 10);
    }
    expect(() => averageK(rows, 1, { prior: 'balanced' })).toThrow(
      'averageK: prior is given without labels, expected the labels of the rows',
    );
    expect(() => averageK([[1, NaN]], 1, { input: 'scores' })).toThrow('averageK: probs is NaN at row 0, class 1');
    expect(() => averageK([[1, 2]], 1, { input: 'scores' }).predict([[1, -Infinity]])).toThrow(
      'averageK: probs is -Infinity at row 0, class 1, expected finite numbers',
    );
  },
);

test('a state survives JSON', () => {
  const random = testRandom(3);
  const p = Array.from({ length: 20 }, () => {
    const v = [1 + random(9), 1 + random(9), 1 + random(9)];
    return v.map((x) => x / v.reduce((a, b) => a + b, 0));
  });
  for (const rule of [
    topK(2),
    averageK(p, 1.3),
    averageK(p, 0.01),
    averageK(p, 3),
    averageK(p, 1.3, { tie: 'random', seed: 2 }),
  ]) {
    expect(loadSetPredictor(JSON.parse(JSON.stringify(rule.state))).predict(p)).toEqual(rule.predict(p));
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
  expect(() => averageK(p, 4)).toThrow('averageK: k is 4, expected 0 < k <= 3');
  expect(() => averageK(p, 0)).toThrow('averageK: k is 0, expected 0 < k <= 3');
  expect(() => averageK(p, NaN)).toThrow('averageK: k is NaN, expected 0 < k <= 3');
  expect(() => averageK(p, 1, { tie: 'x' as never })).toThrow(
    "averageK: tie is x, expected 'midpoint', 'conservative' or 'random'",
  );
  expect(() => averageK(p, 1, { input: 'x' as never })).toThrow(
    "averageK: input is x, expected 'probabilities' or 'scores'",
  );
  expect(() => averageK([[3, -1, 2]], 1)).toThrow(
    'averageK: probs is 3 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)',
  );
  expect(() => averageK([[0.5, 0.2, 0.2]], 1)).toThrow(/averageK: probs sum to 0\.8999\d* in row 0, expected 1/);
  expect(() => topK(0)).toThrow('topK: k is 0, expected a positive integer');
  expect(() => topK(1, { tie: 'x' as never })).toThrow("topK: tie is x, expected 'first' or 'random'");
  expect(() => topK(4).predict(p)).toThrow('topK: k is 4, expected at most 3, the number of classes');
  expect(() => topK(1).predict(p, { first: -1 })).toThrow('predict: first is -1, expected an integer of at least 0');
  expect(() => ambiguity(p, [3])).toThrow('ambiguity: k is 3, expected an integer in 1..2');
  expect(() => evaluateSets(topK(1).predict(p), [0, 3], { classes: 3 })).toThrow(
    'evaluateSets: labels[1] is 3, expected an integer in 0..2',
  );
  expect(() => evaluateSets(topK(1).predict(p), [0, 1], { classes: 0 })).toThrow(
    'evaluateSets: classes is 0, expected a positive integer',
  );
  expect(() => expectedSetError(topK(1).predict(p), [[1, 0, 0]])).toThrow(
    'expectedSetError: probs have 1 rows, expected 2, one per set',
  );
});
