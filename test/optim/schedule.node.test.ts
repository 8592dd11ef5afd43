import { describe, expect, test } from 'vitest';
import {
  cosineLr,
  cosineWarmRestartsLr,
  lambdaLr,
  drw,
  exponentialLr,
  linearLr,
  multiStepLr,
  oneCycleLr,
  polynomialLr,
  stepLr,
  swaLr,
  warmupLr,
  cosineWarmupLr,
  type Moment,
  type Schedule,
} from 'evenkeel/optim';
import { ratesAt } from '../../src/optim/schedule.ts';

const at = (epoch: number): Moment => ({ epoch, epochs: 200, step: epoch * 10, stepsPerEpoch: 10 });

test(
  'the schedule of the LDAM code: warm-up over 5 epochs, 0.01 from epoch 161 and 0.0001 from 181, counted ' + 'from 1',
  () => {
    const schedules = [warmupLr(), multiStepLr({ milestones: [160, 180], gamma: 0.01 })];
    const rate = (epoch: number): number => ratesAt(schedules, at(epoch - 1), 0.1).lr;
    const table: [epoch: number, rate: number][] = [
      [1, 0.02],
      [2, 0.04],
      [3, 0.06],
      [4, 0.08],
      [5, 0.1],
      [6, 0.1],
      [160, 0.1],
      [161, 1e-3],
      [180, 1e-3],
      [181, 1e-5],
      [200, 1e-5],
    ];
    for (const [epoch, want] of table) expect(Math.abs(rate(epoch) / want - 1), `epoch ${epoch}`).toBeLessThan(1e-12);
  },
);

test('multiStepLr counts the milestones passed, in any order', () => {
  const { lr } = multiStepLr({ milestones: [30, 10], gamma: 0.5 });
  expect([0, 9, 10, 29, 30, 99].map((e) => lr!(at(e), 1))).toEqual([1, 1, 0.5, 0.5, 0.25, 0.25]);
});

describe('drw', () => {
  const counts = [1000, 100, 10];
  test('no weights before its first epoch', () => {
    expect(drw().classWeight!(at(159), counts)).toBeNull();
    expect(drw().classWeight!(at(160), counts)).not.toBeNull();
    expect(drw({ from: 0 }).classWeight!(at(0), counts)).not.toBeNull();
  });
  test('weights have mean 1 and rise towards rare classes', () => {
    const w = Array.from(drw().classWeight!(at(170), counts)!);
    expect(w.reduce((t, v) => t + v, 0)).toBeCloseTo(3, 12);
    expect(w[0]! < w[1]! && w[1]! < w[2]!).toBe(true);
  });
  test('the rule of the paper is 1 / n', () => {
    const w = Array.from(drw({ rule: 'inverse' }).classWeight!(at(170), counts)!);
    expect(w[1]! / w[0]!).toBeCloseTo(10, 10);
    expect(w[2]! / w[1]!).toBeCloseTo(10, 10);
  });
});

/** Rates at some moments, from base rate 1; 200 epochs of 10 steps. */
const rates = (s: Schedule, ...moments: Moment[]): number[] => moments.map((m) => s.lr!(m, 1));
const step = (n: number): Moment => ({ epoch: Math.floor(n / 10), epochs: 200, step: n, stepsPerEpoch: 10 });
const near = (got: number[], want: number[]): void => {
  expect(got.length).toBe(want.length);
  got.forEach((g, i) => expect(Math.abs(g - want[i]!), `${i}: ${g}`).toBeLessThan(1e-12));
};

test('schedules count epochs, or steps where they are told to', () => {
  near(rates(stepLr({ stepSize: 2 }), step(19), step(20), step(40)), [1, 0.1, 0.01]);
  near(rates(stepLr({ stepSize: 2, by: 'step' }), step(1), step(2), step(4)), [1, 0.1, 0.01]);
  near(rates(stepLr({ stepSize: 2, lag: 1 }), at(2), at(3), at(5)), [1, 0.1, 0.01]);
  near(rates(multiStepLr({ milestones: [5], by: 'step' }), step(4), step(5)), [1, 0.1]);
  near(rates(exponentialLr({ gamma: 0.5, by: 'step' }), step(0), step(3)), [1, 0.125]);
  near(rates(linearLr({ startFactor: 0, totalIters: 4, by: 'step' }), step(0), step(1), step(9)), [0, 0.25, 1]);
  near(rates(polynomialLr({ totalIters: 4, by: 'step' }), step(1), step(4), step(9)), [0.75, 0, 0]);
});

