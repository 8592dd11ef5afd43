import { describe, expect, test } from 'vitest';
import { backward, grad, requireGrad, tensor, zeros, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { beta, bernoulli, categorical, dirichlet, gamma, hostBernoulli, hostCategorical, key } from 'evenkeel/random';
import { conv2d, conv2dGradient, PLAIN } from '../reference/conv2d.ts';
import { build, type Dense } from '../reference/dense.ts';
import { dropoutMask } from '../reference/dropout.ts';
import { infDistanceBounds, lpDistance, lpDistanceGradient } from '../reference/lp-distance.ts';
import { linear, linearGradient, matmul, matmulGradient } from '../reference/matmul.ts';
import * as pool from '../reference/pool2d.ts';
import { sortDistance, sortDistanceBounds } from '../reference/sort-distance.ts';
import { byChannel, standardize, standardizeGradient } from '../reference/standardize.ts';
import { MOST, ROWS, rules, type RowRule } from '../reference/special-rows.ts';
import { readAll, takeGrad } from '../support/check-op.ts';

const LEAST = 2 ** -126;
const isTiny = (v: number): boolean => v !== 0 && Math.abs(v) < LEAST;

/**
 * `row` at the end of `length` elements of 0.25, and so in the last of several pieces; rows of one value are longer.
 */
const alone = (row: readonly number[], length: number): number[] =>
  new Set(row).size === 1 && Math.abs(row[0]!) === Infinity
    ? new Array<number>(length).fill(row[0]!)
    : [...new Array<number>(length - row.length).fill(0.25), ...row];

const matrix = (rows: readonly (readonly number[])[]): Dense => {
  const all = rows.flat();
  return build([rows.length, rows[0]!.length], (i) => Math.fround(all[i]!));
};
const flushed = (x: Dense): Dense =>
  build(x.shape, (i) => (isTiny(x.data[i]!) ? Math.sign(x.data[i]!) * 0 : x.data[i]!));

/** Both NaN, or within the relative bound of the number wanted; past the range of f32 an infinity. */
function agrees(got: number, want: number, error: number, absolute: number): boolean {
  if (Number.isNaN(want) || Number.isNaN(got)) return Number.isNaN(want) && Number.isNaN(got);
  const clipped = (v: number): number => Math.sign(v) * Math.min(Math.abs(v), 2 ** 128);
  return got === want || Math.abs(clipped(got) - clipped(want)) <= error * Math.abs(clipped(want)) + absolute;
}

/** Wrong elements, at most eight; a device may take subnormals for 0, so that either form of the input will do. */
function faults(got: Float32Array, wants: readonly Dense[], x: Dense, error: number): string[] {
  const width = got.length / x.shape[0]!;
  const rowOf = (i: number): string =>
    Array.from(x.data.slice(Math.floor(i / width) * x.shape[1]!, (Math.floor(i / width) + 1) * x.shape[1]!))
      .slice(-4)
      .join(' ');
  const all = Array.from(got).flatMap((v, i) =>
    wants.some((want) => agrees(v, want.data[i]!, error, error && 1e-30))
      ? []
      : [`of [${rowOf(i)}]: element ${i % width} is ${v}, expected ${wants.map((w) => w.data[i])}`],
  );
  return all.slice(0, 8);
}

/** NaN with the sign that arithmetic gives it on x86, in every other row. */
function upload(x: Dense): Tensor {
  const values = Float32Array.from(x.data);
  const words = new Uint32Array(values.buffer);
  values.forEach((v, i) => Number.isNaN(v) && Math.floor(i / x.shape[1]!) % 2 && (words[i] = 0xffc00001));
  return tensor(values, { shape: x.shape });
}

const gradients = {
  backward: (run: (x: Tensor) => Tensor, x: Dense, dy: Dense) =>
    readAll(() => {
      const t = requireGrad(upload(x));
      backward(ops.sum(ops.mul(run(t), tensor(dy.data, { shape: dy.shape }))));
      return [takeGrad(t)];
    }),
  'grad with createGraph': (run: (x: Tensor) => Tensor, x: Dense, dy: Dense) =>
    readAll(() => {
      const t = requireGrad(upload(x));
      return [...grad(ops.sum(ops.mul(run(t), tensor(dy.data, { shape: dy.shape }))), [t], { createGraph: true })];
    }),
};

const LENGTHS = [4, 67, 803];

describe.each(Object.entries(rules))(
  '%s',
  (_, { run, value, gradient, error = 1e-5, overflows, vanishes }: RowRule) => {
    const rowsOf = (ofGradient: boolean) =>
      ROWS.filter(
        (row) => !(overflows && row.some((v) => Math.abs(v) === MOST)) && !(vanishes && ofGradient && row.some(isTiny)),
      );

    test('values', async () => {
      for (const length of LENGTHS) {
        const x = matrix(rowsOf(false).map((row) => alone(row, length)));
        const [y] = await readAll(() => [run(upload(x))]);
        expect(faults(y!, [value(x), value(flushed(x))], x, error)).toEqual([]);
      }
    });

    if (!gradient) return;
    test('gradients, fused and composed', async () => {
      for (const length of LENGTHS.slice(0, 2)) {
        const x = matrix(rowsOf(true).map((row) => alone(row, length)));
        const shape = value(x).shape;
        const dy = build(shape, (i) => Math.fround(((i * 7) % 5) - 1.75));
        for (const take of Object.values(gradients)) {
          const [g] = await take(run, x, dy);
          expect(faults(g!, [gradient(dy, x), gradient(dy, flushed(x))], x, 4 * error || 1e-6)).toEqual([]);
        }
      }
    });
  },
);

/** Values with an infinity or NaN here and there, else small numbers of both signs. */
function strewn(shape: readonly number[], special: Record<number, number>, seed = 3): Dense {
  return build(shape, (i) => special[i] ?? (((i * seed * 5) % 11) - 5) / 4);
}

/** An op of several tensors against its reference in f64, forward and all gradients, fused and composed. */
async function expectAll(
  name: string,
  inputs: readonly Dense[],
  run: (...t: Tensor[]) => Tensor,
  value: Dense,
  gradients: readonly (Dense | null)[] | ((dy: Dense) => readonly (Dense | null)[]),
  once = false,
): Promise<void> {
  const dy = build(value.shape, (i) => (((i * 7) % 5) - 1.75) / 2);
  const wants = typeof gradients === 'function' ? gradients(dy) : gradients;
  for (const createGraph of once ? [false] : [false, true]) {
    const [y, ...g] = await readAll(() => {
      const t = inputs.map((x) => requireGrad(tensor(x.data, { shape: x.shape })));
      const out = run(...t);
      const loss = ops.sum(ops.mul(out, tensor(dy.data, { shape: dy.shape })));
      if (createGraph) return [out, ...grad(loss, t, { createGraph })];
      backward(loss);
      return [out, ...t.map(takeGrad)];
    });
    const wrong = (what: string, got: Float32Array, want: Dense): string[] =>
      Array.from(got).flatMap((v, i) =>
        agrees(v, want.data[i]!, 1e-4, 1e-5)
          ? []
          : [`${name}, ${what}: element ${i} is ${v}, expected ${want.data[i]}`],
      );
    expect(wrong('value', y!, value).slice(0, 8)).toEqual([]);
    wants.forEach(
      (want, k) =>
        want && expect(wrong(`gradient ${k}${createGraph ? ', composed' : ''}`, g[k]!, want).slice(0, 8)).toEqual([]),
    );
  }
}

const SPECIAL = [NaN, -Infinity];

describe('pooling', () => {
  const g: pool.Window = { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
  const padded: pool.Window = { kernel: [3, 3], stride: [1, 1], padding: [1, 1] };
  const images = (
    [
      { 5: NaN },
      { 0: NaN, 5: NaN, 4: Infinity },
      { 0: Infinity, 1: -Infinity, 6: NaN, 3: NaN },
      { 0: -Infinity, 1: -Infinity, 4: -Infinity, 5: -Infinity },
    ] as Record<number, number>[]
  ).map((s) => strewn([1, 2, 4, 4], s));
  const parts: pool.Parts = { parts: [3, 3] };
  const poolings: [string, (t: Tensor) => Tensor, 'max' | 'avg', pool.Window | pool.Parts][] = [
    ['maxPool2d', (t) => ops.maxPool2d(t, 2), 'max', g],
    ['padded', (t) => ops.maxPool2d(t, 3, { stride: 1, padding: 1 }), 'max', padded],
    ['adaptiveMaxPool2d', (t) => ops.adaptiveMaxPool2d(t, 3), 'max', parts],
    ['avgPool2d', (t) => ops.avgPool2d(t, 2), 'avg', g],
  ];
  test.each(images)('largest and mean of each window', async (x) => {
    for (const [name, run, kind, window] of poolings)
      await expectAll(name, [x], run, pool[`${kind}Pool2d`](x, window), (dy) => [
        pool[`${kind}Pool2dGradient`](dy, x, window),
      ]);
  });
});

describe('products', () => {
  // Terms in fours and not, so that the last four are filled up; an infinity in the last term must not meet those
  // zeros.
  const sizes = [
    [3, 7, 5],
    [9, 6, 8],
  ] as const;
  test.each(SPECIAL.flatMap((v) => sizes.map(([m, k, n]) => ({ v, m, k, n }))))(
    '$v in a product of [$m, $k] and [$k, $n]',
    async ({ v, m, k, n }) => {
      for (const [p, q] of [
        [{ [k - 1]: v }, { 0: v }],
        [{}, { [(k - 1) * n]: v }],
      ]) {
        for (const [transposeA, transposeB] of [
          [false, false],
          [true, false],
          [false, true],
          [true, true],
        ] as const) {
          const [a, b] = [strewn(transposeA ? [k, m] : [m, k], p!), strewn(transposeB ? [n, k] : [k, n], q!, 2)];
          const y = matmul(a, b, transposeA, transposeB);
          await expectAll(
            `matmul ${transposeA} ${transposeB}`,
            [a, b],
            (s, t) => ops.matmul(s, t, { transposeA, transposeB }),
            y,
            (dy) => matmulGradient(dy, a, b, transposeA, transposeB),
          );
        }
        const [x, w, bias] = [strewn([m, k], p!), strewn([n, k], q!, 2), strewn([n], { 1: v }, 4)];
        await expectAll(
          'linear + relu',
          [x, w, bias],
          (...t) => ops.linear(t[0]!, t[1]!, t[2]!, { activation: 'relu' }),
          linear(x, w, bias, true),
          (dy) => linearGradient(dy, x, w, bias, true),
        );
      }
    },
  );

  test('a gradient masked by the relu of the input passes where that is NaN', async () => {
    const [x, w, bias] = [strewn([4, 3], { 5: NaN, 2: Infinity }), strewn([5, 3], {}, 2), strewn([5], {}, 4)];
    const h = linear(x, w, bias, true);
    const w2 = strewn([2, 5], {}, 6);
    await expectAll(
      'two layers',
      [x, w, bias, w2],
      (s, t, c, u) => ops.linear(ops.linear(s, t, c, { activation: 'relu' }), u),
      linear(h, w2, null),
      (dy) => linearGradient(linearGradient(dy, h, w2, null)[0]!, x, w, bias, true),
    );
  });

  test.each(
    SPECIAL.flatMap((v) =>
      [
        [1, 3],
        [2, 2],
      ].map(([channels, taps]) => ({ v, channels: channels!, taps: taps! })),
    ),
  )('$v in a convolution of $channels channels and $taps taps', async ({ v, channels, taps }) => {
    const last = channels * 25 - 1;
    const [x, w, bias] = [
      strewn([2, channels, 5, 5], { [last]: v, 7: v }),
      strewn([3, channels, taps, taps], {}, 2),
      strewn([3], {}, 4),
    ];
    for (const relu of [false, true]) {
      const run = (s: Tensor, t: Tensor, c: Tensor): Tensor =>
        ops.conv2d(s, t, c, { activation: relu ? 'relu' : 'none' });
      const y = conv2d(x, w, bias, PLAIN, relu);
      await expectAll(
        `conv2d, relu ${relu}`,
        [x, w, bias],
        run,
        y,
        (dy) => conv2dGradient(dy, x, w, bias, PLAIN, relu),
        true,
      );
    }
  });
});

describe('distances', () => {
  const pairs = [
    [{ 6: NaN }, {}],
    [{}, { 13: NaN }],
    [{ 6: Infinity }, {}],
    [{ 6: Infinity }, { 6: Infinity, 2: -Infinity }],
    [{ 0: NaN, 1: NaN }, { 13: Infinity }],
  ] as const;
  const kinds = pairs.map(([p, q], i) => ({
    k: 7 + (i % 2),
    x: strewn([3, 7 + (i % 2)], p),
    w: strewn([5, 7 + (i % 2)], q, 2),
  }));
  test.each(kinds)('l_p to $k features', async ({ x, w }) => {
    for (const p of [1, 8, 16, Infinity, 3, 12.5]) {
      const hasInfinity = [x, w].some((t) => t.data.some((v) => Math.abs(v) === Infinity));
      // A general power takes Infinity / Infinity for a number.
      const gradients = (dy: Dense): readonly (Dense | null)[] =>
        hasInfinity && [1, 3, 12.5].includes(p) ? [] : lpDistanceGradient(dy, x, w, p);
      await expectAll(
        `l_${p}`,
        [x, w],
        (s, t) => ops.lpDistance(s, t, null, { p }),
        lpDistance(x, w, p),
        gradients,
        true,
      );
    }
    const [y] = await readAll(() => [
      ops.lpDistance(tensor(x.data, { shape: x.shape }), tensor(w.data, { shape: w.shape }), null, { p: tensor(9) }),
    ]);
    expect(Array.from(y!, Number.isNaN)).toEqual(Array.from(lpDistance(x, w, 9).data, Number.isNaN));
    for (const keep of [0.75, 1]) {
      await expectAll(
        `sort ${keep}`,
        [x, w],
        (s, t) => ops.sortDistance(s, t, { keep, terms: 3 }),
        sortDistance(x, w, keep, 3),
        [],
        true,
      );
    }
  });

  test.each(kinds)('bounds to $k features, NaN of either sign', async ({ x, w }) => {
    const [low, high] = [build(x.shape, (i) => x.data[i]! - 0.5), build(x.shape, (i) => x.data[i]! + 0.5)];
    for (const sign of [0, 0x80000000]) {
      const got = await readAll(() => {
        const [l, h, t] = [low, high, w].map((d) => {
          const words = new Uint32Array(Float32Array.from(d.data).buffer);
          return tensor(
            new Float32Array(words.map((b) => ((b & 0x7fffffff) > 0x7f800000 ? (b & 0x7fffffff) | sign : b)).buffer),
            { shape: d.shape },
          );
        }) as [Tensor, Tensor, Tensor];
        const [a, b] = [ops.infDistanceBounds(l, h, t), ops.sortDistanceBounds(l, h, t, { terms: 3 })];
        return [a.lower, a.upper, b.lower, b.upper];
      });
      const [a, b] = [infDistanceBounds(low, high, w), sortDistanceBounds(low, high, w, 0.75, 3)];
      [a.lower, a.upper, b.lower, b.upper].forEach((want, k) => {
        const wrong = Array.from(got[k]!).flatMap((v, i) =>
          agrees(v, want.data[i]!, 1e-5, 1e-6) ? [] : [`bound ${k}: element ${i} is ${v}, expected ${want.data[i]}`],
        );
        expect(wrong).toEqual([]);
      });
    }
  });
});

test('batch norm with relu: one channel is NaN, the other is not', async () => {
  for (const v of [NaN, Infinity]) {
    const [x, w, b] = [strewn([3, 2, 2, 2], { 9: v }), strewn([2], { 0: 1.5 }), strewn([2], {})];
    const sets = byChannel(x.shape);
    const options = { eps: 1e-5, relu: true };
    await expectAll(
      'batchNorm',
      [x, w, b],
      (s, t, c) => ops.batchNorm(s, t, c, { training: true, activation: 'relu' }),
      standardize(x, w, b, sets, options),
      (dy) => standardizeGradient(dy, x, w, b, sets, options),
    );
  }
});

test('dropout: what is not finite stays so where it is dropped', async () => {
  const x = strewn([8, 5], { 3: NaN, 4: Infinity, 17: NaN, 18: -Infinity, 31: NaN, 32: Infinity, 33: NaN });
  const mask = dropoutMask(x.shape, key(1), [2, 3], 0.5);
  const want = build(x.shape, (i) => x.data[i]! * mask.data[i]!);
  await expectAll(
    'dropout',
    [x],
    (t) => ops.dropout(t, { key: key(1), first: tensor([2, 3], { dtype: 'u32' }) }),
    want,
    (dy) => [build(x.shape, (i) => dy.data[i]! * mask.data[i]!)],
  );
});

test('copies and sums by index keep NaN of any payload', async () => {
  const words = new Uint32Array([0x7fc00000, 0xffc00001, 0x7fc12345, 0x3f800000]);
  const [picked, up, counts, sums] = await readAll(() => {
    const x = tensor(new Float32Array(words.buffer), { shape: [2, 2] });
    const labels = tensor([0, 1, 1, 0], { dtype: 'i32' });
    return [
      ops.embedding(x, tensor([1, 0], { dtype: 'i32' })),
      ops.upsampleNearest(ops.reshape(x, [1, 1, 2, 2]), { scale: 2 }),
      ops.histogram(x, { numBins: 2, low: 0, high: 1 }),
      ops.bincount(labels, { numClasses: 2, weights: tensor([NaN, 1, 2, 3]) }),
    ];
  });
  expect([...new Uint32Array(picked!.buffer)]).toEqual([words[2], words[3], words[0], words[1]]);
  expect([...new Uint32Array(up!.buffer)].slice(0, 4)).toEqual([words[0], words[0], words[1], words[1]]);
  expect([...counts!]).toEqual([0, 1]);
  expect([...sums!]).toEqual([NaN, 3]);
});

describe('draws', () => {
  test('a row that is no distribution gives no class', async () => {
    const rows = [
      [0, 1, NaN],
      [NaN, NaN, NaN],
      [Infinity, 1, 2],
      [-Infinity, -Infinity, -Infinity],
      [-1, 2, 3],
      [0, 0, 0],
      [MOST, 1, 0.5],
      [-Infinity, -Infinity, 1],
      [0.5, Infinity, NaN],
    ];
    const values = Float32Array.from(rows.flat());
    const [a, b] = await readAll(() => [
      categorical({ logits: tensor(values, { shape: [9, 3] }) }, key(2)),
      categorical({ probs: tensor(values, { shape: [9, 3] }) }, key(2)),
    ]);
    expect([...a!]).toEqual([...hostCategorical({ logits: values }, [9, 1, 3], key(2))]);
    expect([...b!]).toEqual([...hostCategorical({ probs: values }, [9, 1, 3], key(2))]);
    expect(Array.from(a!, (c) => c >= 0)).toEqual([false, false, false, false, true, true, true, true, false]);
    expect(Array.from(b!, (c) => c >= 0)).toEqual([false, false, false, false, false, false, true, false, false]);
  });

  test('a parameter that is NaN gives NaN', async () => {
    const p = Float32Array.of(0.5, NaN, 1, 0);
    const [one, bools, g, b, d] = await readAll(() => [
      bernoulli([4], key(3), { p: tensor(p) }),
      bernoulli([4], key(3), { p: tensor(p), dtype: 'bool' }),
      gamma([3], key(3), { concentration: tensor([0.5, NaN, 2]) }),
      beta([3], key(3), { a: tensor([0.5, NaN, 2]), b: tensor([1, 1, NaN]) }),
      dirichlet([2], key(3), { concentration: tensor([1, NaN, 2]) }),
    ]);
    expect([...one!]).toEqual([...hostBernoulli(4, 1, key(3), { p })]);
    expect(Number(bools![1])).toBe(0);
    expect(Array.from(g!, Number.isNaN)).toEqual([false, true, false]);
    expect(Array.from(b!, Number.isNaN)).toEqual([false, true, true]);
    expect(Array.from(d!, Number.isNaN)).toEqual(new Array(6).fill(true));
  });
});

test('kthvalue takes NaN for the largest', async () => {
  const got = await readAll(() => {
    const x = tensor([NaN, -Infinity, 3, Infinity, NaN]);
    return [1, 2, 3, 4]
      .map((k) => ops.kthvalue(x, { k }).value)
      .concat(ops.kthvalue(x, { k: 3, largest: true }).value, zeros([]));
  });
  expect(got.map((v) => v[0])).toEqual([-Infinity, 3, Infinity, NaN, Infinity, 0]);
});
