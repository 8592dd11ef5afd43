import { expect } from 'vitest';
import { backward, capture, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import type { Loss, LossInputs } from 'evenkeel/losses';
import { add, sum } from 'evenkeel/ops';
import { build, type Dense } from '../reference/dense.ts';
import { expectSameBits, expectWithin, readAll, takeGrad, upload } from './check-op.ts';
import { integers, sample } from './sample.ts';
import { close } from './tolerance.ts';

/** One loss with what is true of it. */
export interface LossCase {
  make: () => Loss;
  classes: number;
  /** Adding one number to all logits of a row changes nothing; then gradients sum to zero over the classes. */
  isShiftInvariant: boolean;
  /** A row's value is never below this. Default: 0. */
  least?: number;
  /** f64 value of each row, without weights; checked with its gradient. */
  reference?: (row: readonly number[], label: number) => number;
  /** Relative tolerance of values and gradients against the reference. Default: 1e-5. */
  tolerance?: number;
  /**
   * Whether a class weight multiplies the rows of its class; smoothed losses weight every class's share. Default: true.
   */
  weightMultiplies?: boolean;
  /** Whether every row stands for itself. A loss over pairs or with a memory does not. Default: true. */
  isPerSample?: boolean;
}

const ROWS = 12;

/** Everything that every loss must do. The class weights of the loss must be 1 at first. */
export async function checkLoss({
  make,
  classes,
  isShiftInvariant,
  least = 0,
  reference,
  tolerance = 1e-5,
  weightMultiplies = true,
  isPerSample = true,
}: LossCase): Promise<void> {
  const loss = make();
  const z = sample([ROWS, classes], { seed: 3, low: -3, high: 3 });
  const labels = integers(ROWS, classes, 5);
  const values = async (x: Dense, inputs: LossInputs = {}, y: readonly number[] = labels): Promise<Float32Array> =>
    (await readAll(() => [loss(upload(x), y, { reduction: 'none', ...inputs })]))[0]!;
  const gradient = async (x: Dense): Promise<Float32Array> =>
    (
      await readAll(() => {
        const leaf = requireGrad(upload(x));
        backward(sum(loss(leaf, labels, { reduction: 'none' })));
        return [takeGrad(leaf)];
      })
    )[0]!;
  const same = (got: ArrayLike<number>, want: ArrayLike<number>, what: string, relative = 1e-5): void =>
    expectWithin(got, { shape: [], data: Float64Array.from(want) }, close(relative, 10 * relative), what);

  const each = await values(z);
  const slope = await gradient(z);
  each.forEach((v, i) => expect(v, `value of row ${i}`).toBeGreaterThanOrEqual(least - 1e-5));
  if (reference) {
    const row = (x: Dense, i: number): number[] => Array.from(x.data.slice(i * classes, (i + 1) * classes));
    same(
      each,
      labels.map((y, i) => reference(row(z, i), y)),
      'values',
      tolerance,
    );
    const eps = 1e-5;
    const differences = Array.from(z.data, (_, j) => {
      const i = Math.floor(j / classes);
      const moved = (t: number): number =>
        reference(
          row(
            build(z.shape, (k) => z.data[k]! + (k === j ? t : 0)),
            i,
          ),
          labels[i]!,
        );
      return (moved(eps) - moved(-eps)) / (2 * eps);
    });
    same(slope, differences, 'gradient', 2 * tolerance);
  }

  // Reductions.
  const total = each.reduce((a, b) => a + b, 0);
  const reduced = await readAll(() =>
    (['sum', 'mean', 'weightedMean'] as const).map((reduction) => loss(upload(z), labels, { reduction })),
  );
  same(
    reduced.map((r) => r[0]!),
    [total, total / ROWS, total / ROWS],
    'reductions',
  );

  // Dense logits, and the same numbers in a captured step.
  const [dense] = await readAll(() => {
    const y = loss(tensor(z.data, { shape: [3, 4, classes] }), tensor(labels, { shape: [3, 4], dtype: 'i32' }), {
      reduction: 'none',
    });
    expect(y.shape).toEqual([3, 4]);
    return [y];
  });
  if (isPerSample) same(dense!, each, 'dense logits');
  const [x, y] = [requireGrad(upload(z)), tensor(labels, { dtype: 'i32' })];
  const step = capture(() => {
    const value = loss(x, y);
    backward(value);
    return value;
  });
  const eager = (await readAll(() => [loss(upload(z), labels)]))[0]!;
  if (isPerSample) expectSameBits((await step.run().read()) as Float32Array, eager, 'captured');
  x.grad?.dispose();
  x.grad = null;
  for (const t of [step, x, y]) t.dispose();

  if (isPerSample) {
    // Weights of samples and classes multiply; a label outside the classes counts for nothing.
    const w = Float32Array.from(labels, (_, i) => i / 4);
    const [weighted] = await readAll(() => [loss(upload(z), labels, { reduction: 'none', sampleWeight: tensor(w) })]);
    same(
      weighted!,
      each.map((v, i) => v * w[i]!),
      'sample weights',
    );
    loss.setClassWeight(Float32Array.from({ length: classes }, (_, c) => 1 + c));
    if (weightMultiplies)
      same(
        await values(z),
        each.map((v, i) => v * (1 + labels[i]!)),
        'class weights',
      );
    loss.setClassWeight(null);
    same(await values(z), each, 'class weights put back');
    const [outside] = await readAll(() => [
      loss(
        upload(z),
        tensor(
          labels.map((v, i) => (i % 3 ? v : -100)),
          { dtype: 'i32' },
        ),
        { reduction: 'none' },
      ),
    ]);
    same(
      outside!,
      each.map((v, i) => (i % 3 ? v : 0)),
      'ignored labels',
    );
  }

  if (isShiftInvariant) {
    const [shifted] = await readAll(() => [loss(add(upload(z), 7) as Tensor, labels, { reduction: 'none' })]);
    same(shifted!, each, 'shifted logits', 2e-5);
    for (let i = 0; i < ROWS; i++) {
      const rowSum = slope.subarray(i * classes, (i + 1) * classes).reduce((a, b) => a + b, 0);
      expect(Math.abs(rowSum), `gradient of row ${i} over the classes`).toBeLessThanOrEqual(
        1e-5 * (1 + Math.max(...slope.map(Math.abs))) * classes,
      );
    }
  }

  // Extreme logits stay finite, in value and gradient.
  const extreme = build(z.shape, (i) => Math.sign(z.data[i]!) * 1e4);
  for (const [got, what] of [
    [await values(extreme), 'value'],
    [await gradient(extreme), 'gradient'],
  ] as const) {
    expect(
      got.findIndex((v) => !Number.isFinite(v)),
      `${what} at logits of +-1e4`,
    ).toBe(-1);
  }
  scope(() =>
    expect(() =>
      loss(
        upload(z),
        labels.map(() => classes),
      ),
    ).toThrow(`labels[0] is ${classes}, expected an integer in 0..${classes - 1}`),
  );
  loss.dispose();
}
