import { accumulator, addTerm, build, type Dense } from './dense.ts';

/** Length of each row of the last axis. */
function lengths(x: Dense): Float64Array {
  const cols = x.shape.at(-1)!;
  const out = new Float64Array(cols ? x.data.length / cols : 0);
  x.data.forEach((v, i) => (out[Math.floor(i / cols)]! += v * v));
  return out.map(Math.sqrt);
}

/** x / max(|x|, eps) along the last axis. */
export function normalize(x: Dense, eps: number): Dense {
  const n = lengths(x);
  return build(x.shape, (i) => x.data[i]! / Math.max(eps, n[Math.floor(i / x.shape.at(-1)!)]!));
}

/** (dy - y (y . dy)) / n where |x| > eps, else dy / eps. */
export function normalizeGradient(dy: Dense, x: Dense, eps: number): Dense {
  const cols = x.shape.at(-1)!;
  const y = normalize(x, eps);
  const n = lengths(x);
  const dx = accumulator(x.shape);
  x.data.forEach((_, i) => {
    const row = Math.floor(i / cols);
    const length = Math.max(eps, n[row]!);
    addTerm(dx, i, dy.data[i]! / length);
    if (n[row]! > eps)
      for (let c = 0; c < cols; c++)
        addTerm(dx, i, (-y.data[i]! * y.data[row * cols + c]! * dy.data[row * cols + c]!) / length);
  });
  return dx;
}
