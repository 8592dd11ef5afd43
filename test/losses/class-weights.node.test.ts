import { describe, expect, test } from 'vitest';
import dataCases from '../golden/longtail-data.json';
import lossCases from '../golden/longtail-losses.json';
import {
  effectiveNumberWeights,
  inverseFrequencyWeights,
  inverseSqrtWeights,
  ldamMargins,
  smoothWeights,
} from '../../src/stats/class-weights.ts';
import { drw } from '../../src/optim/schedule.ts';
import { casesOf, flat, relativeError } from '../support/golden.ts';

const CIFAR10_LT100 = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50];

function expectClose(got: ArrayLike<number>, want: readonly number[], tolerance: number): void {
  expect(got.length).toBe(want.length);
  want.forEach((value, c) => expect(relativeError(got[c]!, value), `class ${c}`).toBeLessThan(tolerance));
}

describe('effectiveNumberWeights', () => {
  test.each(casesOf(lossCases, 'classBalancedWeights'))('golden $name', ({ options, inputs, outputs }) => {
    expectClose(effectiveNumberWeights(flat(inputs.counts), options.beta as number), flat(outputs.normalized), 1e-13);
  });
  // The reference computes 1 - beta^n directly, which costs it three digits for small classes.
  test.each(casesOf(dataCases, 'drwWeights').filter(({ options }) => options.rule === undefined))(
    'golden $name',
    ({ options, inputs, outputs }) => {
      const { epoch, switchEpoch, betas } = options as { epoch: number; switchEpoch: number; betas: number[] };
      expectClose(
        effectiveNumberWeights(flat(inputs.counts), betas[Math.floor(epoch / switchEpoch)]!),
        flat(outputs.weights),
        1e-12,
      );
    },
  );
  test('published CIFAR-10-LT values', () => {
    expectClose(
      effectiveNumberWeights(CIFAR10_LT100, 0.9999),
      [
        0.0506113612, 0.0768997946, 0.1211338729, 0.1950366657, 0.3188053731, 0.5245898533, 0.868348941, 1.44262727,
        2.4092230512, 3.992723817,
      ],
      1e-8,
    );
  });
  test('identities: sum C, beta 0 and equal counts give 1, beta -> 1 gives 1 / n, an empty class has no share', () => {
    expect(effectiveNumberWeights(CIFAR10_LT100, 0.99).reduce((sum, w) => sum + w, 0)).toBeCloseTo(10, 13);
    expectClose(effectiveNumberWeights([1, 5, 900], 0), [1, 1, 1], 1e-15);
    expectClose(effectiveNumberWeights([40, 40], 0.999), [1, 1], 1e-15);
    expectClose(
      effectiveNumberWeights(CIFAR10_LT100, 1 - 1e-13),
      Array.from(inverseFrequencyWeights(CIFAR10_LT100)),
      1e-9,
    );
    expectClose(effectiveNumberWeights([7, 0], 0.9), [2, 0], 1e-15);
    expectClose(effectiveNumberWeights([1e9, 2e9], 0.9999), [1, 1], 1e-15);
  });
});

describe('inverseFrequencyWeights', () => {
  test.each(casesOf(dataCases, 'drwWeights').filter(({ options }) => options.rule === 'inverse'))(
    'golden $name',
    ({ inputs, outputs }) => {
      expectClose(inverseFrequencyWeights(flat(inputs.counts)), flat(outputs.weights), 1e-13);
    },
  );
  test('an empty class has no share', () => {
    expectClose(inverseFrequencyWeights([3, 0]), [2, 0], 1e-15);
  });
});

