import { describe, expect, test } from 'vitest';
import { backward, NdArray, requireGrad, tensor, type Tensor } from 'evenkeel';
import { ABSTAIN, certifyMargin, Smooth } from 'evenkeel/certify';
import { linfMargin } from 'evenkeel/objectives';
import { Linear, linfDistConvNet, linfDistMlp, Sequential, sortNet, type LinfDistNet } from 'evenkeel/nn';
import { infDistanceBounds, lpDistance, sortDistance, sum } from 'evenkeel/ops';
import { hostNormal, key } from 'evenkeel/random';
import { certifiedRadius, clopperPearsonLower } from 'evenkeel/stats';
import { readAll, takeGrad } from '../support/check-op.ts';
import { certifyOne } from '../support/certify.ts';

const D = 9;
const T = Array.from(hostNormal(1, D, key(61)));

/** Distance of t from w, and its gradients. */
async function distance(
  t: readonly number[],
  p: number,
  w: readonly number[] = t.map(() => 0),
): Promise<{ y: number; dx: number[]; dw: number[] }> {
  const [y, dx, dw] = await readAll(() => {
    const [x, v] = [t, w].map((data) => requireGrad(tensor([...data], { shape: [1, data.length] }))) as [
      Tensor,
      Tensor,
    ];
    const value = lpDistance(x, v, null, { p });
    backward(sum(value));
    return [value, takeGrad(x), takeGrad(v)];
  });
  return { y: y![0]!, dx: Array.from(dx!), dw: Array.from(dw!) };
}
const near = (got: number, want: number, within = 2e-5): void =>
  expect(Math.abs(got - want), `${got} against ${want}`).toBeLessThanOrEqual(within * Math.max(1, Math.abs(want)));
const total = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0);

