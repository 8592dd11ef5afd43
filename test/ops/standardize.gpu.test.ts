import { describe, expect, test } from 'vitest';
import { backward, grad, noGrad, requireGrad, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { add, batchNorm, groupNorm, instanceNorm, layerNorm, mul, sum } from 'evenkeel/ops';
import { build, count, type Dense } from '../reference/dense.ts';
import * as reference from '../reference/standardize.ts';
import { checkOp, expectWithin, readAll, takeGrad, upload } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { launchesOf } from '../support/launches.ts';
import { expectSameBits } from '../support/same-bits.ts';
import { sample } from '../support/sample.ts';
import { U, type Tolerance } from '../support/tolerance.ts';
import { asTuned } from '../support/tuning.ts';

/**
 * Longest chain of additions over n elements: 256 in fours, then the parts; 40 more for the operations of an element.
 */
const within =
  (n: number): Tolerance =>
  ({ sum: s }) =>
    (Math.min(n, 256) + Math.min(256, n / 256) + 40) * U * s + 2 ** -126;

const spread = (shape: readonly number[], seed = 1): Dense => sample(shape, { seed, low: -2, high: 3 });

function check(
  x: Dense,
  affine: readonly number[] | null,
  sets: reference.Sets,
  options: reference.Standardization,
  n: number,
  run: (x: Tensor, gamma: Tensor | null, beta: Tensor | null) => Tensor,
): Promise<void> {
  const inputs = affine
    ? [x, sample(affine, { seed: 2, low: 0.3, high: 2 }), sample(affine, { seed: 3, low: -1, high: 1 })]
    : [x];
  return checkOp({
    inputs,
    run: (t, gamma = null as never, beta = null as never) => run(t, gamma, beta),
    reference: (t, gamma, beta) => reference.standardize(t, gamma ?? null, beta ?? null, sets, options),
    gradient: (dy, t, gamma, beta) =>
      reference.standardizeGradient(dy, t, gamma ?? null, beta ?? null, sets, options).slice(0, inputs.length),
    tolerance: within(n),
    gradientTolerance: [within(n), within(x.data.length), within(x.data.length)],
  });
}

const shapes = [
  [0, 3],
  [2, 1],
  [2, 3],
  [17, 5],
  [31, 33],
  [257, 3],
  [3, 4, 5, 4],
  [2, 3, 3, 3],
  [5, 2, 31],
  [7, 1, 1, 2],
  [3, 257, 2, 1],
];

describe('batchNorm', () => {
  test.each(shapes)('training, [%s, %s, %s, %s]', async (...dims) => {
    const shape = dims.filter((d) => d !== undefined) as number[];
    const [x, sets] = [spread(shape), reference.byChannel(shape)];
    const n = x.data.length / (shape[1] || 1);
    await check(x, [shape[1]!], sets, { eps: 1e-5 }, n, (t, w, b) => batchNorm(t, w, b, { training: true }));
    await check(x, null, sets, { eps: 0.1 }, n, (t) => batchNorm(t, null, null, { training: true, eps: 0.1 }));
    await check(x, [shape[1]!], sets, { eps: 1e-3, relu: true }, n, (t, w, b) =>
      batchNorm(t, w, b, { training: true, eps: 1e-3, activation: 'relu' }),
    );
  });

  test.each([...shapes, [1, 7]])('evaluation, [%s, %s, %s, %s]', async (...dims) => {
    const shape = dims.filter((d) => d !== undefined) as number[];
    const channels = shape[1]!;
    const given = {
      mean: sample([channels], { seed: 4 }),
      variance: sample([channels], { seed: 5, low: 0.1, high: 3 }),
    };
    const running = () => ({
      mean: upload(given.mean),
      variance: upload(given.variance),
      batches: zeros([], { dtype: 'i32' as const }),
    });
    for (const relu of [false, true]) {
      await check(spread(shape), [channels], reference.byChannel(shape), { eps: 1e-5, given, relu }, 8, (t, w, b) =>
        batchNorm(t, w, b, { running: running(), activation: relu ? 'relu' : 'none' }),
      );
    }
  });

  test('more rows than one grid holds, and many parts', async () => {
    // 65,537 x 257 elements in fours pass the 65,535 workgroups of a dimension.
    const [rows, columns] = [65_537, 257];
    const [y, z] = await readAll(() => {
      const x = tensor(
        Float32Array.from({ length: rows * columns }, (_, i) => ((i * 7919) % 1021) / 1021),
        { shape: [rows, columns] },
      );
      return [batchNorm(x, null, null, { training: true }), layerNorm(x)];
    });
    for (const [v, at] of [
      [y!, (k: number, c: number) => k * columns + c],
      [z!, (k: number, c: number) => c * columns + k],
    ] as const) {
      for (const c of [0, 100, 256]) {
        const n = v === y ? rows : columns;
        let [s, q] = [0, 0];
        for (let k = 0; k < n; k++) {
          s += v[at(k, c)]! / n;
          q += v[at(k, c)]! ** 2 / n;
        }
        expect(Math.abs(s)).toBeLessThan(1e-5);
        expect(Math.abs(q - 1)).toBeLessThan(2e-4);
      }
    }
  });

  test('a mean far from zero does not spoil the variance', async () => {
    const x = build([1024, 2], (i) => Math.fround(4096 + ((i * 37) % 101) / 64));
    const [y] = await readAll(() => [batchNorm(upload(x), null, null, { training: true })]);
    const want = reference.standardize(x, null, null, reference.byChannel(x.shape), { eps: 1e-5 });
    // The rounding of the mean alone: u 4096 / sigma. Sums of squares would lose every digit.
    expectWithin(y!, want, () => (8 * U * 4096) / 0.45, 'values');
  });

  test('running statistics follow PyTorch, with momentum and as the mean of all batches', async () => {
    const shape = [6, 3, 5];
    const start = { mean: [0.5, -1, 2], variance: [1, 2, 0.25] };
    for (const momentum of [0.1, 0.3, 1, null]) {
      const running = {
        mean: tensor(start.mean),
        variance: tensor(start.variance),
        batches: zeros([], { dtype: 'i32' as const }),
      };
      const want = { mean: [...start.mean], variance: [...start.variance] };
      for (let k = 1; k <= 3; k++) {
        const x = spread(shape, k);
        scope(() => void batchNorm(upload(x), null, null, { training: true, momentum, running }));
        const f = momentum ?? 1 / k;
        reference.moments(x, reference.byChannel(shape)).forEach(({ mean, variance, count: n }, c) => {
          want.mean[c] = (1 - f) * want.mean[c]! + f * mean;
          want.variance[c] = (1 - f) * want.variance[c]! + (f * variance * n) / (n - 1);
        });
      }
      for (const name of ['mean', 'variance'] as const)
        (await running[name].read()).forEach((v, c) => expect(v, name).toBeCloseTo(want[name][c]!, 5));
      expect(await running.batches.item()).toBe(3);
      for (const t of Object.values(running)) t.dispose();
    }
  });

  test('evaluation changes no statistics', async () => {
    const running = { mean: tensor([1, 2]), variance: tensor([3, 4]), batches: zeros([], { dtype: 'i32' as const }) };
    scope(() => void batchNorm(upload(spread([4, 2])), null, null, { running }));
    expect([...(await running.mean.read()), ...(await running.variance.read()), await running.batches.item()]).toEqual([
      1, 2, 3, 4, 0,
    ]);
    for (const t of Object.values(running)) t.dispose();
  });
});

test.each([
  { shape: [0, 3], axes: 1 },
  { shape: [3, 1], axes: 1 },
  { shape: [7, 17], axes: 1 },
  { shape: [2, 3, 7], axes: 1 },
  { shape: [2, 3, 4], axes: 2 },
  { shape: [33], axes: 1 },
  { shape: [31, 257], axes: 1 },
  { shape: [3, 1031], axes: 1 },
  { shape: [257, 2], axes: 1 },
])('layerNorm of [$shape] over the last $axes', async ({ shape, axes }) => {
  const last = shape.slice(-axes);
  const sets = reference.byRow(shape, axes);
  await check(spread(shape), last, sets, { eps: 1e-3 }, count(last), (x, w, b) => layerNorm(x, w, b, { eps: 1e-3 }));
  await check(spread(shape), null, sets, { eps: 1e-3 }, count(last), (x) =>
    layerNorm(x, null, null, { normalizedShape: last, eps: 1e-3 }),
  );
});

test.each([
  { shape: [0, 4, 3], groups: 2 },
  { shape: [2, 4, 3, 4], groups: 1 },
  { shape: [2, 4, 3, 4], groups: 2 },
  { shape: [2, 6, 3, 4], groups: 3 },
  { shape: [2, 4, 3, 4], groups: 4 },
  { shape: [5, 6], groups: 2 },
  { shape: [1, 3, 31], groups: 3 },
  { shape: [3, 33, 31], groups: 11 },
  { shape: [2, 2, 17, 33], groups: 2 },
])('groupNorm of [$shape] in $groups groups', ({ shape, groups }) =>
  check(
    spread(shape),
    [shape[1]!],
    reference.byGroup(shape, groups),
    { eps: 1e-5 },
    count(shape) / ((shape[0] || 1) * groups),
    (x, w, b) => groupNorm(x, groups, w, b),
  ),
);

test('instanceNorm is groupNorm with a group for each channel', async () => {
  const x = spread([2, 3, 4, 3]);
  const [a, b] = await readAll(() => [instanceNorm(upload(x)), groupNorm(upload(x), 3)]);
  expect(a).toEqual(b);
});

test('only a weight, or only a bias', async () => {
  const x = spread([4, 3]);
  const [a, b, c] = await readAll(() => {
    const [w, z] = [tensor([1, 2, 3]), tensor([0.5, 0, -1])];
    const options = { training: true };
    return [
      batchNorm(upload(x), w, null, options),
      batchNorm(upload(x), null, z, options),
      batchNorm(upload(x), w, z, options),
    ];
  });
  a!.forEach((v, i) => expect(v + [0.5, 0, -1][i % 3]!).toBeCloseTo(c![i]!, 5));
  b!.forEach((v, i) =>
    expect((v - [0.5, 0, -1][i % 3]!) * [1, 2, 3][i % 3]! + [0.5, 0, -1][i % 3]!).toBeCloseTo(c![i]!, 5),
  );
});

const twice: Record<
  string,
  {
    shape: number[];
    affine: number[];
    sets: reference.Sets;
    given?: boolean;
    relu?: boolean;
    run: (x: Tensor, w: Tensor, b: Tensor, g?: reference.Standardization['given']) => Tensor;
  }
> = {
  'batchNorm in training': {
    shape: [4, 3, 2],
    affine: [3],
    sets: reference.byChannel([4, 3, 2]),
    run: (x, w, b) => batchNorm(x, w, b, { training: true }),
  },
  'batchNorm and relu': {
    shape: [5, 3],
    affine: [3],
    sets: reference.byChannel([5, 3]),
    relu: true,
    run: (x, w, b) => batchNorm(x, w, b, { training: true, activation: 'relu' }),
  },
  'batchNorm in evaluation': {
    shape: [4, 3],
    affine: [3],
    sets: reference.byChannel([4, 3]),
    given: true,
    run: (x, w, b, g) =>
      batchNorm(x, w, b, {
        running: { mean: upload(g!.mean), variance: upload(g!.variance), batches: zeros([], { dtype: 'i32' }) },
      }),
  },
  layerNorm: { shape: [3, 5], affine: [5], sets: reference.byRow([3, 5], 1), run: (x, w, b) => layerNorm(x, w, b) },
  groupNorm: {
    shape: [2, 4, 3],
    affine: [4],
    sets: reference.byGroup([2, 4, 3], 2),
    run: (x, w, b) => groupNorm(x, 2, w, b),
  },
};

test.each(Object.keys(twice))('the gradient of the gradient: %s', async (name) => {
  const { shape, affine, sets, given, relu, run } = twice[name]!;
  const inputs = [
    spread(shape),
    sample(affine, { seed: 2, low: 0.5, high: 2 }),
    sample(affine, { seed: 3, low: -1, high: 1 }),
  ] as const;
  const options = {
    eps: 1e-5,
    relu: relu ?? false,
    ...(given
      ? { given: { mean: sample(affine, { seed: 6 }), variance: sample(affine, { seed: 7, low: 0.5, high: 2 }) } }
      : {}),
  };
  const dy = sample(shape, { seed: 8 });
  const directions = inputs.map((t, k) => sample(t.shape, { seed: 9 + k }));
  // d/dt of the gradient along the direction, by central differences of the f64 gradient: the Hessian is symmetric.
  const eps = 1e-5;
  const moved = (t: number): (Dense | null)[] => {
    const [x, w, b] = inputs.map((v, k) => build(v.shape, (i) => v.data[i]! + t * directions[k]!.data[i]!));
    return reference.standardizeGradient(dy, x!, w!, b!, sets, options);
  };
  const [ahead, behind] = [moved(eps), moved(-eps)];
  const got = await readAll(() => {
    const leaves = inputs.map((t) => requireGrad(upload(t)));
    const first = grad(sum(mul(run(leaves[0]!, leaves[1]!, leaves[2]!, options.given), upload(dy))), leaves, {
      createGraph: true,
    });
    const along = first.map((g, k) => sum(mul(g, upload(directions[k]!)))).reduce((a, b) => add(a, b));
    return grad(along, leaves);
  });
  inputs.forEach((t, k) => {
    const want = build(t.shape, (i) => (ahead[k]!.data[i]! - behind[k]!.data[i]!) / (2 * eps));
    const largest = Math.max(1, ...want.data.map(Math.abs));
    expectWithin(got[k]!, want, () => 2e-4 * largest, `input ${k}`);
  });
});

test('without gradients nothing is kept', async () => {
  const x = upload(spread([8, 3]));
  const { live } = gpu.memory();
  const y = noGrad(() => batchNorm(x, null, null, { training: true }));
  await y.read();
  y.dispose();
  await gpu.sync();
  expect(gpu.memory().live).toBe(live);
  x.dispose();
});

test('a frozen input gets no gradient, its parameters do', async () => {
  const [g] = await readAll(() => {
    const w = requireGrad(tensor([1, 1]));
    const x = tensor([1, 2, 3, 4, 8, 0], { shape: [3, 2] });
    backward(sum(mul(batchNorm(x, w, null, { training: true }), x)));
    const { grad: found } = w;
    w.grad = null;
    return [found!];
  });
  const want = reference.standardizeGradient(
    build([3, 2], (i) => [1, 2, 3, 4, 8, 0][i]!),
    build([3, 2], (i) => [1, 2, 3, 4, 8, 0][i]!),
    build([2], () => 1),
    null,
    reference.byChannel([3, 2]),
    { eps: 1e-5 },
  )[1]!;
  g!.forEach((v, i) => expect(v).toBeCloseTo(want.data[i]!, 4));
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    const i32 = tensor([1, 2, 3], { dtype: 'i32' }) as unknown as Tensor;
    expect(() => batchNorm(tensor([1, 2, 3], { shape: [1, 3] }), null, null, { training: true })).toThrow(
      'batchNorm: x has shape [1,3], expected more than 1 value per channel when training',
    );
    expect(() => batchNorm(x)).toThrow('batchNorm: running statistics are missing, expected them in evaluation');
    expect(() => batchNorm(tensor([1, 2]), null, null, { training: true })).toThrow(
      'batchNorm: x has shape [2], expected (batch, channels, ...)',
    );
    expect(() => batchNorm(x, tensor([1, 2]), null, { training: true })).toThrow(
      'batchNorm: weight has shape [2], expected [3]',
    );
    expect(() => batchNorm(x, null, i32, { training: true })).toThrow('batchNorm: bias is i32, expected f32');
    expect(() => batchNorm(i32)).toThrow('batchNorm: x is i32, expected f32');
    expect(() => batchNorm(x, null, null, { training: true, momentum: 2 })).toThrow(
      'batchNorm: momentum is 2, expected null or a number in 0..1',
    );
    expect(() => batchNorm(x, null, null, { training: true, eps: -1 })).toThrow(
      'batchNorm: eps is -1, expected a finite number >= 0',
    );
    expect(() => layerNorm(x, tensor([1, 2]))).toThrow(
      'layerNorm: x has shape [2,3], expected its last axes to be [2]',
    );
    expect(() => layerNorm(x, tensor([1, 2, 3]), tensor([1]))).toThrow('layerNorm: bias has shape [1], expected [3]');
    expect(() => groupNorm(x, 2)).toThrow('groupNorm: x has shape [2,3], its 3 channels do not split into 2 groups');
    expect(() => groupNorm(tensor([1]), 1)).toThrow('groupNorm: x has shape [1], expected (batch, channels, ...)');
    expect(() => instanceNorm(x)).toThrow(
      'instanceNorm: x has shape [2,3], expected (batch, channels, ...) with more than 1 value per channel',
    );
  });
});

