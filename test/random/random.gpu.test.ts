import { describe, expect, test } from 'vitest';
import { backward, capture, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { mul, sum } from 'evenkeel/ops';
import {
  addNormal,
  bernoulli,
  bits,
  exponential,
  gumbel,
  hostBernoulli,
  hostExponential,
  hostGumbel,
  hostNormal,
  hostRandint,
  hostUniform,
  key,
  normal,
  philox,
  randint,
  uniform,
} from 'evenkeel/random';
import { expectSameBits, poison, readAll, takeGrad } from '../support/check-op.ts';
import { expectTwin } from '../support/twin.ts';

const k = key(7);
const start = (first: number, stream = 0): Tensor<'u32'> => tensor([first, stream], { dtype: 'u32' });

const shapes = [[1], [3], [4], [5, 7], [2, 3, 3], [257, 1], [3, 1025], [0, 4], [4, 0]];
const sizeOf = (shape: number[]): number => shape.slice(1).reduce((n, d) => n * d, 1);

describe('bit by bit as the host twin', () => {
  test.each(shapes)('normal of [%j]', async (...shape) => {
    poison([shape[0]! * sizeOf(shape) * 4]);
    const [y] = await readAll(() => [normal(shape, k, { mean: 0.25, std: 3, stream: 5 })]);
    expectTwin(y!, hostNormal(shape[0]!, sizeOf(shape), k, { mean: 0.25, std: 3, stream: 5 }), 'normals');
  });
  test.each(shapes)('uniform of [%j]', async (...shape) => {
    const [y] = await readAll(() => [uniform(shape, k, { low: -2, high: 1 })]);
    expectSameBits(y!, hostUniform(shape[0]!, sizeOf(shape), k, { low: -2, high: 1 }), 'uniforms');
  });
  test('bits: words of philox at (block, item, stream, 0)', async () => {
    const [y] = await readAll(() => [bits([3, 6], k, { stream: 2, first: start(10, 4) })]);
    const want = [0, 1, 2].flatMap((n) => [0, 1].flatMap((b) => philox([b, 10 + n, 6, 0], k)).slice(0, 6));
    expect(Array.from(y!)).toEqual(want);
  });
  test('200,000 normals', async () => {
    const [y] = await readAll(() => [normal([1, 200_000], k)]);
    expectTwin(y!, hostNormal(1, 200_000, k), 'normals');
  });
});

describe.each(shapes)('[%j]', (...shape) => {
  const [count, size] = [shape[0]!, sizeOf(shape)];
  test('bernoulli, exponential, gumbel and randint are their twins bit by bit', async () => {
    const [b, e, g, r, wide] = await readAll(() => [
      bernoulli(shape, k, { p: 0.3, stream: 3 }),
      exponential(shape, k, { rate: 3 }),
      gumbel(shape, k, { loc: 1, scale: 0.3 }),
      randint(shape, k, { low: -2, high: 7 }),
      randint(shape, k, { low: -(2 ** 30), high: 2 ** 31 }),
    ]);
    expectSameBits(b!, hostBernoulli(count, size, k, { p: 0.3, stream: 3 }), 'bernoulli');
    expectTwin(e!, hostExponential(count, size, k, { rate: 3 }), 'exponential');
    expectTwin(g!, hostGumbel(count, size, k, { loc: 1, scale: 0.3 }), 'gumbel');
    expect(Array.from(r!)).toEqual(Array.from(hostRandint(count, size, k, { low: -2, high: 7 })));
    expect(Array.from(wide!)).toEqual(Array.from(hostRandint(count, size, k, { low: -(2 ** 30), high: 2 ** 31 })));
  });
  test('bernoulli with a probability for each element, and as bool', async () => {
    const p = Float32Array.from({ length: count * size }, (_, i) => ((i % 7) - 1) / 5);
    const [f32, bool] = await readAll(() => [
      bernoulli(shape, k, { p: tensor(p, { shape }) }),
      bernoulli(shape, k, { p: tensor(p, { shape }), dtype: 'bool' }),
    ]);
    expectSameBits(f32!, hostBernoulli(count, size, k, { p }), 'bernoulli');
    expect(bool).toBeInstanceOf(Uint8Array);
    expect(Array.from(bool!)).toEqual(Array.from(f32!));
  });
});

test('the whole range of integers', async () => {
  const [y] = await readAll(() => [randint([1000], k, { low: -(2 ** 31), high: 2 ** 31 })]);
  expect(Array.from(y!)).toEqual(Array.from(hostRandint(1000, 1, k, { low: -(2 ** 31), high: 2 ** 31 })));
});

test('100,000 of each, as a row', async () => {
  const n = 100_000;
  const [e, g] = await readAll(() => [exponential([1, n], k), gumbel([1, n], k)]);
  expectTwin(e!, hostExponential(1, n, k), 'exponential');
  expectTwin(g!, hostGumbel(1, n, k), 'gumbel');
});

test('a batch split in two gives the same numbers', async () => {
  const [whole, a, b] = await readAll(() => [
    normal([10, 9], k),
    normal([4, 9], k),
    normal([6, 9], k, { first: start(4) }),
  ]);
  expect([...a!, ...b!]).toEqual([...whole!]);
});

test('streams, keys and the stream on the device are separate', async () => {
  const draws = await readAll(() => [
    normal([1, 64], k),
    normal([1, 64], k, { stream: 1 }),
    normal([1, 64], key(8)),
    normal([1, 64], k, { first: start(0, 2) }),
    normal([1, 64], k, { stream: 1, first: start(0, 1) }),
  ]);
  const texts = draws.map((d) => d.join());
  expect(new Set(texts).size).toBe(4);
  // Stream 1 plus 1 on the device is stream 2.
  expect(texts[4]).toBe(texts[3]);
});

test('a captured step draws anew when its counter moves', async () => {
  const first = start(0);
  const step = capture(() => [
    normal([2, 5], k, { first }),
    bernoulli([2, 5], k, { first }),
    randint([2, 5], k, { first, high: 9 }),
    exponential([2, 5], k, { first }),
  ]);
  const runs: number[][][] = [];
  for (const at of [0, 2]) {
    first.write([at, 0]);
    runs.push(await Promise.all(step.run().map(async (t) => Array.from(await t.read()))));
  }
  const twins = [
    hostNormal(4, 5, k),
    hostBernoulli(4, 5, k),
    hostRandint(4, 5, k, { high: 9 }),
    hostExponential(4, 5, k),
  ];
  twins.forEach((twin, i) =>
    expectTwin(Float32Array.from(runs.flatMap((run) => run[i]!)), Float32Array.from(twin), `draw ${i}`),
  );
  for (const t of [step, first]) t.dispose();
});

describe('addNormal', () => {
  const x = Float32Array.from({ length: 10 }, (_, i) => i - 4.5);
  test('x plus std z', async () => {
    const [y] = await readAll(() => [addNormal(tensor(x, { shape: [2, 5] }), k, { std: 0.5 })]);
    const z = hostNormal(2, 5, k);
    expectTwin(
      y!,
      x.map((v, i) => v + Math.fround(0.5 * z[i]!)),
      'noisy',
    );
  });
  test('std 0 leaves x as it is', async () => {
    const [y] = await readAll(() => [addNormal(tensor(x, { shape: [2, 5] }), k, { std: 0 })]);
    expectSameBits(y!, x, 'same');
  });
  test('count: copy n of item n % items, each with noise of its own; first goes on', async () => {
    const [y, rest] = await readAll(() => {
      const t = tensor(x, { shape: [2, 5] });
      return [addNormal(t, k, { std: 1, count: 7 }), addNormal(t, k, { std: 1, count: 3, first: start(4) })];
    });
    const z = hostNormal(7, 5, k);
    expectTwin(
      y!,
      Float32Array.from(z, (v, i) => x[i % 10]! + v),
      'copies',
    );
    expectSameBits(rest!, y!.slice(20), 'the last three copies');
  });
  test('the gradient passes through', async () => {
    const [g] = await readAll(() => {
      const t = requireGrad(tensor(x, { shape: [2, 5] }));
      backward(sum(mul(addNormal(t, k, { std: 1 }), 3)));
      return [takeGrad(t)];
    });
    expect(Array.from(g!)).toEqual(new Array(10).fill(3));
  });
  test('errors', () => {
    scope(() => {
      const t = tensor(x, { shape: [2, 5] });
      expect(() => addNormal(t, k, { std: -1 })).toThrow('addNormal: std is -1, expected a finite number >= 0');
      expect(() => addNormal(t, k, { std: NaN })).toThrow('addNormal: std is NaN, expected a finite number >= 0');
      expect(() => addNormal(tensor([], { shape: [0, 5] }), k, { std: 1 })).toThrow(
        'addNormal: x has shape [0,5], expected (items, ...) with at least one item',
      );
      expect(() => addNormal(tensor([1], { dtype: 'i32' }) as unknown as Tensor, k, { std: 1 })).toThrow(
        'addNormal: x is i32, expected f32',
      );
    });
  });
});

test('errors', () => {
  scope(() => {
    expect(() => normal([2], k, { std: -1 })).toThrow('normal: std is -1, expected a finite number >= 0');
    expect(() => normal([2], k, { mean: Infinity })).toThrow('normal: mean is Infinity, expected a finite number');
    expect(() => normal([2], k, { stream: -1 })).toThrow(
      'normal: stream is -1, expected an integer from 0 to 2^32 - 1',
    );
    expect(() => uniform([2], k, { low: 1, high: 0 })).toThrow(
      'uniform: high is 0, expected a finite number of at least low, 1',
    );
    expect(() => uniform([2], k, { low: NaN })).toThrow('uniform: low is NaN, expected a finite number');
    expect(() => bernoulli([2], k, { p: 1.5 })).toThrow('bernoulli: p is 1.5, expected a number from 0 to 1');
    expect(() => bernoulli([2], k, { p: NaN })).toThrow('bernoulli: p is NaN, expected a number from 0 to 1');
    expect(() => bernoulli([2], k, { p: tensor([0.5]) })).toThrow(
      'bernoulli: p has shape [1], expected that of the draw [2]',
    );
    expect(() => bernoulli([1], k, { p: tensor([1], { dtype: 'i32' }) as unknown as Tensor })).toThrow(
      'bernoulli: p is i32, expected f32',
    );
    expect(() => randint([2], k, { high: 0 })).toThrow(
      'randint: high is 0, expected an integer above low, 0, and at most 2^31',
    );
    expect(() => randint([2], k, { low: 0.5, high: 2 })).toThrow('randint: low is 0.5, expected an integer of 32 bits');
    expect(() => exponential([2], k, { rate: 0 })).toThrow('exponential: rate is 0, expected a finite number > 0');
    expect(() => gumbel([2], k, { scale: -1 })).toThrow('gumbel: scale is -1, expected a finite number > 0');
    expect(() => gumbel([2], k, { loc: NaN })).toThrow('gumbel: loc is NaN, expected a finite number');
  });
});
