import { expect, test } from 'vitest';
import { NdArray } from 'evenkeel';
import { certifyMargin } from 'evenkeel/certify';
import { Linear, linfDistMlp, LinfDistNet, DistancePower, type ParameterValues } from 'evenkeel/nn';
import { hostNormal, hostUniform, key } from 'evenkeel/random';

/** Outputs of a net 12-20-20-5 in f64. */
function exact(state: ReadonlyMap<string, ParameterValues>, x: ArrayLike<number>): number[] {
  let y = Array.from(x);
  for (let i = 1; i <= 3; i++) {
    const w = state.get(`dist${i}.weight`)!;
    const shift = i < 3 ? state.get(`shift${i}.running_mean`)!.data : state.get('bias.bias')!.data.map((b) => -b);
    y = Array.from(
      { length: w.shape[0]! },
      (_, o) => y.reduce((m, v, k) => Math.max(m, Math.abs(v - w.data[o * y.length + k]!)), 0) - shift[o]!,
    );
  }
  return y.map((v) => -v);
}

const margin = (g: number[], label: number): number => g[label]! - Math.max(...g.filter((_, j) => j !== label));

// Large weights with means that cancel them make rounding as large as the margins.
test.each([1, 10, 1e3, 1e5])('radii hold in f64 and on the device at weights of size %d', async (scale) => {
  for (let seed = 0; seed < 4; seed++) {
    using net = linfDistMlp([12, 20, 20, 5]).init({ seed });
    const state = await net.stateDict();
    for (const [name, { data }] of state) if (name.endsWith('weight')) data.forEach((v, i) => (data[i] = v * scale));
    for (const i of [1, 2]) state.get(`shift${i}.running_mean`)!.data.fill(scale * 2.5);
    net.loadStateDict(state);
    const x = hostUniform(50, 12, key(seed + 10));
    const { labels, radii } = await certifyMargin(net, new NdArray(x, [50, 12]));
    const noise = hostNormal(50, 12, key(seed + 20));
    const near = x.map((v, i) => Math.fround(v + 0.999 * radii[Math.floor(i / 12)]! * Math.sign(noise[i]!)));
    const after = (await net.logits(new NdArray(near, [50, 12]))).data;
    radii.forEach((r, i) => {
      const m = margin(exact(state, x.subarray(12 * i, 12 * i + 12)), labels[i]!);
      expect(r).toBeLessThanOrEqual(Math.max(0, m / 2));
      const moved = Math.max(...Array.from({ length: 12 }, (_, k) => Math.abs(near[12 * i + k]! - x[12 * i + k]!)));
      if (r > 0 && moved < r)
        expect(margin(Array.from(after.subarray(5 * i, 5 * i + 5)), labels[i]!)).toBeGreaterThanOrEqual(0);
      // The slack stays small: two roundings in each of six layers, of numbers up to some 30 scale.
      expect(r).toBeGreaterThanOrEqual(m / 2 - 12 * 2 ** -23 * 30 * scale - 1e-5);
    });
  }
});

test('a layer that is not 1-Lipschitz is refused', async () => {
  using net = new LinfDistNet({ a: Linear(2, 2) }, new DistancePower()).init();
  await expect(certifyMargin(net, new NdArray(new Float32Array(2), [1, 2]))).rejects.toThrow(
    'certifyMargin: layer a (Linear) is not known to be 1-Lipschitz',
  );
});

test.each([NaN, Infinity, -Infinity])('an input of %d is refused', async (v) => {
  using net = linfDistMlp([2, 2]).init();
  await expect(certifyMargin(net, new NdArray(Float32Array.of(0, 0, 0, v), [2, 2]))).rejects.toThrow(
    `certifyMargin: x is ${v} in row 1, outside the finite numbers`,
  );
});

test('training at an infinity that nobody set is refused', () => {
  using net = linfDistMlp([2, 2]).init();
  expect(() => net.power.operand(net.arena.values.gpu, { training: true })).toThrow(
    'DistancePower: p is Infinity in training, expected a finite p and linfSchedule(), or power.set(Infinity) before',
  );
});
