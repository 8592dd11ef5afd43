import { expect } from 'vitest';
import { backward, requireGrad, tensor, type Tensor } from 'evenkeel';
import { mul, reshape, sum } from 'evenkeel/ops';
import type { DType } from '../../src/tensor/dtype.ts';
import { expectWithin, readAll, takeGrad } from './check-op.ts';
import { dense, type GoldenCase, type GoldenTensor } from './golden.ts';
import type { Tolerance } from './tolerance.ts';

/** Computes the output of a golden case from its inputs. */
export type GoldenRun = (x: Record<string, Tensor>, c: GoldenCase) => Tensor<DType>;

/** The cases of a file that run now, and how. `later` gives the reason for each op or case that is left out. */
export interface GoldenPlan {
  file: unknown;
  later: Readonly<Record<string, string>>;
}

/** The cases that a plan runs. Every entry of `later` must still match something, so that the list stays true. */
export function planned({ file, later }: GoldenPlan): GoldenCase[] {
  const cases = file as GoldenCase[];
  for (const key of Object.keys(later)) {
    if (!cases.some((c) => kindOf(c) === key || c.name === key)) throw new Error(`later: no case or op ${key}`);
  }
  return cases.filter((c) => !(kindOf(c) in later) && !(c.name in later));
}

const kindOf = (c: GoldenCase): string => (c.op ?? c.method)!;
const gradientName = (input: string): string => `grad${input[0]!.toUpperCase()}${input.slice(1)}`;

/** Runs a golden case: output, shape, and the gradient of every input that has one. */
export async function checkGolden(c: GoldenCase, run: GoldenRun, tolerance: Tolerance): Promise<void> {
  const names = Object.keys(c.inputs).filter((n) => n !== 'gradOutput');
  const wanted = names.filter((n) => gradientName(n) in c.outputs);
  const got = await readAll(() => {
    const x: Record<string, Tensor> = {};
    for (const n of names) {
      const { data, shape } = dense(c.inputs[n]);
      const isInteger = (c.inputs[n] as { dtype?: string }).dtype === 'int';
      x[n] = tensor(data, { shape, dtype: isInteger ? 'i32' : 'f32' }) as unknown as Tensor;
      if (wanted.includes(n)) requireGrad(x[n]!);
    }
    const y = run(x, c);
    expect(y.shape, 'shape').toEqual((c.outputs.y as GoldenTensor).shape);
    if (wanted.length === 0) return [y];
    const { data, shape } = dense(c.inputs.gradOutput);
    const loss = sum(mul(reshape(y as Tensor, shape), tensor(data, { shape })));
    // Ops without a gradient leave nothing on the tape.
    if (loss.tracksGrad) backward(loss);
    return [y, ...wanted.map((n) => takeGrad(x[n]!))];
  });
  ['y', ...wanted.map(gradientName)].forEach((n, k) => {
    const { data, shape } = dense(c.outputs[n]);
    expectWithin(got[k]!, { data: Float64Array.from(data), shape }, tolerance, n);
  });
}
