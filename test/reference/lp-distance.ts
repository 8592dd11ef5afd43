import { accumulator, addTerm, build, count, type Dense } from './dense.ts';

const rowsOf = (x: Dense): number => count(x.shape.slice(0, -1));

/** ||x - w[o]||_p for every row of x; general p >= 1 or Infinity. */
export function lpDistance(x: Dense, w: Dense, p: number): Dense {
  const [out, features] = w.shape as [number, number];
  return build([...x.shape.slice(0, -1), out], (i) => {
    const [row, o] = [Math.floor(i / out), i % out];
    let most = 0;
    for (let k = 0; k < features; k++)
      most = Math.max(most, Math.abs(x.data[row * features + k]! - w.data[o * features + k]!));
    if (p === Infinity || most === 0 || most === Infinity) return most;
    let sum = 0;
    for (let k = 0; k < features; k++)
      sum += (Math.abs(x.data[row * features + k]! - w.data[o * features + k]!) / most) ** p;
    return most * sum ** (1 / p);
  });
}

/**
 * Gradients of {@link lpDistance}: (|t| / y)^(p-1) sign(t), or all of dy to the first of the largest |t|; NaN at the
 * first that is.
 */
export function lpDistanceGradient(dy: Dense, x: Dense, w: Dense, p: number): [Required<Dense>, Required<Dense>] {
  const [out, features] = w.shape as [number, number];
  const y = lpDistance(x, w, p);
  const [dx, dw] = [accumulator(x.shape), accumulator(w.shape)];
  for (let row = 0; row < rowsOf(x); row++) {
    for (let o = 0; o < out; o++) {
      const [length, g] = [y.data[row * out + o]!, dy.data[row * out + o]!];
      for (let k = 0; k < features; k++) {
        const t = x.data[row * features + k]! - w.data[o * features + k]!;
        if (p === Infinity && !Object.is(Math.abs(t), length)) continue;
        const slope = Number.isNaN(length)
          ? NaN
          : p === Infinity
            ? t < 0
              ? -1
              : 1
            : length === 0
              ? 0
              : Math.sign(t) * (Math.abs(t) / length) ** (p - 1);
        addTerm(dx, row * features + k, g * slope);
        addTerm(dw, o * features + k, -g * slope);
        if (p === Infinity) break;
      }
    }
  }
  return [dx, dw];
}

/** Bounds of ||x - w[o]||_inf over a box, by its definition: the farthest and the nearest point of each interval. */
export function infDistanceBounds(lower: Dense, upper: Dense, w: Dense): { lower: Dense; upper: Dense } {
  const [out, features] = w.shape as [number, number];
  const bound = (of: (l: number, u: number, c: number) => number): Dense =>
    build([...lower.shape.slice(0, -1), out], (i) => {
      const [row, o] = [Math.floor(i / out), i % out];
      let most = 0;
      for (let k = 0; k < features; k++)
        most = Math.max(
          most,
          of(lower.data[row * features + k]!, upper.data[row * features + k]!, w.data[o * features + k]!),
        );
      return most;
    });
  return {
    lower: bound((l, u, c) => (l < c && c < u ? 0 : Math.min(Math.abs(l - c), Math.abs(u - c)))),
    upper: bound((l, u, c) => Math.max(Math.abs(l - c), Math.abs(u - c))),
  };
}
