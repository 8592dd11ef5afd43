import { build, ravel, unravel, type Dense } from './dense.ts';
import { extreme, extremeGradient, sum } from './reduce.ts';

const magnitude = (x: Dense): Dense => build(x.shape, (i) => Math.abs(x.data[i]!));

/** (sum |x|^p)^(1/p) over axes, with size 1 left in their place. */
export function norm(x: Dense, axes: readonly number[], p: number): Dense {
  if (p === Infinity) return extreme(magnitude(x), axes, 1);
  const powers = sum(
    build(x.shape, (i) => Math.abs(x.data[i]!) ** p),
    axes,
  );
  return build(powers.shape, (i) => powers.data[i]! ** (1 / p));
}

/** Gradient of {@link norm}: dy sign(x) (|x| / norm)^(p - 1), 0 where x = 0 and the norm is a number. */
export function normGradient(dy: Dense, x: Dense, axes: readonly number[], p: number): Dense {
  if (p === Infinity) {
    const g = extremeGradient(dy, magnitude(x), axes, 1);
    return build(x.shape, (i) => g.data[i]! * Math.sign(x.data[i]!));
  }
  const y = norm(x, axes, p);
  return build(x.shape, (i) => {
    const at = ravel(unravel(i, x.shape), y.shape);
    return x.data[i] === 0 && !Number.isNaN(y.data[at])
      ? 0
      : dy.data[at]! * Math.sign(x.data[i]!) * (Math.abs(x.data[i]!) / y.data[at]!) ** (p - 1);
  });
}
