import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backward, capture, checkpoint, grad, NdArray, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { crossEntropyLoss } from 'evenkeel/losses';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { makeDataset } from 'evenkeel/data';
import { broadcastShapes } from '../../src/tensor/shape.ts';
import { sumTo } from '../../src/ops/sum.ts';
import { build, type Dense } from '../reference/dense.ts';
import { expectSameBits, readAll, takeGrad, upload } from '../support/check-op.ts';
import { f64, leavesOf, programs, run, type Backend, type Program } from '../support/random-graph.ts';
import { sample } from '../support/sample.ts';

const RUNS = { numRuns: 60, seed: 2026 };

const device: Backend<Tensor> = {
  leaf: upload,
  shape: (x) => x.shape,
  unary: (name, x) => ops[name as 'tanh'](x),
  binary: (name, a, b) => ops[name](a, b),
  reduce: (name, x, axis) => ops[name](x, { axes: axis, keepDim: true }),
  transpose: (x) => ops.transpose(x),
  matmul: (a, b) => ops.matmul(a, b, { transposeB: true }),
};

/** Fixed weights that make a scalar of a result. */
const weights = (shape: readonly number[]): Dense => build(shape, (i) => Math.fround(Math.cos(i + 1)));
const value = (p: Program, leaves: readonly Dense[]): number => {
  const y = run(p, leaves, f64);
  return weights(y.shape).data.reduce((t, w, i) => t + w * y.data[i]!, 0);
};
const loss = (y: Tensor): Tensor => ops.sum(ops.mul(y, upload(weights(y.shape))));

/** Central differences of the f64 program, for every element of every leaf. */
function differences(p: Program, leaves: readonly Dense[]): number[][] {
  const eps = 1e-5;
  return leaves.map((x, k) =>
    Array.from(x.data, (_, i) => {
      const moved = (t: number): Dense[] =>
        leaves.map((d, j) => (j === k ? build(d.shape, (e) => d.data[e]! + (e === i ? t : 0)) : d));
      return (value(p, moved(eps)) - value(p, moved(-eps))) / (2 * eps);
    }),
  );
}

const near = (got: ArrayLike<number>, want: readonly number[], what: string): void =>
  want.forEach((w, i) =>
    expect(Math.abs(got[i]! - w), `${what} ${i}: ${got[i]}, expected ${w}`).toBeLessThanOrEqual(
      2e-4 * (1 + Math.abs(w)),
    ),
  );

describe('random graphs', () => {
  test('value and gradients agree with central differences in f64', () =>
    fc.assert(
      fc.asyncProperty(programs(8), async (p) => {
        const leaves = leavesOf(p);
        const got = await readAll(() => {
          const x = leaves.map((d) => requireGrad(upload(d)));
          const l = loss(run(p, x, device));
          if (l.tracksGrad) backward(l);
          return [l, ...x.map(takeGrad)];
        });
        near(got[0]!, [value(p, leaves)], 'value');
        differences(p, leaves).forEach((want, k) => near(got[k + 1]!, want, `gradient of leaf ${k}, element`));
      }),
      RUNS,
    ));

  test('captured and eager agree bit for bit, in every run', () =>
    fc.assert(
      fc.asyncProperty(programs(10), async (p) => {
        const leaves = leavesOf(p);
        const step = (x: readonly Tensor[]) => (): Tensor[] => {
          const l = loss(run(p, x, device));
          return [l, ...(l.tracksGrad ? grad(l, [...x]) : [])];
        };
        const want = await readAll(() => step(leaves.map((d) => requireGrad(upload(d))))());
        const x = leaves.map((d) => requireGrad(upload(d)));
        const captured = capture(step(x));
        for (let again = 0; again < 2; again++) {
          const got = await Promise.all(captured.run().map((t) => t.read()));
          got.forEach((g, i) => expectSameBits(g, want[i]!, `output ${i}, run ${again}`));
        }
        expect(captured.bytes).toBeLessThanOrEqual(1.5 * captured.bound + 1024);
        captured.dispose();
        for (const t of x) t.dispose();
      }),
      RUNS,
    ));

  test('a captured step follows its inputs', () =>
    fc.assert(
      fc.asyncProperty(programs(6), fc.nat(1000), async (p, seed) => {
        const other = leavesOf({ ...p, seed });
        const x = leavesOf(p).map(upload);
        const captured = capture(() => loss(run(p, x, device)));
        x.forEach((t, i) => t.write(Float32Array.from(other[i]!.data)));
        near(await captured.run().read(), [value(p, other)], 'value');
        captured.dispose();
        for (const t of x) t.dispose();
      }),
      RUNS,
    ));

  test('checkpoint changes no gradient', () =>
    fc.assert(
      fc.asyncProperty(programs(6), async (p) => {
        const gradients = (wrap: boolean): Promise<Float32Array[]> =>
          readAll(() => {
            const x = leavesOf(p).map((d) => requireGrad(upload(d)));
            const f = (...t: Tensor[]): Tensor => run(p, t, device);
            const l = loss(wrap ? checkpoint(f, ...x) : f(...x));
            if (l.tracksGrad) backward(l);
            return x.map(takeGrad);
          });
        const want = await gradients(false);
        (await gradients(true)).forEach((g, i) => near(g, Array.from(want[i]!), `leaf ${i}`));
      }),
      RUNS,
    ));

  test('gradients are linear: of a sum of two programs, the sum', () =>
    fc.assert(
      fc.asyncProperty(programs(5), programs(5), async (p, q) => {
        const [got] = await readAll(() => {
          const x = requireGrad(upload(sample([3, 2], { seed: p.seed })));
          const f = (r: Program): Tensor => loss(run({ ...r, shapes: [[3, 2]] }, [x], device));
          const both = grad(ops.add(f(p), f(q)), [x])[0]!;
          const each = ops.add(grad(f(p), [x])[0]!, grad(f(q), [x])[0]!);
          return [ops.sub(both, each)];
        });
        near(got!, new Array<number>(6).fill(0), 'difference');
      }),
      RUNS,
    ));
});

