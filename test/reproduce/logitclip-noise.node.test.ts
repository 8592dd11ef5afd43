import { expect, test } from 'vitest';
import { judge, logitclipNoise, type LogitClipNoiseRun } from '../../examples/reproduce/logitclip-noise.ts';

const runs = (means: Record<string, number>, dataset = 'fashion-mnist, 40 % flips, 4000 images'): LogitClipNoiseRun[] =>
  [0, 1].flatMap((seed) =>
    Object.entries(means).map(([method, accuracy]) => ({ dataset, seed, method, accuracy: accuracy + 0.01 * seed })),
  );

test('holds when tau = 1 gains a point and tau = 5 is near, on the runs with 40 % flips alone', () => {
  const good = runs({ CE: 0.8, 'CE, clip 1': 0.82, 'CE, clip 5': 0.803 });
  expect(judge(good).holds).toBe(true);
  expect(
    judge([
      ...good,
      ...runs({ CE: 0.8, 'CE, clip 1': 0.7, 'CE, clip 5': 0.6 }, 'fashion-mnist, 20 % flips, 4000 images'),
    ]).holds,
  ).toBe(true);
});

test('does not hold when tau = 1 gains less, tau = 5 is far to either side, or without runs', () => {
  expect(judge(runs({ CE: 0.8, 'CE, clip 1': 0.809, 'CE, clip 5': 0.8 })).holds).toBe(false);
  expect(judge(runs({ CE: 0.8, 'CE, clip 1': 0.82, 'CE, clip 5': 0.79 })).holds).toBe(false);
  expect(judge(runs({ CE: 0.8, 'CE, clip 1': 0.82, 'CE, clip 5': 0.81 })).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('runs of the full protocol are compared with the table', () => {
  const { result } = judge(
    runs(
      { CE: 0.8401, 'CE, clip 1': 0.8578, 'CE, clip 5': 0.84, NCE: 0.74 },
      'fashion-mnist, 40 % flips, 20000 images',
    ),
  );
  const less = result.lessTable as Record<string, number>;
  expect(Object.keys(less)).toEqual(['CE', 'CE, clip 1', 'CE, clip 5']);
  expect(less['CE']).toBeCloseTo(0.5, 9);
});

test('states its protocol; --full takes every loss', () => {
  expect(logitclipNoise.protocol({ seeds: 3, full: false })).toMatch(
    /first 4000 training images; exactly 40 %.*784-128-10.*3 seeds.*--full is its own/,
  );
  expect(logitclipNoise.protocol({ seeds: 1, full: true })).toMatch(
    /first 20000 training images; exactly 20 and 40 %.*784-256-10.*1 seed\. This is/,
  );
  expect((logitclipNoise.options({ seeds: 1, full: true }) as { methods: string[] }).methods.length).toBe(48);
});
