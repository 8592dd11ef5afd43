import { build, count, ravel, unravel, type Dense } from './dense.ts';
import { keptShape, sum } from './reduce.ts';

const elements = (x: Dense, axes: readonly number[]): number => count(axes.map((a) => x.shape[a]!));

/** x less its mean over axes. */
function centred(x: Dense, axes: readonly number[]): Dense {
  const mean = sum(x, axes, 1 / elements(x, axes));
  return build(x.shape, (i) => x.data[i]! - mean.data[ravel(unravel(i, x.shape), mean.shape)]!);
}

/** sum (x - mean)^2 / (n - correction) over axes, with size 1 left in their place. */
export function variance(x: Dense, axes: readonly number[], correction: number): Dense {
  const d = centred(x, axes);
  return sum(
    build(x.shape, (i) => d.data[i]! ** 2),
    axes,
    1 / (elements(x, axes) - correction),
  );
}

/** Gradient of {@link variance}: 2 dy (x - mean) / (n - correction). */
export function varianceGradient(dy: Dense, x: Dense, axes: readonly number[], correction: number): Dense {
  const d = centred(x, axes);
  const kept = keptShape(x.shape, axes);
  return build(
    x.shape,
    (i) => (2 * dy.data[ravel(unravel(i, x.shape), kept)]! * d.data[i]!) / (elements(x, axes) - correction),
  );
}

/** Square root of {@link variance}. */
export function std(x: Dense, axes: readonly number[], correction: number): Dense {
  const v = variance(x, axes, correction);
  return build(v.shape, (i) => Math.sqrt(v.data[i]!));
}

/** Gradient of {@link std}; 0 where it is 0. */
export function stdGradient(dy: Dense, x: Dense, axes: readonly number[], correction: number): Dense {
  const y = std(x, axes, correction);
  return varianceGradient(
    build(y.shape, (i) => (y.data[i] === 0 ? 0 : dy.data[i]! / (2 * y.data[i]!))),
    x,
    axes,
    correction,
  );
}