/** Two shapes of up to three axes that broadcast, and a third that broadcasts with their result. */
const dims = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
const related = fc
  .record({
    base: dims,
    masks: fc.array(fc.tuple(fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), fc.nat(3)), {
      minLength: 3,
      maxLength: 3,
    }),
    seed: fc.nat(1000),
  })
  .map(({ base, masks, seed }) => ({
    seed,
    shapes: masks.map(([ones, drop]) => base.map((d, i) => (ones[i] ? d : 1)).slice(Math.min(drop, base.length - 1))),
  }));

describe('broadcasting', () => {
  const tensors = ({ shapes, seed }: { shapes: number[][]; seed: number }): Tensor[] =>
    shapes.map((s, i) => upload(sample(s, { seed: seed + i })));
  /** Two tensors and the shape of what they give together. */
  const pairOf = (r: Parameters<typeof tensors>[0]): { a: Tensor; b: Tensor; shape: readonly number[] } => {
    const [a, b] = tensors(r) as [Tensor, Tensor];
    return { a, b, shape: broadcastShapes(a.shape, b.shape)! };
  };

  test('a + b = b + a and a b = b a, bit for bit; a - b = -(b - a)', () =>
    fc.assert(
      fc.asyncProperty(related, async (r) => {
        const got = await readAll(() => {
          const [a, b] = tensors(r) as [Tensor, Tensor];
          return [ops.add(a, b), ops.add(b, a), ops.mul(a, b), ops.mul(b, a), ops.sub(a, b), ops.neg(ops.sub(b, a))];
        });
        for (const k of [0, 2, 4])
          expect(Array.from(got[k]!, (v) => v + 0)).toEqual(Array.from(got[k + 1]!, (v) => v + 0));
      }),
      RUNS,
    ));

  test('an operand that is expanded first changes nothing', () =>
    fc.assert(
      fc.asyncProperty(related, async (r) => {
        const [plain, first] = await readAll(() => {
          const { a, b, shape } = pairOf(r);
          return [ops.mul(a, b), ops.mul(ops.expand(a, shape), ops.expand(b, shape))];
        });
        expectSameBits(plain!, first!, 'product');
      }),
      RUNS,
    ));

  test('(a + b) c = a c + b c up to rounding', () =>
    fc.assert(
      fc.asyncProperty(related, async (r) => {
        const [left, right] = await readAll(() => {
          const [a, b, c] = tensors(r) as [Tensor, Tensor, Tensor];
          return [ops.mul(ops.add(a, b), c), ops.add(ops.mul(a, c), ops.mul(b, c))];
        });
        near(left!, Array.from(right!), 'element');
      }),
      RUNS,
    ));

  test('sumTo is the adjoint of expand: <expand x, y> = <x, sumTo y>', () =>
    fc.assert(
      fc.asyncProperty(related, async (r) => {
        const [left, right] = await readAll(() => {
          const { a, shape } = pairOf(r);
          const y = upload(sample(shape, { seed: r.seed + 9 }));
          return [ops.sum(ops.mul(ops.expand(a, shape), y)), ops.sum(ops.mul(a, sumTo(y, a.shape)))];
        });
        near(left!, Array.from(right!), 'inner product');
      }),
      RUNS,
    ));

  test('the gradient of a broadcast operand has its shape and the sum over its repeats', () =>
    fc.assert(
      fc.asyncProperty(related, async (r) => {
        const shapes: string[] = [];
        await readAll(() => {
          const [a, b] = tensors(r).map(requireGrad) as [Tensor, Tensor];
          const g = grad(ops.sum(ops.add(a, b)), [a, b]);
          shapes.push(...g.map((t) => `${t.shape}`));
          expect(shapes).toEqual([`${a.shape}`, `${b.shape}`]);
          return g;
        }).then(([ga, gb]) => {
          const n = (broadcastShapes(r.shapes[0]!, r.shapes[1]!) ?? []).reduce((p, d) => p * d, 1);
          expect(new Set(ga)).toEqual(new Set([n / ga!.length]));
          expect(new Set(gb)).toEqual(new Set([n / gb!.length]));
        });
      }),
      RUNS,
    ));
});