describe('l_p distances', () => {
  test('known values and gradients', async () => {
    for (const [p, want] of [
      [2, 2.4494897428],
      [8, 2.0019464817],
      [64, 2],
      [Infinity, 2],
    ] as const)
      near((await distance([1, 2, -1], p)).y, want, 1e-6);
    (await distance([1, 2, -1], 8)).dx.forEach((v, i) => near(v, [0.00775948, 0.99321376, -0.00775948][i]!, 2e-6));
    const even = await distance([0.5, 0.5, -0.5, 0.5], 8);
    near(even.y, 0.5946035575, 1e-6);
    even.dx.forEach((v) => near(Math.abs(v), 0.2973017788, 2e-6));
  });

  test.each([2, 8, 20])('p = %d: Euler, dual norm, sum of the gradient, its sign for the weight', async (p) => {
    const { y, dx, dw } = await distance(T, p);
    near(total(dx.map((g, i) => g * T[i]!)), y);
    near(total(dx.map((g) => Math.abs(g) ** (p / (p - 1)))), 1);
    expect(total(dx.map(Math.abs))).toBeLessThanOrEqual(D ** (1 / p) * (1 + 1e-5));
    dw.forEach((g, i) => near(g, -dx[i]!, 1e-6));
  });

  test('translation, scaling, falling in p between the largest term and d^(1/p) times it', async () => {
    const largest = Math.max(...T.map(Math.abs));
    let last = Infinity;
    for (const p of [2, 8, 20, 64, 1000, Infinity]) {
      const { y } = await distance(T, p);
      near(
        (
          await distance(
            T.map((v) => v + 3),
            p,
            T.map(() => 3),
          )
        ).y,
        y,
        1e-5,
      );
      near(
        (
          await distance(
            T.map((v) => -2 * v),
            p,
          )
        ).y,
        2 * y,
        1e-5,
      );
      expect(y).toBeLessThanOrEqual(last * (1 + 1e-4));
      expect(y).toBeGreaterThanOrEqual(largest * (1 - 1e-4));
      expect(y).toBeLessThanOrEqual(largest * D ** (1 / p) * (1 + 1e-4));
      last = y;
    }
  });

  test('5120 terms at p = 1000: within 0.9 % of the largest, and d^(1/p) times it where all are equal', async () => {
    const wide = Array.from(hostNormal(1, 5120, key(66)));
    const largest = Math.max(...wide.map(Math.abs));
    const { y, dx } = await distance(wide, 1000);
    expect(y / largest).toBeGreaterThanOrEqual(1 - 1e-5);
    expect(y / largest).toBeLessThan(1.009);
    expect(total(dx.map(Math.abs))).toBeLessThanOrEqual(5120 ** (1 / 1000) * (1 + 1e-3));
    near(
      (
        await distance(
          wide.map((v) => 0.25 * Math.sign(v)),
          1000,
        )
      ).y,
      0.25 * 5120 ** (1 / 1000),
      1e-5,
    );
  });

  test.each([2, 8, 20, Infinity])(
    'p = %d: gradients are central differences where the largest term is alone',
    async (p) => {
      const { dx, dw } = await distance(T, p);
      const h = 2 ** -8;
      for (const [i] of T.entries()) {
        const at = async (by: number): Promise<number> =>
          (
            await distance(
              T.map((v, k) => (k === i ? v + by : v)),
              p,
            )
          ).y;
        const slope = ((await at(h)) - (await at(-h))) / (2 * h);
        near(dx[i]!, slope, 1e-3);
        near(dw[i]!, -slope, 1e-3);
      }
    },
  );

  test('at infinity the gradient has one entry of size 1; at p = 1000 nearly, where the largest is alone', async () => {
    const top = T.map(Math.abs).indexOf(Math.max(...T.map(Math.abs)));
    const unit = T.map((v, i) => (i === top ? Math.sign(v) : 0));
    expect((await distance(T, Infinity)).dx).toEqual(unit);
    (await distance(T, 1000)).dx.forEach((g, i) => near(g, unit[i]!, 1e-3));
  });

  test('bounds of a box of +-eps are y + eps and max(0, y - eps); equal terms are their own sorted mean', async () => {
    for (const eps of [0.1, 5]) {
      const [y, lower, upper, sorted] = await readAll(() => {
        const at = (by: number): Tensor =>
          tensor(
            T.map((v) => v + by),
            { shape: [1, D] },
          );
        const w = tensor(new Float32Array(D), { shape: [1, D] });
        const bounds = infDistanceBounds(at(-eps), at(eps), w);
        return [
          lpDistance(at(0), w, null, { p: Infinity }),
          bounds.lower,
          bounds.upper,
          sortDistance(
            tensor(
              T.map((v) => 0.7 * Math.sign(v)),
              { shape: [1, D] },
            ),
            w,
            { keep: 0.6, terms: 5 },
          ),
        ];
      });
      near(upper![0]!, y![0]! + eps, 1e-6);
      near(lower![0]!, Math.max(0, y![0]! - eps), 1e-6);
      near(sorted![0]!, 0.7, 1e-6);
    }
  });
});

test(
  'a hidden unit twice changes nothing at infinity, and something at p = 8; its order changes nothing at ' + 'either',
  async () => {
    const [w1, w2] = [hostNormal(4, 6, key(62)), hostNormal(3, 4, key(63))];
    const x = new NdArray(hostNormal(10, 6, key(64)), [10, 6]);
    const run = async (units: readonly number[], p: number): Promise<Float32Array> => {
      using net = linfDistMlp([6, units.length, 3], { p }).init({ seed: 0 });
      const state = await net.stateDict();
      units.forEach((from, to) => {
        (state.get('dist1.weight')!.data as Float32Array).set(w1.subarray(6 * from, 6 * from + 6), 6 * to);
        for (let o = 0; o < 3; o++) state.get('dist2.weight')!.data[units.length * o + to] = w2[4 * o + from]!;
      });
      net.loadStateDict(state);
      return (await net.logits(x)).data as Float32Array;
    };
    for (const p of [8, Infinity]) {
      const plain = await run([0, 1, 2, 3], p);
      const moved = await run([2, 0, 3, 1], p);
      const twice = await run([0, 1, 2, 3, 0, 1, 2, 3], p);
      moved.forEach((v, i) => near(v, plain[i]!, 1e-5));
      if (p === Infinity) expect(twice).toEqual(plain);
      else expect(Math.max(...twice.map((v, i) => Math.abs(v - plain[i]!)))).toBeGreaterThan(0.01);
    }
  },
);

