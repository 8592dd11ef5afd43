import { expect } from 'vitest';
import { backward, capture, currentGpu, grad, requireGrad, scope, tensor, zeros, type Tensor } from 'evenkeel';
import { add, mul, sum } from 'evenkeel/ops';
import { sizeClass } from '../../src/gpu/pool.ts';
import type { DType } from '../../src/tensor/dtype.ts';
import { build, type Dense } from '../reference/dense.ts';
import { sample } from './sample.ts';
import type { Tolerance } from './tolerance.ts';

/** One op on one set of inputs, with its reference. */
export interface OpCase {
  inputs: readonly Dense[];
  run: (...x: Tensor[]) => Tensor;
  reference: (...x: Dense[]) => Dense;
  /** Gradients of sum(dy y); null for an input without one. */
  gradient?: (dy: Dense, ...x: Dense[]) => readonly (Dense | null)[];
  tolerance: Tolerance;
  /** One for all inputs, or one for each. Default: `tolerance`. */
  gradientTolerance?: Tolerance | readonly Tolerance[];
}

/** Runs `make` in a scope and reads what it returns; nothing stays on the device. */
export async function readAll(make: () => readonly Tensor<DType>[]): Promise<Float32Array[]> {
  const kept = scope(make);
  try {
    return (await Promise.all(kept.map((t) => t.read()))) as Float32Array[];
  } finally {
    for (const t of kept) t.dispose();
  }
}

/** A tensor of reference values. */
export function upload(x: Dense): Tensor {
  return tensor(x.data, { shape: x.shape });
}

/** Gradient of a leaf, taken out of it; zeros where none arrived. */
export function takeGrad(x: Tensor): Tensor {
  const g = x.grad;
  x.grad = null;
  return g ?? zeros(x.shape);
}

/** Fills pooled buffers with NaN, so that what lies beyond a tensor, or was not written, shows. */
export function poison(bytes: readonly number[]): void {
  const sizes = [256, 256, 512, 768, 1024, ...bytes].flatMap((b) => [b, b, b]);
  const held = sizes.map((b) => tensor(new Float32Array(sizeClass(b) / 4).fill(NaN)));
  for (const t of held) t.dispose();
}

const NAN = 0x7fc00000;

/**
 * Fails when the memory after a result is no longer the NaN that `poison` put there: a kernel has written past the
 * end. The last words of a block of 16 bytes count too, though a binding covers them.
 */
export async function expectGuard(y: Tensor<DType>, what: string): Promise<void> {
  const { storage } = y;
  const spare = storage.buffer!.size - storage.bytes;
  if (spare === 0) return;
  const [bytes] = await y.gpu.read([{ storage, offset: storage.bytes, bytes: Math.min(spare, 256) }]);
  const words = new Uint32Array(bytes!);
  const at = words.findIndex((w) => w !== NAN);
  expect(
    at < 0 ? 'untouched' : `word ${at} after the result is ${words[at]!.toString(16)}`,
    `${what}: guard band`,
  ).toBe('untouched');
}

/** Fails on the first element of `got` outside the bound. */
export function expectWithin(
  got: ArrayLike<number>,
  want: Dense,
  tolerance: Tolerance,
  what: string,
  inputs: readonly Dense[] = [],
  dy?: Dense,
): void {
  expect(got.length, `${what}: elements`).toBe(want.data.length);
  want.data.forEach((w, i) => {
    const bound = tolerance({ want: w, sum: want.sum?.[i] ?? Math.abs(w), i, inputs, dy });
    if (!(Math.abs(got[i]! - w) <= bound) && got[i] !== w) {
      expect.fail(
        `${what}: element ${i} is ${got[i]}, ` +
          `expected ${w} +- ${bound} (off by ${Math.abs(got[i]! - w) / bound} bounds)`,
      );
    }
  });
}

/** Fails unless two results agree bit by bit. */
export function expectSameBits(got: Float32Array, want: Float32Array, what: string): void {
  const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);
  const [a, b] = [bits(got), bits(want)];
  const at = a.findIndex((v, i) => v !== b[i]);
  expect(at < 0 ? 'equal' : `element ${at}: ${got[at]} and ${want[at]}`, what).toBe('equal');
}

/**
 * Everything that every op must do: agree with the f64 reference, in memory full of NaN; repeat bit by bit; give the
 * same bits when captured and replayed; and have the gradient of the reference, which is itself checked against central
 * differences in f64. Each use of an input adds its gradient. `test/support/gpu.ts` checks that no memory is lost.
 */
