import { expect, test } from 'vitest';
import cases from '../golden/average-k.json';
import { averageK, predictSets, setError } from '../../src/calibrate/average-k.ts';
import { casesOf, dense, flat, toNumber } from '../support/golden.ts';

test.each(casesOf(cases, 'averageK'))('golden $name', ({ inputs, outputs }) => {
  const [calib, held] = [dense(inputs.calibrationProbabilities), dense(inputs.testProbabilities)];
  expect(Object.keys(outputs)).toHaveLength(6);
  for (const [name, out] of Object.entries(outputs) as [string, Record<string, unknown>][]) {
    const k = Number(name.slice(1));
    const threshold = averageK(calib, k);
    expect(threshold).toBeCloseTo(toNumber(out.lambda), 14);
    const sets = predictSets(calib, threshold);
    expect(sets.sets.map((set) => set.length)).toEqual(flat(out.sizes));
    expect(sets.meanSize).toBeCloseTo(toNumber(out.meanSize), 12);
    expect(setError(sets, flat(inputs.calibrationLabels))).toBeCloseTo(toNumber(out.empiricalError), 12);
    const test = predictSets(held, threshold);
    expect(test.sets.map((set) => set.length)).toEqual(flat(out.testSizes));
    expect(setError(test, flat(inputs.testLabels))).toBeCloseTo(toNumber(out.testEmpiricalError), 12);
    expect(predictSets(calib, averageK(calib, k, { tie: 'conservative' })).meanSize).toBeLessThanOrEqual(k);
  }
});

test('limits and errors', () => {
  const p = [[0.5, 0.3, 0.2], [0.8, 0.2, 0]];
  expect(predictSets(p, averageK(p, 3)).sets).toEqual([[0, 1, 2], [0, 1, 2]]);
  expect(predictSets(p, averageK(p, 0.2)).sets).toEqual([[], []]);
  expect(() => averageK(p, 4)).toThrow('averageK: k is 4, expected 0 < k <= 3');
  expect(() => averageK(p, 1, { tie: 'x' as never })).toThrow("averageK: tie is x, expected 'midpoint' or 'conservative'");
  expect(() => predictSets(p, NaN)).toThrow('predictSets: threshold is NaN, expected a number');
});
