/** One step of SAM over SGD with rate `lr`, on a function given by its gradient: plain loops in f64. */
export function samStep(
  w: readonly number[],
  gradient: (w: readonly number[]) => number[],
  lr: number,
  rho: number,
  adaptive: boolean,
): number[] {
  const g = gradient(w);
  const norm = Math.sqrt(g.reduce((t, v, i) => t + ((adaptive ? Math.abs(w[i]!) : 1) * v) ** 2, 0));
  const there = w.map((v, i) => v + (rho / (norm + 1e-12)) * (adaptive ? v * v : 1) * g[i]!);
  return gradient(there).map((d, i) => w[i]! - lr * d);
}