describe.each([1e-3, 1, 30, 1e3])('weights of size %d', (scale) => {
  const nets: [string, () => LinfDistNet, number[]][] = [
    ['linfDistMlp', () => linfDistMlp([16, 24, 24, 5]), [16]],
    ['sortNet', () => sortNet([16, 24, 24, 5], { keep: 0.6, terms: 6 }), [16]],
    [
      'linfDistConvNet',
      () => linfDistConvNet([1, 4, 4], { channels: [{ out: 4 }, { out: 6, stride: 2 }], hidden: [7], numClasses: 5 }),
      [1, 4, 4],
    ],
  ];
  test.each(nets)(
    'outputs of %s are 1-Lipschitz in evaluation, with means and a bias; certified corners keep their class',
    async (_, make, shape) => {
      using net = make().init({ seed: 8 });
      const state = await net.stateDict();
      for (const [name, { data }] of state) {
        const values = hostNormal(1, data.length, key(67));
        if (!name.endsWith('scale')) (data as Float32Array).set(values.map((v) => v * scale));
      }
      net.loadStateDict(state);
      const x = hostNormal(40, 16, key(68));
      const a = (await net.logits(new NdArray(x, [40, ...shape]))).data;
      const largest = Math.max(scale, ...a.map(Math.abs));
      for (const eps of [1e-3, 0.1, 10]) {
        const noise = hostNormal(40, 16, key(69));
        const b = (
          await net.logits(
            new NdArray(
              x.map((v, i) => Math.fround(v + eps * Math.sign(noise[i]!))),
              [40, ...shape],
            ),
          )
        ).data;
        // A few roundings in each layer of numbers up to some times the weights.
        a.forEach((v, i) => expect(Math.abs(v - b[i]!)).toBeLessThanOrEqual(eps + 40 * 2 ** -23 * 4 * largest));
        expect(Math.max(...a.map((v, i) => Math.abs(v - b[i]!)))).toBeGreaterThan(0);
      }
      const { labels, radii } = await certifyMargin(net, new NdArray(x, [40, ...shape]));
      for (let t = 0; t < 6; t++) {
        const noise = hostNormal(40, 16, key(70 + t));
        const near = x.map((v, i) => Math.fround(v + 0.999 * radii[Math.floor(i / 16)]! * Math.sign(noise[i]!)));
        const after = (await net.logits(new NdArray(near, [40, ...shape]))).data;
        radii.forEach((r, i) => {
          const row = Array.from(after.subarray(5 * i, 5 * i + 5));
          if (r > 0) expect(row.indexOf(Math.max(...row))).toBe(labels[i]);
        });
      }
      expect(radii.filter((r) => r > 0).length).toBeGreaterThan(20);
    },
  );
});

test('radii are those of the outputs, whatever bias all classes share', async () => {
  using net = linfDistMlp([6, 8, 3]).init({ seed: 5 });
  const x = new NdArray(hostNormal(10, 6, key(65)), [10, 6]);
  const { labels, radii } = await certifyMargin(net, x);
  net.parameters.get('bias.bias')!.write([0.5, 0.5, 0.5]);
  const moved = await certifyMargin(net, x);
  expect(moved.labels).toEqual(labels);
  moved.radii.forEach((r, i) => near(r, radii[i]!, 1e-5));
});

