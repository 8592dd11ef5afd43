/** A monotone step function with its steps joined by lines: `y` rises with `x`, and is constant outside. */
export interface Monotone {
  x: number[];
  y: number[];
}

/**
 * Isotonic regression: the non-decreasing fit of targets over x with the least squared error, weighted by `weight` (all
 * above 0; default 1), by pooling adjacent violators.
 * Equal x are pooled first. The two ends of every block are kept, as scikit-learn does.
 */
export function isotonic(x: ArrayLike<number>, targets: ArrayLike<number>, weight?: ArrayLike<number>): Monotone {
  const order = Uint32Array.from({ length: x.length }, (_, i) => i).sort((a, b) => x[a]! - x[b]!);
  const blocks: { from: number; to: number; sum: number; count: number }[] = [];
  for (const i of order) {
    const count = weight?.[i] ?? 1;
    const last = blocks.at(-1);
    if (last && last.to === x[i]) {
      last.sum += count * targets[i]!;
      last.count += count;
    } else {
      pool(blocks);
      blocks.push({ from: x[i]!, to: x[i]!, sum: count * targets[i]!, count });
    }
  }
  pool(blocks);
  const out: Monotone = { x: [], y: [] };
  for (const { from, to, sum, count } of blocks) {
    for (const end of from === to ? [from] : [from, to]) {
      out.x.push(end);
      out.y.push(sum / count);
    }
  }
  return out;
}

/** The value of a monotone function at `at`. */
export function interpolate({ x, y }: Monotone, at: number): number {
  const last = x.length - 1;
  if (at <= x[0]!) return y[0]!;
  if (at >= x[last]!) return y[last]!;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle]! <= at) low = middle;
    else high = middle;
  }
  return y[low]! + ((at - x[low]!) / (x[high]! - x[low]!)) * (y[high]! - y[low]!);
}

/** Joins the last block with those before it that are not below it. */
function pool(blocks: { from: number; to: number; sum: number; count: number }[]): void {
  while (blocks.length > 1) {
    const [before, last] = blocks.slice(-2) as [(typeof blocks)[0], (typeof blocks)[0]];
    if (before.sum * last.count < last.sum * before.count) return;
    blocks.pop();
    before.to = last.to;
    before.sum += last.sum;
    before.count += last.count;
  }
}
