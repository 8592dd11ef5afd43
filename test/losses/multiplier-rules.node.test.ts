import { describe, expect, test } from 'vitest';
import file from '../golden/calibration.json';
import { cals, calsHr } from '../../src/losses/calibration/cals.ts';
import { almPenalty, type AlmPenalty } from '../../src/losses/calibration/alm-penalty.ts';
import { constraintOf, heuristicRule, lagrangianRule } from '../../src/losses/calibration/multiplier-rules.ts';
import { casesOf, dense, flat } from '../support/golden.ts';

const KINDS: AlmPenalty[] = ['phr', 'p2', 'p3', 'relu'];

describe('penalties', () => {
  test.each(casesOf(file, 'almPenalty'))('golden $name', ({ options, inputs, outputs }) => {
    const { penalty, lambda, rho } = options as { penalty: AlmPenalty; lambda: number; rho: number };
    flat(inputs.h).forEach((h, i) => {
      const { value, slope } = almPenalty(penalty, h, lambda, rho);
      expect(value).toBeCloseTo(flat(outputs.value)[i]!, 12);
      expect(slope).toBeCloseTo(flat(outputs.derivative)[i]!, 12);
    });
  });
  test.each([
    [
      'phr',
      [
        [-2, -0.163333, 0],
        [-0.5, -0.163333, 0],
        [0, 0, 0.7],
        [0.5, 0.5375, 1.45],
        [2, 4.4, 3.7],
      ],
    ],
    [
      'p2',
      [
        [0.5, 0.659375, 2.03125],
        [2, 8.6, 9.4],
        [-2, -0.35, 0.04375],
        [-0.5, -0.2, 0.228571],
      ],
    ],
    [
      'p3',
      [
        [0.5, 0.6125, 1.75],
        [2, 5.6, 4.9],
      ],
    ],
  ] as const)('%s at lambda .7, rho 1.5', (kind, rows) => {
    for (const [h, value, slope] of rows) {
      const got = almPenalty(kind, h, 0.7, 1.5);
      expect(got.value).toBeCloseTo(value, 6);
      expect(got.slope).toBeCloseTo(slope, 6);
    }
  });
  test.each(KINDS)("%s: P(0) = 0, P'(0) = lambda, P' >= 0 and the slope of P, continuous", (kind) => {
    for (const [lambda, rho] of [
      [1e-6, 1],
      [0.7, 1.5],
      [30, 10],
    ] as const) {
      expect(almPenalty(kind, 0, lambda, rho)).toEqual({ value: 0, slope: lambda });
      for (let h = -3.05; h < 3; h += 0.1) {
        const { slope } = almPenalty(kind, h, lambda, rho);
        const e = 1e-6;
        const numeric =
          (almPenalty(kind, h + e, lambda, rho).value - almPenalty(kind, h - e, lambda, rho).value) / (2 * e);
        expect(slope).toBeGreaterThanOrEqual(0);
        expect(Math.abs(slope - numeric)).toBeLessThan(1e-4 * Math.max(1, slope));
        if (kind !== 'relu')
          expect(Math.abs(almPenalty(kind, h + e, lambda, rho).slope - slope)).toBeLessThan(1e-3 * Math.max(1, slope));
      }
    }
  });
});

