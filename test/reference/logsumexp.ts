import { build, ravel, unravel, type Dense } from './dense.ts';
import { extreme, sum } from './reduce.ts';

/** Of each row over axes: the largest element and the sum of exp(x - largest); rows of -Infinity have sum 0. */
function terms(x: Dense, axes: readonly number[]): { m: Dense; e: Dense; total: Dense } {
  const m = extreme(x, axes, 1);
  const e = build(x.shape, (i) => {
    const largest = m.data[ravel(unravel(i, x.shape), m.shape)]!;
    return largest === -Infinity ? 0 : Math.exp(x.data[i]! - largest);
  });
  return { m, e, total: sum(e, axes) };
}

/** log(sum exp(x)) over axes, with size 1 left in their place. */
export function logsumexp(x: Dense, axes: readonly number[]): Dense {
  const { m, total } = terms(x, axes);
  return build(m.shape, (i) =>
    Math.abs(m.data[i]!) === Infinity ? m.data[i]! : m.data[i]! + Math.log(total.data[i]!),
  );
}

/** Gradient of {@link logsumexp}: dy exp(x - logsumexp(x)); 0 in a row of -Infinity. */
export function logsumexpGradient(dy: Dense, x: Dense, axes: readonly number[]): Dense {
  const { m, e, total } = terms(x, axes);
  return build(x.shape, (i) => {
    const at = ravel(unravel(i, x.shape), total.shape);
    if (m.data[at] === -Infinity) return 0;
    if (m.data[at] === Infinity) return x.data[i] === Infinity ? NaN : 0;
    return (dy.data[at]! * e.data[i]!) / total.data[at]!;
  });
}
