import { grad, requireGrad, type Tensor } from 'evenkeel';
import { mul, sum } from 'evenkeel/ops';
import { build, type Dense } from '../reference/dense.ts';
import { expectWithin, readAll, upload } from './check-op.ts';
import { sample } from './sample.ts';
import { close, type Tolerance } from './tolerance.ts';

/**
 * The second gradient of an op of one input: for L = sum(dy y), the Hessian times a vector v against central
 * differences of the reference gradient in f64. `shape` is that of y.
 */
export async function checkTwice(
  x: Dense,
  shape: readonly number[],
  run: (x: Tensor) => Tensor,
  gradient: (dy: Dense, x: Dense) => Dense,
  tolerance: Tolerance = close(1e-4, 1e-5),
): Promise<void> {
  const eps = 1e-5;
  const dy = sample(shape, { seed: 31, low: -1, high: 1 });
  const v = sample(x.shape, { seed: 32, low: -1, high: 1 });
  const at = (t: number): Dense =>
    gradient(
      dy,
      build(x.shape, (i) => x.data[i]! + t * v.data[i]!),
    );
  const [above, below] = [at(eps), at(-eps)];
  const want = build(x.shape, (i) => (above.data[i]! - below.data[i]!) / (2 * eps));
  const [got] = await readAll(() => {
    const leaf = requireGrad(upload(x));
    const [g] = grad(sum(mul(run(leaf), upload(dy))), [leaf], { createGraph: true });
    return grad(sum(mul(g!, upload(v))), [leaf]);
  });
  expectWithin(got!, want, tolerance, 'Hessian times vector');
}
