/** What {@link lbfgs} returns. */
export interface Minimum {
  x: Float64Array;
  value: number;
  iterations: number;
  /** True when no entry of the gradient exceeds the tolerance. */
  converged: boolean;
}

/** Options of {@link lbfgs}. */
export interface LbfgsOptions {
  /** Default: 500. */
  maxIterations?: number;
  /** Largest entry of the gradient at the end. Default: 1e-8. */
  tolerance?: number;
  /** Pairs of steps and gradient differences that are kept. Default: 10. */
  historySize?: number;
}

/**
 * Minimum of a smooth convex function by limited-memory BFGS with backtracking (Nocedal and Wright, Numerical
 * optimization, algorithm 7.5). `evaluate` returns the value at x and writes the gradient. The value never rises above
 * that of `start`.
 */
export function lbfgs(
  evaluate: (x: Float64Array, gradient: Float64Array) => number,
  start: ArrayLike<number>,
  { maxIterations = 500, tolerance = 1e-8, historySize = 10 }: LbfgsOptions = {},
): Minimum {
  const n = start.length;
  let x = Float64Array.from(start);
  let gradient = new Float64Array(n);
  let value = evaluate(x, gradient);
  const pairs: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  let iterations = 0;
  while (iterations < maxIterations && largest(gradient) > tolerance) {
    const direction = descent(gradient, pairs);
    const slope = dot(direction, gradient);
    let step = pairs.length ? 1 : 1 / Math.max(1, Math.sqrt(-slope));
    let next = x;
    let nextGradient = gradient;
    let nextValue = Infinity;
    for (; step > 1e-12; step /= 2) {
      next = x.map((v, i) => v + step * direction[i]!);
      nextGradient = new Float64Array(n);
      nextValue = evaluate(next, nextGradient);
      if (nextValue <= value + 1e-4 * step * slope) break;
    }
    if (!(nextValue < value)) break; // below the rounding of the value
    iterations++;
    const s = next.map((v, i) => v - x[i]!);
    const y = nextGradient.map((v, i) => v - gradient[i]!);
    const curvature = dot(s, y);
    if (curvature > 1e-14 * dot(y, y)) {
      pairs.push({ s, y, rho: 1 / curvature });
      if (pairs.length > historySize) pairs.shift();
    }
    [x, gradient, value] = [next, nextGradient, nextValue];
  }
  return { x, value, iterations, converged: largest(gradient) <= Math.max(tolerance, 1e-7) };
}

/** -H g by the two-loop recursion. */
function descent(
  gradient: Float64Array,
  pairs: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = gradient.map((g) => -g);
  const alphas: number[] = [];
  for (let k = pairs.length - 1; k >= 0; k--) {
    const { s, y, rho } = pairs[k]!;
    alphas[k] = rho * dot(s, q);
    q.forEach((v, i) => (q[i] = v - alphas[k]! * y[i]!));
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    q.forEach((v, i) => (q[i] = v * scale));
  }
  pairs.forEach(({ s, y, rho }, k) => {
    const beta = rho * dot(y, q);
    q.forEach((v, i) => (q[i] = v + (alphas[k]! - beta) * s[i]!));
  });
  return q;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const largest = (x: Float64Array): number => x.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
