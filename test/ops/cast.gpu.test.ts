import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { cast, mul, reshape, sum } from 'evenkeel/ops';
import type { DType } from '../../src/tensor/dtype.ts';
import { cast as reference, half } from '../reference/cast.ts';
import { poison, readAll, takeGrad } from '../support/check-op.ts';
import { testRandom } from '../support/fuzz.ts';

const DTYPES = ['f32', 'i32', 'u32', 'bool', 'f16'] as const;
const VALUES: Record<DType, number[]> = {
  f32: [0, 1, -1, 0.5, -0.5, 2.75, -2.75, 65504, 70000, -1e9, 3e9, 1e-7, 5e-8, 1e38],
  i32: [0, 1, -1, 2049, -2049, 2147483647, -2147483648],
  u32: [0, 1, 2049, 2147483648, 4294967295],
  bool: [0, 1, 1, 0, 1],
  f16: [0, 1, -1, 0.5, -2.75, 65504, 6e-8, -6.1e-5, 1000],
};

describe.each(DTYPES)('from %s', (from) => {
  test.each(DTYPES)('to %s', async (to) => {
    const values = VALUES[from];
    const stored = from === 'f16' ? values.map(half) : from === 'f32' ? values.map(Math.fround) : values;
    const kept = scope(() => cast(tensor(values, { dtype: from }) as Tensor<DType>, to));
    const got = Array.from(await kept.read());
    expect(kept.dtype).toBe(to);
    kept.dispose();
    expect(got).toEqual(stored.map((v) => (from === to ? v : reference(v, from, to))).map((v) => (v === 0 ? 0 : v)));
  });
});

/** Every half, and around every half the f32 values that lie at, just below and just above the middle to the next. */
function halves(): Float32Array {
  const out: number[] = [];
  for (let h = 0; h < 0x7c00; h += 7) {
    const [a, b] = [h, h + 1].map((bits) =>
      bits >>> 10 ? (1 + (bits & 1023) / 1024) * 2 ** ((bits >>> 10) - 15) : (bits & 1023) * 2 ** -24,
    ) as [number, number];
    const middle = Math.fround((a + b) / 2);
    for (const v of [a, middle, middle * (1 - 2 ** -22), middle * (1 + 2 ** -22)]) out.push(v, -v);
  }
  return Float32Array.from(out);
}

test('halves round to nearest, ties to even, on the device and on the host alike', async () => {
  const x = halves();
  const want = Array.from(x, (v) => half(v) + 0);
  const [device, host] = await readAll(() => [
    cast(cast(tensor(x), 'f16'), 'f32'),
    cast(tensor(x, { dtype: 'f16' }), 'f32'),
  ]);
  expect(Array.from(device!, (v) => v + 0)).toEqual(want);
  expect(Array.from(host!, (v) => v + 0)).toEqual(want);
});

test('infinities and NaN survive the way to f16 and back', async () => {
  const bits = (v: Float32Array): number[] => Array.from(new Uint32Array(v.buffer));
  const [got] = await readAll(() => [cast(cast(tensor([Infinity, -Infinity, NaN]), 'f16'), 'f32')]);
  expect(bits(got!).slice(0, 2)).toEqual([0x7f800000, 0xff800000]);
  expect(Number.isNaN(got![2]!)).toBe(true);
});

test.each([[[0]], [[1]], [[31]], [[33, 3]], [[257]], [[5, 0, 2]], [[65537, 65]]])(
  'shape %j, odd counts of halves included',
  async (shape) => {
    const random = testRandom(3);
    const x = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (random(4096) - 2048) / 16);
    poison([x.byteLength, x.byteLength / 2]);
    const kept = scope(() => cast(tensor(x, { shape }), 'f16'));
    expect(kept.byteLength).toBe(Math.ceil(x.length / 2) * 4);
    expect(kept.shape).toEqual(shape);
    const got = await kept.read();
    kept.dispose();
    expect(got.findIndex((v, i) => v !== half(x[i]!))).toBe(-1);
  },
);

test('the gradient passes through f16 unchanged and stops at integers', async () => {
  const [g] = await readAll(() => {
    const x = requireGrad(tensor([1.0001, 2, 3]));
    backward(sum(mul(cast(reshape(cast(x, 'f16'), [3, 1]), 'f32'), tensor([[4], [5], [6]].flat(), { shape: [3, 1] }))));
    return [takeGrad(x)];
  });
  expect(Array.from(g!)).toEqual([4, 5, 6]);
  scope(() => expect(cast(cast(requireGrad(tensor([1])), 'i32'), 'f32').tracksGrad).toBe(false));
});