export async function checkOp(c: OpCase): Promise<void> {
  const want = c.reference(...c.inputs);
  const forward = async (): Promise<Float32Array[]> => {
    poison([...c.inputs, want].map((x) => x.data.length * 4));
    const { counters } = currentGpu();
    const before = counters.dispatches;
    const kept = scope(() => c.run(...c.inputs.map(upload)));
    const out = (await kept.read()) as Float32Array;
    // An op of several kernels may have used the memory for something longer before; a view may be part of something
    // longer.
    if (counters.dispatches - before === 1 && kept.storage.bytes === kept.byteLength)
      await expectGuard(kept, 'forward');
    kept.dispose();
    return [out];
  };
  const [y] = await forward();
  expectWithin(y!, want, c.tolerance, 'forward', c.inputs);
  await currentGpu().settle();
  expectSameBits((await forward())[0]!, y!, 'second run, in the fast form of the kernels');

  const inputs = c.inputs.map(upload);
  const step = capture(() => c.run(...inputs));
  expect(step.value.shape).toEqual(want.shape);
  expectSameBits(await step.run().read(), y!, 'captured run');
  step.dispose();
  for (const t of inputs) t.dispose();

  if (c.gradient) await checkGradient(c, want.shape);
}

async function checkGradient(c: OpCase, shape: readonly number[]): Promise<void> {
  const dy = sample(shape, { seed: 77, low: -1, high: 1 });
  const want = c.gradient!(dy, ...c.inputs);
  checkDifferences(c, dy, want);
  const wanted = c.inputs.map((_, i) => i).filter((i) => want[i]);
  const gradients = (run: OpCase['run']): Promise<Float32Array[]> =>
    readAll(() => {
      const x = c.inputs.map((d, i) => (want[i] ? requireGrad(upload(d)) : upload(d)));
      backward(sum(mul(run(...x), upload(dy))));
      return wanted.map((i) => takeGrad(x[i]!));
    });
  const expectGradients = (found: readonly Float32Array[], what: string): void =>
    wanted.forEach((i, k) => {
      const tolerance = Array.isArray(c.gradientTolerance)
        ? c.gradientTolerance[i]
        : (c.gradientTolerance ?? c.tolerance);
      expectWithin(found[k]!, want[i]!, tolerance as Tolerance, `gradient of input ${i}${what}`, c.inputs, dy);
    });
  const got = await gradients(c.run);
  expectGradients(got, '');
  await currentGpu().settle();
  (await gradients(c.run)).forEach((g, k) => expectSameBits(g, got[k]!, `gradient ${k}, second run`));
  const twice = await gradients((...x) => add(c.run(...x), c.run(...x)));
  expectGradients(
    twice.map((g) => g.map((v) => v / 2)),
    ', half of that of two uses',
  );

  const x = c.inputs.map((d, i) => (want[i] ? requireGrad(upload(d)) : upload(d)));
  const dyTensor = upload(dy);
  const step = capture(() =>
    grad(
      sum(mul(c.run(...x), dyTensor)),
      wanted.map((i) => x[i]!),
    ),
  );
  const captured = await Promise.all(step.run().map((t) => t.read()));
  captured.forEach((g, k) => expectSameBits(g, got[k]!, `captured gradient ${k}`));
  step.dispose();
  for (const t of [...x, dyTensor]) t.dispose();
}

/** The reference gradient against central differences: each element of small inputs, three directions of large ones. */
function checkDifferences(c: OpCase, dy: Dense, gradient: readonly (Dense | null)[]): void {
  const eps = 1e-6;
  // The difference of two f64 sums loses their last digits, which 1 / eps magnifies.
  const noise = (2 ** -50 / eps) * c.reference(...c.inputs).data.reduce((t, v, i) => t + Math.abs(v * dy.data[i]!), 0);
  const value = (x: readonly Dense[]): number => c.reference(...x).data.reduce((t, v, i) => t + v * dy.data[i]!, 0);
  gradient.forEach((g, k) => {
    if (!g) return;
    const x = c.inputs[k]!;
    expect(g.shape, `reference gradient ${k}: shape`).toEqual(x.shape);
    const moved = (v: Dense, t: number): Dense[] =>
      c.inputs.map((d, i) => (i === k ? build(d.shape, (j) => d.data[j]! + t * v.data[j]!) : d));
    const directions =
      x.data.length <= 40
        ? Array.from(x.data, (_, i) => build(x.shape, (j) => Number(i === j)))
        : [1, 2, 3].map((seed) => sample(x.shape, { seed, low: -1, high: 1 }));
    for (const v of directions) {
      const numeric = (value(moved(v, eps)) - value(moved(v, -eps))) / (2 * eps);
      const analytic = g.data.reduce((t, d, i) => t + d * v.data[i]!, 0);
      expect(
        Math.abs(numeric - analytic),
        `reference gradient ${k}: ${analytic}, central difference ${numeric}`,
      ).toBeLessThanOrEqual(1e-5 + 1e-3 * Math.abs(analytic) + noise);
    }
  });
}
