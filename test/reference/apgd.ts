/** Logits, loss and its gradient for one sample; a loss may be undefined for labels that the case never uses. */
export type Slope = (x: readonly number[]) => { loss: number; fooled: boolean; slope: number[] };

/** A run of APGD for one sample. */
export interface ApgdRun {
  x: readonly number[];
  start: readonly number[];
  eps: number;
  norm: 'linf' | 'l2';
  clip: readonly [number, number];
  steps: number;
  rule: 'paper' | 'code';
}

const clip = (v: number, [low, high]: readonly [number, number]): number => Math.min(high, Math.max(low, v));

/**
 * Auto-PGD by the paper's Algorithm 1, or as the official code decides: the last point, the largest loss, the step
 * size, all losses.
 */
export function apgdReference(at: Slope, { x, start, eps, norm, clip: box, steps, rule }: ApgdRun) {
  const inside = (p: readonly number[]): number[] => {
    const d = p.map((v, i) => v - x[i]!);
    const length = Math.hypot(...d);
    return d.map((v, i) =>
      clip(norm === 'linf' ? x[i]! + clip(v, [-eps, eps]) : x[i]! + v * Math.min(1, eps / (length + 1e-12)), box),
    );
  };
  let now = [...start];
  let old = now;
  let here = at(now);
  const losses = [here.loss];
  /** Loss that the next point is compared with. */
  let compared = rule === 'paper' ? here.loss : 0;
  let [best, bestAt, bestLoss] = [now, here, here.loss];
  let [size, rises, last, checkLoss] = [2 * eps, 0, 0, bestLoss];
  let wasHalved = rule === 'code';
  // Distances to the next checkpoint.
  let p = [0, 0.22];
  let [k, next] = [
    Math.max(1, Math.floor(0.22 * steps)),
    rule === 'paper' ? Math.ceil(0.22 * steps - 1e-9) : Math.max(1, Math.floor(0.22 * steps)),
  ];
  for (let i = 1; i <= steps; i++) {
    const a = i === 1 ? 1 : 0.75;
    const length = Math.hypot(...here.slope);
    const z = inside(
      now.map((v, j) => v + size * (norm === 'linf' ? Math.sign(here.slope[j]!) : here.slope[j]! / (length || 1))),
    );
    const moved = inside(now.map((v, j) => v + a * (z[j]! - v) + (1 - a) * (v - old[j]!)));
    old = now;
    now = moved;
    here = at(now);
    losses.push(here.loss);
    if (here.loss > compared) rises++;
    compared = here.loss;
    if (here.loss > bestLoss) [best, bestAt, bestLoss] = [now, here, here.loss];
    if (i !== next) continue;
    const few = rule === 'paper' ? rises < 0.75 * (i - last) : rises <= 0.75 * (i - last);
    const halves = few || (!wasHalved && bestLoss <= checkLoss);
    if (halves) {
      size /= 2;
      [now, here] = [best, bestAt];
      if (rule === 'paper') compared = bestLoss;
    }
    [wasHalved, checkLoss, rises, last] = [halves, bestLoss, 0, i];
    p = [p[1]!, p[1]! + Math.max(p[1]! - p[0]! - 0.03, 0.06)];
    k = Math.max(k - Math.max(1, Math.floor(0.03 * steps)), Math.max(1, Math.floor(0.06 * steps)));
    next = rule === 'paper' ? Math.ceil(p[1]! * steps - 1e-9) : i + k;
  }
  return { now, best, bestLoss, size, losses };
}
