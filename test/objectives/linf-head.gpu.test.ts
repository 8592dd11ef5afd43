import { describe, expect, test } from 'vitest';
import { backward, NdArray, noGrad, scope, tensor } from 'evenkeel';
import { evaluateRobustness } from 'evenkeel/attack';
import { certifyMargin } from 'evenkeel/certify';
import { linfHead, type LinfHeadOptions } from 'evenkeel/objectives';
import { makeDataset } from 'evenkeel/data';
import type { ObjectiveInputs } from 'evenkeel/losses';
import {
  linfDistHeadNet,
  NtkLinear,
  recomputeMeans,
  Sequential,
  type LinfDistHeadNet,
  type LinfDistHeadNetOptions,
  type ParameterValues,
} from 'evenkeel/nn';
import { linfSchedule, lpDecayAdamW } from 'evenkeel/optim';
import { hostNormal, hostUniform, key } from 'evenkeel/random';
import { fit } from 'evenkeel/train';
import { boundsOf } from '../support/certify.ts';

const [BATCH, INPUTS, CLASSES] = [6, 5, 3];
const SIZES = [INPUTS, 7, 6];
const HEAD = [4, CLASSES];
const x = hostUniform(BATCH, INPUTS, key(1));
const y = [0, 1, 2, 0, 1, 2];

/** Logits and worst margins in f64, training mode, at p = 8. */
function exact(state: ReadonlyMap<string, ParameterValues>, eps: number): { logits: number[][]; worst: number[][] } {
  let rows = Array.from({ length: BATCH }, (_, b) => Array.from(x.subarray(b * INPUTS, (b + 1) * INPUTS)));
  const w = (name: string, o: number, width: number): number[] =>
    Array.from(state.get(name)!.data.slice(o * width, (o + 1) * width));
  for (const i of [1, 2]) {
    const y = rows.map((row) =>
      Array.from(
        { length: SIZES[i]! },
        (_, o) => w(`dist${i}.weight`, o, row.length).reduce((s, v, k) => s + Math.abs(row[k]! - v) ** 8, 0) ** (1 / 8),
      ),
    );
    const mean = y[0]!.map((_, o) => y.reduce((s, row) => s + row[o]! / BATCH, 0));
    rows = y.map((row) => row.map((v, o) => v - mean[o]!));
  }
  const weight = (i: number, o: number, width: number): number[] =>
    w(`head${i}.weight`, o, width).map((v) => v / Math.sqrt(width));
  const dot = (a: number[], b: number[]): number => a.reduce((s, v, k) => s + v * b[k]!, 0);
  const bias = (i: number, o: number): number => state.get(`head${i}.bias`)!.data[o]!;
  const hidden = (f: number[], r: number[]): [number[], number[], number[]] => {
    const c = Array.from({ length: HEAD[0]! }, (_, o) => dot(weight(1, o, f.length), f) + bias(1, o));
    const d = Array.from({ length: HEAD[0]! }, (_, o) => dot(weight(1, o, f.length).map(Math.abs), r));
    return [c.map(Math.tanh), c.map((v, o) => Math.tanh(v - d[o]!)), c.map((v, o) => Math.tanh(v + d[o]!))];
  };
  const logits: number[][] = [];
  const worst: number[][] = [];
  rows.forEach((f, b) => {
    const [h, low, high] = hidden(
      f,
      f.map(() => eps),
    );
    logits.push(Array.from({ length: CLASSES }, (_, o) => dot(weight(2, o, h.length), h) + bias(2, o)));
    worst.push(
      Array.from({ length: CLASSES }, (_, j) => {
        const d = weight(2, j, h.length).map((v, k) => v - weight(2, y[b]!, h.length)[k]!);
        return d.reduce((s, v, k) => s + v * (v > 0 ? high[k]! : low[k]!), bias(2, j) - bias(2, y[b]!));
      }),
    );
  });
  return { logits, worst };
}

