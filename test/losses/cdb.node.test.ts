import { describe, expect, test } from 'vitest';
import dataCases from '../golden/longtail-data.json';
import lossCases from '../golden/longtail-losses.json';
import { cdbTau, cdbWeights, type CdbWeightsOptions } from '../../src/losses/long-tail/cdb.ts';
import { inverseFrequencyWeights, inverseSqrtWeights, smoothWeights } from '../../src/stats/class-weights.ts';
import { casesOf, flat, relativeError } from '../support/golden.ts';

function expectClose(got: ArrayLike<number>, want: readonly number[], tolerance = 1e-12): void {
  expect(got.length).toBe(want.length);
  want.forEach((value, c) => expect(relativeError(got[c]!, value), `class ${c}`).toBeLessThan(tolerance));
}

test.each(casesOf(lossCases, 'cdbWeights'))('golden $name', ({ options, inputs, outputs }) => {
  const tau = options.tau as CdbWeightsOptions['tau'];
  const dynamic = options.form === 'cifar' ? 'cifar' : 'paper';
  const accuracy = flat(inputs.classAccuracy);
  expectClose(cdbWeights(accuracy, { tau, dynamic }), flat(outputs.weights));
  if (tau === 'dynamic') expectClose([cdbTau(accuracy, { dynamic })], flat(outputs.tauUsed));
});
test('28 cases', () => expect(casesOf(lossCases, 'cdbWeights').length).toBe(28));

describe('edges of the difficulty', () => {
  test('equal accuracies, and tau = 0, weigh all alike', () => {
    for (const a of [0, 0.3, 1]) expectClose(cdbWeights([a, a, a]), [1, 1, 1]);
    expectClose(cdbWeights([0.1, 0.5, 1], { tau: 0 }), [1, 1, 1]);
  });
  test('a class without errors keeps the weight of the floor; floor 0 is the official 0', () => {
    expectClose(cdbWeights([1, 0.5], { tau: 1, floor: 0.02 }), [0.04 / 0.52, 1 / 0.52]);
    expectClose(cdbWeights([1, 0.5], { tau: 1, floor: 0 }), [0, 2]);
    expectClose(cdbWeights([1, 1], { tau: 1, floor: 0 }), [1, 1]);
  });
  test('an accuracy of 0 has a finite dynamic exponent', () => {
    expect(cdbTau([0.99, 0])).toBe(2);
    expect(cdbTau([0, 0])).toBeCloseTo(2 / (1 + Math.E), 14);
    expect(cdbTau([0.99, 0], { dynamic: 'cifar' })).toBe(1);
  });
  test('a class absent from the validation set keeps its difficulty, and has no part in tau', () => {
    expectClose(cdbWeights([0.5, NaN], { tau: 1, previous: [0.9, 0.25] }), [4 / 3, 2 / 3]);
    expectClose(cdbWeights([0.5, NaN], { tau: 1 }), [2 / 3, 4 / 3]);
    expect(cdbTau([0.9, NaN, 0.6])).toBe(cdbTau([0.9, 0.6]));
    expect(cdbTau([NaN])).toBe(1);
  });
});

describe('class weights', () => {
  test.each(casesOf(dataCases, 'drwWeights').filter((c) => c.options.rule === 'inverseSqrt'))(
    'golden $name',
    ({ inputs, outputs }) => expectClose(inverseSqrtWeights(flat(inputs.counts)), flat(outputs.weights)),
  );
  test('smooth weights contain the others', () => {
    const counts = [500, 30, 0, 7];
    expectClose(smoothWeights(counts, 1), Array.from(inverseFrequencyWeights(counts)));
    expectClose(smoothWeights(counts, 0.5), Array.from(inverseSqrtWeights(counts)));
    expectClose(smoothWeights(counts, 0), [4 / 3, 4 / 3, 0, 4 / 3]);
    expectClose(cdbWeights([0.99, 1, 0.995], { tau: 200 }), [1, 1, 1]);
    expectClose(cdbWeights([0.97, 0.98], { tau: 200, floor: 0 }), [2, 2 * 1.5 ** -200]);
  });
});

test.each([
  [() => cdbWeights([0.5, 1.5]), 'cdbWeights: accuracy[1] is 1.5, expected a number in 0..1, or NaN'],
  [() => cdbWeights([]), 'cdbWeights: accuracy has 0 entries, expected at least 1'],
  [() => cdbWeights([0.5], { tau: -1 }), "cdbWeights: tau is -1, expected 'dynamic' or a finite number >= 0"],
  [() => cdbWeights([0.5], { floor: 2 }), 'cdbWeights: floor is 2, expected a number in 0..1'],
  [() => smoothWeights([1], -1), 'smoothWeights: gamma is -1, expected a finite number >= 0'],
  [() => inverseSqrtWeights([]), 'inverseSqrtWeights: counts has 0 entries, expected at least 1'],
])('bad input %#', (call, message) => expect(call).toThrow(new RangeError(message)));
