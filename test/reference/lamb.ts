/** What one parameter needs from step to step. */
export interface LambMoments {
  m: number[];
  v: number[];
}

const length = (x: readonly number[]): number => Math.sqrt(x.reduce((t, e) => t + e * e, 0));

/** Step `t`, from 1, of LAMB on one parameter: plain loops in f64. Returns the new values. */
export function lambStep(
  p: readonly number[],
  g: readonly number[],
  state: LambMoments,
  t: number,
  {
    lr,
    betas: [b1, b2],
    eps,
    weightDecay,
  }: { lr: number; betas: readonly [number, number]; eps: number; weightDecay: number },
): number[] {
  const u = p.map((w, i) => {
    state.m[i] = b1 * (state.m[i] ?? 0) + (1 - b1) * g[i]!;
    state.v[i] = b2 * (state.v[i] ?? 0) + (1 - b2) * g[i]! ** 2;
    return state.m[i]! / (1 - b1 ** t) / (Math.sqrt(state.v[i]! / (1 - b2 ** t)) + eps) + weightDecay * w;
  });
  const ratio = length(p) > 0 && length(u) > 0 ? length(p) / length(u) : 1;
  return p.map((w, i) => w - lr * ratio * u[i]!);
}