const entropy = (z: number[], label: number): number => Math.log(z.reduce((s, v) => s + Math.exp(v), 0)) - z[label]!;
const mean = (v: number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
function lossOf(
  state: ReadonlyMap<string, ParameterValues>,
  { epsTrain, kappa = 0.5, form = 'mix', lambda = 0.05 }: LinfHeadOptions,
): number {
  const { logits, worst } = exact(state, epsTrain);
  const clean = mean(logits.map((z, b) => entropy(z, y[b]!)));
  if (form === 'mix') return kappa * mean(worst.map((z, b) => entropy(z, y[b]!))) + (1 - kappa) * clean;
  const right = logits.map((z, b) => Number(z.indexOf(Math.max(...z)) === y[b]!));
  return (
    mean(worst.map((z, b) => right[b]! * Math.max(0, ...z.filter((_, j) => j !== y[b]!).map((v) => v + 1)))) +
    lambda * clean
  );
}

const made = (): LinfDistHeadNet => linfDistHeadNet(SIZES, HEAD, { p: 8, identity: 0 }).init({ seed: 4 });
const inputs = (): ObjectiveInputs =>
  ({
    x: tensor(x, { shape: [BATCH, INPUTS] }),
    y: tensor(y, { dtype: 'i32' }),
    random: { key: key(1), first: 0 },
  }) as unknown as ObjectiveInputs;

describe('linfHead', () => {
  test.each<LinfHeadOptions>([
    { epsTrain: 0.1 },
    { epsTrain: 0.3, kappa: 1 },
    { epsTrain: 0.2, kappa: 0 },
    { epsTrain: 0.15, form: 'hinge', lambda: 0.3 },
  ])('value and gradients against f64: %o', async (options) => {
    using net = made();
    const objective = linfHead(net, options);
    const loss = scope(() => {
      const value = objective(inputs());
      backward(value);
      return value.detach();
    });
    const state = await net.stateDict();
    const copy = new Map(
      [...state].map(([name, { shape, data }]) => [
        name,
        { shape, data: Float64Array.from(data) as unknown as Float32Array<ArrayBuffer> },
      ]),
    );
    expect(Math.abs((await loss.item()) - lossOf(copy, options))).toBeLessThan(2e-5);
    let largest = 0;
    const pairs: [number, number, string][] = [];
    for (const [name, p] of net.parameters) {
      const got = await p.grad!.read();
      const { data } = copy.get(name)!;
      for (let i = 0; i < data.length; i++) {
        const [v, h] = [data[i]!, 1e-5];
        const at = (by: number): number => ((data[i] = v + by), lossOf(copy, options));
        const want = (at(h) - at(-h)) / (2 * h);
        data[i] = v;
        largest = Math.max(largest, Math.abs(want));
        pairs.push([got[i]!, want, `${name}[${i}]`]);
      }
    }
    for (const [got, want, name] of pairs)
      expect(Math.abs(got - want), `${name}: ${got}, expected ${want}`).toBeLessThan(1e-4 * largest);
    expect(largest).toBeGreaterThan(0.01);
    loss.dispose();
    objective.dispose();
  });

  test(
    'without a radius it is the clean cross-entropy, whatever kappa; a larger radius costs more; set() reaches ' +
      'the next call',
    async () => {
      using net = made();
      const objective = linfHead(net, { epsTrain: 0.5, kappa: 0.7 });
      const at = async (values: { epsTrain?: number; kappa?: number }): Promise<number> => {
        objective.set(values);
        const value = scope(() => noGrad(() => objective(inputs())));
        const v = await value.item();
        value.dispose();
        return v;
      };
      const clean = await at({ epsTrain: 0 });
      expect(await at({ kappa: 0 })).toBeCloseTo(clean, 5);
      expect(await at({ kappa: 1 })).toBeCloseTo(clean, 5);
      let last = clean;
      for (const epsTrain of [0.01, 0.1, 0.4]) {
        const now = await at({ epsTrain });
        expect(now).toBeGreaterThan(last);
        last = now;
      }
      objective.dispose();
    },
  );

  test('errors', () => {
    using net = made();
    expect(() => linfHead(net, { epsTrain: 0 })).toThrow('linfHead: epsTrain is 0, expected a finite number > 0');
    expect(() => linfHead(net, { epsTrain: 1, kappa: 2 })).toThrow('linfHead: kappa is 2, expected a number in 0..1');
    expect(() => linfHead(net, { epsTrain: 1, form: 'ce' as 'mix' })).toThrow(
      "linfHead: form is 'ce', expected 'mix' or 'hinge'",
    );
    expect(() => linfDistHeadNet([3], [2])).toThrow(
      'linfDistHeadNet: got 1 sizes, expected at least the inputs and the features',
    );
    expect(() => linfDistHeadNet([3, 4], [])).toThrow(
      'linfDistHeadNet: the head has no sizes, expected at least the classes',
    );
  });
});

test('ntkLinear is W x / sqrt(n) + b', async () => {
  using layer = Sequential(NtkLinear(4, 2)).init({ seed: 1 });
  const { data } = (await layer.stateDict()).get('0.weight')!;
  layer.parameters.get('0.bias')!.write([1, -1]);
  const got = (await layer.logits(new NdArray(Float32Array.of(1, 2, 3, 4), [1, 4]))).data;
  [1, -1].forEach((b, o) =>
    expect(got[o]).toBeCloseTo(
      (data[4 * o]! + 2 * data[4 * o + 1]! + 3 * data[4 * o + 2]! + 4 * data[4 * o + 3]!) / 2 + b,
      5,
    ),
  );
  // From N(0, 1), whatever the inputs.
  using wide = Sequential(NtkLinear(900, 100)).init({ seed: 2 });
  const values = (await wide.stateDict()).get('0.weight')!.data as Float32Array;
  expect(values.reduce((s, v) => s + v * v, 0) / values.length).toBeCloseTo(1, 1);
});

test.each<[string, LinfDistHeadNetOptions, LinfHeadOptions]>([
  ['the first paper', {}, { epsTrain: 0.15, kappa: 0.5 }],
  ['SortNet', { keep: 0.8, group: 16 }, { epsTrain: 0.15, form: 'hinge', lambda: 0.2 }],
])(
  'as %s: fits from p = 8 to infinity with a growing radius; intervals certify, attacks do not reach inside',
  async (_, options, how) => {
    const count = 180;
    const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
    const noise = hostUniform(count, 12, key(7));
    const points = new NdArray(
      noise.map((v, i) => 0.3 * v + 0.7 * Number(Math.floor((i % 12) / 4) === labels[Math.floor(i / 12)])),
      [count, 12],
    );
    using net = linfDistHeadNet([12, 24, 24], [16, 3], { p: 8, identity: 0, ...options }).init({ seed: 3 });
    const objective = linfHead(net, how);
    const schedule = linfSchedule({
      pStartEpoch: 4,
      pEndEpoch: 30,
      lambda: 1,
      lambdaEnd: 1,
      epsStartEpoch: 0,
      epsEndEpoch: 10,
      ramp: 'staircase',
      lrFrom: 'ramp',
      apply: ({ p, eps }) => {
        net.power.set(p);
        objective.set({ epsTrain: 0.15 * eps });
      },
    });
    await fit(net, makeDataset(points, labels, { numClasses: 3 }), {
      objective,
      schedule,
      optimizer: lpDecayAdamW({ power: net.power, lr: 0.02 }),
      epochs: 36,
      batchSize: 30,
      seed: 1,
    });
    objective.dispose();
    expect(net.power.value).toBe(Infinity);
    recomputeMeans(net, points);
    const eps = 0.08;
    const { certified } = await boundsOf(net, points, { labels, eps });
    expect(certified.filter(Boolean).length / count).toBeGreaterThan(0.7);
    const report = await evaluateRobustness(net, points, labels, {
      eps,
      attacks: ['pgd'],
      steps: 10,
      restarts: 3,
      certified,
    });
    expect(report.cleanAccuracy).toBeGreaterThanOrEqual(report.robustAccuracy);
    expect(report.robustAccuracy).toBeGreaterThanOrEqual(report.certifiedAccuracy!);
    // Sampled corners lie inside what is certified.
    const corner = hostNormal(count, 12, key(8));
    const moved = (
      await net.logits(
        new NdArray(
          points.data.map((v, i) => Math.min(1, Math.max(0, v + 0.999 * eps * Math.sign(corner[i]!)))),
          [count, 12],
        ),
      )
    ).data;
    certified.forEach((is, i) => {
      const row = Array.from(moved.subarray(3 * i, 3 * i + 3));
      if (is) expect(row.indexOf(Math.max(...row))).toBe(labels[i]);
    });
    await expect(certifyMargin(net, points)).rejects.toThrow(
      'certifyMargin: layer head1 (NtkLinear) is not known to be 1-Lipschitz',
    );
  },
);