describe('matrices', () => {
  const sizes = fc.record({
    m: fc.integer({ min: 1, max: 40 }),
    k: fc.integer({ min: 1, max: 40 }),
    n: fc.integer({ min: 1, max: 40 }),
    seed: fc.nat(1000),
  });

  test("(a b)' = b' a', and the transposed layouts equal the transposed operands", () =>
    fc.assert(
      fc.asyncProperty(sizes, async ({ m, k, n, seed }) => {
        const got = await readAll(() => {
          const [a, b] = [upload(sample([m, k], { seed })), upload(sample([k, n], { seed: seed + 1 }))];
          const [at, bt] = [ops.transpose(a), ops.transpose(b)];
          const y = ops.matmul(a, b);
          return [
            y,
            ops.transpose(ops.matmul(bt, at)),
            ops.matmul(at, b, { transposeA: true }),
            ops.matmul(a, bt, { transposeB: true }),
          ];
        });
        for (const other of got.slice(1)) near(other, Array.from(got[0]!), 'element');
      }),
      RUNS,
    ));

  test("<a b, c> = <b, a' c>", () =>
    fc.assert(
      fc.asyncProperty(sizes, async ({ m, k, n, seed }) => {
        const [left, right] = await readAll(() => {
          const [a, b, c] = [
            [m, k],
            [k, n],
            [m, n],
          ].map((s, i) => upload(sample(s, { seed: seed + i, low: -1, high: 1 }))) as [Tensor, Tensor, Tensor];
          return [ops.sum(ops.mul(ops.matmul(a, b), c)), ops.sum(ops.mul(b, ops.matmul(a, c, { transposeA: true })))];
        });
        expect(Math.abs(left![0]! - right![0]!)).toBeLessThanOrEqual(1e-5 * (m * n * k + 1));
      }),
      RUNS,
    ));

  test('rows of softmax sum to one, and a shift of the logits changes nothing', () =>
    fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: -50, max: 50 }), async ({ m, n, seed }, shift) => {
        const [p, q, total] = await readAll(() => {
          const x = upload(sample([m, n], { seed }));
          return [ops.softmax(x), ops.softmax(ops.add(x, shift)), ops.sum(ops.softmax(x), { axes: 1 })];
        });
        near(total!, new Array<number>(m).fill(1), 'row');
        near(q!, Array.from(p!), 'probability');
      }),
      RUNS,
    ));
});

test('fit with batches that do not divide the data: the same losses captured anew for each size as one by one', () =>
  fc.assert(
    fc.asyncProperty(fc.integer({ min: 5, max: 40 }), fc.integer({ min: 2, max: 16 }), async (n, batchSize) => {
      const x = sample([n, 6], { seed: n });
      const data = makeDataset(
        new NdArray(Float32Array.from(x.data), [n, 6]),
        Array.from({ length: n }, (_, i) => i % 3),
        { numClasses: 3 },
      );
      const losses: number[] = [];
      using model = Sequential(Linear(6, 8), ReLU(), Linear(8, 3)).init({ seed: 1 });
      const using = crossEntropyLoss();
      await fit(model, data, {
        loss: using,
        optimizer: sgd({ lr: 0 }),
        epochs: 1,
        batchSize,
        seed: 2,
        onStep: ({ loss }) => losses.push(loss),
      });
      expect(losses.length).toBe(Math.ceil(n / batchSize));
      // With rate 0 the mean over samples of the epoch is the loss of the whole set.
      const logits = scope(() => model.forward(tensor(data.x)));
      const whole = scope(() => ops.crossEntropy(logits, tensor(data.y, { dtype: 'i32' })));
      const mean = losses.reduce((t, l, i) => t + l * Math.min(batchSize, n - i * batchSize), 0) / n;
      near([mean], [await whole.item()], 'mean loss');
      for (const t of [logits, whole]) t.dispose();
      using.dispose();
    }),
    { numRuns: 12, seed: 2026 },
  ));
