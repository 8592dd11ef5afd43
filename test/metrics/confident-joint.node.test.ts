import { expect, test } from 'vitest';
import { symmetricNoise, transitionNoise, type ClassNoise, type CleanLabels } from '../../src/data/index.ts';
import { confidentJoint } from '../../src/metrics/index.ts';
import { testRandom } from '../support/fuzz.ts';

test('counts by hand', () => {
  // Thresholds: class 0 mean(.9, .6, .2) = .5667, class 1 mean(.7, .8) = .75.
  const p = [
    [0.9, 0.1],
    [0.6, 0.4],
    [0.2, 0.8],
    [0.3, 0.7],
    [0.2, 0.8],
  ];
  const found = confidentJoint(p, [0, 0, 0, 1, 1]);
  expect(found.counts).toEqual([
    [2, 1],
    [0, 1],
  ]);
  expect(found.suspects).toEqual([2]);
  expect(found.joint.flat()).toEqual([0.4, 0.2, 0, 0.4].map((v) => expect.closeTo(v, 12)));
  // Given class 1: a third of its rows is labelled 0.
  expect(found.transition.flat()).toEqual([1, 0, 1 / 3, 2 / 3].map((v) => expect.closeTo(v, 12)));
  expect(found.noiseRate).toBeCloseTo(0.2, 12);
});

test('a class that is no label, as in a long tail: zeros in the joint law, itself in the transition', () => {
  const two = confidentJoint(
    [
      [0.9, 0.1],
      [0.6, 0.4],
      [0.2, 0.8],
      [0.3, 0.7],
      [0.2, 0.8],
    ],
    [0, 0, 0, 1, 1],
  );
  const three = confidentJoint(
    [
      [0.9, 0.1, 0],
      [0.6, 0.4, 0],
      [0.1, 0.5, 0.4],
      [0.3, 0.7, 0],
      [0.1, 0.7, 0.2],
    ],
    [0, 0, 0, 1, 1],
  );
  expect(three.counts).toEqual([
    [2, 0, 0],
    [0, 2, 0],
    [0, 0, 0],
  ]);
  expect(three.joint[2]).toEqual([0, 0, 0]);
  expect(three.joint.flat().reduce((a, b) => a + b)).toBeCloseTo(1, 14);
  expect(three.joint.map((row) => row[2])).toEqual([0, 0, 0]);
  expect(three.transition.map((row) => row.reduce((a, b) => a + b))).toEqual(
    [1, 1, 1].map((v) => expect.closeTo(v, 14)),
  );
  expect(three.transition[2]).toEqual([0, 0, 1]);
  // A class that nobody gives any probability changes nothing.
  const padded = confidentJoint(
    [
      [0.9, 0.1, 0],
      [0.6, 0.4, 0],
      [0.2, 0.8, 0],
      [0.3, 0.7, 0],
      [0.2, 0.8, 0],
    ],
    [0, 0, 0, 1, 1],
  );
  expect(padded.joint.slice(0, 2).map((row) => row.slice(0, 2))).toEqual(two.joint);
  expect(padded.suspects).toEqual(two.suspects);
  expect(padded.noiseRate).toBeCloseTo(two.noiseRate, 14);
});

type Make = (data: CleanLabels) => ClassNoise;
const makers: [string, Make][] = [
  ['symmetric', (data) => symmetricNoise(data, { rate: 0.3, seed: 1 })],
  [
    'by class',
    (data) =>
      transitionNoise(
        data,
        [
          [0.6, 0.4, 0, 0],
          [0, 1, 0, 0],
          [0, 0, 0.8, 0.2],
          [0.1, 0, 0, 0.9],
        ],
        { seed: 2 },
      ),
  ],
];

/** Labels with noise, and a model that gives the true class a probability of 0.7 + `spread` u. */
function noisy(make: Make, spread: number): { p: number[][]; truth: Int32Array; noise: ClassNoise } {
  const random = testRandom(4);
  const truth = Int32Array.from({ length: 6000 }, (_, i) => i % 4);
  const p = Array.from(truth, (c) => {
    const top = 0.7 + (spread * random(1000)) / 1000;
    return Array.from({ length: 4 }, (_, k) => (k === c ? top : (1 - top) / 3));
  });
  return { p, truth, noise: make({ y: truth, numClasses: 4 }) };
}

test.each(makers)('a model that is equally sure of all: the joint law is exact, %s', (_name, make) => {
  const { p, truth, noise } = noisy(make, 0);
  const { joint, suspects, noiseRate } = confidentJoint(p, noise.y);
  const counts = joint.map((row) => row.map(() => 0));
  noise.y.forEach((y, i) => counts[y]![truth[i]!]!++);
  joint.forEach((row, y) => row.forEach((v, c) => expect(v).toBeCloseTo(counts[y]![c]! / 6000, 12)));
  expect(suspects).toEqual(Array.from(noise.mask.keys()).filter((i) => noise.mask[i]));
  expect(noiseRate).toBeCloseTo(suspects.length / 6000, 12);
});

test.each(makers)('one that is not comes near, and errs little in whom it suspects: %s', (_name, make) => {
  const { p, noise } = noisy(make, 0.2);
  const { noiseRate, transition, suspects } = confidentJoint(p, noise.y);
  const wrong = noise.mask.reduce((a, b) => a + b, 0);
  expect(Math.abs(noiseRate - wrong / 6000)).toBeLessThan(0.03);
  noise.transition.forEach((row, c) =>
    row.forEach((v, y) => expect(Math.abs(transition[c]![y]! - v), `${c} -> ${y}`).toBeLessThan(0.1)),
  );
  for (const row of transition) expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  expect(suspects.every((r) => noise.mask[r])).toBe(true);
  expect(suspects.length).toBeGreaterThan(0.45 * wrong);
});

test.each<[() => unknown, string]>([
  [
    () => confidentJoint([[2, -1]], [0]),
    'confidentJoint: probs is 2 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)',
  ],
  [() => confidentJoint([[0.5, 0.5]], [2]), 'confidentJoint: labels[0] is 2, expected an integer in 0..1'],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