test('defaults end with the run', () => {
  near(rates(cosineLr(), at(0), at(100), at(200)), [1, 0.5, 0]);
  near(rates(cosineLr({ by: 'step', etaMin: 0.2 }), step(0), step(1000), step(2000)), [1, 0.6, 0.2]);
  near(
    rates(cosineWarmupLr({ warmup: 100 }), at(0), at(50), at(100), at(150), at(200), at(300)),
    [0, 0.5, 1, 0.5, 0, 0],
  );
  near(rates(cosineWarmupLr({ warmup: 0 }), at(0), at(100)), [1, 0.5]);
  const cycle = oneCycleLr({ maxLr: 2 });
  near(rates(cycle, step(0), step(599), step(1999), step(5000)), [0.08, 2, 8e-6, 8e-6]);
  near(
    [step(0), step(599), step(1999)].map((m) => cycle.momentum!(m)),
    [0.95, 0.85, 0.95],
  );
  near(rates(oneCycleLr(), step(599)), [1]);
  expect(oneCycleLr({ cycleMomentum: false }).momentum).toBeUndefined();
  near(rates(oneCycleLr({ totalSteps: 10, pctStart: 0.1 }), step(0), step(9)), [1, 4e-6]);
});

test('restarts: equal periods, and growing ones', () => {
  near(rates(cosineWarmRestartsLr({ t0: 4 }), at(0), at(2), at(4), at(6)), [1, 0.5, 1, 0.5]);
  near(rates(cosineWarmRestartsLr({ t0: 4, tMult: 2 }), at(4), at(8), at(12), at(20), at(28)), [1, 0.5, 1, 0.5, 1]);
});

test('swaLr leaves the rate alone before its first epoch', () => {
  near(
    rates(swaLr({ swaLr: 0.5, from: 10, annealEpochs: 4, anneal: 'linear' }), at(9), at(10), at(12), at(14), at(50)),
    [1, 1, 0.75, 0.5, 0.5],
  );
  near(rates(swaLr({ swaLr: 0.5, annealEpochs: 0 }), at(0)), [0.5]);
});

test('schedules act one after the other; the last momentum counts', () => {
  const half = lambdaLr((_, rate) => rate / 2);
  expect(ratesAt([], at(3), 0.3)).toEqual({ lr: 0.3, momentum: undefined });
  expect(
    ratesAt(
      [half, lambdaLr(({ epoch }, rate) => rate + epoch), { momentum: () => 0.5 }, { momentum: () => 0.7 }],
      at(3),
      1,
    ),
  ).toEqual({ lr: 3.5, momentum: 0.7 });
  expect(() => ratesAt([lambdaLr(() => NaN)], at(3), 1)).toThrow(
    'schedule: the rate in epoch 3, step 30 is NaN, expected a finite number >= 0',
  );
  expect(() => ratesAt([lambdaLr(() => -1)], at(0), 1)).toThrow(
    'schedule: the rate in epoch 0, step 0 is -1, expected a finite number >= 0',
  );
});

test('errors', () => {
  expect(() => stepLr({ stepSize: 0 })).toThrow('stepLr: stepSize is 0, expected a finite number >= 1');
  expect(() => exponentialLr({ gamma: NaN })).toThrow('exponentialLr: gamma is NaN, expected a finite number >= 0');
  expect(() => cosineLr({ tMax: 0 })).toThrow('cosineLr: tMax is 0, expected a finite number >= 1');
  expect(() => cosineWarmRestartsLr({ t0: 5, tMult: 0.5 })).toThrow(
    'cosineWarmRestartsLr: tMult is 0.5, expected a finite number >= 1',
  );
  expect(() => linearLr({ totalIters: 0 })).toThrow('linearLr: totalIters is 0, expected a finite number >= 1');
  expect(() => polynomialLr({ power: -1 })).toThrow('polynomialLr: power is -1, expected a finite number >= 0');
  expect(() => cosineWarmupLr({ warmup: 5, total: 4 })).toThrow(
    'cosineWarmupLr: total is 4, expected a finite number >= 5',
  );
  expect(() => oneCycleLr({ totalSteps: 1 })).toThrow('oneCycleLr: totalSteps is 1, expected a finite number >= 2');
  expect(() => oneCycleLr({ pctStart: 1 })).toThrow('oneCycleLr: pctStart is 1, expected 0 < pctStart < 1');
  expect(() => oneCycleLr({ anneal: 'step' as never })).toThrow(
    "oneCycleLr: anneal is 'step', expected 'cos' or 'linear'",
  );
  expect(() => swaLr({ swaLr: -1 })).toThrow('swaLr: swaLr is -1, expected a finite number >= 0');
  expect(() => lambdaLr(0.1 as never)).toThrow(
    'lambdaLr: lr is a number, expected a function of the moment and the rate',
  );
  expect(() => multiStepLr({ milestones: [5, -1] })).toThrow(
    'multiStepLr: milestones[1] is -1, expected a finite number >= 0',
  );
  expect(() => multiStepLr({ milestones: [5], gamma: -1 })).toThrow(
    'multiStepLr: gamma is -1, expected a finite number >= 0',
  );
  expect(() => warmupLr({ epochs: 0 })).toThrow('warmupLr: epochs is 0, expected a finite number >= 1');
  expect(() => drw({ beta: 1 })).toThrow('drw: beta is 1, expected 0 <= beta < 1');
  expect(() => drw({ from: -1 })).toThrow('drw: from is -1, expected a finite number >= 0');
});