describe('multipliers', () => {
  test.each(casesOf(file, 'calsAlmTrace'))('golden $name', ({ options: o, inputs, outputs }) => {
    const { data, shape } = dense(inputs.valLogitsPerEpoch);
    const [epochs, rows, classes] = shape as [number, number, number];
    const n = o as Record<string, number>;
    const numbers = {
      penalty: o.penalty as AlmPenalty,
      margin: n.margin!,
      normalize: o.normalize as boolean,
      lambdaMin: n.lambd_min!,
      lambdaMax: n.lambd_max!,
      lambdaStep: n.lambd_step!,
      rho: n.rho_min!,
      rhoMax: n.rho_max!,
      rhoStep: n.rho_step!,
      gamma: n.gamma!,
      tau: n.tao!,
    };
    const rule = lagrangianRule(classes, numbers);
    for (let e = 0; e < epochs; e++) {
      const logits = data.slice(e * rows * classes, (e + 1) * rows * classes);
      const { lambda, rho } = rule.state();
      const penalty = logits.reduce((sum, z, i) => {
        const row = logits.slice(Math.floor(i / classes) * classes, (Math.floor(i / classes) + 1) * classes);
        return (
          sum +
          almPenalty(
            numbers.penalty,
            constraintOf(Math.max(...row) - z, numbers),
            lambda[i % classes]!,
            rho[i % classes]!,
          ).value
        );
      }, 0);
      expect(penalty / logits.length).toBeCloseTo(flat(outputs.penaltyBeforeUpdate)[e]!, 11);
      const half = Math.floor(rows / 2) * classes;
      for (const part of [logits.slice(0, half), logits.slice(half)])
        rule.observe({ data: part, shape: [part.length / classes, classes] });
      rule.epochEnd();
      const after = rule.state();
      for (const [got, key] of [
        [after.lambda, 'lambda'],
        [after.rho, 'rho'],
        [after.previous!, 'meanConstraint'],
      ] as const) {
        got.forEach((v, c) =>
          expect(Math.abs(v - flat(outputs[key])[e * classes + c]!), `${key} of class ${c}, epoch ${e}`).toBeLessThan(
            1e-11 * Math.max(1, Math.abs(v)),
          ),
        );
      }
    }
  });
  test.each(casesOf(file, 'calsHrTrace'))('golden $name', ({ options: o, inputs, outputs }) => {
    const { data, shape } = dense(inputs.valLogitsPerEpoch);
    const [epochs, rows, classes] = shape as [number, number, number];
    const n = o as Record<string, number>;
    const rule = heuristicRule(classes, {
      margin: n.margin!,
      lambda: n.alpha!,
      lambdaMin: 1e-6,
      lambdaMax: 1e6,
      lambdaStep: n.step_size!,
      gamma: n.gamma!,
      tau: n.tao!,
    });
    for (let e = 0; e < epochs; e++) {
      rule.observe({ data: data.slice(e * rows * classes, (e + 1) * rows * classes), shape: [rows, classes] });
      rule.epochEnd();
      rule.state().lambda.forEach((v, c) => expect(v).toBeCloseTo(flat(outputs.lambda)[e * classes + c]!, 12));
      rule.state().previous!.forEach((v, c) => expect(v).toBeCloseTo(flat(outputs.score)[e * classes + c]!, 11));
    }
  });

  /** Every gap of class 1 is (1 + h) margin, so that its constraint is h. */
  const constant = (h: number): { data: number[]; shape: number[] } => ({ data: [10 * (1 + h), 0], shape: [1, 2] });
  test('a constant constraint: growth by rho c, and collapse in one step', () => {
    const loss = cals({ numClasses: 2, margin: 10, rhoStep: 0 });
    for (let e = 1; e <= 4; e++) {
      loss.observe(constant(0.5));
      loss.epochEnd();
      expect(loss.lambda[1]).toBeCloseTo(1e-6 + 0.5 * e, 12);
      // The largest logit has h = -1.
      expect(loss.lambda[0]).toBe(1e-6);
    }
    for (const want of [1.6 + 1e-6, 1.2 + 1e-6]) {
      loss.observe(constant(-0.4));
      loss.epochEnd();
      expect(loss.lambda[1]).toBeCloseTo(want, 12);
    }
    loss.setState({ ...loss.state(), lambda: [1e-6, 0.3] });
    loss.observe(constant(-0.4));
    loss.epochEnd();
    expect(loss.lambda[1]).toBe(1e-6);
  });
  test('rho grows where the constraint does not fall, is capped, and no constraint met makes it grow', () => {
    const loss = cals({ numClasses: 2, margin: 10, rhoStep: 1, rhoMax: 1.5 });
    const rhos = [0.5, 0.5, 0.44, 0.44, 0.44, -0.1, -0.1].map((h) => {
      loss.observe(constant(h));
      loss.epochEnd();
      return loss.rho[1]!;
    });
    [1, 1.2, 1.2, 1.44, 1.5, 1.5, 1.5].forEach((want, e) => expect(rhos[e], `epoch ${e}`).toBeCloseTo(want, 12));
  });
  test('batches of any shape count as one, and the state goes on where it was', async () => {
    const [one, two] = [cals({ numClasses: 3, margin: 2 }), cals({ numClasses: 3, margin: 2 })];
    const data = [5, 0, 1, 2, 2, 9, 7, 1, 0, 0, 4, 4];
    one.observe({ data, shape: [4, 3] });
    two.observe({ data: data.slice(0, 6), shape: [1, 2, 3] });
    two.observe({ data: data.slice(6), shape: [2, 3] });
    for (const loss of [one, two]) loss.epochEnd();
    expect(two.state()).toEqual(one.state());
    const copy = cals({ numClasses: 3, margin: 2 });
    copy.setState(JSON.parse(JSON.stringify(one.state())));
    const source = { logits: () => Promise.resolve({ data, shape: [4, 3] }) };
    for (const loss of [one, copy]) await loss.onEpoch(source, { x: null as never })();
    expect(copy.state()).toEqual(one.state());
    expect(one.state().epoch).toBe(2);
  });
});

test.each([
  [() => cals({ numClasses: 3, margin: 0 }), 'cals: margin is 0, expected a finite number > 0'],
  [
    () => cals({ numClasses: 3, penalty: 'l2' as never }),
    "cals: penalty is 'l2', expected 'phr', 'p2', 'p3' or 'relu'",
  ],
  [() => cals({ numClasses: 3, lambdaMax: 0 }), 'cals: lambdaMax is 0, expected a finite number >= 0.000001'],
  [() => cals({ numClasses: 3, gamma: 0.5 }), 'cals: gamma is 0.5, expected a finite number >= 1'],
  [() => cals({ numClasses: 0 }), 'cals: numClasses is 0, expected a positive integer'],
  [() => cals({ numClasses: 3, rhoStep: 0.5 }), 'cals: rhoStep is 0.5, expected an integer, 0 for never'],
  [() => calsHr({ numClasses: 3, tau: 0.5 }), 'calsHr: tau is 0.5, expected a finite number >= 1'],
  [
    () => cals({ numClasses: 3 }).epochEnd(),
    'cals: an epoch ended without validation logits, expected observe() before',
  ],
  [
    () => cals({ numClasses: 3 }).observe({ data: [1, 2], shape: [1, 2] }),
    'cals: validation logits have shape [1,2], expected 3 classes on the last axis',
  ],
  [
    () => cals({ numClasses: 3 }).observe({ data: [1, 2, 3], shape: [2, 3] }),
    'cals: validation logits have 3 entries, expected 6 for shape [2,3]',
  ],
  [
    () => calsHr({ numClasses: 2 }).observe({ data: [1, NaN], shape: [1, 2] }),
    'calsHr: validation logit 1 is NaN, expected finite numbers',
  ],
  [
    () => cals({ numClasses: 2 }).setState({ lambda: [1], rho: [1, 1], previous: null, epoch: 0 }),
    'cals: the state: lambda has 1 entries, expected 2, one per class',
  ],
])('bad input %#', (call, message) => {
  expect(call).toThrow(new RangeError(message));
});
