import { grad, requireGrad, type Tensor } from 'evenkeel';
import { mul, square, sum } from 'evenkeel/ops';
import type { Dense } from '../reference/dense.ts';
import { build } from '../reference/dense.ts';
import { expectWithin, readAll, upload } from './check-op.ts';
import { sample } from './sample.ts';
import { close } from './tolerance.ts';

/**
 * The second gradient of an op that is linear in x, y = A x: for L = sum(w y^2) / 2 the Hessian times v is A'(w A v).
 * `apply` is A and `transposed` A' in f64.
 */
export async function checkLinearTwice(
  x: Dense,
  run: (x: Tensor) => Tensor,
  apply: (x: Dense) => Dense,
  transposed: (dy: Dense) => Dense,
): Promise<void> {
  const w = sample(apply(x).shape, { seed: 21 });
  const v = sample(x.shape, { seed: 22 });
  const moved = apply(v);
  const want = transposed(build(w.shape, (i) => w.data[i]! * moved.data[i]!));
  const [got] = await readAll(() => {
    const leaf = requireGrad(upload(x));
    const [g] = grad(mul(sum(mul(upload(w), square(run(leaf)))), 0.5), [leaf], { createGraph: true });
    return grad(sum(mul(g!, upload(v))), [leaf]);
  });
  expectWithin(got!, { shape: want.shape, data: want.data }, close(1e-5, 1e-5), 'Hessian times vector');
}
