import { describe, expect, test } from 'vitest';
import { drw, multiStep, warmUp, type Moment } from 'evenkeel/optim';

const at = (epoch: number): Moment => ({ epoch, epochs: 200, step: epoch * 10, stepsPerEpoch: 10 });

test('the schedule of the LDAM code: warm-up over 5 epochs, 0.01 from epoch 161 and 0.0001 from 181, counted from 1', () => {
  const schedules = [warmUp(), multiStep({ milestones: [160, 180], gamma: 0.01 })];
  const rate = (epoch: number): number => schedules.reduce((r, s) => r * s.lr!(at(epoch - 1)), 0.1);
  const table: [epoch: number, rate: number][] = [[1, 0.02], [2, 0.04], [3, 0.06], [4, 0.08], [5, 0.1], [6, 0.1], [160, 0.1], [161, 1e-3], [180, 1e-3], [181, 1e-5], [200, 1e-5]];
  for (const [epoch, want] of table) expect(Math.abs(rate(epoch) / want - 1), `epoch ${epoch}`).toBeLessThan(1e-12);
});

test('multiStep counts the milestones passed, in any order', () => {
  const { lr } = multiStep({ milestones: [30, 10], gamma: 0.5 });
  expect([0, 9, 10, 29, 30, 99].map((e) => lr!(at(e)))).toEqual([1, 1, 0.5, 0.5, 0.25, 0.25]);
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

test('errors', () => {
  expect(() => multiStep({ milestones: [5, -1] })).toThrow('multiStep: milestones[1] is -1, expected a number of at least 0');
  expect(() => multiStep({ milestones: [5], gamma: -1 })).toThrow('multiStep: gamma is -1, expected a number of at least 0');
  expect(() => warmUp({ epochs: 0 })).toThrow('warmUp: epochs is 0, expected a number of at least 1');
  expect(() => drw({ beta: 1 })).toThrow('drw: beta is 1, expected a number of at least 0 and below 1');
  expect(() => drw({ from: -1 })).toThrow('drw: from is -1, expected a number of at least 0');
});
