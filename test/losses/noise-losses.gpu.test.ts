import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor } from 'evenkeel';
import {
  ael,
  agce,
  alphaLoss,
  aul,
  combined,
  crossEntropyLoss,
  focal,
  gce,
  logitClip,
  mae,
  nce,
  nfl,
  ngce,
  phuberCE,
  phuberGCE,
  rce,
  sce,
  singleLogit,
  taylorCE,
  untilt,
  type Loss,
} from 'evenkeel/losses';
import { sum } from 'evenkeel/ops';
import file from '../golden/noise-losses.json';
import { expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { dense, flat, toNumber, type GoldenCase } from '../support/golden.ts';
import { planned } from '../support/golden-op.ts';

/** Some values exceed f32: each row is compared by itself below. */
const beyond = { 'alpha0.3-official-extreme': 'rows', 'alpha0.3-exact-extreme': 'rows', 'alpha0.3-margin': 'rows' };
const cases = planned({ file, later: { truncatedGCE: 'has a memory: memory-losses.gpu.test.ts', ...beyond } });

type Options = Record<string, number>;
const classesOf = (c: GoldenCase): number => dense(c.inputs.logits).shape[1]!;
const pair = (a: Loss, b: Loss, { alpha = 1, beta = 1 }: Options): Loss =>
  combined([
    [alpha, a],
    [beta, b],
  ]);
const make: Record<string, (o: Options, c: GoldenCase) => Loss> = {
  crossEntropy: () => crossEntropyLoss(),
  focalDetached: ({ gamma }) => focal({ gamma, detach: true }),
  mae: ({ scale }) => mae({ scale }),
  gce: ({ q, epsilon }) => gce(epsilon ? { q, eps: epsilon } : { q, floor: 1e-7 }),
  sce: ({ alpha, beta }) => sce({ alpha, beta }),
  rce: ({ scale }) => rce({ scale }),
  nce: () => nce(),
  nfl: ({ gamma }) => nfl({ gamma, detach: true }),
  ngce: ({ q }) => ngce({ q, floor: 1e-7 }),
  phuberCE: ({ tau }) => phuberCE({ tau }),
  phuberGCE: ({ q, tau }) => phuberGCE({ q, tau }),
  'nce+rce': (o) => pair(nce(), rce(), o),
  'nce+mae': (o) => pair(nce(), mae(), o),
  'nfl+mae': (o) => pair(nfl({ gamma: o.gamma, detach: true }), mae(), o),
  'nfl+rce': (o) => pair(nfl({ gamma: o.gamma, detach: true }), rce(), o),
  agce: ({ a, q }) => agce({ a, q }),
  aue: ({ a, q }) => aul({ a, q }),
  ael: ({ a }) => ael({ a }),
  'nce+agce': (o) => pair(nce(), agce({ a: o.a, q: o.q }), o),
  'nce+aue': (o) => pair(nce(), aul({ a: o.a, q: o.q }), o),
  'nce+ael': (o) => pair(nce(), ael({ a: o.a }), o),
  nrce: (_o, c) => rce({ scale: (classesOf(c) - 1) / 4 }),
  nmae: (_o, c) => mae({ scale: 1 / (2 * (classesOf(c) - 1)) }),
  taylorCE: ({ t }) => taylorCE({ order: t }),
  alphaLoss: ({ alpha }, c) =>
    alphaLoss({
      alpha: toNumber(c.options.alpha),
      eps: c.options.form === 'officialCode' && alpha === 1 ? 1e-8 : 0,
    }),
  alphaLossBinary: ({ epsilon }, c) => singleLogit(alphaLoss({ alpha: toNumber(c.options.alpha), eps: epsilon })),
  alphaLossMargin: (_o, c) => singleLogit(alphaLoss({ alpha: toNumber(c.options.alpha) })),
  phuberLogistic: ({ tau }) => singleLogit(phuberCE({ tau })),
};

function lossOf(c: GoldenCase): Loss {
  const o = c.options as Options;
  if (!c.method!.startsWith('logitClip+')) return make[c.method!]!(o, c);
  const method = c.method!.slice('logitClip+'.length);
  // The fixture keeps tau for the clipping; the base loss had its own, 10.
  const base = make[method]!({ ...o, tau: 10 }, c);
  if (c.options.form === 'releasedCode') return logitClip(base, { tau: o.temp, p: o.lp, compat: 'released-code' });
  return logitClip(base, { tau: o.tau, p: c.options.p === 'inf' ? Infinity : o.p });
}

test('golden cases that run', () => expect([cases.length, file.length]).toEqual([246, 250]));

test.each(cases)('$name', async (c) => {
  const isMargin = 'margins' in c.inputs;
  const x = dense(c.inputs.logits ?? c.inputs.logit ?? c.inputs.margins);
  const labels = isMargin ? x.data.map(() => 1) : flat(c.inputs.labels);
  const loss = lossOf(c);
  const got = await readAll(() => {
    const leaf = requireGrad(tensor(x.data, { shape: x.shape }));
    const total = loss(leaf, labels, { reduction: isMargin ? 'sum' : 'mean' });
    backward(total);
    return [total, loss(tensor(x.data, { shape: x.shape }), labels, { reduction: 'none' }), takeGrad(leaf)];
  });
  loss.dispose();
  const wanted = [c.outputs.loss, c.outputs.perSample, c.outputs.gradLogits ?? c.outputs.gradMargins];
  const extreme = c.name.includes('extreme') || isMargin ? 10 : 1;
  wanted.forEach((w, k) => {
    if (w === undefined) return;
    const want = flat(w);
    const bound = 1e-5 * extreme * Math.max(...want.map(Math.abs)) + 1e-6;
    expectWithin(
      got[k]!,
      { shape: [want.length], data: Float64Array.from(want) },
      () => bound,
      ['loss', 'perSample', 'gradient'][k]!,
    );
  });
});

test.each((file as GoldenCase[]).filter((c) => c.name in beyond))(
  '$name: rows within f32 are met, the others held at e^87',
  async (c) => {
    const isMargin = 'margins' in c.inputs;
    const margins = flat(c.inputs.margins ?? []);
    const { data, shape } = isMargin ? { data: margins, shape: [margins.length] } : dense(c.inputs.logits);
    const labels = isMargin ? margins.map(() => 1) : flat(c.inputs.labels);
    const loss = lossOf(c);
    const [each, slope] = await readAll(() => {
      const leaf = requireGrad(tensor(data, { shape }));
      const value = loss(leaf, labels, { reduction: 'none' });
      backward(sum(value));
      return [value, takeGrad(leaf)];
    });
    loss.dispose();
    const wide = data.length / labels.length;
    // The file has the gradient of the mean, but of the sum for margins.
    const gradient = flat(c.outputs.gradLogits ?? c.outputs.gradMargins).map((g) => (isMargin ? g : g * labels.length));
    const u = 1 - 1 / Number(c.options.alpha);
    const held = Math.exp(87) / -u;
    let beyondF32 = 0;
    flat(c.outputs.perSample).forEach((want, i) => {
      const row = gradient.slice(i * wide, (i + 1) * wide);
      const got = Array.from(slope!).slice(i * wide, (i + 1) * wide);
      if (want < held) {
        expect(Math.abs(each![i]! / want - 1), `value ${i}`).toBeLessThan(3e-5);
        row.forEach((w, k) =>
          expect(Math.abs(got[k]! - w), `gradient ${i}, ${k}`).toBeLessThanOrEqual(
            3e-5 * Math.max(...row.map(Math.abs)),
          ),
        );
      } else {
        beyondF32++;
        expect(Math.abs(each![i]! / held - 1), `held value ${i}`).toBeLessThan(1e-5);
        // Finite, and of the right sign: a step still goes the right way.
        row.forEach((w, k) =>
          expect(
            Number.isFinite(got[k]!) && (got[k] === 0 || Math.sign(got[k]!) === Math.sign(w)),
            `gradient ${i}, ${k}`,
          ).toBe(true),
        );
      }
    });
    expect(beyondF32).toBeGreaterThan(0);
  },
);

const valueOf = async (loss: Loss, z: number[], y: number): Promise<number> => {
  const [v] = await readAll(() => [loss(tensor(z, { shape: [1, z.length] }), [y])]);
  loss.dispose();
  return v![0]!;
};

describe('identities', () => {
  const at = (p: number): number[] => [Math.log(p / (1 - p)), 0];
  test.each([
    [0.5, 9],
    [0.8, 3.113118],
    [1, 2.302585],
    [1.5, 1.607523],
    [2, 1.367544],
    [4, 1.096229],
    [Infinity, 0.9],
  ])('alpha-loss %f at p = 0.1', async (alpha, want) => {
    expect(Math.abs((await valueOf(alphaLoss({ alpha }), at(0.1), 0)) / want - 1)).toBeLessThan(2e-6);
  });
  test('the worked example of the clip, both maps', async () => {
    expect(await valueOf(logitClip(crossEntropyLoss(), { tau: 1.5 }), [3, 0, -1, 2], 1)).toBeCloseTo(1.977997, 5);
    expect(
      await valueOf(logitClip(crossEntropyLoss(), { tau: 1.5, compat: 'released-code' }), [3, 0, -1, 2], 1),
    ).toBeCloseTo(1.603729, 5);
    expect(await valueOf(logitClip(crossEntropyLoss(), { tau: Infinity }), [1e4, -1e4, 0], 1)).toBeCloseTo(2e4, 0);
  });
});

test('errors', () => {
  expect(() => alphaLoss({ alpha: 0 })).toThrow('alphaLoss: alpha is 0, expected a number > 0 or Infinity');
  expect(() => logitClip(crossEntropyLoss(), { tau: 0 })).toThrow(
    'logitClip: tau is 0, expected a number > 0 or Infinity',
  );
  expect(() => logitClip(crossEntropyLoss(), { p: 0.5 })).toThrow(
    'logitClip: p is 0.5, expected a number >= 1 or Infinity',
  );
  expect(() => phuberCE({ tau: 1 })).toThrow('phuberCE: tau is 1, expected a finite number > 1');
  scope(() =>
    expect(() => untilt(tensor([1]), Infinity)).toThrow('untilt: alpha is Infinity, expected a finite number > 0'),
  );
});