describe('a class without samples takes no share of the normalisation', () => {
  const counts = [500, 0, 5];
  const rules: Record<string, (counts: number[]) => ArrayLike<number>> = {
    effectiveNumberWeights: (n) => effectiveNumberWeights(n, 0.9999),
    'effectiveNumberWeights, beta 0': (n) => effectiveNumberWeights(n, 0),
    inverseFrequencyWeights,
    inverseSqrtWeights,
    smoothWeights: (n) => smoothWeights(n, 0.7),
    'drw, effective': (n) => drw({ from: 0 }).classWeight!({ epoch: 1, epochs: 2, step: 0, stepsPerEpoch: 1 }, n)!,
    'drw, inverse': (n) =>
      drw({ from: 0, rule: 'inverse' }).classWeight!({ epoch: 1, epochs: 2, step: 0, stepsPerEpoch: 1 }, n)!,
  };
  test.each(Object.entries(rules))('%s', (_name, rule) => {
    const weights = Array.from(rule(counts));
    const without = Array.from(rule([500, 5]));
    expect(weights[1]).toBe(0);
    // As without the class, but that the weights sum to the number of classes.
    expectClose(
      [weights[0]!, weights[2]!],
      without.map((w) => 1.5 * w),
      1e-14,
    );
    expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(3, 12);
    expect(Array.from(rule([0, 0]))).toEqual([1, 1]);
    expect(rule([1e-3, 1, 4])[0]).toBe(rule([1, 1, 4])[0]);
  });
});

describe('ldamMargins', () => {
  test.each(casesOf(lossCases, 'ldam').filter(({ outputs }) => outputs.margins !== undefined))(
    'golden $name',
    ({ options, inputs, outputs }) => {
      expectClose(ldamMargins(flat(inputs.counts), options.max_m as number), flat(outputs.margins), 1e-13);
    },
  );
  test('published CIFAR-10-LT values', () => {
    expectClose(
      ldamMargins(CIFAR10_LT100),
      [
        0.158113883008, 0.179696997, 0.204237705, 0.23209115, 0.263829028, 0.299767651, 0.340675192, 0.387220914,
        0.440497028, 0.5,
      ],
      1e-8,
    );
  });
  test('of two margins with a given sum they are those of the least bound 1 / (m sqrt n)', () => {
    const [a, b] = ldamMargins([1000, 10], 0.7) as unknown as [number, number];
    const share = a / (a + b);
    expect(share).toBeCloseTo(0.240253, 6);
    const bound = (g: number): number => 1 / (g * Math.sqrt(1000)) + 1 / ((1 - g) * Math.sqrt(10));
    for (let g = 0.001; g < 1; g += 0.001) expect(bound(g)).toBeGreaterThanOrEqual(bound(share));
    expect(Math.abs(bound(share + 1e-5) - bound(share - 1e-5))).toBeLessThan(1e-10);
  });
  test('equal counts, zero margin, empty classes', () => {
    expect(Array.from(ldamMargins([60, 60, 60]))).toEqual([0.5, 0.5, 0.5]);
    expect(Array.from(ldamMargins([60, 9, 1], 0))).toEqual([0, 0, 0]);
    expect(Array.from(ldamMargins([80, 0, 5], 0.3))).toEqual([0.15, 0.3, 0.3]);
    expect(Array.from(ldamMargins([0, 0]))).toEqual([0.5, 0.5]);
  });
});

test.each([
  [() => effectiveNumberWeights([], 0.9), 'effectiveNumberWeights: counts has 0 entries, expected at least 1'],
  [
    () => effectiveNumberWeights([1, -2], 0.9),
    'effectiveNumberWeights: counts[1] is -2, expected a finite number >= 0',
  ],
  [() => effectiveNumberWeights([1], 1), 'effectiveNumberWeights: beta is 1, expected 0 <= beta < 1'],
  [() => inverseFrequencyWeights([NaN]), 'inverseFrequencyWeights: counts[0] is NaN, expected a finite number >= 0'],
  [() => ldamMargins([Infinity]), 'ldamMargins: counts[0] is Infinity, expected a finite number >= 0'],
  [() => ldamMargins([1], -0.5), 'ldamMargins: maxM is -0.5, expected a finite number >= 0'],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