test.each([{ shape: [3, 2, 5] }, { shape: [40, 3, 100] }, { shape: [700, 9, 1] }])(
  '[$shape]: batch and layer norm have the same bits in both tunings',
  ({ shape }) =>
    expectSameBits(() => {
      const x = requireGrad(upload(sample(shape)));
      const y = add(
        batchNorm(x, null, null, { training: true }),
        layerNorm(x, null, null, { normalizedShape: shape.slice(1) }),
      );
      backward(sum(mul(y, upload(sample(shape, { seed: 2 })))));
      return [y, takeGrad(x)];
    }),
);

test('a workgroup that takes all of a channel gives the bits of two dispatches, and their running statistics', async () => {
  const shape = [7, 3, 3, 800];
  const run = (): Tensor[] => {
    const x = requireGrad(upload(spread(shape)));
    const [w, b] = [tensor([1, -2, 0.5]), tensor([0, 1, -1])].map((t) => requireGrad(t)) as [Tensor, Tensor];
    const running = { mean: zeros([3]), variance: zeros([3]), batches: zeros([], { dtype: 'i32' as const }) };
    const y = batchNorm(x, w, b, { training: true, activation: 'relu', running });
    const z = batchNorm(x, w, null, { training: true, momentum: null, running });
    const plain = batchNorm(x, null, null, { training: true });
    backward(sum(mul(add(add(y, z), plain), upload(sample(shape, { seed: 2 })))));
    return [y, z, ...[x, w, b].map(takeGrad), running.mean, running.variance];
  };
  const bits: number[][][] = [];
  for (const [kind, group] of [
    ['software', 0],
    ['software', 4],
    ['hardware', 0],
    ['hardware', 64],
    ['hardware', 256],
  ] as const)
    await asTuned(kind, () =>
      asTuned({ ...gpu.tuning, groupOfSum: () => group }, async () => {
        const passes = launchesOf(run).filter(({ kernel }) => /standardize.(statistics|sums|whole)/.test(kernel));
        expect(passes.filter(({ kernel }) => kernel.includes('whole')).length).toBe(group ? 6 : 0);
        expect(passes.length).toBe(6);
        bits.push((await readAll(run)).map(({ buffer }) => [...new Uint32Array(buffer)]));
      }),
    );
  for (const other of bits.slice(1)) expect(other).toEqual(bits[0]);
});
