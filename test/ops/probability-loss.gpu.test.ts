import { describe, expect, test } from 'vitest';
import { grad, requireGrad, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { mul, probabilityLoss, sum, type ProbabilityLossKind, type ProbabilityLossOptions } from 'evenkeel/ops';
import * as reference from '../reference/probability-loss.ts';
import { checkOp, readAll } from '../support/check-op.ts';
import { checkTwice } from '../support/check-twice.ts';
import { integers, sample } from '../support/sample.ts';
import { close, softmaxRelative } from '../support/tolerance.ts';

interface Kind {
  kind: ProbabilityLossKind;
  constants: number[];
  options?: ProbabilityLossOptions;
  /** Name and constants of the reference, where they differ. */
  wanted?: [string, number[]];
}

const huber = (u: number, tau: number): number[] => [u, tau, Math.log(tau) / (1 - u), tau ** (1 / (u - 1))];
const kinds: Record<string, Kind> = {
  'cross-entropy': { kind: 'mix', constants: [1, 0] },
  'absolute error': { kind: 'mix', constants: [0, 2] },
  'a sum of both': { kind: 'mix', constants: [0.1, 9.210340371976182] },
  'power 0.7': { kind: 'power', constants: [0.7] },
  'power 0': { kind: 'power', constants: [0] },
  'power 1e-4': { kind: 'power', constants: [1e-4] },
  'power -1': { kind: 'power', constants: [-1] },
  'focal 2': { kind: 'focal', constants: [2] },
  'focal 0.5': { kind: 'focal', constants: [0.5] },
  'taylor 1': { kind: 'taylor', constants: [], options: { order: 1 } },
  'taylor 6': { kind: 'taylor', constants: [], options: { order: 6 } },
  'huberised cross-entropy': { kind: 'huber', constants: huber(0, 10) },
  'huberised power': { kind: 'huber', constants: huber(0.7, 5) },
  'asymmetric, below': {
    kind: 'asymmetric',
    constants: [-1.6, 0.6, -(1.6 ** 0.6) / 0.6],
    wanted: ['agce', [0.6, 0.6]],
  },
  'asymmetric, above': { kind: 'asymmetric', constants: [4.5, 3, 4.5 ** 3 / 3], wanted: ['aul', [5.5, 3]] },
  exponential: { kind: 'exponential', constants: [2.5] },
};
const shapes = [
  [0, 3],
  [1, 2],
  [5, 1],
  [31, 33],
  [3, 257],
  [7, 10],
] as const;

describe.each(Object.entries(kinds))('%s', (_name, { kind, constants, options, wanted }) => {
  test.each(shapes)('[%i, %i]', async (rows, classes) => {
    const labels = integers(rows, classes, 11).map((y, i) => (i === 4 ? -1 : y));
    const z = sample([rows, classes], { seed: 5, low: -3, high: 3 });
    const [name, c] = wanted ?? [kind, constants];
    const run = (t: Tensor): Tensor => probabilityLoss(t, tensor(labels, { dtype: 'i32' }), kind, constants, options);
    // q^(gamma - 1) has no derivative at one class, where q = 0.
    const isSmooth = !(kind === 'focal' && classes === 1);
    const size = Math.max(1, ...reference.probabilityLoss(z, labels, name, c, options).values.data);
    const relative = 4 * softmaxRelative(12, classes);
    await checkOp({
      inputs: [z],
      run,
      reference: (x) => reference.probabilityLoss(x, labels, name, c, options).values,
      gradient: isSmooth ? (dy, x) => [reference.probabilityLoss(x, labels, name, c, options, dy).gradient] : undefined,
      tolerance: close(relative, 2e-6 * Math.min(size, 1)),
      gradientTolerance: ({ sum }) => relative * sum + 1e-9,
    });
    if (rows === 7 || rows === 1) {
      await checkTwice(
        z,
        [rows],
        run,
        (dy, x) => reference.probabilityLoss(x, labels, name, c, options, dy).gradient,
        close(2e-4, 2e-5 * size),
      );
    }
  });
});

test('more rows than a grid has workgroups', async () => {
  const rows = 65_535 * 64 + 3;
  const kept = scope(() => probabilityLoss(zeros([rows, 2]), zeros([rows], { dtype: 'i32' }), 'mix', [0, 1]));
  const y = await kept.read();
  kept.dispose();
  expect([y[0], y[rows - 1], y.every((v) => v === 0.5)]).toEqual([0.5, 0.5, true]);
});

const row = (
  values: number[],
  label: number,
  kind: ProbabilityLossKind,
  constants: number[],
  options?: ProbabilityLossOptions,
): Promise<Float32Array[]> =>
  readAll(() => {
    const x = requireGrad(tensor(values, { shape: [1, values.length] }));
    const y = probabilityLoss(x, tensor([label], { dtype: 'i32' }), kind, constants, options);
    return [y, ...grad(y, [x])];
  });

describe.each(Object.entries(kinds))('%s, extremes', (_name, { kind, constants, options }) => {
  test('logits of +-1e4 stay finite', async () => {
    for (const label of [0, 1, 2]) {
      const got = await row([1e4, -1e4, 0], label, kind, constants, options);
      for (const v of got.flatMap((g) => Array.from(g))) expect(Number.isFinite(v), `label ${label}: ${v}`).toBe(true);
    }
  });
  test('rows of the gradient sum to 0', async () => {
    const [, g] = await row([1, 2, 0.5, -1], 1, kind, constants, options);
    const largest = Math.max(...Array.from(g!, Math.abs));
    expect(Math.abs(g!.reduce((t, v) => t + v, 0))).toBeLessThan(1e-6 * largest);
  });
});

describe.each(Object.entries(kinds))('%s, infinities', (_name, { kind, constants, options }) => {
  test('a masked class is as one that is not there, its gradient 0', async () => {
    for (const [masked, plain] of [
      [
        [-Infinity, 1, 2],
        [1, 2],
      ],
      [
        [-Infinity, 1, -Infinity, 2],
        [1, 2],
      ],
      [[-Infinity, 1], [1]],
    ]) {
      const [y, g] = await row(masked!, masked!.indexOf(1), kind, constants, options);
      const [want, slope] = await row(plain!, 0, kind, constants, options);
      expect(y![0]).toBeCloseTo(want![0]!, 6);
      let at = 0;
      expect(Array.from(g!)).toEqual(masked!.map((v) => (v === -Infinity ? 0 : expect.closeTo(slope![at++]!, 6))));
    }
  });
  test('a masked label: the limit of ever lower logits', async () => {
    const [y, g] = await row([-Infinity, 1, 2], 0, kind, constants, options);
    const [far, slope] = await row([-1e30, 1, 2], 0, kind, constants, options);
    const [near] = await row([-1e29, 1, 2], 0, kind, constants, options);
    expect(y![0]).toBe(far![0]! > near![0]! ? Infinity : far![0]);
    expect(Array.from(g!)).toEqual(Array.from(slope!));
  });
  test('NaN and +Infinity give NaN, but where the factor of the row is 0', async () => {
    for (const bad of [
      [NaN, 1, 2],
      [1, NaN, 2],
      [Infinity, 1, 2],
      [1, 2, Infinity],
      [-Infinity, -Infinity, -Infinity],
    ]) {
      const got = await row(bad, 1, kind, constants, options);
      expect(
        got.map((list) => Array.from(list)),
        `${bad}`,
      ).toEqual([[NaN], [NaN, NaN, NaN]]);
      const none = await readAll(() => {
        const x = requireGrad(tensor([...bad, ...bad], { shape: [2, 3] }));
        const y = probabilityLoss(x, tensor([1, -100], { dtype: 'i32' }), kind, constants, options);
        return [y, ...grad(sum(mul(y, tensor([0, 1]))), [x])];
      });
      expect(Array.from(none[0]!)).toEqual([NaN, 0]);
      expect(Array.from(none[1]!, Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
    }
  });
  test('the second gradient at a masked class', async () => {
    const twice = (values: number[], label: number): Promise<Float32Array[]> =>
      readAll(() => {
        const x = requireGrad(tensor(values, { shape: [1, values.length] }));
        const [g] = grad(probabilityLoss(x, tensor([label], { dtype: 'i32' }), kind, constants, options), [x], {
          createGraph: true,
        });
        return [g!, ...grad(sum(mul(g!, g!)), [x])];
      });
    for (const label of [0, 1]) {
      const [g, h] = await twice([-Infinity, 1, 2], label);
      const [g0, h0] = await twice([-1e30, 1, 2], label);
      expect(Array.from(g!)).toEqual(Array.from(g0!, (v) => expect.closeTo(v, 5)));
      expect(Array.from(h!)).toEqual(Array.from(h0!, (v) => expect.closeTo(v, 5)));
    }
  });
});

test('epsilon keeps its part where p is 0 in f32', async () => {
  for (const z of [
    [-200, 0],
    [-1e4, 0],
    [-Infinity, 0],
  ]) {
    const [y, g] = await row(z, 0, 'mix', [1, 0], { eps: 1e-8 });
    expect(y![0]).toBeCloseTo(-Math.log(1e-8), 4);
    expect(Array.from(g!, Math.abs)).toEqual([expect.closeTo(0, 8), expect.closeTo(0, 8)]);
  }
});

test('near p = 1 no digits are lost', async () => {
  // p = 1 / (1 + e^-12): q = 6.1e-6.
  const q = 1 / (1 + Math.exp(12));
  for (const { kind, constants, options, wanted } of [
    kinds['power 0.7']!,
    kinds['focal 2']!,
    kinds['asymmetric, below']!,
    kinds['asymmetric, above']!,
    kinds['absolute error']!,
  ]) {
    const [y] = await row([12, 0], 0, kind, constants, options);
    const [name, c] = wanted ?? [kind, constants];
    // Exact to second order in q: phi(1 - q) = q -phi'(1) but for the focal loss, q^2 L.
    const first =
      name === 'focal'
        ? q ** 2 * -Math.log1p(-q)
        : q * { power: 1, mix: 2, agce: (c[0]! + 1) ** (c[1]! - 1), aul: (c[0]! - 1) ** (c[1]! - 1) }[name as 'mix'];
    expect(Math.abs(y![0]! / first - 1), name).toBeLessThan(2e-5);
  }
});

test('epsilon and floor', async () => {
  const z = [-3, 4, 0];
  const p = Math.exp(-3) / (Math.exp(-3) + Math.exp(4) + 1);
  const [a, da] = await row(z, 0, 'power', [-1], { eps: 1e-3 });
  expect(a![0]! / (1 / (p + 1e-3) - 1) - 1).toBeCloseTo(0, 5);
  expect(da![0]! / ((-p * (1 - p)) / (p + 1e-3) ** 2) - 1).toBeCloseTo(0, 5);
  const [b, db] = await row(z, 0, 'power', [0.5], { floor: 0.01 });
  expect(b![0]).toBeCloseTo(2 * (1 - 0.1), 5);
  expect(Array.from(db!)).toEqual([0, 0, 0].map((v) => expect.closeTo(v, 12)));
  const [d] = await row([0, 0], 0, 'power', [0.5], { floor: 0.01 });
  expect(d![0]).toBeCloseTo(2 * (1 - Math.SQRT1_2), 5);
});

test(
  'a detached factor: the value of the focal loss, the gradient of weighted cross-entropy, also when ' + 'recorded',
  async () => {
    const p = Math.exp(0.5) / (1 + Math.exp(0.5));
    const [y, g] = await row([0.5, 0], 0, 'focal', [2], { detach: true });
    expect(y![0]).toBeCloseTo(-((1 - p) ** 2) * Math.log(p), 6);
    expect(g![0]).toBeCloseTo(-((1 - p) ** 3), 6);
    const [again] = await readAll(() => {
      const x = requireGrad(tensor([0.5, 0], { shape: [1, 2] }));
      return grad(probabilityLoss(x, tensor([0], { dtype: 'i32' }), 'focal', [2], { detach: true }), [x], {
        createGraph: true,
      });
    });
    expect(again![0]).toBeCloseTo(-((1 - p) ** 3), 6);
  },
);

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    const labels = tensor([0, 1], { dtype: 'i32' });
    expect(() => probabilityLoss(tensor([1]), labels, 'mix', [1])).toThrow('probabilityLoss: logits');
    expect(() => probabilityLoss(x, tensor([0, 1]) as unknown as Tensor<'i32'>, 'mix', [1])).toThrow(
      'probabilityLoss: labels are f32, expected i32',
    );
    expect(() => probabilityLoss(x, tensor([0], { dtype: 'i32' }), 'mix', [1])).toThrow('probabilityLoss: labels');
    expect(() => probabilityLoss(x, labels, 'no' as 'mix', [1])).toThrow(
      'probabilityLoss: kind is no, expected one of mix, power, focal, taylor, huber, asymmetric, exponential',
    );
    expect(() => probabilityLoss(x, labels, 'taylor', [], { order: 0 })).toThrow(
      'probabilityLoss: order is 0, expected a positive integer',
    );
    expect(() => probabilityLoss(x, labels, 'power', [1], { eps: -1 })).toThrow(
      'probabilityLoss: eps is -1, expected 0 <= eps < 1',
    );
    expect(() => probabilityLoss(x, labels, 'power', [1], { floor: 1 })).toThrow(
      'probabilityLoss: floor is 1, expected 0 <= floor < 1',
    );
  });
});
