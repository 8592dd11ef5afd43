import { expect, test } from 'vitest';
import cases from '../golden/smoothing.json';
import { averageCertifiedRadius, certifiedAccuracy, certifiedAccuracyHighProb } from '../../src/metrics/index.ts';
import { casesOf, flat } from '../support/golden.ts';

test.each(casesOf(cases, 'certifiedMetrics'))('golden $name', ({ options, inputs, outputs }) => {
  const [radius, correct, radii] = [flat(inputs.radius), flat(inputs.correct), flat(inputs.radii)];
  const { alpha, rho } = options as { alpha: number; rho: number };
  expect(averageCertifiedRadius(radius, correct)).toBeCloseTo(flat(outputs.acr)[0]!, 13);
  const compare = (got: number[], key: string) =>
    flat(outputs[key]).forEach((want, i) => expect(got[i]).toBeCloseTo(want, 13));
  compare(certifiedAccuracy(radius, correct, radii), 'certifiedAccuracy');
  compare(certifiedAccuracyHighProb(radius, correct, radii, { alpha, rho }), 'certifiedAccuracyHighProb');
});

test('values by hand, with booleans and typed arrays', () => {
  const radii = Float64Array.of(0.5, 1, 2, 0);
  expect(averageCertifiedRadius(radii, [true, true, false, false])).toBe(0.375);
  expect(certifiedAccuracy(radii, [true, true, false, true], [0, 0.5, 0.500001, 1, 3])).toEqual([
    0.75, 0.5, 0.25, 0.25, 0,
  ]);
});

test('the average radius is the area under the certified accuracy', () => {
  const radii = [0.3, 1.7, 0.9, 0, 2.2, 0.4];
  const correct = [1, 1, 0, 0, 1, 1];
  // Right edges of (r, r + 0.1]: radii are multiples of 0.1, so the curve is constant on every such interval.
  const grid = Array.from({ length: 30 }, (_, i) => (i + 0.5) / 10);
  const area = certifiedAccuracy(radii, correct, grid).reduce((sum, a) => sum + a, 0) / 10;
  expect(averageCertifiedRadius(radii, correct)).toBeCloseTo(area, 12);
});

test.each([
  [() => averageCertifiedRadius([], []), 'averageCertifiedRadius: radii has 0 entries, expected at least 1'],
  [() => averageCertifiedRadius([1], [1, 0]), 'averageCertifiedRadius: correct has 2 entries, expected 1 as radii'],
  [() => averageCertifiedRadius([1, NaN], [1, 0]), 'averageCertifiedRadius: radii[1] is NaN, expected a number >= 0'],
  [() => certifiedAccuracy([-1], [1], [0]), 'certifiedAccuracy: radii[0] is -1, expected a number >= 0'],
  [() => certifiedAccuracy([1], [1], [0, -0.5]), 'certifiedAccuracy: atRadii[1] is -0.5, expected a number >= 0'],
  [
    () => certifiedAccuracyHighProb([1], [1], [0], { alpha: 0 }),
    'certifiedAccuracyHighProb: alpha is 0, expected 0 < alpha < 1',
  ],
  [
    () => certifiedAccuracyHighProb([1], [1], [0], { rho: 1 }),
    'certifiedAccuracyHighProb: rho is 1, expected 0 < rho < 1',
  ],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