test(
  'clipped hinge: 0 only where every margin reaches 2 eps; no ' + 'gradient where a sample is misclassified',
  async () => {
    const loss = linfMargin({ epsTrain: 0.2, lambda: 0 });
    const at = async (margins: readonly number[]): Promise<{ value: number; slope: number[] }> => {
      const [value, slope] = await readAll(() => {
        const g = requireGrad(
          tensor(
            margins.flatMap((m) => [m, 0, -3]),
            { shape: [margins.length, 3] },
          ),
        );
        const v = loss(
          g,
          margins.map(() => 0),
        );
        backward(v);
        return [v, takeGrad(g)];
      });
      return { value: value![0]!, slope: Array.from(slope!) };
    };
    expect((await at([0.41, 2])).value).toBe(0);
    expect((await at([0.39, 2])).value).toBeGreaterThan(0);
    const { value, slope } = await at([-0.1, 0.2]);
    near(value, (1 + 0.5) / 2, 1e-6);
    slope.slice(0, 3).forEach((v) => expect(Math.abs(v)).toBe(0));
    expect(slope[3]).toBeLessThan(0);
    loss.dispose();
  },
);

describe('smoothing', () => {
  /** Ten classes whose logits are rows of `w` times x, plus a bias. */
  async function certified(w: Float32Array, bias: Float32Array, sigma: number, points: readonly number[][]) {
    using model = Sequential(Linear(20, 10)).init();
    model.parameters.get('0.weight')!.write(w);
    model.parameters.get('0.bias')!.write(bias);
    using smooth = new Smooth(model, { numClasses: 10, sigma, seed: 71 });
    const found = [];
    for (const [i, p] of points.entries())
      found.push(await certifyOne(smooth, new NdArray(Float32Array.from(p), [20]), { n: 1000, index: i }));
    return found;
  }
  const points = [0, 0.5, 40].map((v) => Array.from({ length: 20 }, (_, i) => v * Math.sin(i)));

  test('a constant classifier has the largest radius everywhere, times sigma', async () => {
    for (const sigma of [0.25, 2]) {
      const bias = new Float32Array(10).fill(1, 3, 4);
      for (const { label, radius } of await certified(new Float32Array(200), bias, sigma, points)) {
        expect([label, radius]).toEqual([3, certifiedRadius(clopperPearsonLower(1000, 1000, 0.001), sigma)]);
      }
    }
  });

  test(
    'a point where no class has more than half abstains; renamed classes have the same radii; a scale of x and ' +
      'sigma scales them',
    async () => {
      const w = hostNormal(10, 20, key(72));
      const none = new Float32Array(10);
      const [origin, ...rest] = await certified(
        w,
        none,
        1,
        [points[0]!, w.subarray(0, 20), w.subarray(20, 40)].map((v) => Array.from(v)),
      );
      expect([origin!.label, origin!.radius]).toEqual([ABSTAIN, 0]);
      const at = [w.subarray(0, 20), w.subarray(20, 40)].map((v) => Array.from(v));
      const renamed = new Float32Array(200);
      for (let c = 0; c < 10; c++) renamed.set(w.subarray(20 * c, 20 * c + 20), 20 * ((c + 3) % 10));
      const plain = await certified(w, none, 1, at);
      expect(rest.map((r) => r.label)).toEqual(plain.map((r) => r.label));
      (await certified(renamed, none, 1, at)).forEach((r, i) =>
        expect([r.label, r.radius]).toEqual([(plain[i]!.label + 3) % 10, plain[i]!.radius]),
      );
      (
        await certified(
          w,
          none,
          2,
          at.map((v) => v.map((e) => 2 * e)),
        )
      ).forEach((r, i) => expect([r.label, r.radius]).toEqual([plain[i]!.label, 2 * plain[i]!.radius]));
      expect(plain.every((r) => r.radius > 0)).toBe(true);
    },
  );
});
