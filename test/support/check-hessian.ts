import { grad, requireGrad, type Tensor } from 'evenkeel';
import { add, mul, square, sum } from 'evenkeel/ops';
import { build, type Dense } from '../reference/dense.ts';
import { expectWithin, readAll, upload } from './check-op.ts';
import { sample } from './sample.ts';
import { close } from './tolerance.ts';

/** An op of several inputs and its reference, as for checkOp. */
export interface HessianCase {
  inputs: readonly Dense[];
  run: (...x: Tensor[]) => Tensor;
  reference: (...x: Dense[]) => Dense;
  gradient: (dy: Dense, ...x: Dense[]) => readonly Dense[];
}

/**
 * The second gradient of an op of several inputs: for L = sum(w y^2) / 2 the Hessian, with its blocks between inputs,
 * times a direction v, against central differences of the reference gradient in f64.
 */
export async function checkHessian({ inputs, run, reference, gradient }: HessianCase): Promise<void> {
  const w = sample(reference(...inputs).shape, { seed: 31 });
  const v = inputs.map((x, i) => sample(x.shape, { seed: 32 + i }));
  const gradientAt = (t: number): readonly Dense[] => {
    const x = inputs.map((d, i) => build(d.shape, (j) => d.data[j]! + t * v[i]!.data[j]!));
    const y = reference(...x);
    return gradient(
      build(y.shape, (i) => w.data[i]! * y.data[i]!),
      ...x,
    );
  };
  const eps = 1e-5;
  const [ahead, behind] = [gradientAt(eps), gradientAt(-eps)];
  const got = await readAll(() => {
    const leaves = inputs.map((x) => requireGrad(upload(x)));
    const first = grad(mul(sum(mul(upload(w), square(run(...leaves)))), 0.5), leaves, { createGraph: true });
    const along = first.map((g, i) => sum(mul(g, upload(v[i]!)))).reduce((a, b) => add(a, b));
    return grad(along, leaves);
  });
  inputs.forEach((x, i) => {
    const want = build(x.shape, (j) => (ahead[i]!.data[j]! - behind[i]!.data[j]!) / (2 * eps));
    const scale = want.data.reduce((m, d) => Math.max(m, Math.abs(d)), 1);
    expectWithin(got[i]!, want, close(1e-5, 1e-5 * scale), `Hessian times vector, input ${i}`);
  });
}
