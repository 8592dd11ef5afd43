import { expect, test } from 'vitest';
import {
  alphaLandscape,
  judge as judgeLandscape,
  type LandscapeRun,
} from '../../examples/reproduce/alpha-landscape.ts';
import {
  alphaLongServedio,
  judge as judgeAtoms,
  type LongServedioRun,
} from '../../examples/reproduce/alpha-long-servedio.ts';
import { minimise } from '../../examples/reproduce/lib/alpha.ts';

test('alpha-landscape: each number within its tolerance, the device too, and the 0-1 error falls', () => {
  const run = (alpha: string, what: string, found: number, rest: Partial<LandscapeRun> = {}): LandscapeRun => ({
    alpha,
    what,
    expected: found,
    found,
    device: NaN,
    tolerance: 1e-4,
    ...rest,
  });
  const errors = [run('1', '0-1 error', 0.54), run('10', '0-1 error', 0.45)];
  expect(judgeLandscape([run('1', 'R(0,0)', 0.69, { device: 0.690001 }), ...errors]).holds).toBe(true);
  expect(judgeLandscape([run('1', 'R(0,0)', 0.69, { expected: 0.6902 }), ...errors]).holds).toBe(false);
  expect(judgeLandscape([run('1', 'R(0,0)', 0.69, { device: 0.6901 }), ...errors]).holds).toBe(false);
  expect(judgeLandscape([run('1', '0-1 error', 0.45), run('10', '0-1 error', 0.46)]).holds).toBe(false);
  expect(judgeLandscape([]).holds).toBe(false);
  expect(alphaLandscape.protocol({})).toMatch(/quadrature of 801 points.*Deterministic/);
});

test('alpha-long-servedio: accuracies exactly, risks to 1e-5', () => {
  const run = (rest: Partial<LongServedioRun> = {}): LongServedioRun => ({
    gamma: '1/24',
    flips: 0.1,
    alpha: '2',
    w1: 1,
    w2: 0,
    risk: 0.2,
    device: 0.2,
    accuracy: 1,
    expected: 1,
    expectedRisk: 0.2,
    ...rest,
  });
  expect(judgeAtoms([run(), run({ expectedRisk: NaN })]).holds).toBe(true);
  expect(judgeAtoms([run({ accuracy: 0.5 })]).holds).toBe(false);
  expect(judgeAtoms([run({ expectedRisk: 0.2001 })]).holds).toBe(false);
  expect(judgeAtoms([run({ device: 0.2001 })]).holds).toBe(false);
  expect(judgeAtoms([]).holds).toBe(false);
  expect(alphaLongServedio.protocol({})).toMatch(/gamma.*Deterministic/);
});

test('the simplex method finds the lower of two minima', () => {
  const { at, value } = minimise(
    ([a, b]) => Math.min((a - 3) ** 2 + (b + 1) ** 2, (a + 20) ** 2 + b ** 2 - 1),
    [
      [0, 0],
      [-15, 3],
    ],
  );
  expect([at[0], at[1], value].map((v) => Math.round(1e4 * v) / 1e4 + 0)).toEqual([-20, 0, -1]);
});
